"""Validation over time: fitted on what came first, judged on what followed, as the model will be used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Quality, quality
from scoring.engine.training.validate import MOST_ROWS, CrossValidation, Fit

Days = NDArray[np.datetime64]

FIRST_SHARE = 0.4       # of the rows, by time, that the first fit has
STEPS = 3               # parts of the rest; each is judged by a fit on all before it
LEAST = 8               # rows of the rarer outcome to fit on: the inner folds need them
LEAST_JUDGED = 5        # the same, to judge by
WORSE = 0.02            # of AUC, and
ERRORS = 2.0            # standard errors: what is further below the shuffled folds than both is told


@dataclass(frozen=True, slots=True)
class Step:
    """One step: how many rows came before, and the days, the rows, the events and the figures of the part that was judged."""

    fitted_rows: int
    from_day: str
    to_day: str
    rows: int
    positives: int
    quality: Quality

    def to_dict(self) -> dict[str, Any]:
        about = {"fitted_rows": self.fitted_rows, "from": self.from_day, "to": self.to_day, "rows": self.rows, "positives": self.positives}
        return {**about, **_shown(self.quality)}

    @property
    def variance(self) -> float:
        """Of its AUC, by Hanley and McNeil."""
        area, positives, negatives = self.quality.auc, self.positives, self.rows - self.positives
        both, twice = area / (2 - area), 2 * area**2 / (1 + area)
        spread = (positives - 1) * (both - area**2) + (negatives - 1) * (twice - area**2)
        return (area * (1 - area) + spread) / (positives * negatives)


@dataclass(frozen=True, slots=True)
class ForwardValidation:
    """What the steps say, and their means."""

    mean: Quality
    steps: tuple[Step, ...]
    undated: int

    def to_dict(self) -> dict[str, Any]:
        return {**_shown(self.mean), "steps": [step.to_dict() for step in self.steps], "undated_rows": self.undated}

    def worse(self, shuffled: CrossValidation) -> str:
        """What to hear when it is clearly worse than shuffled folds; else nothing."""
        gap = shuffled.mean.auc - self.mean.auc
        error = float(np.sqrt(sum(step.variance for step in self.steps))) / len(self.steps)
        if gap <= max(WORSE, ERRORS * error):
            return ""
        return (
            f"fitted on the past and judged on what followed, the AUC is {self.mean.auc:.3f}, against {shuffled.mean.auc:.3f} in shuffled "
            "folds: expect the lower one, and look for inputs whose meaning changed"
        )


def validate_forward(
    samples: Samples, days: Days, fit: Fit, *, seed: int, threads: int, progress: Callable[[str], None]
) -> ForwardValidation | None:
    """AUC, KS and Brier of calibrated probabilities on parts of the table that came after all that was fitted on.

    No day is on both sides. None when too few days, rows or outcomes are there to judge by."""
    dated = np.flatnonzero(~np.isnat(days))
    if len(dated) > MOST_ROWS:
        dated = dated[:: -(-len(dated) // MOST_ROWS)]
    steps = []
    for number, (before, held) in enumerate(_parts(samples, days, dated), start=1):
        model = fit(samples.take(before), seed=seed, threads=threads)
        result = quality(samples.target[held], expit(model.margins(samples.values[held])))
        judged = days[held]
        steps.append(Step(len(before), str(judged.min()), str(judged.max()), len(held), int(samples.target[held].sum()), result))
        about = f"{steps[-1].from_day} to {steps[-1].to_day}"
        progress(f"over time {number}, {about}: AUC {result.auc:.4f}, KS {result.ks:.4f}, Brier {result.brier:.4f}")
    if not steps:
        return None
    means = (float(np.mean([getattr(step.quality, name) for step in steps])) for name in ("auc", "ks", "brier"))
    return ForwardValidation(Quality(*means), tuple(steps), int(np.isnat(days).sum()))


def _parts(samples: Samples, days: Days, dated: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to fit on and rows to judge, cut between two days; in the table's order, so that the same rows give the same fit."""
    if not len(dated):
        return []
    known = np.sort(days[dated])
    shares = np.linspace(FIRST_SHARE, 1.0, STEPS + 1)[:-1]
    cuts = [*np.unique(known[(shares * len(known)).astype(int)]), known[-1] + np.timedelta64(1, "D")]
    found = []
    for start, end in zip(cuts[:-1], cuts[1:], strict=True):
        before, held = dated[days[dated] < start], dated[(days[dated] >= start) & (days[dated] < end)]
        if _rarer(samples, before) >= LEAST and _rarer(samples, held) >= LEAST_JUDGED:
            found.append((before, held))
    return found


def _rarer(samples: Samples, rows: NDArray[np.int64]) -> int:
    positives = int(samples.target[rows].sum())
    return min(positives, len(rows) - positives)


def _shown(figures: Quality) -> dict[str, float]:
    return {"auc": round(figures.auc, 6), "ks": round(figures.ks, 6), "brier": round(figures.brier, 6)}
