"""From contributions to plain sentences: at most four reasons, one per group of features, only of what really counted."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scoring.engine.contract import Input, InputKind, Value, Values
from scoring.engine.features import Feature
from scoring.engine.product import Product
from scoring.engine.texts import LANGUAGES, SENTENCES, UNITS

MOST_REASONS = 4
LEAST_LOG_ODDS = 0.02    # about a point of score; less is nobody's reason
_WAYS = frozenset(SENTENCES["en"]) - {"other"}    # in which a value counts: what a code ends in
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
        self._product, self._usual = product, usual
        self._stems = {name: _stem(name) for name in self._features}
        self._words = {language: {**UNITS[language], **product.sentences[language]} for language in LANGUAGES}
        self._labels = {
            language: {name: product.label(feature, language) for name, feature in self._features.items()} for language in LANGUAGES
        }

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
            found.append(Reason(code, text, self._product.scale.points(weight), name))
        return found

    def _sentence(self, feature: Feature, values: Values, read: float, language: str) -> tuple[str, str]:
        words = self._words[language]
        source = self._inputs[feature.sources[0]]
        how, value, usual = self._case(feature, source, values.get(source.name), read, words)
        code = f"{self._stems[feature.name]}.{how}"
        value, usual = self._product.said(value, language), self._product.said(usual, language)
        template = self._product.texts.get(code, {}).get(language) or words["value" if how in _ANSWERS else how]
        return code, template.format_map({"label": self._labels[language][feature.name], "value": value, "usual": usual})

    def _case(self, feature: Feature, source: Input, given: Value, read: float, words: Mapping[str, str]) -> tuple[str, str, str]:
        """How the value counts, the value, and what is usual."""
        if feature.kind == "missing" or (given is None and read != read):
            return ("missing" if given is None else "level"), shown_value(given, source, words), ""
        if isinstance(given, bool):
            return _ANSWERS[not given], shown_value(given, source, words), shown_value(not given, source, words)
        if isinstance(given, str) and source.kind is InputKind.CATEGORY:
            common, shown = self._common(feature, source), shown_value(given, source, words)
            return ("value" if common and common != shown else "level"), shown, common
        return self._number_case(feature, source, read, words)

    def _number_case(self, feature: Feature, source: Input, read: float, words: Mapping[str, str]) -> tuple[str, str, str]:
        usual = self._usual.get(feature.name)
        if read != read:
            return "missing", "", ""
        value = shown_reading(read, feature, source, words)
        if usual is None:
            return "level", value, ""
        if (read > usual and feature.monotone >= 0) or (read < usual and feature.monotone <= 0):
            return ("high" if read > usual else "low"), value, shown_reading(usual, feature, source, words)
        # No worse than usual, and yet it lowered the score: against the average of everybody. The sign says which way is better.
        return {1: "less", -1: "more", 0: "level"}[feature.monotone], value, ""

    def _common(self, feature: Feature, source: Input) -> str:
        usual = self._usual.get(feature.name)
        return source.categories[int(usual)] if usual is not None and 0 <= usual < len(source.categories) else ""


def is_reason_code(code: str, product: Product) -> bool:
    """Whether a reason of this product can have this code."""
    stem, _point, how = code.rpartition(".")
    return how in _WAYS and stem in {_stem(feature.name) for feature in product.features}


def _stem(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def shown_reading(read: float, feature: Feature, source: Input, words: Mapping[str, str]) -> str:
    """A number that the model read, as the applicant knows it: a logarithm as the value itself, a share in per cent."""
    if feature.kind == "log":
        return _shown_number(math.copysign(math.expm1(abs(read)), read), source.unit, words)
    if feature.unit == "%":
        return f"{shown_number(float(f'{100 * read:.3g}'))}%"
    return _shown_number(read, source.unit if feature.kind == "input" else feature.unit, words)


def shown_value(value: Value, source: Input, words: Mapping[str, str]) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return words["yes" if value else "no"]
    if isinstance(value, list):
        return str(len(value))
    if isinstance(value, str):
        return value if not source.categories or value in source.categories else words["other"]
    return _shown_number(float(value), source.unit, words)


def _shown_number(value: float, unit: str | None, words: Mapping[str, str]) -> str:
    return shown_number(value, words.get(unit, unit) if unit else None)


def shown_number(value: float, unit: str | None = None) -> str:
    """A number with grouped thousands and as many decimals as matter."""
    if math.isinf(value):    # a ratio to next to nothing
        return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
    rounded = round(value)
    if abs(value) >= 1000 or math.isclose(value, rounded, rel_tol=1e-12):
        text = f"{rounded:,}"
    else:
        text = f"{value:,.2f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.3g}"
    return f"{text} {unit}" if unit else text
