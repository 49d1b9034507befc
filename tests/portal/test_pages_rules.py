"""The page on which rules are edited: tried without a trace, put in force with a reason, refused with what was typed kept."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from django.test import Client

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from partners.accounts.roles import Role
from partners.tenancy import public_context
from scoring import registry, selectors
from scoring.engine.contract import Contract, Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.policy import Condition, Policy
from scoring.engine.product import Rule, Rules
from scoring.models import Decision, Product
from scoring.services.definitions import change_rules
from scoring.services.products import create_product
from tests.conftest import House
from tests.scoring.factories import SLUG, a_definition, add_product

CANARY = "\"'><script>canary()</script>"
PATH = f"/products/{SLUG}/rules"
MAY = {"analyst", "scientist", "admin"}


@pytest.fixture
def stalls(in_north: House) -> House:
    add_product()
    return in_north


def asked(client: Client, path: str = PATH, typed: dict[str, Any] | None = None) -> tuple[int, str]:
    """Status and page; the page that a success leads to."""
    with public_context():
        answer = client.get(path) if typed is None else client.post(path, typed)
        shown = client.get(answer["Location"]) if answer.status_code == 302 and "login" not in answer["Location"] else answer
    return answer.status_code, " ".join(shown.content.decode().split())


def form_of(page: str) -> dict[str, str]:
    """What the form would send as it stands."""
    typed: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        name, kind, value = (re.search(rf'\b{one}="([^"]*)"', tag) for one in ("name", "type", "value"))
        if name and (not kind or kind[1] != "checkbox" or " checked" in tag):
            typed[name[1]] = unescape(value[1]) if value else ("on" if kind and kind[1] == "checkbox" else "")
    for name, inside in re.findall(r'<select [^>]*name="([^"]*)"[^>]*>(.*?)</select>', page):
        chosen = re.search(r'<option value="([^"]*)" selected', inside)
        typed[name] = unescape(chosen[1]) if chosen else ""
    for name, inside in re.findall(r'<textarea [^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', page):
        typed[name] = unescape(inside).strip()
    return typed


def rules() -> Any:
    return Product.objects.get(slug=SLUG).definition["rules"]


def new_rule(typed: dict[str, str], place: int, **named: str) -> dict[str, str]:
    return {**typed, **{f"rules-{place}-{name}": value for name, value in named.items()}}


def a_rule(stalls: House) -> dict[str, str]:
    """The form with one more rule that sends those with a short trade away."""
    typed = form_of(asked(stalls.client("analyst"))[1])
    place = int(typed["rules-INITIAL_FORMS"])
    return new_rule(
        typed, place, code="new_here", input="months", operator="lt", value="6", log_odds="2,5",
        text_en="You have traded for less than six months.", text_fr="Vous vendez depuis moins de six mois.",
    ) | {"reason": "Losses in June."}  # fmt: skip


def test_the_form_as_it_stands_changes_nothing(stalls: House) -> None:
    before, versions = rules(), selectors.newest_rules(SLUG).version
    typed = form_of(asked(stalls.client("analyst"))[1])

    status, page = asked(stalls.client("analyst"), typed={**typed, "act": "save", "reason": "So."})

    assert status == 302
    assert "These are the rules already; nothing was changed." in page
    assert (rules(), selectors.newest_rules(SLUG).version) == (before, versions)


def test_rules_are_put_in_force_with_a_version_and_an_event(stalls: House) -> None:
    before = rules()

    status, page = asked(stalls.client("analyst"), typed={**a_rule(stalls), "act": "save", "base_probability": "30", "may_approve": "on"})

    assert status == 302
    assert "Version 2 of the rules is in force." in page
    assert rules() == {
        "base_probability": 0.3, "may_approve": True,
        "rules": [*before["rules"], {
            "code": "new_here", "if": {"input": "months", "operator": "lt", "value": 6}, "log_odds": 2.5,
            "texts": {"en": "You have traded for less than six months.", "fr": "Vous vendez depuis moins de six mois."},
        }],
    }  # fmt: skip
    newest, first = selectors.rules_versions(SLUG).rows
    assert (newest.version, newest.reason, newest.actor) == (2, "Losses in June.", stalls.users["analyst"].name)
    assert first.rules == before
    event = Event.objects.filter(action=Action.PRODUCT_CHANGED).latest("id")
    assert (event.actor_id, event.detail["changed"]) == (str(stalls.users["analyst"].id), ["rules"])
    assert registry.current(SLUG).definition.rules.base_probability == 0.3


def test_the_product_shows_its_rules_in_the_words_of_the_form(in_north: House) -> None:
    inputs = (
        Input(name="member", kind=InputKind.BOOLEAN, label="Member of a savings group"),
        Input(name="delay", kind=InputKind.NUMBER, label="Longest delay", minimum=0, maximum=4_000, unit="days", required=False),
        Input(name="term", kind=InputKind.INTEGER, label="Months to repay", minimum=1, maximum=36, unit="months"),
        Input(name="trade", kind=InputKind.CATEGORY, categories=("food", "cloth", "repair")),
    )
    conditions = (
        Condition("member", "eq", True), Condition("delay", "gt", 1_500), Condition("delay", "missing"), Condition("term", "ge", 12),
        Condition("trade", "in", ("food", "cloth")),
    )  # fmt: skip
    rules = tuple(Rule(f"rule_{place}", one, -0.1) for place, one in enumerate(conditions))
    product = replace(a_definition(), contract=Contract(inputs), features=(Feature(name="term"),), rules=Rules(0.2, rules))
    create_product(definition=product, policy=Policy.for_base_rate(0.2), actor=SYSTEM)

    page = unescape(asked(in_north.client("analyst"), f"/products/{SLUG}")[1])

    assert re.findall(r'<td data-l="Holds where">(.*?)</td>', page) == [
        "Member of a savings group is yes", "Longest delay is more than 1,500 days", "Longest delay is not known",
        "Months to repay is at least 12", "trade is one of food, cloth",
    ]  # fmt: skip


def test_an_example_is_answered_by_both_and_leaves_no_trace(stalls: House) -> None:
    before, events = rules(), Event.objects.count()
    typed = {**a_rule(stalls), "act": "try"}
    status, page = asked(stalls.client("analyst"), typed=typed)
    assert status == 200
    label = re.search(r'<label class="form-label" for="id_(try_\d+)">[^<]*onths', page)
    assert label
    status, page = asked(stalls.client("analyst"), typed={**typed, label[1]: "3"})

    assert status == 200
    table = page[page.index("What they say about the example") : page.index("</table>")]
    in_force, as_typed = re.findall(r"<tr><th scope=\"row\">.*?</tr>", table)
    assert "You have traded for less than six months." in as_typed
    assert "You have traded for less than six months." not in in_force
    scores = [int(re.findall(r'data-l="Score">(\d+)<', row)[0]) for row in (in_force, as_typed)]
    assert scores[1] < scores[0]
    assert (rules(), Event.objects.count(), Decision.objects.count()) == (before, events, 0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"code": "late one"}, "Use letters, digits"),
        ({"log_odds": "much"}, "Write a number, like 0.7"),
        ({"log_odds": "nan"}, "Write a number, like 0.7"),
        ({"log_odds": "1e9"}, "less than or equal to 20"),
        ({"value": "soon"}, "Write a number from 0 to"),
        ({"value": "-5"}, "Write a number from 0 to"),
        ({"value": ""}, "Write a number from 0 to"),
        ({"operator": ""}, "This field is required"),
        ({"operator": "like"}, "is not one of the available choices"),
        ({"input": "age_of_moon"}, "is not one of the available choices"),
        ({"input": "trade", "operator": "lt", "value": "food"}, "is compared by one of"),
        ({"input": "trade", "operator": "eq", "value": "spaceship"}, "Write one of: food"),
        ({"input": "trade", "operator": "in", "value": " ; "}, "Name the answers"),
        ({"text_en": ""}, "Say in a full sentence"),
        ({"text_en": "Your score is too low."}, "tells the applicant nothing"),
        ({"text_fr": "Non."}, "A reason is a full sentence."),
    ],
)
def test_wrong_input_is_told_and_kept(stalls: House, wrong: dict[str, str], told: str) -> None:
    before, typed = rules(), a_rule(stalls)
    place = int(typed["rules-INITIAL_FORMS"])

    status, page = asked(stalls.client("analyst"), typed={**new_rule(typed, place, **wrong), "act": "save"})

    assert status == 422
    assert told in unescape(page)
    kept = form_of(page)
    for name in {"code", "value", "log_odds", "text_en", "text_fr"}:
        assert kept[f"rules-{place}-{name}"] == wrong.get(name, typed[f"rules-{place}-{name}"])
    assert kept["reason"] == "Losses in June."
    assert rules() == before


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"base_probability": "0"}, "greater than or equal to 0.01"),
        ({"base_probability": "100"}, "less than or equal to 99.99"),
        ({"reason": " "}, "Say why, in 1 to 500 characters"),
        ({"reason": "x" * 501}, "Say why, in 1 to 500 characters"),
        ({"rules-TOTAL_FORMS": "many"}, "ManagementForm data is missing"),
        ({"rules-TOTAL_FORMS": "1000"}, "at most 200 forms"),
    ],
)
def test_what_is_wrong_with_all_of_them_is_told(stalls: House, wrong: dict[str, str], told: str) -> None:
    before = rules()

    status, page = asked(stalls.client("analyst"), typed={**a_rule(stalls), "act": "save", **wrong})

    assert (status, rules()) == (422, before)
    assert told in unescape(page)


def test_two_rules_of_one_name_are_refused(stalls: House) -> None:
    typed = a_rule(stalls)
    place = int(typed["rules-INITIAL_FORMS"])
    twice = {name.replace(f"rules-{place}-", f"rules-{place + 1}-"): value for name, value in typed.items() if f"rules-{place}-" in name}

    status, page = asked(stalls.client("analyst"), typed={**typed, **twice, "rules-TOTAL_FORMS": str(place + 2), "act": "save"})

    assert status == 422
    assert "There is a rule of this name already" in page


def test_a_rule_is_taken_out_whatever_is_wrong_with_it(stalls: House) -> None:
    asked(stalls.client("analyst"), typed={**a_rule(stalls), "act": "save"})
    typed = form_of(asked(stalls.client("analyst"))[1])
    place = int(typed["rules-INITIAL_FORMS"]) - 1

    status, _page = asked(
        stalls.client("analyst"), typed={**new_rule(typed, place, remove="on", log_odds="much"), "act": "save", "reason": "Not needed."}
    )

    assert status == 302
    assert "new_here" not in {rule["code"] for rule in rules()["rules"]}


def test_one_more_row_keeps_what_was_typed(stalls: House) -> None:
    typed = a_rule(stalls)
    place = int(typed["rules-INITIAL_FORMS"])

    status, page = asked(stalls.client("analyst"), typed={**new_rule(typed, place, log_odds="much"), "act": "row"})

    kept = form_of(page)
    assert status == 200
    assert int(kept["rules-TOTAL_FORMS"]) == int(typed["rules-TOTAL_FORMS"]) + 1
    assert kept[f"rules-{place}-log_odds"] == "much"
    assert kept[f"rules-{place + 1}-code"] == ""


def test_a_rule_takes_one_line_until_somebody_changes_it(stalls: House) -> None:
    typed = form_of(asked(stalls.client("analyst"))[1])
    line = "<summary><code>high_amount</code> amount is more than 2000</summary>"

    page, changed = (
        asked(stalls.client("analyst"), typed={**typed, "rules-0-value": value, "act": "row"})[1] for value in ("2000", "much")
    )

    assert f'<details class="v-fold">{line}' in page
    assert page.count("<details class=\"v-fold\"") == 1    # new rows lie open
    assert f'<details class="v-fold" open>{line}' in changed
    assert form_of(changed)["rules-0-value"] == "much"


def test_nobody_overwrites_rules_that_they_did_not_see(stalls: House) -> None:
    typed = a_rule(stalls)
    theirs = {"base_probability": 0.4, "rules": []}
    change_rules(product_slug=SLUG, rules=theirs, reason="First.", actor=SYSTEM)

    status, page = asked(stalls.client("analyst"), typed={**typed, "act": "save"})

    assert status == 409
    assert "Somebody changed the rules meanwhile." in page
    assert form_of(page)["reason"] == "Losses in June."
    assert rules()["base_probability"] == 0.4


@pytest.mark.parametrize("role", list(Role))
def test_who_may_edit(stalls: House, role: Role) -> None:
    before, typed = rules(), a_rule(stalls)

    shown, _page = asked(stalls.client(role))
    sent, _page = asked(stalls.client(role), typed={**typed, "act": "save"})
    linked = PATH in asked(stalls.client(role), f"/products/{SLUG}")[1]

    assert (shown, sent, linked) == ((200, 302, True) if role in MAY else (403, 403, False))
    assert (rules() == before) == (role not in MAY)


def test_strangers_and_unknown_products_are_sent_away(stalls: House) -> None:
    with public_context():
        assert stalls.client().get(PATH)["Location"].startswith("/login")
    assert asked(stalls.client("analyst"), "/products/none/rules")[0] == 404


def test_what_was_typed_is_only_text(stalls: House) -> None:
    typed = a_rule(stalls)
    place = int(typed["rules-INITIAL_FORMS"])

    _status, page = asked(
        stalls.client("analyst"),
        typed={**new_rule(typed, place, code=CANARY, value=CANARY, text_en=CANARY), "reason": CANARY, "act": "save"},
    )

    assert "<script>canary" not in page
    assert CANARY in unescape(page)
