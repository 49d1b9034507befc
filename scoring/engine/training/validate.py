"""Cross-validation: stratified, shuffled, the same folds each time; nothing of a fold is used to fit for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.model_selection import StratifiedKFold

from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Flags, Floats, Quality, calibration_table, quality, roc_points

FOLD_SEED = 42
MOST_ROWS = 200_000       # the figures of a larger table are those of a stratified sample of this size


class Fitted(Protocol):
    """A fitted model of any estimator: calibrated log-odds for rows."""

    def margins(self, values: Floats) -> Floats: ...


class Fit(Protocol):
    def __call__(self, samples: Samples, *, seed: int, threads: int) -> Fitted: ...


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What the folds say: means, each fold, the curve and the calibration over all rows when each was held out; and these rows."""

    mean: Quality
    folds: tuple[Quality, ...]
    rows: int
    roc: list[list[float]]
    calibration: list[dict[str, float]]
    target: Flags
    probability: Floats
    held: NDArray[np.int64]    # which samples these are

    def to_dict(self) -> dict[str, Any]:
        def shown(figures: Quality) -> dict[str, float]:
            return {"auc": round(figures.auc, 6), "ks": round(figures.ks, 6), "brier": round(figures.brier, 6)}

        return {**shown(self.mean), "folds": [shown(fold) for fold in self.folds], "rows": self.rows}


def cross_validate(samples: Samples, fit: Fit, *, folds: int, seed: int, threads: int, progress: Callable[[str], None]) -> CrossValidation:
    """AUC, KS and Brier of calibrated probabilities on each of the folds (shuffled, random state 42) and their means."""
    chosen = _at_most(samples, MOST_ROWS)
    samples = samples.take(chosen)
    probability, results = np.empty(len(samples.target)), []
    splitter = StratifiedKFold(folds, shuffle=True, random_state=FOLD_SEED)
    for number, (kept, held) in enumerate(splitter.split(samples.values, samples.target), start=1):
        model = fit(samples.take(kept), seed=seed, threads=threads)
        probability[held] = expit(model.margins(samples.values[held]))
        results.append(quality(samples.target[held], probability[held]))
        progress(f"fold {number} of {folds}: AUC {results[-1].auc:.4f}, KS {results[-1].ks:.4f}, Brier {results[-1].brier:.4f}")
    mean = Quality(*(float(np.mean([getattr(result, name) for result in results])) for name in ("auc", "ks", "brier")))
    return CrossValidation(
        mean, tuple(results), len(samples.target), roc_points(samples.target, probability), calibration_table(samples.target, probability),
        samples.target, probability, chosen,
    )


def _at_most(samples: Samples, rows: int) -> NDArray[np.int64]:
    if len(samples.target) <= rows:
        return np.arange(len(samples.target))
    draw, kept = np.random.default_rng(FOLD_SEED), []
    for label in (0, 1):
        of_label = np.flatnonzero(samples.target == label)
        kept.append(draw.choice(of_label, max(1, round(rows * len(of_label) / len(samples.target))), replace=False))
    return np.sort(np.concatenate(kept))
