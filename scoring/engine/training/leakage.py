"""Finds columns that give the target away: nearly the target itself, or known only after the decision."""

from collections.abc import Mapping

import numpy as np

from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import auc
from scoring.engine.training.profile import MAX_CATEGORIES, ColumnProfile
from scoring.engine.training.target import Target

CERTAIN = 0.995       # such a column is left out
SUSPECT = 0.95        # such a column is reported
MOST_ROWS = 200_000
ROWS_PER_VALUE = 10   # with fewer on average the rate of a value is chance


def separation(profile: ColumnProfile, target: Target) -> float:
    """How well the column alone ranks the target: 0.5 not at all, 1 perfectly. Words are ranked by the rate of their own rows."""
    rows = _spread(np.flatnonzero(target.is_known))
    codes, truth = profile.column.codes[rows], target.values[rows]
    are_few = profile.distinct <= min(MAX_CATEGORIES, len(rows) / ROWS_PER_VALUE)
    if truth.min() == truth.max() or not (profile.is_numeric or are_few):
        return 0.5
    count = np.bincount(codes, minlength=len(profile.column.texts))
    rate = np.bincount(codes, weights=truth, minlength=len(count)) / np.maximum(count, 1)
    if not profile.is_numeric or profile.distinct <= 2:
        return auc(truth, rate[codes])
    numbers = np.where(np.isnan(profile.numbers) | np.isin(profile.numbers, profile.sentinels), -np.inf, profile.numbers)[codes]
    found = auc(truth, numbers)
    return max(found, 1 - found, auc(truth, rate[codes]) if are_few else 0.0)


def suspects(samples: Samples) -> Mapping[str, float]:
    """Features that alone rank the target suspiciously well, with the area under their curve; what is missing counts as a value."""
    rows = _spread(np.arange(len(samples.target)))
    found = {name: _separation(samples, place, rows) for place, name in enumerate(samples.names)}
    return {name: round(one, 4) for name, one in sorted(found.items(), key=lambda pair: -pair[1]) if one >= SUSPECT}


def told(found: Mapping[str, float]) -> list[str]:
    """One sentence for each suspect."""
    return [
        f"'{name}' alone ranks the target with an AUC of {one:.3f}: "
        + ("it gives the target away; take it out of features" if one >= CERTAIN else "is it known before the decision?")
        for name, one in found.items()
    ]


def _spread(rows: np.ndarray) -> np.ndarray:
    """At most MOST_ROWS of them from all over the table, which may be sorted."""
    return rows[:: max(1, -(-len(rows) // MOST_ROWS))]


def _separation(samples: Samples, place: int, rows: np.ndarray) -> float:
    values, truth = samples.values[rows, place], samples.target[rows]
    if truth.min() == truth.max():
        return 0.5
    ranked = np.where(np.isnan(values), -np.inf, values)
    distinct, codes = np.unique(ranked, return_inverse=True)
    by_rate = 0.5
    if len(distinct) <= min(MAX_CATEGORIES, len(truth) / ROWS_PER_VALUE):
        rate = np.bincount(codes, weights=truth) / np.bincount(codes)
        by_rate = auc(truth, rate[codes])
    if samples.is_category[place]:
        return by_rate
    by_size = auc(truth, ranked)
    return max(by_size, 1 - by_size, by_rate)
