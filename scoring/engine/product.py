"""A product as data: what is predicted for whom, from which inputs, in which words, and by which rules when no model answers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scoring.engine.contract import Contract, DefinitionRefused
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.policy import Condition, ScoreScale, condition_from_dict, condition_to_dict
from scoring.engine.texts import SENTENCES, Sentences, check_labels, check_sentences, check_template, check_texts


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
    `labels` name features in languages other than the contract's own, by language and feature."""

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
                raise DefinitionRefused(f"rule {rule.code!r}: there is no input {rule.condition.input!r}.")
            check_texts(rule.texts)
        for texts in self.texts.values():
            check_texts(texts, check_template)
        check_sentences(self.sentences)
        check_labels(self.labels, names)

    def label(self, feature: Feature, language: str) -> str:
        """The feature's name for people, in their language where the product knows it."""
        own = feature.label or next(one.title for one in self.contract.inputs if one.name == feature.sources[0])
        return self.labels.get(language, {}).get(feature.name, own)

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
        try:
            plain = {name: data[name] for name in _PLAIN if name in data}
            return cls(
                contract=Contract.from_dict(data),
                features=tuple(Feature.from_dict(one) for one in data["features"]),
                scale=ScoreScale(**data.get("scale", {})),
                rules=_rules_from(data.get("rules", {})),
                texts={str(code): dict(texts) for code, texts in data.get("texts", {}).items()},
                sentences={str(language): dict(one) for language, one in data.get("sentences", SENTENCES).items()},
                labels={str(language): dict(one) for language, one in data.get("labels", {}).items()},
                **plain,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, DefinitionRefused):
                raise
            raise DefinitionRefused(f"the product is not as expected: {error!r}.") from error


_PLAIN = ("slug", "title", "kind", "id_column", "time_column", "target", "positive", "estimator")


def _rules_from(data: Mapping[str, Any]) -> Rules:
    rules = tuple(
        Rule(str(one["code"]), condition_from_dict(one["if"]), float(one["log_odds"]), dict(one.get("texts", {})))
        for one in data.get("rules", ())
    )
    return Rules(float(data.get("base_probability", 0.1)), rules, bool(data.get("may_approve", False)))
