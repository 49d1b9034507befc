"""Pages of the registry: two people put a version in force, one takes it back; what decided when; champion and challenger."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.models import Event
from partners.tenancy import public_context, tenant_context
from scoring import selectors
from scoring.models import Channel, ModelVersion, Product, ProductRevision, PromotionRequest
from scoring.services.challengers import remove_challenger, set_challenger
from scoring.services.definitions import change_rules
from scoring.services.models import store_model_version
from scoring.services.promotions import ask_promotion
from scoring.services.score import score_applicants
from scoring.services.shadow import shadow_outstanding
from scoring.web.charts import gap_chart
from tests.conftest import House
from tests.scoring.factories import SLUG, a_bundle, add_product, add_version, an_item, by_force, card_of, put_in_force

CANARY = "\"'><script>canary()</script>"


@pytest.fixture
def stalls(in_north: House) -> House:
    """North with version 1 in force and 2 waiting."""
    add_product()
    put_in_force(1)
    add_version(2)
    return in_north


def got(client: Client, path: str, **query: str) -> tuple[int, str]:
    with public_context():
        answer = client.get(path, query)
    return answer.status_code, " ".join(unescape(answer.content.decode()).split())


def act(client: Client, version: int, **typed: Any) -> tuple[int, str]:
    """The status and the page after pressing a button; the page that a success leads to."""
    with public_context():
        answer = client.post(f"/models/{SLUG}/{version}/act", typed)
        shown = client.get(answer["Location"]) if answer.status_code == 302 else answer
    return answer.status_code, " ".join(unescape(shown.content.decode()).split())


def champion() -> int | None:
    found = Product.objects.select_related("champion").get(slug=SLUG).champion
    return None if found is None else found.version


def test_two_people_put_a_version_in_force_by_pages(stalls: House) -> None:
    scientist, analyst = stalls.client("scientist"), stalls.client("analyst")
    score_applicants(product_slug=SLUG, items=[an_item()], actor=SYSTEM, channel=Channel.API)

    status, asked = act(scientist, 2, act="ask", reason="It ranks better.", card_read="yes", card_sha256=card_of(2))
    assert status == 302
    assert "A second person has to confirm it now." in asked
    assert "You asked, so somebody else has to answer." in asked
    assert "Confirm:" not in asked
    request = PromotionRequest.objects.get()
    seen = got(analyst, f"/models/{SLUG}/2")[1]
    assert "North Data scientist asks to put it in force" in seen
    assert "“It ranks better.”" in seen
    assert f'href="/models/{SLUG}/2"' in got(analyst, "/")[1]
    assert "asks to put stall-loan 2 in force" in got(stalls.client("viewer"), "/models")[1]

    status, done = act(analyst, 2, act="confirm", request=request.id, reason="")

    assert (status, champion()) == (302, 2)
    assert "Version 2 is in force" in done
    assert "confirmed" in done
    assert "North Risk analyst" in done


def test_who_asked_is_told_that_somebody_else_has_to_answer(stalls: House) -> None:
    admin = stalls.client("admin")
    act(admin, 2, act="ask", reason="So.", card_read="yes", card_sha256=card_of(2))

    status, page = act(admin, 2, act="confirm", request=PromotionRequest.objects.get().id)

    assert (status, champion()) == (409, 1)
    assert "You asked for this: somebody else has to answer." in page
    assert act(admin, 2, act="withdraw", request=PromotionRequest.objects.get().id)[0] == 302


@pytest.mark.parametrize(
    ("typed", "status", "told"),
    [
        ({"act": "ask", "reason": " ", "card_read": "yes"}, 422, "Say why"),
        ({"act": "ask", "reason": "So."}, 422, "Read the card of this version first"),
        ({"act": "nonsense"}, 422, "Press one of the buttons"),
        ({"act": "confirm", "request": "nonsense"}, 404, "There is nothing here"),
        ({"act": "rest"}, 409, "scores in shadow"),
        ({"act": "rollback", "reason": ""}, 422, "Say why"),
    ],
)
def test_what_cannot_be_done_is_told_on_the_page(stalls: House, typed: dict[str, str], status: int, told: str) -> None:
    answered, page = act(stalls.client("analyst"), 2, **typed)

    assert answered == status
    assert told in page
    assert champion() == 1
    assert not PromotionRequest.objects.exists()


def test_what_was_typed_stays_and_is_only_text(stalls: House) -> None:
    with public_context():
        answer = stalls.client("analyst").post(f"/models/{SLUG}/2/act", {"act": "ask", "reason": CANARY})

    assert "<script>canary" not in answer.content.decode()
    assert CANARY in unescape(answer.content.decode())
    act(stalls.client("analyst"), 2, act="ask", reason=CANARY, card_read="yes", card_sha256=card_of(2))
    for path in (f"/models/{SLUG}/2", "/models", "/"):
        with public_context():
            shown = stalls.client("admin").get(path).content.decode()
        assert "<script>canary" not in shown, path


def test_one_person_takes_the_champion_back(stalls: House) -> None:
    put_in_force(3)

    status, page = act(stalls.client("analyst"), 3, act="rollback", reason="Too many declined.")

    assert (status, champion()) == (302, 1)
    assert "Version 1 is in force again" in page
    assert "Too many declined." in got(stalls.client("viewer"), f"/models/{SLUG}/history")[1]
    assert "No model is in force" in act(stalls.client("analyst"), 1, act="rollback", reason="Worse.")[1]


def test_a_second_press_does_not_take_back_what_the_first_put_in_force(stalls: House) -> None:
    put_in_force(3)
    act(stalls.client("analyst"), 3, act="rollback", reason="Too many declined.")

    status, page = act(stalls.client("analyst"), 3, act="rollback", reason="Too many declined.")

    assert (status, champion()) == (409, 1)
    assert "is not in force, so nothing was taken back" in page


def test_a_page_ends_its_own_version_in_shadow_only(stalls: House) -> None:
    act(stalls.client("scientist"), 2, act="challenge")

    assert act(stalls.client("scientist"), 1, act="rest")[0] == 409
    assert selectors.challenger_of(SLUG) == 2


@pytest.mark.parametrize("answer", ["confirm", "refuse", "withdraw"])
def test_a_request_is_answered_on_the_page_of_its_version_only(stalls: House, answer: str) -> None:
    scientist = Actor(kind="user", id=str(stalls.users["scientist"].id))
    asked = ask_promotion(product_slug=SLUG, version=2, reason="So.", is_card_read=True, card_sha256=card_of(2), actor=scientist)
    add_version(3)

    role = "scientist" if answer == "withdraw" else "analyst"
    assert act(stalls.client(role), 3, act=answer, request=asked.id, reason="So.")[0] == 404

    asked.refresh_from_db()
    assert (asked.state, champion()) == ("open", 1)


@pytest.mark.parametrize("role", ["viewer", "officer", "compliance", "developer"])
def test_who_may_not_promote_sees_no_button(stalls: House, role: str) -> None:
    scientist = Actor(kind="user", id=str(stalls.users["scientist"].id))
    ask_promotion(product_slug=SLUG, version=2, reason="So.", is_card_read=True, card_sha256=card_of(2), actor=scientist)

    for version in (1, 2):
        page = got(stalls.client(role), f"/models/{SLUG}/{version}")[1]
        assert 'name="act"' not in page
    assert "model to confirm" not in got(stalls.client(role), "/")[1]


def test_a_challenger_is_set_and_ended_by_pages(stalls: House) -> None:
    scientist = stalls.client("scientist")

    assert "scores every decision in shadow from now on" in act(scientist, 2, act="challenge")[1]
    assert selectors.challenger_of(SLUG) == 2
    assert '<span class="v-tag">in shadow</span>' in got(scientist, "/models")[1]
    assert "scores nothing more in shadow" in act(scientist, 2, act="rest")[1]


def test_a_draft_is_offered_and_then_asked_for_by_pages(stalls: House) -> None:
    state = ModelVersion.State.DRAFT
    store_model_version(product_slug=SLUG, bundle=a_bundle(7), estimator="boosted", metrics={}, actor=SYSTEM, state=state)
    scientist = stalls.client("scientist")
    page = got(scientist, f"/models/{SLUG}/3")[1]
    assert "Offer it as a candidate" in page
    assert 'value="ask"' not in page
    assert act(scientist, 3, act="ask", reason="So.", card_read="yes", card_sha256=card_of(3))[0] == 409

    status, page = act(scientist, 3, act="offer")

    assert status == 302
    assert "Version 3 is a candidate" in page
    assert "Offer it as a candidate" not in page
    assert act(scientist, 3, act="ask", reason="So.", card_read="yes", card_sha256=card_of(3))[0] == 302
    assert act(scientist, 3, act="offer")[0] == 409


def test_a_version_that_waits_is_retired_with_a_reason_and_the_champion_is_not(stalls: House) -> None:
    analyst = stalls.client("analyst")
    assert 'value="retire"' not in got(analyst, f"/models/{SLUG}/1")[1]
    assert act(analyst, 2, act="retire", reason=" ")[0] == 422
    assert act(analyst, 1, act="retire", reason="So.")[0] == 409

    status, page = act(analyst, 2, act="retire", reason="Never asked for.")

    assert (status, champion()) == (302, 1)
    assert "Version 2 is retired; what it decided stays." in page
    assert 'value="retire"' not in page
    assert ModelVersion.objects.get(version=2).state == "retired"
    assert Event.objects.get(action=Action.MODEL_RETIRED).detail["reason"] == "Never asked for."


def test_figures_over_time_have_a_line_of_their_own(stalls: House) -> None:
    found = {"auc": 0.71239, "ks": 0.3, "brier": 0.11, "steps": [{}, {}, {}], "undated_rows": 0}
    store_model_version(product_slug=SLUG, bundle=a_bundle(7), estimator="boosted", metrics={"cv_time": found}, actor=SYSTEM)

    page = got(stalls.client("viewer"), f"/models/{SLUG}/3")[1]

    assert "fitted on the past and judged on 3 parts that followed: AUC 0.7124, KS 0.3000, Brier 0.1100." in page


# which version decided when


@pytest.fixture
def history(new_partner: Callable[..., House]) -> House:
    """Version 1 in force, then rules changed, then version 2."""
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        put_in_force(1)
        rules = {"base_probability": 0.4, "rules": []}
        change_rules(product_slug=SLUG, rules=rules, reason="Losses in June.", actor=Actor(kind="user", label="Amina Otieno"))
        put_in_force(2)
    return house


def test_the_history_answers_for_a_moment(history: House) -> None:
    with tenant_context(history.partner):
        began = list(ProductRevision.objects.filter(product__slug=SLUG).order_by("revision").values_list("began_at", flat=True))
    client = history.client("viewer")

    def then(moment: datetime) -> str:
        status, page = got(client, f"/models/{SLUG}/history", at=moment.replace(tzinfo=None).isoformat())
        assert status == 200
        assert "Times of UTC." in page
        return str(re.findall(r"<h1>(.*?)</h1>", page)[0])

    assert "was decided by the rules" in then(began[0])
    assert "was decided by model 1" in then(began[1])
    assert "was decided by model 1" in then(began[3] - timedelta(microseconds=1))
    assert "was decided by model 2" in then(began[3])
    assert "is decided by model 2" in got(client, f"/models/{SLUG}/history")[1]
    assert "The product was not there yet." in got(client, f"/models/{SLUG}/history", at="2020-01-01T08:00")[1]


def test_the_history_lists_every_change_with_who_and_why(history: House) -> None:
    page = got(history.client("viewer"), f"/models/{SLUG}/history")[1]

    rows = re.findall(r"<tr.*?</tr>", page.partition("<tbody>")[2])
    assert len(rows) == 4
    times = re.findall(r'<time datetime="([^"]*)" title="([^"]*)">([^<]*)</time>', page)
    with tenant_context(history.partner):
        began = list(ProductRevision.objects.filter(product__slug=SLUG).order_by("-revision").values_list("began_at", flat=True))
    assert [datetime.fromisoformat(exact) for exact, _title, _text in times] == began
    for at, (_exact, title, shown) in zip(began, times, strict=True):
        assert title.endswith(f"{at:%H:%M:%S}.{at.microsecond // 1000:03}")
        assert shown.endswith(f"{at:%H:%M:%S}")
    assert "the rules" in rows[1]
    assert "Amina Otieno" in rows[1]
    assert "Losses in June." in rows[1]
    assert 'aria-current="true"' in rows[0]


@pytest.mark.parametrize("typed", ["yesterday", "2026-13-01T00:00", "0001-01-01T00:00", "9999-12-31T23:59:59.999999", "\x00", "'; --"])
def test_a_moment_that_cannot_be_read_is_told(stalls: House, typed: str) -> None:
    status, page = got(stalls.client("viewer"), f"/models/{SLUG}/history", at=typed)

    assert status in {200, 422}
    assert "<h1>" in page


def test_a_change_beside_the_record_is_shown(stalls: House) -> None:
    by_force(stalls, "scoring_product", "UPDATE scoring_product SET champion_id = NULL WHERE slug = %s", SLUG)
    Product.objects.filter(slug=SLUG).update(champion=None)
    Product.objects.filter(slug=SLUG).update(champion=add_version(3))

    assert "not in the record" in got(stalls.client("viewer"), f"/models/{SLUG}/history")[1]


def test_the_product_shows_its_rules_and_who_changed_them(history: House) -> None:
    page = got(history.client("viewer"), f"/products/{SLUG}")[1]

    assert "Rules that stand by" in page
    assert "Version 2, since" in page
    assert "by Amina Otieno" in page
    assert "the probability is 40.0%" in page
    assert "Earlier versions" in page


# champion and challenger


def test_rules_that_may_decline_are_not_said_to_leave_everybody_to_a_person(in_north: House) -> None:
    add_product()

    for path in ("/", "/products", f"/products/{SLUG}"):
        status, page = got(in_north.client("viewer"), path)
        assert status == 200
        assert "everybody to a person" not in page
    assert "its rules answer" in page


@pytest.mark.parametrize(("may_approve", "outcome"), [(True, "approve"), (False, "refer")])
def test_a_person_is_said_to_decide_what_the_rules_leave_to_one(in_north: House, may_approve: bool, outcome: str) -> None:
    add_product()
    rules = {"base_probability": 0.01, "rules": [], "may_approve": may_approve}
    change_rules(product_slug=SLUG, rules=rules, reason="A trial.", actor=SYSTEM)
    (decided,) = score_applicants(product_slug=SLUG, items=[an_item("P-1")], actor=SYSTEM, channel=Channel.API)

    page = got(in_north.client("officer"), f"/decisions/{decided.id}")[1]

    assert decided.outcome == outcome
    assert ("without a model a person decides" in page) is (outcome == "refer")
    assert "No rule speaks against this applicant" in page


def test_champion_and_challenger_are_shown_side_by_side(stalls: House) -> None:
    assert "scores in shadow" in got(stalls.client("viewer"), f"/models/{SLUG}/compare")[1]
    set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
    nothing_yet = got(stalls.client("viewer"), f"/models/{SLUG}/compare")[1]
    assert "has scored no decision" in nothing_yet
    today = [datetime.now(UTC) + timedelta(hours=hours) for hours in (-12, 0, 14)]    # wherever the reader lives
    assert any(f"since {day.day} {day:%B %Y} yet" in nothing_yet for day in today)
    items = [an_item(f"C-{number}", income=300.0 + 97 * number) for number in range(30)]
    score_applicants(product_slug=SLUG, items=items, actor=SYSTEM, channel=Channel.API)
    shadow_outstanding()
    found = selectors.comparison(SLUG, challenger=2, since=datetime.now(UTC) - timedelta(hours=1))

    page = got(stalls.client("viewer"), f"/models/{SLUG}/compare")[1]

    assert "Model 2 agrees with model 1 on" in page
    assert "of 30 decisions" in page
    assert f"/exports/new?list=comparison&product={SLUG}&challenger=2" in page
    table = page.partition('id="shifts"')[2].partition("</table>")[0]
    cells = [int(cell) for cell in re.findall(r'<td class="v-num(?: v-strong)?">(\d+)</td>', table)]
    assert cells == [count for after in found.shifts.values() for count in after.values()]
    assert page.count("<rect") >= len(found.gaps)
    assert '<option value="2" selected>model 2</option></select>' in page
    assert got(stalls.client("viewer"), f"/models/{SLUG}/compare", since="2099-01-01")[1].count("has scored no decision") == 1
    assert got(stalls.client("viewer"), f"/models/{SLUG}/compare", since="soon")[0] == 422
    assert got(stalls.client("viewer"), f"/models/{SLUG}/compare", challenger="9")[0] == 404
    assert "in force itself" in got(stalls.client("viewer"), f"/models/{SLUG}/compare", challenger="1")[1]


def test_an_earlier_challenger_is_chosen_where_none_scores_now(stalls: House) -> None:
    never = got(stalls.client("viewer"), f"/models/{SLUG}/compare")[1]
    add_version(3)
    for version in (2, 3):
        set_challenger(product_slug=SLUG, version=version, actor=SYSTEM)
    remove_challenger(product_slug=SLUG, actor=SYSTEM)

    none_now = got(stalls.client("viewer"), f"/models/{SLUG}/compare")[1]
    chosen = got(stalls.client("viewer"), f"/models/{SLUG}/compare", challenger="2")[1]

    assert "None ever did, so there is nothing to compare yet." in never
    assert 'name="challenger"' not in never
    assert "Choose below one that did" in none_now
    assert re.findall(r'<option value="(\d*)"', none_now) == ["", "3", "2"]
    assert "Model 2 has scored no decision of model 1" in chosen
    assert re.findall(r'<option value="(\d*)"( selected)?', chosen) == [("3", ""), ("2", " selected")]


def test_the_chart_draws_its_bins() -> None:
    bins = [selectors.GapBin(place * 10 - 5, place * 10 + 5, count) for place, count in zip(range(-1, 2), (2, 8, 4), strict=True)]

    chart = gap_chart(bins)

    assert [(bar.kind, bar.height) for bar in chart.bars] == [("c-against", "20.0"), ("c-quiet", "80.0"), ("c-for", "40.0")]


# is anything wrong


def test_a_refused_bundle_is_seen_on_the_overview(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        only = put_in_force(1)
        by_force(house, "scoring_modelversion", "UPDATE scoring_modelversion SET bundle = '\\x00' WHERE id = %s", only.id)
        items = [an_item("R-1")]
        decided = score_applicants(product_slug=SLUG, items=items, actor=SYSTEM, channel=Channel.API)[0]
    assert decided.answered_by == "rules"

    page = got(house.client("viewer"), "/")[1]

    assert "Stall loan: model 1 cannot be opened" in page
    assert f'href="/models/{SLUG}/1"' in page
