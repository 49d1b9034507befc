"""A decision as its page shows it: weights of reasons, bars of contributions, inputs with their names."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from partners.accounts.web.told import localised
from scoring.engine.contract import Input
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.product import Product
from scoring.engine.reasons import shown_reading
from scoring.selectors import DecisionDetail, Explanation
from scoring.web.written import language_of_page, named, unit_words, value_words

SHOWN_BARS = 10


@dataclass(frozen=True, slots=True)
class WeighedReason:
    """A reason with how much it counted against the heaviest."""

    text: str
    code: str
    width: str
    weight: str


@dataclass(frozen=True, slots=True)
class Factor:
    """What a group of related features did to the score together. `points` are whole: all of them lead from the starting score to the
    decision's. `feature` is the one that did most."""

    label: str
    feature: str
    points: int
    x: str = ""
    width: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class FeaturePoints:
    """One feature as the model sees it."""

    feature: str
    log_odds: float
    points: float


@dataclass(frozen=True, slots=True)
class Contributions:
    """Where the score comes from: bars of the largest factors, the rest together, and every feature for the table."""

    base_score: int
    bars: tuple[Factor, ...]
    rest: int
    rest_points: int
    table: tuple[FeaturePoints, ...]


def weighed_reasons(explanation: Explanation, product: Product, *, shows_values: bool) -> list[WeighedReason]:
    """The reasons with their weights in words; only by name for who may not see what the applicant told."""
    labels = _labels(product)
    heaviest = max((abs(reason.points) for reason in explanation.reasons), default=0.0) or 1.0
    parts = [abs(reason.points) / heaviest for reason in explanation.reasons]
    texts = [localised(reason.text) if shows_values else labels.get(reason.feature, reason.code) for reason in explanation.reasons]
    return [
        WeighedReason(text, reason.code, f"{max(4.0, part * 92):.0f}%", _weight(place, part))
        for place, (reason, text, part) in enumerate(zip(explanation.reasons, texts, parts, strict=True))
    ]


def _weight(place: int, part: float) -> str:
    if part == 0:
        return _("Decides")
    if place == 0:
        return _("Counts most")
    return _("Counts a lot") if part > 0.6 else _("Counts") if part > 0.25 else _("Counts a little")


def contributions(explanation: Explanation, product: Product, score: int) -> Contributions:
    """How the product's starting score became this one."""
    found = factors(explanation, product, score)
    widest = max((abs(one.points) for one in found), default=0) or 1
    bars = tuple(_drawn(one, widest) for one in found[:SHOWN_BARS])
    rest = found[SHOWN_BARS:]
    table = tuple(FeaturePoints(name, value, product.scale.points(value)) for name, value in explanation.contributions)
    return Contributions(product.scale.score(explanation.base), bars, len(rest), sum(one.points for one in rest), table)


def factors(explanation: Explanation, product: Product, score: int) -> list[Factor]:
    """One for each group of features or feature without one, as reasons are; the largest first."""
    features = {feature.name: feature for feature in product.features}
    groups: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for name, value in explanation.contributions:
        groups[(features[name].group if name in features else "") or name].append((value, name))
    exact = [product.scale.points(math.fsum(value for value, _ in parts)) for parts in groups.values()]
    whole = _whole(exact, score - product.scale.score(explanation.base))
    labels = _labels(product)
    found = []
    for (group, parts), total, points in zip(groups.items(), exact, whole, strict=True):
        heaviest = max(parts, key=lambda part: part[0] * -total)[1]
        found.append((-abs(total), Factor(group if len(parts) > 1 else labels.get(heaviest, heaviest), heaviest, points)))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].label))]


def _whole(exact: Sequence[float], total: int) -> list[int]:
    """Rounded so that they add up to the total (largest remainders); each on its own where the score stands at an end of its scale."""
    whole = [math.floor(one) for one in exact]
    missing = total - sum(whole)
    if not 0 <= missing <= len(exact):
        return [round(one) for one in exact]
    for place in sorted(range(len(exact)), key=lambda at: whole[at] - exact[at])[:missing]:
        whole[place] += 1
    return whole


