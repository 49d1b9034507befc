"""The page on which the policy is changed: tried without a trace, put in force with a reason, refused with what was typed kept."""

import re
from collections.abc import Mapping
from html import unescape

import pytest

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from scoring import registry
from scoring.models import Channel, Decision, Policy
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.portal.test_pages_rules import asked, form_of
from tests.scoring.factories import SLUG, add_product, an_item, put_in_force

PATH = f"/products/{SLUG}/policy"


@pytest.fixture
def stalls(in_north: House) -> House:
    """Eight decisions by a model."""
    add_product()
    put_in_force()
    items = [an_item(f"A-{place}", income=60.0 + 400.0 * place, trade=("food", "cloth")[place % 2], amount=1000.0) for place in range(8)]
    score_applicants(product_slug=SLUG, items=items, actor=SYSTEM, channel=Channel.API)
    return in_north


def typed_of(house: House, **changed: str) -> dict[str, str]:
    return {**form_of(asked(house.client("analyst"), PATH)[1]), **changed}


def rule(**named: str) -> dict[str, str]:
    """The first, empty row filled in."""
    row = {"code": "cloth", "input": "trade", "operator": "eq", "value": "cloth", "outcome": "decline", "text_en": "No loans for cloth."}
    return {f"rules-0-{name}": value for name, value in {**row, **named}.items()}


def in_force() -> Mapping[str, object]:
    return registry.current(SLUG).policy.to_dict()


def test_a_trial_shows_what_would_happen_and_leaves_no_trace(stalls: House) -> None:
    before, decisions = in_force(), Decision.objects.count()
    typed = typed_of(stalls, approve_from="300", decline_below="300", act="try", **rule())

    status, page = asked(stalls.client("analyst"), PATH, typed)

    assert status == 200
    assert "8 decisions were decided again" in page
    approved = re.search(r"Approved at once</th><td[^>]*>\d+</td><td[^>]*>(\d+)</td>", page)
    declined = re.search(r"Declined</th><td[^>]*>\d+</td><td[^>]*>(\d+)</td>", page)
    assert approved and declined  # noqa: PT018 - both, or neither is shown
    assert (approved[1], declined[1]) == ("4", "4")
    assert "No outcome is known yet." in page
    assert form_of(page)["rules-0-code"] == "cloth"
    assert "list=what-if" not in page    # rules fit into no address
    assert (in_force(), Decision.objects.count(), Policy.objects.filter(product__slug=SLUG).count()) == (before, decisions, 1)


def test_the_policy_as_it_is_moves_nobody(stalls: House) -> None:
    status, page = asked(stalls.client("analyst"), PATH, typed_of(stalls, act="try"))

    assert status == 200
    assert "Nobody would move." in page
    (address,) = re.findall(r'href="(/exports/new\?list=what-if[^"]*)"', page)
    assert asked(stalls.client("analyst"), unescape(address))[0] == 200


def test_it_is_put_in_force_with_a_reason(stalls: House) -> None:
    typed = typed_of(stalls, approve_from="640", act="save", reason="Losses of the spring were too high.", **rule())

    status, page = asked(stalls.client("analyst"), PATH, typed)

    assert status == 302
    assert "Policy 2 is in force." in page
    assert registry.current(SLUG).policy.approve_from == 640
    assert [one.code for one in registry.current(SLUG).policy.knock_outs] == ["cloth"]
    event = Event.objects.get(action=Action.POLICY_CHANGED)
    assert (event.detail["reason"], event.actor_id) == ("Losses of the spring were too high.", str(stalls.users["analyst"].id))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"reason": "  "}, "Say why, in 1 to 500 characters"),
        ({"reason": "So.", "approve_from": "1000"}, "less than or equal to 851"),
        ({"reason": "So.", "approve_from": "500", "decline_below": "600"}, "This cannot be above the score from which is approved."),
        ({"reason": "So.", "seen": "7"}, "Somebody changed the policy meanwhile"),
        ({"reason": "So.", **rule(text_en="Your score is too low.")}, "tells the applicant nothing"),
        ({"reason": "So.", **rule(text_en="")}, "Say in a full sentence why"),
        ({"reason": "So.", **rule(outcome="")}, "This field is required"),
        ({"reason": "So.", **rule(value="plastic")}, "Write one of: food, cloth, repair."),
        ({"reason": "So.", "margin": "much"}, "Write a number"),
    ],
)
def test_what_cannot_be_is_refused_and_what_was_typed_is_kept(stalls: House, changed: dict[str, str], told: str) -> None:
    before = in_force()

    status, page = asked(stalls.client("analyst"), PATH, typed_of(stalls, act="save", **{"approve_from": "655", **changed}))

    assert status in {409, 422}
    assert told in page
    assert form_of(page)["approve_from"] == changed.get("approve_from", "655")
    assert in_force() == before
    assert not Event.objects.filter(action=Action.POLICY_CHANGED).exists()


def test_a_rule_can_be_taken_out_again(stalls: House) -> None:
    asked(stalls.client("analyst"), PATH, typed_of(stalls, act="save", reason="Cloth was lost.", **rule()))

    status, _ = asked(stalls.client("analyst"), PATH, typed_of(stalls, act="save", reason="It is found.", **{"rules-0-remove": "on"}))

    assert status == 302
    assert registry.current(SLUG).policy.knock_outs == ()


def test_protected_inputs_are_not_offered_to_rules(north: House) -> None:
    page = asked(north.client("analyst"), f"/products/{north.product}/policy")[1]

    offered = re.search(r'<select name="rules-0-input".*?</select>', page)
    assert offered is not None
    assert 'value="loan_amount"' in offered[0]
    assert 'value="gender"' not in offered[0]
    assert re.search(r'<select name="group".*?value="gender".*?</select>', page)


def test_those_who_move_are_listed_with_their_decisions(stalls: House) -> None:
    page = asked(stalls.client("analyst"), PATH, typed_of(stalls, approve_from="851", decline_below="851", act="try"))[1]

    links = set(re.findall(r'href="/decisions/([0-9a-f-]{36})"', page))
    moved = {str(one.id) for one in Decision.objects.exclude(outcome="decline")}
    assert moved
    assert links == moved
    assert set(re.findall(r'<a href="#(moved-[a-z-]+)"', page)) == set(re.findall(r'<h2 id="(moved-[a-z-]+)"', page))


def test_a_trial_tells_hours_of_people_and_ages(stalls: House) -> None:
    typed = typed_of(stalls, approve_from="851", decline_below="300", minutes="30", group="born", act="try")

    page = asked(stalls.client("analyst"), PATH, typed)[1]

    hours = re.search(r"Hours of people a day</th><td[^>]*>[\d.]+</td><td[^>]*>([\d.]+)</td>", page)
    assert hours is not None
    assert hours[1] == "4.0"    # eight decisions on one day
    assert "35–44" in page


def test_a_trial_says_so_when_nobody_knows_the_groups(in_north: House) -> None:
    add_product()
    score_applicants(product_slug=SLUG, items=[an_item("A-1", born=None)], actor=SYSTEM, channel=Channel.API)

    page = asked(in_north.client("analyst"), PATH, typed_of(in_north, group="born", act="try"))[1]

    assert "Nobody can tell: none of these decisions says to which group the applicant belongs." in page
