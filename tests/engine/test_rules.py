"""Rules that may be put in force: each can hold, stays within bounds, and tells applicants its own reason."""

from dataclasses import replace
from typing import Any

import pytest

from scoring.engine.contract import Contract, DefinitionRefused, Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.policy import Condition
from scoring.engine.product import Product, Rule, Rules
from scoring.engine.products.ready import READY
from scoring.engine.rules import MOST_RULES, check_rules

TEXT = {"en": "The amount is more than usual."}
CONTRACT = Contract((
    Input(name="amount", kind=InputKind.NUMBER), Input(name="months", kind=InputKind.INTEGER),
    Input(name="trade", kind=InputKind.CATEGORY, categories=("food", "cloth")), Input(name="member", kind=InputKind.BOOLEAN),
    Input(name="born", kind=InputKind.DATE), Input(name="sex", kind=InputKind.CATEGORY, categories=("f", "m"), is_protected=True),
))  # fmt: skip
BASE = Product(slug="stall", title="Stall loan", contract=CONTRACT, features=(Feature(name="amount"),))


def a_rule(name: str = "much", about: str = "amount", operator: str = "gt", value: Any = 5, log_odds: float = 1.0, **said: str) -> Rule:
    return Rule(name, Condition(about, operator, value), log_odds, said or TEXT)


def with_rules(*rules: Rule) -> Product:
    return replace(BASE, rules=Rules(0.2, rules))


@pytest.mark.parametrize(
    "rule",
    [
        a_rule(), a_rule(log_odds=-20), a_rule(about="months", operator="in", value=[1, 2]),
        a_rule(about="trade", operator="eq", value="food"), a_rule(about="trade", operator="in", value=("food", "cloth")),
        a_rule(about="member", operator="ne", value=True),
        a_rule(about="born", operator="missing", value=None), Rule("less", Condition("amount", "lt", 5), -1.0),
    ],
)  # fmt: skip
def test_a_rule_that_can_hold_may_be_put_in_force(rule: Rule) -> None:
    check_rules(with_rules(rule), before=BASE)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (a_rule("<b>much</b>"), "a name has letters"),
        (a_rule("much\n"), "a name has letters"),
        (a_rule("m" * 61), "a name has letters"),
        (a_rule(log_odds=1e308), "log_odds are from -20 to 20"),
        (a_rule(log_odds=-20.1), "log_odds are from -20 to 20"),
        (a_rule(log_odds=float("nan")), "log_odds are from -20 to 20"),
        (a_rule(en="The amount " * 50), "at most 500 characters"),
        (a_rule(en="The amount \u202e is more than usual."), "none of them hidden"),
        (a_rule(fr="Le montant est plus haut."), "say in 'en'"),
        (a_rule(value="five"), "compared with a number"),
        (a_rule(value=True), "compared with a number"),
        (a_rule(value=float("inf")), "compared with a number"),
        (a_rule(operator="in", value=[1]), "compared by one of lt"),
        (a_rule(about="months", operator="in", value=[]), "a list, each of it a number"),
        (a_rule(about="months", operator="in", value=[[1]]), "a list, each of it a number"),
        (a_rule(about="trade", operator="lt", value="zzz"), "compared by one of eq"),
        (a_rule(about="trade", operator="in", value="food and cloth"), "a list, each of it a text"),
        (a_rule(about="trade", operator="eq", value="gold"), "a text of its categories"),
        (a_rule(about="member", operator="eq", value=1), "true or false"),
        (a_rule(about="born", operator="lt", value="2000-01-01"), "compared by one of missing"),
        (a_rule(about="sex", operator="eq", value="f"), "'sex' is protected"),
    ],
)
def test_a_rule_that_lies_breaks_or_discriminates_is_refused(rule: Rule, told: str) -> None:
    with pytest.raises(DefinitionRefused, match=told):
        check_rules(with_rules(rule), before=BASE)


def test_two_rules_of_one_name_would_tell_one_anothers_reasons() -> None:
    with pytest.raises(DefinitionRefused, match="another one of this name"):
        check_rules(with_rules(a_rule(), a_rule(value=100)), before=BASE)


def test_there_is_a_most_of_rules() -> None:
    with pytest.raises(DefinitionRefused, match="at most 200 rules"):
        check_rules(with_rules(*(a_rule(f"r{number}") for number in range(MOST_RULES + 1))), before=BASE)


def test_a_protected_input_may_stay_where_it_was_asked_about() -> None:
    asked = a_rule(about="sex", operator="eq", value="f")

    check_rules(with_rules(asked, a_rule("other")), before=with_rules(asked))
    check_rules(with_rules(asked))    # who makes the product answers for it


@pytest.mark.parametrize("name", sorted(READY))
def test_ready_made_rules_may_be_put_in_force(name: str) -> None:
    check_rules(READY[name].product("KES"))
