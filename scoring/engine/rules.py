"""What rules that are put in force must hold: each can hold, moves the score within bounds, and tells an applicant what it counts."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from scoring.engine.contract import DefinitionRefused, Input, InputKind
from scoring.engine.policy import Condition
from scoring.engine.product import Product, Rule

MOST_RULES = 200
LARGEST_LOG_ODDS = 20.0    # beyond it a probability is 0 or 1, and sums of many rules would leave what a float can hold
LONGEST_TEXT = 500         # characters
_NAME = re.compile(r"[\w.-]{1,60}")
_HIDDEN = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f\u200b\u2028-\u202e\u2066-\u2069\ufeff]")
_ORDERED = ("lt", "le", "gt", "ge", "eq", "ne", "missing")
_NAMED = ("eq", "ne", "in", "missing")
OPERATORS: Mapping[InputKind, Sequence[str]] = {
    InputKind.NUMBER: _ORDERED, InputKind.INTEGER: (*_ORDERED, "in"), InputKind.CATEGORY: _NAMED,
    InputKind.BOOLEAN: ("eq", "ne", "missing"), InputKind.DATE: ("missing",), InputKind.EVENTS: (),
}  # fmt: skip


def check_rules(product: Product, *, before: Product | None = None) -> None:
    """The product's rules may be put in force; a protected input is asked about only where one `before` did already.

    Raises DefinitionRefused with which rule and how to repair it."""
    rules = product.rules.rules
    if len(rules) > MOST_RULES:
        raise DefinitionRefused(f"write at most {MOST_RULES} rules.")
    inputs = {one.name: one for one in product.contract.inputs}
    asked = {rule.condition.input for rule in before.rules.rules} if before else set()
    names: set[str] = set()
    for rule in rules:
        if not _NAME.fullmatch(rule.code):
            raise DefinitionRefused(f"rule {rule.code!r}: a name has letters, digits, points, hyphens and underscores, at most 60.")
        if rule.code in names:
            raise DefinitionRefused(f"rule {rule.code!r}: there is another one of this name, and applicants would be told its reason.")
        names.add(rule.code)
        about = inputs[rule.condition.input]
        if before and about.is_protected and about.name not in asked:
            raise DefinitionRefused(f"rule {rule.code!r}: {about.name!r} is protected; take the rule out.")
        _check_condition(rule, about)
        _check_weight(rule)


def _check_condition(rule: Rule, about: Input) -> None:
    asked = rule.condition
    if asked.operator not in OPERATORS[about.kind]:
        fit = ", ".join(OPERATORS[about.kind]) or "none: take the rule out"
        raise DefinitionRefused(f"rule {rule.code!r}: {about.name!r} is compared by one of {fit}; not by {asked.operator!r}.")
    if not _fits(asked, about):
        what = {InputKind.CATEGORY: "a text of its categories", InputKind.BOOLEAN: "true or false"}.get(about.kind, "a number")
        what = f"a list, each of it {what}" if asked.operator == "in" else what
        raise DefinitionRefused(f"rule {rule.code!r}: {about.name!r} is compared with {what}.")


def _fits(asked: Condition, about: Input) -> bool:
    """Whether what the input is compared with is of its kind."""
    if asked.operator == "missing":
        return True
    if asked.operator == "in":
        return isinstance(asked.value, list | tuple) and bool(asked.value) and all(_is_value(one, about) for one in asked.value)
    return _is_value(asked.value, about)


def _is_value(value: Any, about: Input) -> bool:
    if about.kind is InputKind.BOOLEAN:
        return isinstance(value, bool)
    if about.kind is InputKind.CATEGORY:
        return isinstance(value, str) and (value in about.categories or about.accepts_other)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _check_weight(rule: Rule) -> None:
    if not abs(rule.log_odds) <= LARGEST_LOG_ODDS:
        raise DefinitionRefused(f"rule {rule.code!r}: log_odds are from -{LARGEST_LOG_ODDS:g} to {LARGEST_LOG_ODDS:g}.")
    if any(len(text) > LONGEST_TEXT or _HIDDEN.search(text) for text in rule.texts.values()):
        raise DefinitionRefused(f"rule {rule.code!r}: a text has at most {LONGEST_TEXT} characters, none of them hidden.")
    if rule.log_odds > 0 and "en" not in rule.texts:
        raise DefinitionRefused(f"rule {rule.code!r}: say in 'en' what counts against the applicant; they will read it.")
