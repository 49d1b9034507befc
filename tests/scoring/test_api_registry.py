"""The registry over HTTP: a promotion by two people, rollback, the challenger, rules, and what was in force when."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from partners.accounts.tokens import issue_tokens
from partners.tenancy import public_context, tenant_context
from scoring import registry, selectors
from scoring.engine.contract import Contract, Input, InputKind
from scoring.engine.policy import Policy
from scoring.errors import MomentRefused, ProductUnknown
from scoring.models import Channel, Decision, Product, ProductRevision, Shadow
from scoring.services.challengers import set_challenger
from scoring.services.definitions import definition_file, take_up_edits, write_definition
from scoring.services.jobs import add_chunk, begin_job, fail_job
from scoring.services.products import create_product
from scoring.services.score import score_applicants
from scoring.services.shadow import shadow_outstanding
from tests.conftest import House
from tests.scoring.factories import SLUG, a_definition, add_product, add_version, an_item, card_of, put_in_force

ROOT = "/api/v1"


@pytest.fixture
def stalls(in_north: House) -> House:
    """North with a product of two candidates."""
    add_product()
    add_version(1)
    add_version(2)
    return in_north


def person(house: House, role: str) -> Client:
    with tenant_context(house.partner):
        return Client(HTTP_HOST=house.host, HTTP_AUTHORIZATION=f"Bearer {issue_tokens(house.users[role]).access}")


def sent(client: Client, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    raw = b"" if body is None else json.dumps(body).encode()
    with public_context():    # afterwards, the test goes on where it was
        answer = client.generic(method, f"{ROOT}/{path}", raw, content_type="application/json", **headers)    # type: ignore[arg-type]
    return answer.status_code, answer.json() if answer.content else {}


def asked(house: House, version: int = 1, role: str = "scientist", **changed: Any) -> tuple[int, dict[str, Any]]:
    with tenant_context(house.partner):
        named = {"card_read": True, "card_sha256": card_of(version)}
    body = {"product": SLUG, "version": version, "reason": "It ranks better.", **named, **changed}
    return sent(person(house, role), "POST", "promotions", body)


def test_two_people_put_a_version_in_force(stalls: House) -> None:
    status, request = asked(stalls)
    assert (status, request["card_sha256"]) == (201, card_of(1))
    assert (request["state"], request["asked_by"], request["answered_by"]) == ("open", "North Data scientist", None)
    assert sent(person(stalls, "viewer"), "GET", f"promotions?state=open&product={SLUG}")[1]["data"] == [request]

    own = sent(person(stalls, "scientist"), "POST", f"promotions/{request['id']}/confirm", {})
    status, confirmed = sent(person(stalls, "analyst"), "POST", f"promotions/{request['id']}/confirm", {"answer": "Seen."})

    assert (own[0], own[1]["code"]) == (409, "second_person_needed")
    assert (status, confirmed["state"], confirmed["answered_by"], confirmed["answer"]) == (200, "confirmed", "North Risk analyst", "Seen.")
    assert sent(stalls.api(), "GET", f"models/1?product={SLUG}")[1]["state"] == "champion"
    again = sent(person(stalls, "admin"), "POST", f"promotions/{request['id']}/confirm", {})
    assert (again[0], again[1]["code"]) == (409, "promotion_answered")


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"reason": ""}, 422, "invalid_request"),
        ({"reason": " x"}, 422, "invalid_request"),
        ({"card_read": False}, 422, "card_unread"),
        ({"card_sha256": "no"}, 422, "invalid_request"),
        ({"card_sha256": None}, 422, "card_unread"),
        ({"card_sha256": "ab" * 32}, 409, "card_differs"),
        ({"version": 9}, 404, "model_version_unknown"),
        ({"version": 2**31}, 422, "invalid_request"),
        ({"product": "nothing"}, 404, "product_unknown"),
        ({"by": "me"}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_asked_is_told(stalls: House, changed: dict[str, Any], status: int, code: str) -> None:
    told = asked(stalls, **changed)

    assert (told[0], told[1]["code"]) == (status, code)
    assert sent(person(stalls, "viewer"), "GET", "promotions")[1]["data"] == []


def test_a_request_is_refused_or_withdrawn(stalls: House) -> None:
    first = asked(stalls)[1]["id"]
    assert sent(person(stalls, "analyst"), "POST", f"promotions/{first}/refuse", {})[0] == 422
    assert sent(person(stalls, "analyst"), "POST", f"promotions/{first}/refuse", {"answer": "Thin data."})[1]["state"] == "refused"
    second = asked(stalls)[1]["id"]
    assert sent(person(stalls, "analyst"), "POST", f"promotions/{second}/withdraw", {})[0] == 409
    assert sent(person(stalls, "scientist"), "POST", f"promotions/{second}/withdraw", {})[1]["state"] == "withdrawn"

    assert sent(stalls.api(), "GET", "promotions?state=open")[1]["data"] == []
    assert [one["state"] for one in sent(stalls.api(), "GET", "promotions")[1]["data"]] == ["withdrawn", "refused"]


def test_a_repeated_request_is_one(stalls: House) -> None:
    client, body = person(stalls, "scientist"), {"product": SLUG, "version": 1, "reason": "So.", "card_read": True}
    body["card_sha256"] = card_of(1)

    answers = [sent(client, "POST", "promotions", body, HTTP_IDEMPOTENCY_KEY="ask-1") for _ in range(2)]
    other = sent(client, "POST", "promotions", {**body, "version": 2}, HTTP_IDEMPOTENCY_KEY="ask-1")

    assert answers[0] == answers[1]
    assert answers[0][0] == 201
    assert other[0] == 422
    path, analyst = f"promotions/{answers[0][1]['id']}/confirm", person(stalls, "analyst")
    confirms = [sent(analyst, "POST", path, {}, HTTP_IDEMPOTENCY_KEY="yes-1") for _ in range(2)]
    assert confirms[0] == confirms[1]
    assert confirms[0][0] == 200


def test_a_rollback_is_one_action(stalls: House) -> None:
    put_in_force(3)
    analyst = person(stalls, "analyst")

    assert sent(analyst, "POST", f"products/{SLUG}/rollback", {})[0] == 422
    status, now = sent(analyst, "POST", f"products/{SLUG}/rollback", {"reason": "Too many declined."})

    assert (status, now["answered_by"], now["model"]) == (200, "rules", None)
    assert sent(analyst, "POST", f"products/{SLUG}/rollback", {"reason": "Again."})[1]["code"] == "nothing_to_roll_back"


def test_a_challenger_is_set_and_removed(stalls: House) -> None:
    scientist = person(stalls, "scientist")

    assert sent(scientist, "POST", f"products/{SLUG}/challenger", {"version": 2})[1]["state"] == "challenger"
    assert sent(scientist, "DELETE", f"products/{SLUG}/challenger") == (204, {})
    assert sent(scientist, "DELETE", f"products/{SLUG}/challenger")[1]["code"] == "no_challenger"


def test_a_version_is_retired_with_a_reason(stalls: House) -> None:
    scientist = person(stalls, "scientist")

    assert sent(scientist, "PATCH", f"models/1?product={SLUG}", {"state": "retired"})[1]["code"] == "reason_missing"
    assert sent(scientist, "PATCH", f"models/1?product={SLUG}", {"state": "retired", "reason": "Leaks."})[1]["state"] == "retired"
    assert sent(scientist, "PATCH", f"models/1?product={SLUG}", {"state": "candidate"})[1]["code"] == "transition_refused"
    assert sent(scientist, "PATCH", f"models/1?product={SLUG}", {"state": "champion"})[0] == 422


# what was in force when


def at_each_revision() -> list[datetime]:
    return list(ProductRevision.objects.filter(product__slug=SLUG).order_by("revision").values_list("began_at", flat=True))


@pytest.fixture
def history(new_partner: Callable[..., House]) -> House:
    """A partner whose product went through rules, version 1, version 2 and back; each change in a transaction of its own."""
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        put_in_force(1)
        add_version(2)
    request = asked(house, 2)[1]["id"]
    assert sent(person(house, "analyst"), "POST", f"promotions/{request}/confirm", {})[0] == 200
    assert sent(person(house, "analyst"), "POST", f"products/{SLUG}/rollback", {"reason": "Worse."})[0] == 200
    return house


def test_what_was_in_force_is_told_for_every_moment(history: House) -> None:
    with tenant_context(history.partner):
        moments = at_each_revision()
    tick = timedelta(microseconds=1)

    def then(moment: datetime) -> int | None:
        status, found = sent(history.api(), "GET", f"products/{SLUG}/in-force?at={moment.isoformat().replace('+00:00', 'Z')}")
        assert status == 200, found
        model: dict[str, int] | None = found["model"]
        return None if model is None else model["version"]

    assert [then(moment) for moment in moments] == [None, 1, 2, 1]
    assert [then(moment - tick) for moment in moments[1:]] == [None, 1, 2]
    assert then(datetime.now(UTC)) == 1
    status, refusal = sent(history.api(), "GET", f"products/{SLUG}/in-force?at={(moments[0] - tick).isoformat().replace('+00:00', 'Z')}")
    assert (status, refusal["code"]) == (404, "moment_refused")
    assert sent(history.api(), "GET", f"products/{SLUG}/in-force?at=yesterday")[0] == 400
    assert sent(history.api(), "GET", "products/nothing/in-force")[0] == 404


def test_what_decided_is_what_was_in_force(history: House) -> None:
    with tenant_context(history.partner):
        for _ in range(3):
            score_applicants(product_slug=SLUG, items=[an_item()], actor=SYSTEM, channel=Channel.API)
        for decision in Decision.objects.select_related("model_version"):
            found = selectors.in_force(SLUG, decision.created_at)
            assert decision.model_version is not None
            assert (found.revision, found.model_version) == (decision.revision, decision.model_version.version)


def test_what_was_in_force_is_one_query(in_north: House, django_assert_num_queries: Callable[[int], Any]) -> None:
    add_product()

    with django_assert_num_queries(1):
        selectors.in_force(SLUG, datetime.now(UTC))
    with pytest.raises(MomentRefused):
        selectors.in_force(SLUG, datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(ProductUnknown):
        selectors.in_force("nothing", datetime.now(UTC))


def test_every_change_names_who_and_why(history: House) -> None:
    changes = sent(history.api(), "GET", f"products/{SLUG}/changes")[1]["data"]

    assert [(one["revision"], one["changed"], one["model"] and one["model"]["version"]) for one in changes] == [
        (4, ["model"], 1), (3, ["model"], 2), (2, ["model"], 1), (1, ["product", "policy", "rules"], None),
    ]    # fmt: skip
    back, promoted, first, created = changes
    name = history.slug.title()
    assert (back["action"], back["actor"], back["reason"]) == ("model.rolled_back", f"{name} Risk analyst", "Worse.")
    assert (promoted["actor"], promoted["asked_by"], promoted["reason"]) == (
        f"{name} Risk analyst", f"{name} Data scientist", "It ranks better.",
    )    # fmt: skip
    assert (first["actor"], first["asked_by"], created["action"]) == ("Vouch", None, "product.created")


# rules


RULES = {"base_probability": 0.3, "rules": [{"code": "much", "if": {"input": "amount", "operator": "gt", "value": 500}, "log_odds": 1.5,
                                             "texts": {"en": "The amount is more than usual for a stall."}}]}    # fmt: skip


def test_changed_rules_answer_at_once_and_are_kept_with_who_and_why(stalls: House) -> None:
    before = registry.current(SLUG).definition.rules

    status, made = sent(person(stalls, "analyst"), "POST", f"products/{SLUG}/rules", {**RULES, "reason": "Losses in June."})

    assert (status, made["version"], made["actor"], made["reason"]) == (201, 2, "North Risk analyst", "Losses in June.")
    assert registry.current(SLUG).definition.rules.base_probability == 0.3
    listed = sent(stalls.api(), "GET", f"products/{SLUG}/rules")[1]["data"]
    assert [(one["version"], one["rules"]["base_probability"], one["ended_at"] is None) for one in listed] == [
        (2, 0.3, True), (1, before.base_probability, False),
    ]    # fmt: skip
    assert sent(stalls.api(), "GET", f"products/{SLUG}/changes")[1]["data"][0]["changed"] == ["rules"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"base_probability": 1.0}, "invalid_request"),
        ({"rules": [{**RULES["rules"][0], "if": {"input": "nothing", "operator": "gt", "value": 1}}]}, "product_refused"),    # type: ignore[index]
        ({"rules": [{**RULES["rules"][0], "if": {"input": "amount"}}]}, "product_refused"),    # type: ignore[index]
        ({"rules": [{**RULES["rules"][0], "texts": {"en": "Risk."}}]}, "product_refused"),    # type: ignore[index]
        ({"rules": [{**RULES["rules"][0], "log_odds": 1e308}]}, "product_refused"),    # type: ignore[index]
        ({"rules": [{**RULES["rules"][0], "texts": {}}]}, "product_refused"),    # type: ignore[index]
        ({"rules": [{**RULES["rules"][0]}] * 2}, "product_refused"),    # type: ignore[index]
        ({"rules": [{"code": "much"}]}, "invalid_request"),
        ({"reason": ""}, "invalid_request"),
    ],
)
def test_rules_that_cannot_be_used_change_nothing(stalls: House, changed: dict[str, Any], code: str) -> None:
    revision = Product.objects.get(slug=SLUG).revision

    status, refusal = sent(person(stalls, "analyst"), "POST", f"products/{SLUG}/rules", {**RULES, "reason": "So.", **changed})

    assert (status, refusal["code"]) == (422, code)
    assert Product.objects.get(slug=SLUG).revision == revision


def test_nobody_brings_a_protected_input_into_the_rules(in_north: House) -> None:
    definition = a_definition()
    sex = Input(name="sex", kind=InputKind.CATEGORY, categories=("f", "m"), is_protected=True)
    asked = replace(definition, contract=Contract((*definition.contract.inputs, sex)))
    create_product(definition=asked, policy=Policy.for_base_rate(0.2), actor=SYSTEM)
    rule = RULES["rules"][0] | {"if": {"input": "sex", "operator": "eq", "value": "f"}}    # type: ignore[index]

    status, refusal = sent(person(in_north, "scientist"), "POST", f"products/{SLUG}/rules", {**RULES, "rules": [rule], "reason": "So."})

    assert (status, refusal["code"]) == (422, "product_refused")
    assert "'sex' is protected" in refusal["detail"]


def test_rules_changed_over_http_do_not_make_the_file_stale(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        path = write_definition(add_product())
    assert sent(person(house, "analyst"), "POST", f"products/{SLUG}/rules", {**RULES, "reason": "So."})[0] == 201
    with tenant_context(house.partner):
        assert json.loads(path.read_text())["rules"]["base_probability"] == 0.3
        assert take_up_edits(product=Product.objects.get(slug=SLUG), actor=SYSTEM) == []
        edited = json.loads(path.read_text())
        edited["rules"]["base_probability"] = 0.4
        path.write_text(json.dumps(edited))
    assert sent(person(house, "analyst"), "POST", f"products/{SLUG}/rules", {**RULES, "base_probability": 0.35, "reason": "So."})[0] == 201
    with tenant_context(house.partner):
        assert json.loads(definition_file(SLUG).read_text())["rules"]["base_probability"] == 0.4    # a person's edit is not lost


def test_rules_changed_by_the_file_are_a_version_too(stalls: House) -> None:
    product = Product.objects.get(slug=SLUG)
    path = write_definition(product)
    edited = json.loads(path.read_text())
    edited["rules"]["base_probability"] = 0.25
    path.write_text(json.dumps(edited))

    assert take_up_edits(product=product, actor=SYSTEM, reason="Reviewed.") == ["rules"]

    newest = selectors.newest_rules(SLUG)
    assert (newest.version, newest.rules["base_probability"], newest.actor, newest.reason) == (2, 0.25, "Vouch", "Reviewed.")
    assert a_definition().rules.base_probability == 0.2
    path.unlink()


def test_no_route_shows_what_a_challenger_would_have_decided(stalls: House) -> None:
    put_in_force(3)
    decided = score_applicants(product_slug=SLUG, items=[an_item()], actor=SYSTEM, channel=Channel.API)[0]
    version = add_version(4)
    shadow = Shadow.objects.create(
        decision_id=decided.id, version=version, decided_at=decided.created_at, probability=0.123456789, score=777, band="LOW",
        outcome="approve",
    )    # fmt: skip

    for path in ("scores", f"scores/{decided.id}", f"scores/{decided.id}/explanation"):
        told = json.dumps(sent(stalls.api(), "GET", path)[1])
        assert str(shadow.id) not in told
        assert "0.123456789" not in told
    assert sent(stalls.api(), "GET", f"scores/{shadow.id}")[0] == 404
    assert not Event.objects.filter(action=Action.DECISION_MADE, object_id=str(shadow.id)).exists()


# champion and challenger, and jobs


def test_a_version_is_compared_with_the_champion(stalls: House) -> None:
    put_in_force(3)
    items = [an_item(f"C-{number}", income=300.0 + 97 * number) for number in range(20)]
    set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
    score_applicants(product_slug=SLUG, items=items, actor=SYSTEM, channel=Channel.API)
    shadow_outstanding()
    since = datetime.now(UTC) - timedelta(hours=1)
    found = selectors.comparison(SLUG, challenger=2, since=since)

    status, told = sent(person(stalls, "viewer"), "GET", f"models/2/compare?product={SLUG}")

    assert (status, told["rows"], told["champion"], told["version"]) == (200, 20, 3, 2)
    assert told["shifts"] == found.shifts
    assert told["mean_score_difference"] == found.mean_gap
    assert sum(one["count"] for one in told["score_differences"]) == 20
    later = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    nothing = sent(person(stalls, "viewer"), "GET", f"models/2/compare?product={SLUG}&since={later}")[1]
    assert (nothing["rows"], nothing["agreement_share"]) == (0, None)
    assert sent(person(stalls, "viewer"), "GET", f"models/3/compare?product={SLUG}")[0] == 409
    assert sent(person(stalls, "viewer"), "GET", f"models/9/compare?product={SLUG}")[0] == 404
    assert sent(person(stalls, "viewer"), "GET", f"models/2/compare?product={SLUG}&since=soon")[0] == 400


def test_a_job_says_how_far_it_is_and_where_its_results_are(stalls: House) -> None:
    viewer = person(stalls, "viewer")
    named = begin_job(kind="score_file", body={"product": SLUG, "source": "a", "destination": "/srv/out/a.csv"}, actor=SYSTEM)
    brought = begin_job(kind="score_file", body={"product": SLUG, "destination": "", "upload": str(named.id)}, actor=SYSTEM)
    other = begin_job(kind="check_table", body={"product": SLUG}, actor=SYSTEM)
    add_chunk(named, number=0, content=[], rows=7)

    status, told = sent(viewer, "GET", f"score-jobs/{named.id}")
    assert (status, told["state"], told["product"]) == (200, "queued", SLUG)
    assert told["rows"] == {"total": 7, "is_total_known": False, "done": 0, "failed": 0}
    assert told["results"] == {"page": None, "file": "a.csv"}
    assert "/srv" not in json.dumps(told)
    fail_job(named.id, "The table is gone.")
    told = sent(viewer, "GET", f"score-jobs/{named.id}")[1]
    assert (told["state"], told["problem"], told["rows"]["total"]) == ("failed", "The table is gone.", 7)

    assert sent(viewer, "GET", f"score-jobs/{brought.id}")[1]["results"] == {"page": f"/batches/{named.id}", "file": None}
    for unknown in (other.id, SYSTEM.kind, "0"):
        status, told = sent(viewer, "GET", f"score-jobs/{unknown}")
        assert (status, told["code"]) == (404, "job_unknown")


def test_changes_and_versions_of_rules_come_in_pages(stalls: House) -> None:
    for number in range(4):
        rules = {**RULES, "base_probability": 0.3 + number / 100, "reason": f"Time {number}."}
        assert sent(person(stalls, "analyst"), "POST", f"products/{SLUG}/rules", rules)[0] == 201

    for path, name in (("changes", "revision"), ("rules", "version")):
        whole, seen, cursor = sent(stalls.api(), "GET", f"products/{SLUG}/{path}")[1], list[object](), ""
        while True:
            page = sent(stalls.api(), "GET", f"products/{SLUG}/{path}?limit=2{cursor}")[1]
            seen += page["data"]
            assert page["has_more"] is (page["next_cursor"] is not None)
            if not page["has_more"]:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert seen == whole["data"]
        assert [one[name] for one in whole["data"]] == [5, 4, 3, 2, 1]
        assert sent(stalls.api(), "GET", f"products/{SLUG}/{path}?cursor=none")[0] == 400
    assert [one.reason for one in selectors.changes(SLUG, limit=2).rows] == ["Time 3.", "Time 2."]
    assert selectors.change_at(SLUG, 3).reason == "Time 1."
