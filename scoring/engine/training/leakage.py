"""Finds columns that give the target away: nearly the target itself, or known only after the decision."""

import numpy as np

from scoring.engine.training.metrics import auc
from scoring.engine.training.profile import MAX_CATEGORIES, ColumnProfile
from scoring.engine.training.target import Target

CERTAIN = 0.995       # such a column is left out
SUSPECT = 0.95        # such a column is reported
MOST_ROWS = 200_000


def separation(profile: ColumnProfile, target: Target) -> float:
    """How well the column alone ranks the target: 0.5 not at all, 1 perfectly. Words are ranked by the rate of their own rows."""
    rows = np.flatnonzero(target.is_known)[:MOST_ROWS]
    codes, truth = profile.column.codes[rows], target.values[rows]
    if truth.min() == truth.max() or (not profile.is_numeric and profile.distinct > MAX_CATEGORIES):
        return 0.5
    count = np.bincount(codes, minlength=len(profile.column.texts))
    rate = np.bincount(codes, weights=truth, minlength=len(count)) / np.maximum(count, 1)
    if not profile.is_numeric or profile.distinct <= 2:
        return auc(truth, rate[codes])
    numbers = np.where(np.isnan(profile.numbers) | np.isin(profile.numbers, profile.sentinels), -np.inf, profile.numbers)[codes]
    found = auc(truth, numbers)
    return max(found, 1 - found, auc(truth, rate[codes]) if profile.distinct <= MAX_CATEGORIES else 0.0)
