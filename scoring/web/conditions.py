"""A rule's condition in words: what is asked of which input, as the page that edits rules and the one that shows them say it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scoring.engine.contract import Contract, Input, InputKind
from scoring.web.written import language_of_page, value_words

OPERATOR_WORDS: Mapping[str, str | Promise] = {
    "lt": gettext_lazy("is less than"), "le": gettext_lazy("is at most"), "gt": gettext_lazy("is more than"),
    "ge": gettext_lazy("is at least"), "eq": gettext_lazy("is"), "ne": gettext_lazy("is not"), "in": gettext_lazy("is one of"),
    "missing": gettext_lazy("is not known"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShownRule:
    """One rule as people read it."""

    code: str
    holds_where: str
    log_odds: float
    text: str


def shown_rules(rules: Mapping[str, Any], contract: Contract) -> list[ShownRule]:
    """The rules as a definition writes them, in words; an input that the contract no longer has is told by its name."""
    inputs = {one.name: one for one in contract.inputs}
    return [
        ShownRule(rule["code"], _condition_words(rule["if"], inputs), rule["log_odds"], _text(rule.get("texts", {})))
        for rule in rules.get("rules", ())
    ]


def _text(texts: Mapping[str, str]) -> str:
    return texts.get(language_of_page()) or texts.get("en", "")


def _condition_words(condition: Mapping[str, Any], inputs: Mapping[str, Input]) -> str:
    name, operator, value = condition["input"], condition["operator"], condition.get("value")
    one = inputs.get(name, Input(name=name, kind=InputKind.NUMBER))
    parts = [one.title, str(OPERATOR_WORDS.get(operator, operator)), _value_words(value, one)]
    return " ".join(part for part in parts if part)


def _value_words(value: Any, one: Input) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_value_words(each, one) for each in value)
    if isinstance(value, str):
        return value
    return value_words(value, replace(one, unit=one.unit_beside_title), {"yes": _("yes"), "no": _("no")})
