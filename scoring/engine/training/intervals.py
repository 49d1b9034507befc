"""How sure the figures are: bootstrap intervals over rows that were scored while they were held out."""

import numpy as np

from scoring.engine.training.metrics import Flags, Floats

RESAMPLES = 200
LEVEL = 0.95
Interval = tuple[float, float]


def intervals(target: Flags, probability: Floats, *, seed: int, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """Percentile intervals (95 %) of AUC, KS and Brier, rows drawn with replacement; a draw of one outcome only is drawn again."""
    draw = np.random.default_rng(seed)
    order = np.argsort(-probability, kind="stable")
    truth, error = target[order] == 1, (probability - target)[order] ** 2
    last_of_tie = np.append(np.diff(probability[order]) != 0, True)
    found = np.array([_figures(_weights(draw, truth), truth, error, last_of_tie) for _ in range(resamples)])
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    names = ("auc", "ks", "brier")
    return {name: (round(float(low[place]), 6), round(float(high[place]), 6)) for place, name in enumerate(names)}


def _weights(draw: np.random.Generator, truth: np.ndarray) -> np.ndarray:
    while True:
        weights = np.bincount(draw.integers(0, len(truth), len(truth)), minlength=len(truth))
        if 0 < weights[truth].sum() < len(truth):
            return weights


def _figures(weights: np.ndarray, truth: np.ndarray, error: Floats, last_of_tie: np.ndarray) -> tuple[float, float, float]:
    """AUC (ties count half), KS and Brier of rows that count `weights` times; rows from the riskiest to the safest."""
    bad, good = (np.cumsum(np.where(one, weights, 0))[last_of_tie] for one in (truth, ~truth))
    hit, false = np.append(0.0, bad / bad[-1]), np.append(0.0, good / good[-1])
    return float(np.trapezoid(hit, false)), float((hit - false).max()), float(weights @ error / weights.sum())
