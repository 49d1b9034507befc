"""How well probabilities rank and how true they are: AUC, KS, Brier, the ROC curve and the calibration table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Flags = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Quality:
    """The three figures of one fold, or their means."""

    auc: float
    ks: float
    brier: float


def quality(target: Flags, probability: Floats) -> Quality:
    """AUC, KS and Brier of probabilities against what happened."""
    hit, false = roc(target, probability)
    return Quality(auc=auc(target, probability), ks=float((hit - false).max()), brier=float(np.mean((probability - target) ** 2)))


def auc(target: Flags, score: Floats) -> float:
    """The chance that a positive outranks a negative; ties count half."""
    positives = int(target.sum())
    negatives = len(target) - positives
    return float((rankdata(score)[target == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def roc(target: Flags, score: Floats) -> tuple[Floats, Floats]:
    """Hit share and false-alarm share at every distinct cut-off, from the strictest."""
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    hits = np.cumsum(target[order])[last_of_tie]
    count = np.arange(1, len(target) + 1)[last_of_tie]
    return (
        np.concatenate([[0.0], hits / max(int(target.sum()), 1)]),
        np.concatenate([[0.0], (count - hits) / max(len(target) - int(target.sum()), 1)]),
    )


def roc_points(target: Flags, score: Floats, *, points: int = 60) -> list[list[float]]:
    """The ROC curve thinned to a drawable list of [false-alarm share, hit share]."""
    hit, false = roc(target, score)
    places = np.unique(np.searchsorted(false, np.linspace(0.0, 1.0, points)).clip(max=len(false) - 1))
    return [[round(float(false[place]), 4), round(float(hit[place]), 4)] for place in (0, *places, len(false) - 1)]


def calibration_table(target: Flags, probability: Floats, *, bins: int = 10) -> list[dict[str, float]]:
    """Equal shares of the rows by probability: what was predicted and what happened in each."""
    groups = np.array_split(np.argsort(probability, kind="stable"), min(bins, len(target)))
    return [
        {"rows": len(group), "predicted": round(float(probability[group].mean()), 5), "observed": round(float(target[group].mean()), 5)}
        for group in groups
    ]


def platt(target: Flags, margin: Floats) -> tuple[float, float]:
    """Slope and intercept that turn margins into honest log-odds, from rows the model was not fitted on.

    Newton on two parameters with Platt's smoothed targets, each step halved until it gains; a slope that would turn the ranking round is
    refused."""
    positives = int(target.sum())
    negatives = len(target) - positives
    goal = np.where(target == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.column_stack([margin, np.ones_like(margin)])
    weights = np.array([1.0, 0.0])

    def loss(point: Floats) -> float:
        return float((np.logaddexp(0.0, design @ point) - goal * (design @ point)).sum())

    for _ in range(50):
        probability = expit(design @ weights)
        gradient = design.T @ (probability - goal)
        spread = probability * (1 - probability)
        hessian = design.T @ (design * spread[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        # From a start far off a whole step may lead ever further away.
        while np.abs(step).max() >= 1e-10 and loss(weights - step) > loss(weights) * (1 + 1e-12):
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-10:
            break
    if not np.isfinite(weights).all() or weights[0] <= 0:
        return 1.0, 0.0
    return float(weights[0]), float(weights[1])
