"""A product as data: what is predicted for whom, from which inputs, in which words, and by which rules when no model answers."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from scoring.engine.contract import Contract, DefinitionRefused
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.policy import Condition, ScoreScale, condition_from_dict, condition_to_dict
from scoring.engine.texts import SENTENCES, UNITS, Sentences, check_labels, check_sentences, check_template, check_texts
from scoring.engine.written import check_members, kinds_of


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the model that answers when no other does: if the condition holds, this much log-odds of the bad outcome is added."""

    code: str
    condition: Condition
    log_odds: float
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules and the probability without any of them. They send an applicant to a person unless `may_approve`."""

    base_probability: float = 0.1
    rules: tuple[Rule, ...] = ()
    may_approve: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.base_probability < 1:
            raise DefinitionRefused("base_probability of the rules is between 0 and 1.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product's definition. `texts` are reason texts by code and language; a reason without one is told by the `sentences`.
    `labels` are in languages other than the contract's own, by language and the name of a feature or input, or by what the product says
    itself: a label, help, group or category."""

    slug: str
    title: str
    contract: Contract
    features: tuple[Feature, ...]
    kind: str = "risk"
    id_column: str | None = None
    time_column: str | None = None
    target: str = ""
    positive: str = ""
    estimator: str = "boosted"
    scale: ScoreScale = field(default_factory=ScoreScale)
    rules: Rules = field(default_factory=Rules)
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sentences: Sentences = field(default_factory=lambda: SENTENCES)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [feature.name for feature in self.features]
        if not names or len(set(names)) < len(names):
            raise DefinitionRefused("a product needs features, each with a name of its own.")
        FeaturePlan(self.contract, self.features)
        inputs = {one.name for one in self.contract.inputs}
        for rule in self.rules.rules:
            if rule.condition.input not in inputs:
                fix = "correct the name, or take the rule out"
                raise DefinitionRefused(f"rule {rule.code!r}: there is no input {rule.condition.input!r}; {fix}.")
            check_texts(rule.texts)
        for texts in self.texts.values():
            check_texts(texts, check_template)
        check_sentences(self.sentences)
        check_labels(self.labels, {*names, *inputs, *self._said()})

    def label(self, feature: Feature, language: str) -> str:
        """The feature's name for people, in their language where the product knows it."""
        own = feature.label or next(one.title for one in self.contract.inputs if one.name == feature.sources[0])
        return self.labels.get(language, {}).get(feature.name) or self.said(own, language)

    def said(self, text: str, language: str) -> str:
        """One of the product's own words, in the language where the product knows it."""
        return self.labels.get(language, {}).get(text, text)

    def spoken(self, language: str) -> "Product":
        """The same product for people who read the language: its labels, helps, groups and units, where they are known in it; categories
        stay what they are, and are told by `said`."""
        named, units = self.labels.get(language), UNITS.get(language, {})
        if not named:
            return self
        inputs = tuple(
            replace(
                one, label=named.get(one.name) or named.get(one.label, one.label), help=named.get(one.help, one.help),
                unit=one.unit and units.get(one.unit, one.unit),
            )
            for one in self.contract.inputs
        )  # fmt: skip
        features = tuple(
            replace(one, label=named.get(one.name) or named.get(one.label, one.label), group=named.get(one.group, one.group))
            for one in self.features
        )
        categories = {text: named[text] for one in inputs for text in one.categories if text in named}
        return replace(self, contract=Contract(inputs), features=features, labels={language: categories})

    def _said(self) -> Iterator[str]:
        for one in self.contract.inputs:
            yield from (one.label, one.help, *one.categories)
        for feature in self.features:
            yield from (feature.label, feature.group)

    def to_dict(self) -> dict[str, Any]:
        """As JSON that a person can read and edit."""
        return {
            "slug": self.slug, "title": self.title, "kind": self.kind,
            "id_column": self.id_column, "time_column": self.time_column, "target": self.target, "positive": self.positive,
            "estimator": self.estimator, "scale": asdict(self.scale),
            **self.contract.to_dict(),
            "features": [feature.to_dict() for feature in self.features],
            "rules": {
                "base_probability": self.rules.base_probability, "may_approve": self.rules.may_approve,
                "rules": [
                    {"code": rule.code, "if": condition_to_dict(rule.condition), "log_odds": rule.log_odds, "texts": dict(rule.texts)}
                    for rule in self.rules.rules
                ],
            },
            "texts": {code: dict(texts) for code, texts in self.texts.items()},
            "sentences": {language: dict(sentences) for language, sentences in self.sentences.items()},
            "labels": {language: dict(labels) for language, labels in self.labels.items()},
        }    # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Product":
        """Raises DefinitionRefused with what to repair."""
        check_members({name: data[name] for name in _PARTS if name in data}, _PARTS, where="the definition")
        scale = data.get("scale", {})
        check_members(scale, kinds_of(ScoreScale), where="scale")
        return cls(
            contract=Contract.from_dict(data),
            features=tuple(Feature.from_dict(one) for one in data["features"]),
            scale=ScoreScale(**scale),
            rules=_rules_from(data.get("rules", {})),
            texts={code: dict(texts) for code, texts in data.get("texts", {}).items()},
            sentences={language: dict(one) for language, one in data.get("sentences", SENTENCES).items()},
            labels={language: dict(one) for language, one in data.get("labels", {}).items()},
            **{name: data[name] for name in _PLAIN if name in data},
        )


_PLAIN = ("slug", "title", "kind", "id_column", "time_column", "target", "positive", "estimator")


_PARTS: Mapping[str, tuple[Any, bool]] = {
    **{name: kinds_of(Product)[name] for name in _PLAIN},
    "inputs": (list[Any], True), "features": (list[Any], True), "scale": (dict[str, Any], False), "rules": (dict[str, Any], False),
    "texts": (dict[str, dict[str, str]], False), "sentences": (dict[str, dict[str, str]], False),
    "labels": (dict[str, dict[str, str]], False),
}    # fmt: skip
_RULES: Mapping[str, tuple[Any, bool]] = {"base_probability": (float, False), "may_approve": (bool, False), "rules": (list[Any], False)}
_RULE: Mapping[str, tuple[Any, bool]] = {
    "code": (str, True), "if": (dict[str, Any], True), "log_odds": (float, True), "texts": (dict[str, str], False)
}    # fmt: skip
_CONDITION: Mapping[str, tuple[Any, bool]] = {"input": (str, True), "operator": (str, True), "value": (Any, False)}


def _rules_from(data: Mapping[str, Any]) -> Rules:
    check_members(data, _RULES, where="rules")
    rules = tuple(_rule_from(one, f"rule {place}") for place, one in enumerate(data.get("rules", ()), start=1))
    return Rules(float(data.get("base_probability", 0.1)), rules, data.get("may_approve", False))


def _rule_from(one: Any, where: str) -> Rule:
    check_members(one, _RULE, where=where)
    check_members(one["if"], _CONDITION, where=f"the \"if\" of rule {one['code']!r}")
    return Rule(one["code"], condition_from_dict(one["if"]), float(one["log_odds"]), dict(one.get("texts", {})))
