"""Approval policies are read and changed: over HTTP with the version that was seen, on the page with a reason, vague texts refused."""

import json
from typing import Any

import pytest
from django.test import Client

from audit.actions import Action
from audit.models import Event
from partners.accounts.tokens import issue_tokens
from partners.tenancy import public_context, tenant_context
from portal.approvals.models import ApprovalPolicy
from portal.approvals.selectors import approval_policies
from portal.approvals.services.policies import policy_in_force
from scoring.models import Product
from tests.conftest import House
from tests.portal.test_pages_rules import asked, form_of
from tests.scoring.factories import SLUG, add_product

PATH = f"/api/v1/products/{SLUG}/approval-policy"
PAGE = f"/products/{SLUG}/approval-policy"
BODY: dict[str, Any] = {
    "four_eyes": "override", "limits": [{"amount": "60000.00", "currency": "KES"}, {"amount": "900", "currency": "XOF"}],
    "override_reasons": {"income_proven": {"en": "Income was proven by payslips.", "fr": "Les revenus ont été prouvés."}},
    "proposal_hours": 24, "due_hours": 8, "lifetime_days": 60, "notice_days": 20, "reason": "Losses above 60,000.",
}  # fmt: skip


@pytest.fixture
def stalls(in_north: House) -> House:
    add_product()
    return in_north


def send(house: House, method: str, body: object = None, **headers: str) -> Any:
    with tenant_context(house.partner):
        bearer = issue_tokens(house.users["analyst"]).access
    with public_context():
        client = Client(HTTP_HOST=house.host, HTTP_AUTHORIZATION=f"Bearer {bearer}")
        raw = b"" if body is None else json.dumps(body).encode()
        return client.generic(method, PATH, raw, content_type="application/json", headers=headers)


def in_force() -> ApprovalPolicy:
    return policy_in_force(Product.objects.get(slug=SLUG).id)


def versions() -> list[tuple[int, str]]:
    return [(one.version, one.reason) for one in approval_policies(Product.objects.get(slug=SLUG).id)]


# ---- over HTTP


def test_it_is_read_changed_and_read_again(stalls: House) -> None:
    first = send(stalls, "GET")
    assert (first.status_code, first["ETag"], first.json()["version"], first.json()["limits"]) == (200, '"0"', 0, [])

    changed = send(stalls, "PUT", BODY, **{"If-Match": first["ETag"]})

    assert (changed.status_code, changed["ETag"]) == (200, '"1"')
    said = {name: value for name, value in BODY.items() if name != "reason"}
    assert said.items() <= changed.json().items()
    assert send(stalls, "GET").json() == changed.json()
    assert in_force().limits == {"KES": 6_000_000, "XOF": 900}
    event = Event.objects.get(action=Action.APPROVAL_POLICY_CHANGED)
    assert (event.detail["reason"], event.actor_id) == (BODY["reason"], str(stalls.users["analyst"].id))


def test_the_same_again_is_no_new_version(stalls: House) -> None:
    send(stalls, "PUT", BODY, **{"If-Match": '"0"'})

    again = send(stalls, "PUT", BODY, **{"If-Match": '"1"'})

    assert (again.status_code, again["ETag"]) == (200, '"1"')
    assert versions() == [(1, BODY["reason"])]


@pytest.mark.parametrize(
    ("seen", "status", "code"),
    [
        ({}, 428, "condition_missing"),
        ({"If-Match": '"1"'}, 412, "approval_policy_changed"),
        ({"If-Match": "*"}, 412, "approval_policy_changed"),
    ],
)
def test_a_change_names_the_version_it_changes(stalls: House, seen: dict[str, str], status: int, code: str) -> None:
    answer = send(stalls, "PUT", BODY, **seen)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert versions() == []


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"limits": [{"amount": "0", "currency": "KES"}]}, "/limits/0/amount"),
        ({"limits": [{"amount": "5", "currency": "KES"}, {"amount": "6", "currency": "KES"}]}, "/limits/1/currency"),
        ({"four_eyes": "sometimes"}, "/four_eyes"),
        ({"due_hours": 0}, "/due_hours"),
        ({"override_reasons": {"it_is_so": {"en": "Internal standards."}}}, "/override_reasons"),
        ({"override_reasons": {"it_is_so": {"xx": "Income was proven."}}}, "/override_reasons"),
        ({"nonsense": 1}, "/nonsense"),
    ],
)
def test_what_cannot_be_is_named(stalls: House, changed: dict[str, Any], pointer: str) -> None:
    answer = send(stalls, "PUT", {**BODY, **changed}, **{"If-Match": '"0"'})

    assert answer.status_code == 422
    assert pointer in {one["pointer"] for one in answer.json()["errors"]}
    assert versions() == []


