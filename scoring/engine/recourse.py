"""What would change a decision: few, plausible and allowed changes of what was told, each found by the kernel and verified by scoring."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.engine.changes import change_of
from scoring.engine.contract import Change, Contract, Input, InputKind, Value, Values
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.pipeline import Result, ServingModel, score, settled, text_of
from scoring.engine.policy import STRICTNESS, Outcome, Policy
from scoring.engine.product import Product
from scoring.engine.reasons import shown_value
from scoring.engine.texts import CHANGES, UNITS

MOST_CHANGES = 3
MOST_ALTERNATIVES = 3
STEPS = 12                 # values tried of one input on its own
STEPS_TOGETHER = (0, 8, 5)   # the same of each input when two or three change together
MOST_TOGETHER = (0, 9, 7)  # inputs of which two or three are combined
MOST_GRIDS = 6             # combinations that are looked at closely
USUAL = (0.02, 0.98)       # a plausible value lies between these quantiles of the training data
LEAST_SHARE = 0.01         # of a category that is plausible
_OF_ORDER = {InputKind.NUMBER, InputKind.INTEGER}
_FLAT_COST = 0.5           # of another answer, where no distance can be measured


class Nothing(StrEnum):
    """Why there is nothing that would change the decision."""

    APPROVED = "approved"
    NOTHING_MAY_CHANGE = "nothing_may_change"
    RULE_DECIDES = "rule_decides"
    RULES_REFER = "rules_refer"
    OUT_OF_REACH = "out_of_reach"


@dataclass(frozen=True, slots=True)
class ChangedInput:
    """One input, what was told and what would be; `text` says so in the asked language."""

    input: str
    label: str
    before: Value
    after: Value
    text: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """Changes that lead to another outcome, as scoring them again found it."""

    changes: tuple[ChangedInput, ...]
    outcome: Outcome
    score: int
    probability: float
    text: str


@dataclass(frozen=True, slots=True)
class Recourse:
    """The alternatives, the smallest first; where there are none, `nothing` says why and `text` says it in a sentence."""

    outcome: Outcome
    score: int
    alternatives: tuple[Alternative, ...]
    nothing: Nothing | None = None
    text: str = ""


class _Reference:
    """How the training data spread over a number: the edges of its bins, and the share of applicants up to each."""

    def __init__(self, edges: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
        self.edges, self._reached = edges, np.cumsum(counts) / max(counts.sum(), 1.0)
        self._ranks = [0.0, *self._reached.tolist()]
        self._edges = edges.tolist()

    @classmethod
    def of(cls, known: Mapping[str, Any], *, is_log: bool = False) -> "_Reference":
        """Of one histogram of a bundle; of a logarithm as the number itself."""
        edges = np.asarray(known["edges"], np.float64)
        return cls(np.copysign(np.expm1(np.abs(edges)), edges) if is_log else edges, np.asarray(known["counts"], np.float64))

    def usual(self) -> tuple[float, float]:
        """Between which values nearly all applicants were."""
        if not len(self.edges):
            return -math.inf, math.inf
        low, high = np.minimum(np.searchsorted(self._reached, USUAL), len(self.edges) - 1)
        return float(self.edges[low]), float(self.edges[high])

    def rank(self, value: float) -> float:
        """The share of applicants below."""
        return float(self._ranks[bisect_left(self._edges, value)])


def recourse(
    model: ServingModel, policy: Policy, values: Values, *, decided_on: date, language: str = "en",
    declared: Mapping[str, Change] | None = None,
) -> Recourse:
    """At most three alternatives of at most three changes that lead to a better outcome, each scored again by the same policy.

    `declared` overrules, by input, how the model's own contract says that it may change. Nothing else of `values` differs."""
    before = score(model, policy, [values], decided_on=decided_on, language=language)[0]
    told = _Teller(model.product, language)

    def none(why: Nothing, **facts: str) -> Recourse:
        return Recourse(before.outcome, before.score, (), why, told.words[why].format_map(facts))

    if before.outcome is Outcome.APPROVE:
        return none(Nothing.APPROVED)
    ways = _ways(model.product.contract, values, declared or {})
    if not ways:
        return none(Nothing.NOTHING_MAY_CHANGE)
    fixed = [rule for rule in policy.knocked_out(values) if rule.condition.input not in ways]
    best = settled(Outcome.APPROVE, fixed, may_approve=model.may_approve)
    if best is before.outcome:
        return none(Nothing.RULE_DECIDES, rule=text_of(fixed[0], language)) if fixed else none(Nothing.RULES_REFER)
    space = _Space(model, policy, values, decided_on, ways)
    for aim in STRICTNESS[STRICTNESS.index(best) : STRICTNESS.index(before.outcome)]:
        found = [told.alternative(values, one, result) for one, result in _verified(space, language, aim, _search(space, aim))]
        if found:
            return Recourse(before.outcome, before.score, tuple(found))
    return none(Nothing.OUT_OF_REACH, labels=", ".join(told.label(space.inputs[name]) for name in ways))


