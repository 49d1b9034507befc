"""From contributions to plain sentences: at most four reasons, one per group of features, only of what really counted."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoring.engine.contract import Input, InputKind, Value, Values
from scoring.engine.features import Feature
from scoring.engine.product import Product

MOST_REASONS = 4
LEAST_LOG_ODDS = 0.02    # about a point of score; less is nobody's reason
_ANSWERS = ("yes", "no")    # a truth value counts as the answer given, against the other one


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the score is not higher: a stable code, a sentence, how many points it cost, and the feature it speaks of."""

    code: str
    text: str
    points: float
    feature: str


class ReasonWriter:
    """Writes the reasons of one model. `usual` holds, per feature, the median of the good outcomes, or their most frequent category."""

    def __init__(self, product: Product, usual: Mapping[str, float]) -> None:
        self._inputs = {one.name: one for one in product.contract.inputs}
        self._features = {feature.name: feature for feature in product.features}
        self._groups = tuple(feature.group or feature.name for feature in product.features)
        self._places: dict[str, list[tuple[int, str]]] = {group: [] for group in self._groups}
        for place, feature in enumerate(product.features):
            self._places[self._groups[place]].append((place, feature.name))
        self._texts, self._sentences, self._usual, self._scale = product.texts, product.sentences, usual, product.scale

    def reasons(self, values: Values, contributions: Mapping[str, float], row: Sequence[float], most: int, language: str) -> list[Reason]:
        """At most `most` reasons, the heaviest first; contributions in log-odds of the bad outcome."""
        parts, weights = list(contributions.values()), dict.fromkeys(self._places, 0.0)
        for group, value in zip(self._groups, parts, strict=True):
            weights[group] += value
        counting = sorted((-weight, group) for group, weight in weights.items() if weight >= LEAST_LOG_ODDS)
        found = []
        for lightness, group in counting[:most]:
            weight, (_, name, read) = -lightness, max((parts[place], name, row[place]) for place, name in self._places[group])
            code, text = self._sentence(self._features[name], values, read, language)
            found.append(Reason(code, text, self._scale.points(weight), name))
        return found

    def _sentence(self, feature: Feature, values: Values, read: float, language: str) -> tuple[str, str]:
        words = self._sentences[language]
        label = feature.label or self._inputs[feature.sources[0]].title
        source = self._inputs[feature.sources[0]]
        usual = self._usual.get(feature.name)
        how, value, shown = self._case(feature, source, values.get(source.name), read, usual, words)
        code = f"{re.sub(r'[^a-z0-9]+', '_', feature.name.lower()).strip('_')}.{how}"
        template = self._texts.get(code, {}).get(language) or words["value" if how in _ANSWERS else how]
        return code, template.format_map({"label": label, "value": value, "usual": shown})

    def _case(
        self, feature: Feature, source: Input, given: Value, read: float, usual: float | None, words: Mapping[str, str]
    ) -> tuple[str, str, str]:
        if feature.kind == "missing" or (given is None and read != read):
            return ("missing" if given is None else "level"), shown_value(given, source, words), ""
        if isinstance(given, bool):
            return _ANSWERS[not given], shown_value(given, source, words), shown_value(not given, source, words)
        if isinstance(given, str) and source.kind is InputKind.CATEGORY:
            common, shown = self._common(source, usual), shown_value(given, source, words)
            return ("value" if common and common != shown else "level"), shown, common
        value = shown_number(read, source.unit if feature.kind == "input" else None)
        if usual is None or read == usual or read != read:
            return "level", value, ""
        return ("high" if read > usual else "low"), value, shown_number(usual, source.unit if feature.kind == "input" else None)

    @staticmethod
    def _common(source: Input, usual: float | None) -> str:
        return source.categories[int(usual)] if usual is not None and 0 <= usual < len(source.categories) else ""


def shown_value(value: Value, source: Input, words: Mapping[str, str]) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return words["yes" if value else "no"]
    if isinstance(value, str):
        return value if not source.categories or value in source.categories else words["other"]
    return shown_number(float(value), source.unit)


def shown_number(value: float, unit: str | None = None) -> str:
    """A number with grouped thousands and as many decimals as matter."""
    if value.is_integer() or abs(value) >= 1000:
        text = f"{value:,.0f}"
    else:
        text = f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.3g}"
    return f"{text} {unit}" if unit else text