# ---- on the page


def typed_of(house: House, **changed: str) -> dict[str, str]:
    return {**form_of(asked(house.client("analyst"), PAGE)[1]), **changed}


def test_people_change_it_with_a_reason(stalls: House) -> None:
    limit = {"limits-0-currency": "kes", "limits-0-amount": "60 000"}
    typed = typed_of(stalls, act="save", reason="Two above sixty thousand.", four_eyes="always", due_hours="12", **limit)

    status, page = asked(stalls.client("analyst"), PAGE, typed)

    assert status == 302
    assert "Approval rules 1 are in force." in page
    made = in_force()
    assert (made.limits, made.four_eyes, made.due_hours) == ({"KES": 6_000_000}, "always", 12)
    assert made.override_reasons == ApprovalPolicy().override_reasons
    assert versions() == [(1, "Two above sixty thousand.")]
    assert "Two above sixty thousand." in asked(stalls.client("analyst"), PAGE)[1]


def test_a_reason_is_taken_out_and_another_written(stalls: House) -> None:
    rows = len(ApprovalPolicy().override_reasons)
    last = {f"reasons-{rows}-code": "group_stands_by", f"reasons-{rows}-text_en": "The savings group stands by the loan."}
    typed = typed_of(stalls, act="save", reason="Groups.", **{"reasons-0-remove": "on"}, **last)

    assert asked(stalls.client("analyst"), PAGE, typed)[0] == 302

    reasons = in_force().override_reasons
    assert "income_proven" not in reasons
    assert reasons["group_stands_by"] == {"en": "The savings group stands by the loan."}


@pytest.mark.parametrize(
    ("changed", "status", "told"),
    [
        ({"reason": " "}, 422, "Say why, in 1 to 500 characters"),
        ({"seen": "3"}, 409, "Somebody changed the rules meanwhile"),
        ({"reasons-0-text_en": "Internal standards."}, 422, "tells the applicant nothing"),
        ({"reasons-1-code": "income_proven"}, 422, "This is there already"),
        ({"reasons-1-code": "Not a code"}, 422, "Use small letters"),
        ({"limits-0-amount": "12.345", "limits-0-currency": "KES"}, 422, "KES has 2 decimals"),
        ({"limits-0-amount": "12", "limits-0-currency": "QQQ"}, 422, "is not a currency"),
        ({"lifetime_days": "9999"}, 422, "less than or equal to 730"),
        ({"four_eyes": "sometimes"}, 422, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_refused_and_what_was_typed_is_kept(stalls: House, changed: dict[str, str], status: int, told: str) -> None:
    typed = typed_of(stalls, act="save", **{"reason": "So.", "due_hours": "13", **changed})

    got, page = asked(stalls.client("analyst"), PAGE, typed)

    assert (got, form_of(page)["due_hours"]) == (status, "13")
    assert told in page
    assert versions() == []


def test_one_more_row_keeps_what_was_typed(stalls: House) -> None:
    status, page = asked(stalls.client("analyst"), PAGE, typed_of(stalls, act="reason", due_hours="13"))

    assert (status, form_of(page)["due_hours"]) == (200, "13")
    assert f"reasons-{len(ApprovalPolicy().override_reasons) + 1}-code" in form_of(page)


@pytest.mark.parametrize("role", ["officer", "viewer", "approver"])
def test_others_may_not(stalls: House, role: str) -> None:
    with public_context():
        assert stalls.client(role).get(PAGE).status_code == 403