def _drawn(factor: Factor, widest: int) -> Factor:
    """x and width of its bar in per cent, from the middle."""
    width = abs(factor.points) / widest * 48
    x = 50 - width if factor.points < 0 else 50.0
    return replace(factor, x=f"{x:.2f}%", width=f"{width:.2f}%", kind="c-against" if factor.points < 0 else "c-for")


def _labels(product: Product) -> dict[str, str]:
    return {feature.name: product.label(feature, language_of_page()) for feature in product.features}


@dataclass(frozen=True, slots=True)
class Importance:
    """How many points a feature moves the score on average, and its bar."""

    label: str
    points: float
    width: str


def importances(importance: Mapping[str, float], product: Product, *, most: int = 20) -> list[Importance]:
    """The features that count most, the heaviest first."""
    labels, widest = _labels(product), max(importance.values(), default=0.0) or 1.0
    heaviest = sorted(importance.items(), key=lambda one: (-one[1], one[0]))[:most]
    return [Importance(labels.get(name, name), abs(product.scale.points(value)), f"{value / widest * 96:.1f}%") for name, value in heaviest]


@dataclass(frozen=True, slots=True)
class GoodPoint:
    """What raised the score: a sentence with the applicant's value, and by how many points."""

    text: str
    points: int


def speaking_for(
    found: Sequence[Factor], product: Product, inputs: Mapping[str, Any] | None, decided_on: date, *, most: int = 3
) -> list[GoodPoint]:
    """The factors that raised the score most; only by name for who may not see `inputs`."""
    features = {feature.name: feature for feature in product.features}
    raising = [one for one in found if one.points > 1][:most]    # a point is nobody's merit
    return [GoodPoint(_told(features.get(one.feature), one.feature, product, inputs, decided_on), one.points) for one in raising]


def _told(feature: Feature | None, name: str, product: Product, inputs: Mapping[str, Any] | None, decided_on: date) -> str:
    """The feature with what the applicant has, as a sentence."""
    if feature is None:
        return name
    source = next(one for one in product.contract.inputs if one.name == feature.sources[0])
    is_answer = feature.kind in {"input", "log", "bucket", "missing"}    # told by what was answered; the others by what was computed
    label = (feature.label if feature.kind == "input" or not is_answer else "") or (source.title if is_answer else feature.name)
    if inputs is None or not inputs.keys() >= set(feature.sources):
        return label
    given = inputs[source.name]
    if isinstance(given, bool) and is_answer:
        return f"{named(label, _('yes') if given else _('no'))}."
    value = product.said(_answer(given, source), language_of_page()) if is_answer else _computed(feature, product, inputs, decided_on)
    return _("%(label)s is %(value)s.") % {"label": label, "value": value} if value else _("%(label)s is not known.") % {"label": label}


def _answer(given: Any, source: Input) -> str:
    """What was answered; empty when that is not known."""
    return value_words(given, replace(source, unit=source.unit_beside_title), {"other": _("another answer")})


def _computed(feature: Feature, product: Product, inputs: Mapping[str, Any], decided_on: date) -> str:
    """What the model read; empty when that is not known."""
    read = float(FeaturePlan(product.contract, (feature,)).matrix([inputs], decided_on)[0, 0])
    source = next(one for one in product.contract.inputs if one.name == feature.sources[0])
    return "" if math.isnan(read) else localised(shown_reading(read, feature, source, unit_words({})))


def named_inputs(detail: DecisionDetail, product: Product) -> list[tuple[Input, str]]:
    """The inputs with what was said, in the contract's order; empty where it is not known."""
    said = dict(detail.inputs or {})
    words = {"yes": _("Yes"), "no": _("No"), "other": _("another answer")}
    language = language_of_page()
    return [(one, product.said(_said(said[one.name], one, words), language)) for one in product.contract.inputs if one.name in said]


def _said(value: Any, one: Input, words: Mapping[str, str]) -> str:
    return value if isinstance(value, str) else value_words(value, one, words)
