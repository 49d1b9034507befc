"""How well two sets of probabilities rank the same cases, and how sure the difference is: numpy alone, so that serving may ask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 400
LEVEL = 0.95
_SEED = 20_260_101

Floats = NDArray[np.float64]
Flags = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Gain:
    """AUC of both on the same cases, Brier of both, and the interval (LEVEL) of what the new one gains in AUC."""

    old_auc: float
    new_auc: float
    old_brier: float
    new_brier: float
    low: float
    high: float


def auc(bad: Flags, probability: Floats) -> float:
    """The chance that a bad case outranks a good one; ties count half. Needs both outcomes."""
    _, place, count = np.unique(probability, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positives = int(bad.sum())
    return float((rank[bad == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(bad) - positives)))


def brier(bad: Flags, probability: Floats) -> float:
    """The mean squared distance of the probability from what happened."""
    return float(np.mean((probability - bad) ** 2))


def gain(bad: Flags, old: Floats, new: Floats) -> Gain:
    """What `new` gains over `old` on these cases; the interval is of the same resamples for both."""
    draw, found = np.random.default_rng(_SEED), []
    good_rows, bad_rows = np.flatnonzero(bad == 0), np.flatnonzero(bad == 1)
    for _ in range(RESAMPLES):
        rows = np.concatenate([draw.choice(good_rows, len(good_rows)), draw.choice(bad_rows, len(bad_rows))])
        found.append(auc(bad[rows], new[rows]) - auc(bad[rows], old[rows]))
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Gain(auc(bad, old), auc(bad, new), brier(bad, old), brier(bad, new), float(low), float(high))
