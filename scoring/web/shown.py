"""A decision as its page shows it: weights of reasons, bars of contributions, inputs with their names."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from scoring.engine.contract import Input
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.product import Product
from scoring.engine.reasons import shown_number, shown_value
from scoring.selectors import DecisionDetail, Explanation

SHOWN_BARS = 10


@dataclass(frozen=True, slots=True)
class WeighedReason:
    """A reason with how much it counted against the heaviest."""

    text: str
    code: str
    width: str
    weight: str


@dataclass(frozen=True, slots=True)
class ContributionBar:
    """One feature's points and its bar: x and width in per cent, from the middle."""

    label: str
    feature: str
    points: float
    log_odds: float
    x: str
    width: str
    kind: str


@dataclass(frozen=True, slots=True)
class Contributions:
    """Where the score comes from."""

    base_score: int
    bars: tuple[ContributionBar, ...]
    rest: int
    rest_points: float
    table: tuple[ContributionBar, ...]


def weighed_reasons(explanation: Explanation, product: Product, *, shows_values: bool) -> list[WeighedReason]:
    """The reasons with their weights in words; only by name for who may not see what the applicant told."""
    labels = _labels(product)
    heaviest = max((abs(reason.points) for reason in explanation.reasons), default=0.0) or 1.0
    parts = [abs(reason.points) / heaviest for reason in explanation.reasons]
    texts = [reason.text if shows_values else labels.get(reason.feature, reason.code) for reason in explanation.reasons]
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


def contributions(explanation: Explanation, product: Product) -> Contributions:
    """Bars of the largest, the rest together, and all of them for the table."""
    labels = _labels(product)
    widest = max((abs(product.scale.points(value)) for _, value in explanation.contributions), default=0.0) or 1.0
    bars = tuple(_bar(feature, value, product, widest, labels) for feature, value in explanation.contributions)
    rest = bars[SHOWN_BARS:]
    return Contributions(product.scale.score(explanation.base), bars[:SHOWN_BARS], len(rest), sum(bar.points for bar in rest), bars)


def _bar(feature: str, value: float, product: Product, widest: float, labels: Mapping[str, str]) -> ContributionBar:
    points = product.scale.points(value)
    width = abs(points) / widest * 48
    x = 50 - width if points < 0 else 50.0
    kind = "c-against" if points < 0 else "c-for"
    return ContributionBar(labels.get(feature, feature), feature, points, value, f"{x:.2f}%", f"{width:.2f}%", kind)


def _labels(product: Product) -> dict[str, str]:
    titles = {one.name: one.title for one in product.contract.inputs}
    return {feature.name: feature.label or titles.get(feature.sources[0], feature.name) for feature in product.features}


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
    points: float


def speaking_for(
    explanation: Explanation, product: Product, inputs: Mapping[str, Any] | None, decided_on: date, *, most: int = 3
) -> list[GoodPoint]:
    """What raised the score, one of each group of features, the largest first; only by name for who may not see `inputs`."""
    features = {feature.name: feature for feature in product.features}
    groups: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for name, value in explanation.contributions:
        group = features[name].group if name in features else ""
        groups[group or name].append((product.scale.points(value), name))
    raising = sorted(((sum(points for points, _ in parts), max(parts)[1]) for parts in groups.values()), key=lambda one: (-one[0], one[1]))
    shown = [(points, name) for points, name in raising[:most] if points >= 1]
    return [GoodPoint(_told(features.get(name), name, product, inputs, decided_on), points) for points, name in shown]


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
        return f"{label}: {_('yes') if given else _('no')}."
    value = _answer(given, source) if is_answer else _computed(feature, product, inputs, decided_on)
    return _("%(label)s is %(value)s.") % {"label": label, "value": value} if value else _("%(label)s is not known.") % {"label": label}


def _answer(given: Any, source: Input) -> str:
    """What was answered; empty when that is not known. The unit only where the title does not say it."""
    unit = None if source.unit and source.unit.lower() in source.title.lower() else source.unit
    return shown_value(given, replace(source, unit=unit), {"other": _("another answer")})


def _computed(feature: Feature, product: Product, inputs: Mapping[str, Any], decided_on: date) -> str:
    """What the model read; empty when that is not known."""
    read = float(FeaturePlan(product.contract, (feature,)).matrix([inputs], decided_on)[0, 0])
    return "" if math.isnan(read) else shown_number(read)


def named_inputs(detail: DecisionDetail, product: Product) -> list[tuple[Input, Any]]:
    """The inputs with what was said, in the contract's order; what the contract of now does not know any more comes last."""
    said = dict(detail.inputs or {})
    return [(one, said[one.name]) for one in product.contract.inputs if one.name in said]
