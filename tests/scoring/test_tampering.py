"""Whoever changes stored rows by force is found out: no answer, no receipt and no replay passes the change on as genuine."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command

from audit.ids import uuid7
from partners.tenancy import tenant_context
from scoring.services.replay import Replay, replay_decisions
from tests.conftest import House
from tests.scoring.factories import by_force

SCORES = "/api/v1/scores"
DECISION = "WHERE id = %s"
APPLICANT = "WHERE id = (SELECT applicant_id FROM scoring_decision WHERE id = %s)"
EVENT = "WHERE object_id = %s::text AND action = 'decision.made'"
FLIPPED = "set_byte({0}, 20, (get_byte({0}, 20) + 1) %% 256)"
CHANGES = {
    "outcome": f"UPDATE scoring_decision SET outcome = 'decline', score = 301 {DECISION}",
    "moment": f"UPDATE scoring_decision SET created_at = created_at - interval '30 days' {DECISION}",
    "content": f"UPDATE scoring_decision SET sealed = {FLIPPED.format('sealed')} {DECISION}",
    "profile": f"UPDATE scoring_applicant SET sealed_profile = {FLIPPED.format('sealed_profile')} {APPLICANT}",
    "key": f"UPDATE scoring_applicant SET wrapped_key = {FLIPPED.format('wrapped_key')} {APPLICANT}",
    "who": f"UPDATE audit_event SET actor_label = 'somebody else' {EVENT}",
    "hash": f"UPDATE audit_event SET leaf_hash = {FLIPPED.format('leaf_hash')} {EVENT}",
    "no event": f"DELETE FROM audit_event {EVENT}",
    "place in the tree": "INSERT INTO audit_leaf (position, event_id, leaf_hash)"
    f" SELECT 1000000, id, {FLIPPED.format('leaf_hash')} FROM audit_event {EVENT}",
}


def score(house: House, reference: str, **headers: str) -> Any:
    body = {"product": house.product, "applicant": {"reference": reference}, "inputs": dict(house.inputs)}
    return house.api().post(SCORES, json.dumps(body), content_type="application/json", **headers)  # type: ignore[arg-type]


def change_row(house: House, change: str, decision: str) -> None:
    statement = CHANGES[change]
    table = statement.split()[2 if statement.startswith(("INSERT", "DELETE")) else 1]
    assert by_force(house, table, statement, decision) == 1


def replayed(house: House) -> Replay:
    with tenant_context(house.partner):
        return list(replay_decisions())[-1]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_decision_is_answered_by_no_route_and_named_by_replay(north: House, change: str) -> None:
    touched, other = score(north, f"touched-{uuid7()}").json()["id"], score(north, f"other-{uuid7()}").json()["id"]

    change_row(north, change, touched)

    for path in (f"{SCORES}/{touched}", f"{SCORES}/{touched}/explanation"):
        answer = north.api().get(path)
        assert (answer.status_code, answer.json()["code"]) == (500, "decision_altered")
    assert north.api().get(f"{SCORES}/{other}").status_code == 200
    found = replayed(north)
    assert {str(one.decision_id) for one in found.differences} == {touched}
    assert (found.checked, found.identical) == (2, 1)


@pytest.mark.parametrize("change", CHANGES)
def test_pages_go_on_and_warn(north: House, change: str) -> None:
    touched, other = score(north, f"touched-{uuid7()}").json()["id"], score(north, "other-reference").json()["id"]
    officer = north.client("officer")

    change_row(north, change, touched)

    page, listed = officer.get(f"/decisions/{touched}"), officer.get("/decisions")
    assert page.status_code == 200
    assert "not as it was recorded" in page.content.decode()
    assert "Signed with key" not in page.content.decode()
    assert "other-reference" in listed.content.decode()
    assert "not as it was recorded" not in officer.get(f"/decisions/{other}").content.decode()
    assert north.api().get(SCORES).status_code == 200


def test_the_command_names_what_was_changed(north: House) -> None:
    touched = score(north, f"touched-{uuid7()}").json()["id"]
    change_row(north, "key", touched)
    out = io.StringIO()

    with pytest.raises(SystemExit):
        call_command("replay", north.slug, "--json", stdout=out, stderr=io.StringIO())

    assert [one["decision_id"] for one in json.loads(out.getvalue())["differences"]] == [touched]


@pytest.mark.parametrize("change", ["status = 500", "body_digest = decode(repeat('00', 32), 'hex')"])
def test_a_kept_answer_cannot_be_given_for_another_request(north: House, change: str) -> None:
    reference = f"kept-{uuid7()}"
    assert score(north, reference, HTTP_IDEMPOTENCY_KEY="kept").status_code == 201

    by_force(north, "audit_idempotency", f"UPDATE audit_idempotency SET {change} WHERE key = 'kept'")

    answer = score(north, reference, HTTP_IDEMPOTENCY_KEY="kept")
    expected = {"status = 500": (500, "seal_broken")}.get(change, (422, "idempotency_mismatch"))
    assert (answer.status_code, answer.json()["code"]) == expected


def test_a_kept_answer_cannot_be_moved_to_another_body(north: House) -> None:
    assert score(north, "first-reference", HTTP_IDEMPOTENCY_KEY="first").status_code == 201
    assert score(north, "second-reference", HTTP_IDEMPOTENCY_KEY="second").status_code == 201

    by_force(
        north,
        "audit_idempotency",
        "UPDATE audit_idempotency SET body_digest = (SELECT body_digest FROM audit_idempotency WHERE key = 'second') WHERE key = 'first'",
    )

    answer = score(north, "second-reference", HTTP_IDEMPOTENCY_KEY="first")
    assert (answer.status_code, answer.json()["code"]) == (500, "seal_broken")


@pytest.mark.parametrize("role", ["viewer", "scientist"])
def test_who_may_not_see_inputs_reads_none_of_them_in_reasons(north: House, role: str) -> None:
    made = score(north, f"seen-{uuid7()}").json()
    assert all(reason["text"] for reason in made["reasons"])
    client = north.client(role)

    page = client.get(f"/decisions/{made['id']}").content.decode()

    assert made["reasons"]
    assert not any(reason["text"].partition(";")[0] in page for reason in made["reasons"])