def _ways(contract: Contract, values: Values, declared: Mapping[str, Change]) -> dict[str, Change]:
    """Which inputs may change, and which way. What nobody told is not changed: telling it is no change."""
    ways: dict[str, Change] = {}
    for one in contract.inputs:
        allowed = change_of(one)
        if one.name in declared and not _is_fixed(one):
            allowed = declared[one.name]
        if allowed not in {Change.NEVER, Change.INFER} and values.get(one.name) is not None:
            ways[one.name] = allowed
    return ways


def _is_fixed(one: Input) -> bool:
    return one.is_protected or one.is_personal or one.kind in {InputKind.DATE, InputKind.EVENTS}


# ---- what may be tried


class _Space:
    """One applicant's values with changes, as rows that the kernel takes; only features that can change are computed again."""

    def __init__(self, model: ServingModel, policy: Policy, values: Values, decided_on: date, ways: Mapping[str, Change]) -> None:
        self.model, self.policy, self.values, self.decided_on, self.ways = model, policy, values, decided_on, ways
        contract, features = model.product.contract, model.product.features
        self.inputs = {one.name: one for one in contract.inputs}
        self.references = _references(model, features, self.inputs)
        touched = [place for place, one in enumerate(features) if any(name in ways for name in one.sources)]
        self._touched = np.array(touched, np.intp)
        sources = {name for place in touched for name in features[place].sources}
        self._plan = None
        if touched and model.plan is not None:
            read = Contract(tuple(one for one in contract.inputs if one.name in sources))
            self._plan = FeaturePlan(read, [features[place] for place in touched])
        self._row = model.features.matrix([values], decided_on)[0] if model.plan is not None else np.empty(0)
        self._bounds = self._bounds_of(features, touched)
        self._costs: dict[tuple[str, Any], float] = {}
        self.steps = {name: self._steps(self.inputs[name], way) for name, way in ways.items()}
        self.ones: list[Values] = [{name: value} for name, steps in self.steps.items() for value in steps]
        self.scores_of_ones = self.scores(self.ones)

    def _bounds_of(self, features: Sequence[Feature], touched: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Between which values each touched feature is plausible; as far out as the applicant is, an applicant may stay."""
        low, high = np.full(len(touched), -np.inf), np.full(len(touched), np.inf)
        for at, place in enumerate(touched):
            known = self.model.reference[place] if place < len(self.model.reference) else {}
            if "edges" in known:
                low[at], high[at] = _Reference.of(known).usual()
        own = self._row[list(touched)] if len(self._row) else np.full(len(touched), np.nan)
        return np.fmin(low, own), np.fmax(high, own)

    def _steps(self, one: Input, way: Change) -> list[Value]:
        """Other values of the input in the allowed direction, the nearest first."""
        given = self.values[one.name]
        if one.kind is InputKind.BOOLEAN:
            return [not given] if way is Change.EITHER or (way is Change.UP) != bool(given) else []
        if one.kind is InputKind.CATEGORY:
            return [text for text in self._usual_categories(one) if text != given]
        assert isinstance(given, int | float)
        found: list[Value] = []
        for sign in [1] * (way in {Change.UP, Change.EITHER}) + [-1] * (way in {Change.DOWN, Change.EITHER}):
            found += self._numbers(one, float(given), sign, STEPS if way is not Change.EITHER else STEPS // 2)
        return sorted(found, key=lambda value: self.cost(one.name, value))

    def _usual_categories(self, one: Input) -> list[str]:
        pairs = zip(self.model.product.features, self.model.reference, strict=False)
        known = next((known for feature, known in pairs if feature.kind == "input" and feature.sources == (one.name,)), {})
        counts = known.get("codes")
        if not counts:
            return list(one.categories)
        least = LEAST_SHARE * sum(counts)
        return [text for code, text in enumerate(one.categories) if code < len(counts) and counts[code] >= least]

    def _numbers(self, one: Input, given: float, sign: int, steps: int) -> list[Value]:
        low, high = self._range(one, given)
        end = high if sign > 0 else low
        if not math.isfinite(end) or (end - given) * sign <= 0:
            return []
        return _round_numbers(one, given, end, _between(given, end, steps, self.references.get(one.name)))

    def _range(self, one: Input, given: float) -> tuple[float, float]:
        """Where a value is both allowed and usual; where nothing is known of others, up to ten times or a tenth."""
        low = -math.inf if one.minimum is None else one.minimum
        high = math.inf if one.maximum is None else one.maximum
        if reference := self.references.get(one.name):
            usual = reference.usual()
            return max(low, usual[0]), min(high, usual[1])
        reach = 10.0 * max(abs(given), 1.0)
        return max(low, given - reach, given / 10.0 if given > 0 else -math.inf), min(high, given + reach)

    def finer(self, name: str, value: Value) -> list[Value]:
        """Values between what was told, or the last step before, and this one; for what has no order only itself."""
        one, given = self.inputs[name], self.values[name]
        if one.kind not in _OF_ORDER:
            return [value]
        assert isinstance(given, int | float)
        assert isinstance(value, int | float)
        nearer = [step for step in self.steps[name] if isinstance(step, int | float) and (step - given) * (value - step) > 0]
        start = float(max(nearer, key=lambda step: abs(step - given), default=given))
        wanted = np.linspace(start, float(value), 9)[1:].tolist()
        return [*_round_numbers(one, start, float(value), wanted), *_round_numbers(one, start, float(value), wanted, times=10.0), value]

    def cost(self, name: str, value: Value) -> float:
        """How far a change goes: the share of applicants it passes by, and a little for its own size; from 0 to about 1."""
        key = name, value
        if key not in self._costs:
            self._costs[key] = self._cost(name, value)
        return self._costs[key]

    def _cost(self, name: str, value: Value) -> float:
        given = self.values[name]
        if self.inputs[name].kind not in _OF_ORDER:
            return _FLAT_COST
        assert isinstance(given, int | float)
        assert isinstance(value, int | float)
        size = abs(value - given) / max(abs(value) + abs(given), 1e-12)
        reference = self.references.get(name)
        return size if reference is None else abs(reference.rank(value) - reference.rank(given)) + 0.05 * size

    # ---- asking the model

    def scores(self, candidates: Sequence[Values]) -> NDArray[np.int64]:
        """[candidates] scores; -1 where a feature leaves what is plausible."""
        if not candidates:
            return np.empty(0, np.int64)
        rows, changed = np.repeat(self._row[None, :], len(candidates), axis=0), [{**self.values, **one} for one in candidates]
        is_far: NDArray[np.bool_] = np.zeros(len(candidates), bool)
        if self._plan is not None:
            features = self._plan.matrix(changed, self.decided_on)
            (low, high), known = self._bounds, ~np.isnan(self._row[self._touched])
            is_far = np.any((features < low) | (features > high) | (np.isnan(features) & known), axis=1)
            rows[:, self._touched] = features
        exact, scale = self.model.log_odds(rows, changed).tolist(), self.model.product.scale
        return np.array([-1 if far else scale.score(one) for one, far in zip(exact, is_far.tolist(), strict=True)], np.int64)

    def reached(self, candidates: Sequence[Values], scores: NDArray[np.int64], aim: Outcome) -> list[int]:
        """Which candidates come out as `aim` or better."""
        found = []
        for place, points in enumerate(scores.tolist()):
            by_score = self.policy.outcome(points)
            if points >= 0 and STRICTNESS.index(by_score) <= STRICTNESS.index(aim):
                rules = self.policy.knocked_out({**self.values, **candidates[place]})
                outcome = settled(by_score, rules, may_approve=self.model.may_approve)
                if STRICTNESS.index(outcome) <= STRICTNESS.index(aim):
                    found.append(place)
        return found


def _references(model: ServingModel, features: Sequence[Feature], inputs: Mapping[str, Input]) -> dict[str, _Reference]:
    """The spread of each number that a feature reads as it is, or as its logarithm."""
    found: dict[str, _Reference] = {}
    for feature, known in zip(features, model.reference, strict=False):
        name = feature.sources[0]
        if "edges" in known and inputs[name].kind in _OF_ORDER and feature.kind in {"input", "log"}:
            if feature.kind == "input":
                found[name] = _Reference.of(known)
            else:
                found.setdefault(name, _Reference.of(known, is_log=True))
    return found


def _between(given: float, end: float, steps: int, reference: _Reference | None) -> list[float]:
    """Values from `given` to `end`: half of them evenly, half as applicants are spread, or by equal factors."""
    evenly: list[float] = np.linspace(given, end, steps // 2 + 1)[1:].tolist()
    if reference is not None:
        inside = reference.edges[(reference.edges > min(given, end)) & (reference.edges < max(given, end))]
        picked = inside[np.linspace(0, len(inside) - 1, min(len(inside), steps - len(evenly))).astype(int)] if len(inside) else inside
        return [*evenly, *picked.tolist()]
    if given > 0 and end > 0:
        evenly += np.geomspace(given, end, steps - len(evenly) + 1)[1:].tolist()
    return evenly


def _round_numbers(one: Input, given: float, end: float, wanted: Iterable[float], *, times: float = 1.0) -> list[Value]:
    """The same as round numbers, `times` rounder; none beyond `end`, none at `given` or on its other side."""
    found: dict[float, Value] = {}
    for value in wanted:
        step = times * _step(value, abs(end - given), is_whole=one.kind is InputKind.INTEGER)
        for rounded in (round(value / step) * step, math.floor(value / step) * step, math.ceil(value / step) * step):
            plain = float(f"{rounded:.12g}")
            if min(given, end) <= plain <= max(given, end) and plain != given:
                found[plain] = int(plain) if one.kind is InputKind.INTEGER else plain
                break
    return sorted(found.values(), key=lambda value: abs(float(value) - given))    # type: ignore[arg-type]


def _step(value: float, span: float, *, is_whole: bool) -> float:
    """To which power of ten a value is rounded: two digits of it, finer where the whole way is short."""
    own = math.floor(math.log10(abs(value))) - 1 if value else -12
    way = math.floor(math.log10(span / 10)) if span else -12
    step = 10.0 ** max(min(own, way) if value else way, -12)
    return max(step, 1.0) if is_whole else step


# ---- the search


def _search(space: _Space, aim: Outcome) -> list[Values]:
    """The cheapest changes of one input each; then of two, then of three, none of which does it with fewer."""
    ones, scores = space.ones, space.scores_of_ones
    found = _cheapest(space, [ones[place] for place in space.reached(ones, scores, aim)])
    enough = [frozenset(one) for one in found]
    found = [_refined(space, one, aim) for one in found[: 2 * MOST_ALTERNATIVES]]
    best: dict[str, tuple[int, Value]] = {}
    for one, points in zip(ones, scores.tolist(), strict=True):
        ((name, value),) = one.items()
        if points > best.get(name, (-1, None))[0]:
            best[name] = (points, value)
    for count in range(2, MOST_CHANGES + 1):
        if len(found) >= MOST_ALTERNATIVES or (found and count == MOST_CHANGES):
            break
        found += _together(space, aim, best, count, enough)
    return sorted(found, key=lambda one: (len(one), _cost(space, one)))


def _together(
    space: _Space, aim: Outcome, best: Mapping[str, tuple[int, Value]], count: int, enough: Sequence[frozenset[str]]
) -> list[Values]:
    """Several inputs at once: first as far as each does most good, then closely where that was enough."""
    names = sorted(best, key=lambda name: -best[name][0])[: MOST_TOGETHER[count - 1]]
    sets = [those for those in combinations(names, count) if not any(one <= set(those) for one in enough)]
    ends: list[Values] = [{name: best[name][1] for name in those} for those in sets]
    reached = [ends[place] for place in space.reached(ends, space.scores(ends), aim)]
    grids: list[Values] = []
    for end in sorted(reached, key=lambda one: _cost(space, one))[:MOST_GRIDS]:
        grids += _grid(space, end, STEPS_TOGETHER[count - 1])
    grids += reached
    found = _cheapest(space, [grids[place] for place in space.reached(grids, space.scores(grids), aim)])
    return [_refined(space, one, aim) for one in found[:MOST_ALTERNATIVES]]


def _grid(space: _Space, end: Values, steps: int) -> Iterator[Values]:
    """All combinations of a few values of each input on the way to `end`."""
    choices = []
    for name in end:
        values = space.steps[name]
        picked = [values[place] for place in sorted({*np.linspace(0, len(values) - 1, min(steps, len(values))).astype(int).tolist()})]
        choices.append([(name, value) for value in picked])
    return (dict(chosen) for chosen in product(*choices))


def _cheapest(space: _Space, candidates: Sequence[Values]) -> list[Values]:
    """For each set of inputs the one that goes least far; the cheapest first."""
    found: dict[frozenset[str], Values] = {}
    for one in sorted(candidates, key=lambda one: _cost(space, one)):
        found.setdefault(frozenset(one), one)
    return list(found.values())


def _refined(space: _Space, one: Values, aim: Outcome) -> Values:
    """The same inputs going less far where that is enough, one after the other."""
    current = one
    for name, value in one.items():
        tried: list[Values] = [{**current, name: nearer} for nearer in space.finer(name, value)]
        reached = [tried[place] for place in space.reached(tried, space.scores(tried), aim)]
        current = min(reached, key=lambda each: _cost(space, each), default=current)
    return current


def _cost(space: _Space, changes: Values) -> float:
    return math.fsum(space.cost(name, value) for name, value in changes.items())


def _verified(space: _Space, language: str, aim: Outcome, candidates: Sequence[Values]) -> list[tuple[Values, Result]]:
    """Those that the one path of a decision gives this outcome too."""
    asked = [{**space.values, **one} for one in candidates]
    results = score(space.model, space.policy, asked, decided_on=space.decided_on, language=language)
    good = [(one, result) for one, result in zip(candidates, results, strict=True) if result.outcome is aim]
    return good[:MOST_ALTERNATIVES]


# ---- in words


class _Teller:
    """Says changes in one language."""

    def __init__(self, definition: Product, language: str) -> None:
        self.language = language if language in CHANGES else "en"
        self.words = CHANGES[self.language]
        self._values = {**UNITS[self.language], **definition.sentences[self.language]}
        self._inputs = {one.name: one for one in definition.contract.inputs}
        self._named = definition.labels.get(self.language, {})
        self._of_input = {one.sources[0]: one.name for one in reversed(definition.features) if len(one.sources) == 1}

    def label(self, one: Input) -> str:
        """The input's name for people."""
        return self._named.get(one.name) or self._named.get(self._of_input.get(one.name, ""), "") or self._said(one.title)

    def _said(self, text: str) -> str:
        return self._named.get(text, text)

    def alternative(self, values: Values, changes: Values, result: Result) -> Alternative:
        """The changes with where they lead."""
        told = tuple(self._changed(self._inputs[name], values[name], after) for name, after in changes.items())
        text = self.words["join"].join(one.text for one in told)
        sentence = self.words[result.outcome].format_map({"changes": text, "score": result.score})
        return Alternative(told, result.outcome, result.score, result.probability, sentence)

    def _changed(self, one: Input, before: Value, after: Value) -> ChangedInput:
        label = self.label(one)
        said = [self._said(shown_value(value, one, self._values)) for value in (before, after)]
        shown = {"label": label, "before": said[0], "after": said[1]}
        kind = "number" if one.kind in _OF_ORDER else "answer"
        return ChangedInput(one.name, label, before, after, self.words[kind].format_map(shown))
