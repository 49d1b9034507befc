"""Applications over HTTP: what a right request gets, and what each wrong one is told."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from audit.ids import uuid7
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from portal.approvals.models import Application
from portal.approvals.services.policies import change_approval_policy
from scoring.models import Decision
from tests.approvals.factories import REFERS, add_product
from tests.conftest import House
from tests.scoring.factories import INPUTS, SLUG, by_key

APPLICATIONS = "/api/v1/applications"


@pytest.fixture
def shop(north: House) -> House:
    """North with a product whose decisions are all referred."""
    with tenant_context(north.partner):
        add_product(REFERS)
    return north


def body_of(**changes: Any) -> dict[str, Any]:
    applicant = {"reference": f"A-{uuid7()}", "name": "Amina Otieno"}
    return {"product": SLUG, "applicant": applicant, "amount": {"amount": "60000.00", "currency": "KES"}, "inputs": INPUTS, **changes}


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    return client.post(path, json.dumps(body).encode(), content_type="application/json", **headers)  # type: ignore[arg-type]


def as_role(house: House, role: str) -> Client:
    with tenant_context(house.partner):
        token = issue_tokens(house.users[role]).access
    return Client(HTTP_HOST=house.host, HTTP_AUTHORIZATION=f"Bearer {token}")


def decide(client: Client, application: dict[str, Any], **body: Any) -> Any:
    asked = {"decision": "approve", "reason_code": "income_confirmed", "revision": application["revision"], **body}
    return post(client, f"{APPLICATIONS}/{application['id']}/decisions", asked)


def test_an_application_answers_with_its_decision_and_state(shop: House) -> None:
    body = body_of(tags=["second-loan"])

    answer = post(shop.api(), APPLICATIONS, body)

    made = answer.json()
    assert answer.status_code == 201, made
    assert answer["Location"] == f"{APPLICATIONS}/{made['id']}"
    assert (made["state"], made["because"], made["possible"]) == (
        "new", "referred", ["approve", "decline", "counter_offer", "ask_information", "withdraw"],
    )  # fmt: skip
    assert (made["amount"], made["tags"], made["revision"]) == ({"amount": "60000.00", "currency": "KES"}, ["second-loan"], 1)
    assert made["applicant"] == made["score"]["applicant"] == {"reference": body["applicant"]["reference"]}
    assert made["score"]["id"] == made["score_id"]
    assert made["score"]["outcome"] == "refer"
    read = shop.api().get(answer["Location"])
    assert read.json() == made


def test_a_repeat_under_an_idempotency_key_is_answered_byte_for_byte(shop: House) -> None:
    body = body_of()

    first, second = (post(shop.api(), APPLICATIONS, body, HTTP_IDEMPOTENCY_KEY="k1") for _ in range(2))

    assert (first.status_code, second.status_code, second["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.content == second.content
    other = post(shop.api(), APPLICATIONS, body_of(), HTTP_IDEMPOTENCY_KEY="k1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    with tenant_context(shop.partner):
        assert (Application.objects.count(), Decision.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"amount": {"amount": "0", "currency": "KES"}}, ["/amount/amount"]),
        ({"amount": {"amount": "10.123", "currency": "KES"}}, ["/amount/amount"]),
        ({"amount": {"amount": "10.5", "currency": "UGX"}}, ["/amount/amount"]),
        ({"amount": {"amount": "1e5", "currency": "KES"}}, ["/amount/amount"]),
        ({"amount": {"amount": "-5", "currency": "KES"}}, ["/amount/amount"]),
        ({"amount": {"amount": "5", "currency": "XXX"}}, ["/amount/currency"]),
        ({"amount": {"amount": 5, "currency": "KES"}}, ["/amount/amount"]),
        ({"amount": None}, ["/amount"]),
        ({"tags": ["Not a tag", "ok"]}, ["/tags/0"]),
        ({"product": "nothing"}, ["/product"]),
        ({"nonsense": 1}, ["/nonsense"]),
        (
            {"amount": {"amount": "0", "currency": "KES"}, "inputs": {**INPUTS, "income": "much"}, "applicant": {"reference": ""}},
            ["/amount/amount", "/applicant/reference", "/inputs/income"],
        ),
        ({"applicant": {"reference": "A", "birth_date": "2999-01-01"}}, ["/applicant/birth_date"]),
    ],
)
def test_every_fault_is_named_at_once_and_nothing_is_stored(shop: House, changes: dict[str, Any], pointers: list[str]) -> None:
    answer = post(shop.api(), APPLICATIONS, body_of(**changes))

    assert answer.status_code == 422, answer.content
    assert sorted(one["pointer"] for one in answer.json()["errors"]) == pointers
    with tenant_context(shop.partner):
        assert (Application.objects.count(), Decision.objects.count()) == (0, 0)


def test_an_officer_decides_and_everybody_sees_what_happened(shop: House) -> None:
    made = post(shop.api(), APPLICATIONS, body_of()).json()

    answer = decide(as_role(shop, "officer"), made, note="Payslips of Amina seen.")

    assert (answer.status_code, answer.json()["state"], answer.json()["proposal"]) == (200, "approved", None), answer.content
    events = as_role(shop, "approver").get(f"{APPLICATIONS}/{made['id']}/events").json()["data"]
    assert [(one["action"], one["from_state"], one["to_state"], one["reason_code"]) for one in events] == [
        ("application.created", None, None, None), ("application.approved", "new", "approved", "income_confirmed"),
    ]  # fmt: skip
    assert events[1]["note"] == "Payslips of Amina seen."
    assert events[1]["actor"] == shop.users["officer"].name
    hidden = as_role(shop, "viewer").get(f"{APPLICATIONS}/{made['id']}/events").json()["data"]
    assert [one["note"] for one in hidden] == [None, None]


def test_who_comes_second_is_told_who_was_first(shop: House) -> None:
    made = post(shop.api(), APPLICATIONS, body_of()).json()
    decide(as_role(shop, "officer"), made)

    answer = decide(as_role(shop, "approver"), made, decision="decline")

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "application_changed")
    assert (problem["changed"]["by"], problem["changed"]["state"], problem["changed"]["revision"]) == (
        shop.users["officer"].name, "approved", made["revision"] + 1,
    )  # fmt: skip
    assert problem["changed"]["at"].endswith("Z")


def test_two_pairs_of_eyes_over_http(shop: House) -> None:
    with tenant_context(shop.partner):
        change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"KES": 100})
    made = post(shop.api(), APPLICATIONS, body_of()).json()
    officer, approver = as_role(shop, "officer"), as_role(shop, "approver")

    proposed = decide(officer, made, decision="counter_offer", offer="40000.00").json()
    by_officer = post(officer, f"{APPLICATIONS}/{made['id']}/second-opinion", {"answer": "agree", "revision": proposed["revision"]})
    agreed = post(approver, f"{APPLICATIONS}/{made['id']}/second-opinion", {"answer": "agree", "revision": proposed["revision"]})

    assert (proposed["state"], proposed["proposal"]["decision"], proposed["proposal"]["because"]) == (
        "in_review", "counter_offer", ["above_limit"],
    )  # fmt: skip
    assert (by_officer.status_code, by_officer.json()["code"]) == (403, "person_needed")
    assert (agreed.status_code, agreed.json()["state"]) == (200, "counter_offered"), agreed.content
    assert approver.get(f"{APPLICATIONS}/{made['id']}").json()["offer"] == {"amount": "40000.00", "currency": "KES"}


def test_take_next_assign_and_release(shop: House) -> None:
    made = post(shop.api(), APPLICATIONS, body_of()).json()
    officer, approver = as_role(shop, "officer"), as_role(shop, "approver")

    taken = post(officer, f"{APPLICATIONS}/take-next", {}).json()["application"]
    none_left = post(approver, f"{APPLICATIONS}/take-next", {}).json()
    locked = decide(approver, taken)
    released = post(officer, f"{APPLICATIONS}/{made['id']}/release", {"revision": taken["revision"]}).json()
    assignment = {"assignee_id": str(shop.users["approver"].id), "revision": released["revision"]}
    assigned = post(officer, f"{APPLICATIONS}/{made['id']}/assign", assignment).json()

    assert (taken["id"], taken["state"], taken["assigned_to"]["name"]) == (made["id"], "in_review", shop.users["officer"].name)
    assert none_left == {"application": None}
    assert (locked.status_code, locked.json()["code"], locked.json()["changed"]["by"]) == (
        409, "application_locked", shop.users["officer"].name,
    )  # fmt: skip
    assert (released["state"], released["assigned_to"]) == ("in_review", None)
    assert assigned["assigned_to"]["id"] == str(shop.users["approver"].id)


def test_the_list_filters_pages_and_hides_the_reference(shop: House) -> None:
    made = [post(shop.api(), APPLICATIONS, body_of()).json()["id"] for _ in range(3)]

    page = shop.api().get(f"{APPLICATIONS}?state=new&product={SLUG}&limit=2").json()
    rest = shop.api().get(f"{APPLICATIONS}?limit=2&cursor={page['next_cursor']}").json()

    assert [one["id"] for one in page["data"] + rest["data"]] == made[::-1]
    assert (page["has_more"], rest["has_more"]) == (True, False)
    seen = as_role(shop, "viewer").get(APPLICATIONS).json()["data"]
    assert {one["applicant"]["reference"] for one in seen} == {None}
    assert shop.api().get(f"{APPLICATIONS}?state=nothing").status_code == 400
    assert shop.api().get(f"{APPLICATIONS}?cursor=nonsense").status_code == 400
    assert as_role(shop, "viewer").get(f"{APPLICATIONS}?reference=A").status_code == 403


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"decision": "counter_offer"}, 422, "move_details_refused"),
        ({"decision": "counter_offer", "offer": "60000.01"}, 422, "move_details_refused"),
        ({"decision": "approve", "offer": "10"}, 422, "move_details_refused"),
        ({"decision": "accept_offer"}, 409, "move_refused"),
        ({"decision": "nonsense"}, 422, "invalid_request"),
        ({"reason_code": "Not a code"}, 422, "invalid_request"),
        ({"revision": 7}, 409, "application_changed"),
    ],
)
def test_a_wrong_decision_is_refused_and_changes_nothing(shop: House, body: dict[str, Any], status: int, code: str) -> None:
    made = post(shop.api(), APPLICATIONS, body_of()).json()

    answer = decide(as_role(shop, "officer"), made, **body)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert shop.api().get(f"{APPLICATIONS}/{made['id']}").json() == made


def test_what_people_do_besides_deciding(shop: House) -> None:
    made, officer, approver = post(shop.api(), APPLICATIONS, body_of()).json(), as_role(shop, "officer"), shop.users["approver"]
    at = f"{APPLICATIONS}/{made['id']}"
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()

    note = post(officer, f"{at}/notes", {"note": "Called her."}, HTTP_IDEMPOTENCY_KEY="n1")
    again = post(officer, f"{at}/notes", {"note": "Called her."}, HTTP_IDEMPOTENCY_KEY="n1")
    put_off = post(officer, f"{at}/snooze", {"until": later, "revision": 1}).json()
    woken = post(officer, f"{at}/snooze", {"until": None, "revision": put_off["revision"]}).json()
    tagged = post(officer, f"{at}/tags", {"tags": ["visit", "nairobi"], "revision": woken["revision"]}).json()
    escalated = post(officer, f"{at}/escalate", {"to": str(approver.id), "revision": tagged["revision"]}).json()

    assert (note.status_code, again.content, again["Idempotency-Replayed"]) == (201, note.content, "true")
    assert escalated["assigned_to"] == {"id": str(approver.id), "name": approver.name}
    events = officer.get(f"{at}/events").json()["data"]
    assert [one["note"] for one in events if one["action"] == "application.noted"] == ["Called her."]
    assert [one["action"].partition(".")[2] for one in events[-4:]] == ["snoozed", "snoozed", "tagged", "escalated"]
    read = officer.get(at).json()
    assert (read["tags"], read["priority"], read["revision"]) == (["nairobi", "visit"], 1, escalated["revision"])


@pytest.mark.parametrize(
    ("route", "body", "status", "pointer"),
    [
        ("notes", {"note": " "}, 422, "/note"),
        ("snooze", {"until": "2020-01-01T00:00:00Z", "revision": 1}, 422, "/until"),
        ("snooze", {"until": "2026-12-01T09:00:00", "revision": 1}, 422, "/until"),
        ("snooze", {"until": None, "revision": 7}, 409, ""),
        ("tags", {"tags": ["Ä"], "revision": 1}, 422, "/tags"),
        ("escalate", {"to": str(uuid7()), "revision": 1}, 422, "/to"),
    ],
)
def test_what_cannot_be_done_besides_deciding_changes_nothing(
    shop: House, route: str, body: dict[str, Any], status: int, pointer: str
) -> None:
    made = post(shop.api(), APPLICATIONS, body_of()).json()

    answer = post(as_role(shop, "officer"), f"{APPLICATIONS}/{made['id']}/{route}", body)

    assert answer.status_code == status, answer.json()
    assert [one["pointer"] for one in answer.json().get("errors", [])] == ([pointer] if pointer else [])
    assert shop.api().get(f"{APPLICATIONS}/{made['id']}").json()["revision"] == 1


def test_many_are_assigned_and_what_changed_meanwhile_is_named(shop: House) -> None:
    first, second = (post(shop.api(), APPLICATIONS, body_of()).json() for _ in range(2))
    officer, approver = as_role(shop, "officer"), shop.users["approver"]
    chosen = [{"id": first["id"], "revision": 1}, {"id": second["id"], "revision": 9}, {"id": str(uuid7()), "revision": 1}]

    answer = post(officer, f"{APPLICATIONS}/assign", {"assignee_id": str(approver.id), "applications": chosen})
    nobody = post(officer, f"{APPLICATIONS}/assign", {"assignee_id": str(uuid7()), "applications": chosen})
    none = post(officer, f"{APPLICATIONS}/assign", {"assignee_id": str(approver.id), "applications": []})

    told = answer.json()
    assert (answer.status_code, told["done"]) == (200, 1)
    assert [(one["id"], one["code"]) for one in told["refused"]] == [
        (second["id"], "application_changed"), (chosen[2]["id"], "application_unknown"),
    ]  # fmt: skip
    assert officer.get(f"{APPLICATIONS}/{first['id']}").json()["assigned_to"]["name"] == approver.name
    assert [one.json()["errors"][0]["pointer"] for one in (nobody, none)] == ["/assignee_id", "/applications"]
