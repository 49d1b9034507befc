"""How a policy's cut-offs meet groups of people: shares approved, and their ratio to the most approved group. No model reads this."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.engine.policy import Outcome, Policy

SMALLEST_GROUP = 30     # cases; of fewer nothing is told but their number
FOUR_FIFTHS = 0.8       # of the most approved group's share: below it a difference asks for a reason
_NORMAL = 1.959964      # a 95 % interval reaches so many standard errors to each side


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Held-out cases of one group, shares from 0 to 1. None of what it is too small for, or of what cannot be told.

    `ratio` is its share approved against that of the most approved group, `low` to `high` its 95 % interval; that group itself has 1."""

    group: str
    cases: int
    approved_share: float | None = None
    bad_share: float | None = None
    auc: float | None = None
    mean_probability: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_small(self) -> bool:
        return self.cases < SMALLEST_GROUP


def by_group(groups: Sequence[Mapping[str, Any]], policy: Policy) -> list[GroupFigures]:
    """A card's groups of one protected input at the policy's cut-offs, its knock-out rules left aside."""
    approved = [_approved(one, policy) if one["rows"] >= SMALLEST_GROUP else None for one in groups]
    large = [(count / one["rows"], count, one["rows"]) for one, count in zip(groups, approved, strict=True) if count is not None]
    best = max(large, key=lambda one: one[0], default=(0.0, 0, 0))
    return [_figures(one, count, best) for one, count in zip(groups, approved, strict=True)]


def _approved(group: Mapping[str, Any], policy: Policy) -> int:
    return sum(cases for score, cases in group["scores"] if policy.outcome(score) is Outcome.APPROVE)


def _figures(group: Mapping[str, Any], approved: int | None, best: tuple[float, int, int]) -> GroupFigures:
    name, cases, (best_share, best_approved, best_cases) = group["group"], group["rows"], best
    if approved is None:
        return GroupFigures(name, cases)
    share, ratio, low, high = approved / cases, None, None, None
    if best_share:
        ratio = share / best_share
        if (approved, cases) != (best_approved, best_cases):
            low, high = _interval(approved, cases, best_approved, best_cases)
    return GroupFigures(name, cases, share, group["bad"] / cases, group["auc"], group["mean"], ratio, low, high)


def _interval(approved: int, cases: int, others: int, of: int) -> tuple[float, float]:
    """Of a ratio of two shares, on its logarithm (Katz); half a case more on both sides where nobody was approved."""
    more = 0.0 if approved else 0.5
    first, second = (approved + more) / (cases + more), (others + more) / (of + more)
    error = math.sqrt(1 / (approved + more) - 1 / (cases + more) + 1 / (others + more) - 1 / (of + more))
    middle = math.log(first / second)
    return math.exp(middle - _NORMAL * error), math.exp(middle + _NORMAL * error)
