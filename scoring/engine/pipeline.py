"""The one path from checked inputs to a decision: features, one walk for score and contributions, policy, reasons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.engine.bundle import Bundle
from scoring.engine.contract import Values
from scoring.engine.features import FeaturePlan
from scoring.engine.kernel import Plan, explain, margins
from scoring.engine.policy import STRICTNESS, Band, KnockOut, Outcome, Policy
from scoring.engine.product import Product, Rule
from scoring.engine.reasons import MOST_REASONS, Reason, ReasonWriter

ROWS_AT_ONCE = 4096    # the rows of one walk, so that a million take no more memory than this many


class AnsweredBy(StrEnum):
    """Which kind of model answered."""

    MODEL = "model"
    RULES = "rules"


@dataclass(frozen=True, slots=True)
class Result:
    """One decision, not yet stored. base + the sum of contributions = log-odds of the bad outcome, from which everything else follows."""

    margin: float
    probability: float
    score: int
    band: Band
    outcome: Outcome
    reasons: tuple[Reason, ...]
    contributions: Mapping[str, float]
    base: float
    answered_by: AnsweredBy


@dataclass(frozen=True, slots=True)
class _Weighed:
    """What a model says about one applicant, in log-odds of the bad outcome."""

    margin: float
    log_odds: float
    base: float
    contributions: Mapping[str, float]
    row: Sequence[float]


class ServingModel:
    """A model that answers: a bundle's forest, or a product's rules. Immutable; shared by threads."""

    def __init__(self, product: Product, bundle: Bundle | None) -> None:
        self.product = product
        self.answered_by = AnsweredBy.RULES if bundle is None else AnsweredBy.MODEL
        self.features = FeaturePlan(product.contract, product.features)
        self._bundle = bundle
        self._writer = ReasonWriter(product, {} if bundle is None else bundle.usual)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> "ServingModel":
        """The bundle's model, with its own contract, features and texts."""
        return cls(bundle.product, bundle)

    @classmethod
    def of_rules(cls, product: Product) -> "ServingModel":
        """The product's rules, which answer when no bundle does."""
        return cls(product, None)

    def worded(self, product: Product) -> "ServingModel":
        """The same model with this product's texts for its reasons; all else of it is as it was."""
        return ServingModel(replace(self.product, texts=product.texts, sentences=product.sentences), self._bundle)

    @property
    def may_approve(self) -> bool:
        """Whether an approval needs no person: rules say so of themselves."""
        return self._bundle is not None or self.product.rules.may_approve

    @property
    def plan(self) -> Plan | None:
        """What the kernel walks; None for rules."""
        return self._bundle.plan if self._bundle else None

    def weigh(self, values: Sequence[Values], decided_on: date) -> list[_Weighed]:
        """Margin and contributions of each applicant."""
        if self._bundle is None:
            return [self._by_rules(one) for one in values]
        return self._by_forest(self._bundle, self.features.matrix(values, decided_on))

    def log_odds(self, rows: NDArray[np.float64], values: Sequence[Values]) -> NDArray[np.float64]:
        """[applicants] log-odds of the bad outcome, the same bits as in a decision but without its explanation."""
        if self._bundle is None:
            return np.array([self._by_rules(one).log_odds for one in values], np.float64)
        return self._bundle.slope * margins(self._bundle.plan, rows) + self._bundle.intercept

    @property
    def reference(self) -> Sequence[Mapping[str, Any]]:
        """How each feature's training values spread, as the bundle keeps it; nothing for rules."""
        found: Sequence[Mapping[str, Any]] = self._bundle.data.get("histograms", ()) if self._bundle else ()
        return found

    def _by_forest(self, bundle: Bundle, rows: NDArray[np.float64]) -> list[_Weighed]:
        found, contributions = explain(bundle.plan, rows)
        base = bundle.slope * bundle.plan.mean + bundle.intercept
        names, weighed = self.features.names, []
        for margin, parts, row in zip(found.tolist(), (bundle.slope * contributions).tolist(), rows.tolist(), strict=True):
            weighed.append(_Weighed(margin, bundle.slope * margin + bundle.intercept, base, dict(zip(names, parts, strict=True)), row))
        return weighed

    def _by_rules(self, values: Values) -> _Weighed:
        rules = self.product.rules
        base = math.log(rules.base_probability / (1.0 - rules.base_probability))
        holding = {rule.code: rule.log_odds for rule in rules.rules if rule.condition.holds(values)}
        margin = base + math.fsum(holding.values())
        return _Weighed(margin, margin, base, holding, ())

    def reasons(self, values: Values, weighed: _Weighed, most: int, language: str) -> list[Reason]:
        """Why the score is not higher."""
        if self._bundle is not None:
            return self._writer.reasons(values, weighed.contributions, weighed.row, most, language)
        rules = {rule.code: rule for rule in self.product.rules.rules}
        against = sorted((rules[code] for code, log_odds in weighed.contributions.items() if log_odds > 0), key=lambda rule: -rule.log_odds)
        return [self._rule_reason(rule, language) for rule in against[:most]]

    def _rule_reason(self, rule: Rule, language: str) -> Reason:
        return Reason(rule.code, text_of(rule, language), self.product.scale.points(rule.log_odds), rule.condition.input)


def text_of(rule: Rule | KnockOut, language: str) -> str:
    """What a rule says to people, in their language or in English."""
    return rule.texts.get(language) or rule.texts.get("en") or rule.code


def score(model: ServingModel, policy: Policy, values: Sequence[Values], *, decided_on: date, language: str = "en") -> list[Result]:
    """A decision for each applicant. The same bits for one as for many, in any order, on any thread."""
    results: list[Result] = []
    for start in range(0, len(values), ROWS_AT_ONCE):
        chunk = values[start : start + ROWS_AT_ONCE]
        weighed = model.weigh(chunk, decided_on)
        results += [_decide(model, policy, one, what, language) for one, what in zip(chunk, weighed, strict=True)]
    return results


def _decide(model: ServingModel, policy: Policy, values: Values, weighed: _Weighed, language: str) -> Result:
    points = model.product.scale.score(weighed.log_odds)
    rules = policy.knocked_out(values)
    outcome = settled(policy.outcome(points), rules, may_approve=model.may_approve)
    reasons = [Reason(rule.code, text_of(rule, language), 0.0, rule.condition.input) for rule in rules[:MOST_REASONS]]
    reasons += model.reasons(values, weighed, MOST_REASONS - len(reasons), language)
    return Result(
        margin=weighed.margin, probability=_probability(weighed.log_odds), score=points, band=policy.band(points), outcome=outcome,
        reasons=tuple(reasons), contributions=weighed.contributions, base=weighed.base, answered_by=model.answered_by,
    )    # fmt: skip


def settled(by_score: Outcome, rules: Sequence[KnockOut], *, may_approve: bool) -> Outcome:
    """What follows from the cut-offs' outcome and the knock-out rules that hold: the strictest."""
    outcome = max([by_score, *(rule.outcome for rule in rules)], key=STRICTNESS.index)
    return Outcome.REFER if outcome is Outcome.APPROVE and not may_approve else outcome


def _probability(log_odds: float) -> float:
    """By math.exp, never numpy's: that one differs between processors."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-min(log_odds, 700.0)))
    grown = math.exp(max(log_odds, -700.0))
    return grown / (1.0 + grown)
