"""From a score to a decision: the scale people read, bands, cut-offs and knock-out rules, all of them data."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scoring.engine.contract import DefinitionRefused, Values
from scoring.engine.texts import check_texts

LOWEST_SCORE, HIGHEST_SCORE = 300, 850


class Outcome(StrEnum):
    """What follows from a decision; `refer` means that a person decides."""

    APPROVE = "approve"
    REFER = "refer"
    DECLINE = "decline"


STRICTNESS = tuple(Outcome)    # approve, refer, decline: of several the last one decides


class Band(StrEnum):
    """How likely the bad outcome is, from least to most."""

    VERY_LOW = "VERY_LOW"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"
    VERY_HIGH = "VERY_HIGH"


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """Scores from 300 to 850: `anchor_score` at `anchor_odds` good to one bad, and `points_to_double` more for twice those odds."""

    anchor_score: float = 600.0
    anchor_odds: float = 20.0
    points_to_double: float = 40.0

    def __post_init__(self) -> None:
        if not (self.anchor_odds > 0 and self.points_to_double > 0 and LOWEST_SCORE <= self.anchor_score <= HIGHEST_SCORE):
            raise DefinitionRefused("the scale needs an anchor from 300 to 850, positive odds and positive points to double them.")

    @property
    def factor(self) -> float:
        """Points per unit of log-odds."""
        return self.points_to_double / math.log(2.0)

    def points(self, log_odds: float) -> float:
        """How much this much log-odds of the bad outcome moves the score."""
        return -self.factor * log_odds

    def exact(self, log_odds: float) -> float:
        """The score before rounding and its ends."""
        return self.anchor_score - self.factor * (log_odds + math.log(self.anchor_odds))

    def score(self, log_odds: float) -> int:
        """The score of these log-odds of the bad outcome."""
        return round(min(max(self.exact(log_odds), LOWEST_SCORE), HIGHEST_SCORE))

    def score_at(self, probability: float) -> int:
        """The score of this probability of the bad outcome."""
        return self.score(math.log(probability / (1.0 - probability)))


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": lambda given, value: given < value,
    "le": lambda given, value: given <= value,
    "gt": lambda given, value: given > value,
    "ge": lambda given, value: given >= value,
    "eq": lambda given, value: given == value,
    "ne": lambda given, value: given != value,
    "in": lambda given, value: given in value,
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A question about one input: `operator` is lt, le, gt, ge, eq, ne, in or missing."""

    input: str
    operator: str
    value: Any = None

    def __post_init__(self) -> None:
        if self.operator != "missing" and self.operator not in _OPERATORS:
            raise DefinitionRefused(f"condition on {self.input!r}: {self.operator!r} is none of {', '.join(_OPERATORS)}, missing.")

    def holds(self, values: Values) -> bool:
        """Whether it holds; about a value that is not known only `missing` does."""
        return self.holds_of(values.get(self.input))

    def holds_of(self, given: Any) -> bool:
        """The same, of the input's value."""
        if self.operator == "missing" or given is None:
            return self.operator == "missing" and given is None
        try:
            return bool(_OPERATORS[self.operator](given, self.value))
        except TypeError:
            return False


@dataclass(frozen=True, slots=True)
class KnockOut:
    """A rule of the policy that decides whatever the model says. `texts` by language; none of them may be vague."""

    code: str
    condition: Condition
    outcome: Outcome
    texts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_texts(self.texts)


@dataclass(frozen=True, slots=True)
class Policy:
    """Cut-offs, bands and knock-out rules. A score from `approve_from` up is approved, one below `decline_below` declined."""

    approve_from: int
    decline_below: int
    bands: tuple[int, int, int, int]    # the least score of VERY_LOW, LOW, MEDIUM and HIGH
    knock_outs: tuple[KnockOut, ...] = ()

    def __post_init__(self) -> None:
        if not LOWEST_SCORE <= self.decline_below <= self.approve_from <= HIGHEST_SCORE + 1:
            raise DefinitionRefused("decline_below and approve_from must go up within 300 to 851.")
        if len(self.bands) != 4 or list(self.bands) != sorted(self.bands, reverse=True):
            raise DefinitionRefused("bands are the least scores of VERY_LOW, LOW, MEDIUM and HIGH, going down.")

    @classmethod
    def for_base_rate(cls, base_rate: float, scale: ScoreScale | None = None) -> "Policy":
        """A first policy for a product with this share of bad outcomes: clearly better than average is approved, clearly worse declined."""
        scale = scale or ScoreScale()

        def at(times: float) -> int:
            return scale.score_at(min(max(base_rate * times, 0.001), 0.95))

        bands = (at(0.35), at(0.7), at(1.3), at(2.2))
        return cls(approve_from=at(0.9), decline_below=at(1.9), bands=bands)

    def band(self, score: int) -> Band:
        """The band of a score."""
        return next((band for band, least in zip(Band, self.bands, strict=False) if score >= least), Band.VERY_HIGH)

    def outcome(self, score: int) -> Outcome:
        """What the cut-offs say about a score."""
        if score >= self.approve_from:
            return Outcome.APPROVE
        return Outcome.DECLINE if score < self.decline_below else Outcome.REFER

    def knocked_out(self, values: Values) -> tuple[KnockOut, ...]:
        """The knock-out rules that hold, declining ones first."""
        holding = (rule for rule in self.knock_outs if rule.condition.holds(values))
        return tuple(sorted(holding, key=lambda rule: rule.outcome is not Outcome.DECLINE))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "approve_from": self.approve_from, "decline_below": self.decline_below, "bands": list(self.bands),
            "knock_outs": [
                {"code": rule.code, "if": condition_to_dict(rule.condition), "outcome": str(rule.outcome), "texts": dict(rule.texts)}
                for rule in self.knock_outs
            ],
        }    # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Policy":
        """Raises DefinitionRefused."""
        try:
            rules = tuple(
                KnockOut(str(one["code"]), condition_from_dict(one["if"]), Outcome(one["outcome"]), dict(one.get("texts", {})))
                for one in data.get("knock_outs", ())
            )
            first, second, third, fourth = map(int, data["bands"])
            return cls(int(data["approve_from"]), int(data["decline_below"]), (first, second, third, fourth), rules)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DefinitionRefused):
                raise
            raise DefinitionRefused(f"the policy is not as expected: {error}.") from error


def condition_to_dict(condition: Condition) -> dict[str, Any]:
    """As JSON."""
    return {"input": condition.input, "operator": condition.operator, "value": condition.value}


def condition_from_dict(data: Mapping[str, Any]) -> Condition:
    """Raises KeyError or DefinitionRefused."""
    return Condition(str(data["input"]), str(data["operator"]), data.get("value"))
