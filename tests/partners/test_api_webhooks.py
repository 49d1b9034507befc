"""Webhooks through the API: made, changed, rotated, tested, looked at, sent again, deleted."""

import uuid
from typing import Any

import pytest
from django.test import Client
from standardwebhooks import Webhook

from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from tests.conftest import House
from tests.partners.receivers import receiver
from tests.partners.test_webhooks import URL, carry

BODY = {"url": URL, "event_types": ["application.decided"], "description": "The core"}


@pytest.fixture
def engineer(north: House) -> Client:
    with tenant_context(north.partner):
        return Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {issue_tokens(north.users['developer']).access}")


def post(client: Client, path: str, body: object = None, **headers: str) -> Any:
    return client.post(f"/api/v1/webhooks{path}", body or {}, content_type="application/json", **headers)    # type: ignore[arg-type]


def test_an_endpoint_lives_from_its_making_to_its_end(engineer: Client) -> None:
    made = post(engineer, "", BODY)
    one = made.json()["webhook"]
    path = f"/api/v1/webhooks/{one['id']}"

    assert made.status_code == 201
    assert {name: one[name] for name in (*BODY, "is_active", "paused_because")} == {**BODY, "is_active": True, "paused_because": ""}
    assert made.json()["secret"].startswith("whsec_")
    assert engineer.get(path).json() == one
    assert engineer.get("/api/v1/webhooks").json() == {"data": [one], "next_cursor": None, "has_more": False}
    changed = engineer.patch(path, {"is_active": False, "description": ""}, content_type="application/json").json()
    assert (changed["is_active"], changed["paused_because"], changed["description"]) == (False, "person", "")
    assert post(engineer, f"/{one['id']}/test").json()["code"] == "webhook_refused"
    assert engineer.patch(path, {"is_active": True}, content_type="application/json").json()["is_active"] is True
    assert engineer.delete(path).status_code == 204
    assert [engineer.get(path).status_code, engineer.delete(path).status_code] == [404, 404]
    assert engineer.get("/api/v1/webhooks").json()["data"] == []


def test_a_secret_is_shown_once_even_to_who_asks_again(engineer: Client) -> None:
    first, again = (post(engineer, "", BODY, HTTP_IDEMPOTENCY_KEY="make") for _ in range(2))
    rotate = f"/{first.json()['webhook']['id']}/rotate"
    rotated, rotated_again = (post(engineer, rotate, {"overlap_seconds": 60}, HTTP_IDEMPOTENCY_KEY="turn") for _ in range(2))

    assert first.json()["webhook"] == again.json()["webhook"]
    assert (again.json()["secret"], again["Idempotency-Replayed"]) == (None, "true")
    assert (rotated.status_code, rotated_again.json()["secret"]) == (201, None)
    assert rotated.json()["secret"] not in {None, first.json()["secret"]}
    assert rotated.json()["webhook"]["previous_secret_until"] is not None


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"url": "http://hooks.example.com", "event_types": ["none.such"]}, ["/event_types", "/url"]),
        ({"url": URL, "event_types": []}, ["/event_types"]),
        ({"event_types": ["decision.made"], "secret": "mine"}, ["/secret", "/url"]),
        ({"url": "https://169.254.169.254/latest", "event_types": ["decision.made"]}, ["/url"]),
        ({"url": "https://hooks.example.com\u0000/", "event_types": ["decision.made"]}, ["/url"]),
    ],
)
def test_every_fault_of_an_endpoint_is_told_at_once(engineer: Client, body: dict[str, Any], pointers: list[str]) -> None:
    answer = post(engineer, "", body)

    assert answer.status_code == 422
    assert sorted(error["pointer"] for error in answer.json()["errors"]) == pointers


def test_a_change_with_a_field_that_is_not_there_is_refused_by_its_name(engineer: Client) -> None:
    hook = post(engineer, "", BODY).json()["webhook"]["id"]

    answer = engineer.patch(f"/api/v1/webhooks/{hook}", {"is_active": False, "colour": "red"}, content_type="application/json")

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/colour"]
    assert engineer.get(f"/api/v1/webhooks/{hook}").json()["is_active"]


def test_a_delivery_tells_what_was_sent_and_answered_and_is_sent_again(north: House, engineer: Client, settings: Any) -> None:
    settings.WEBHOOKS_TO_LOCALHOST = True
    with receiver(lambda _got: (503, {}, b"come back later")) as server:
        made = post(engineer, "", {**BODY, "url": server.url}).json()
        hook = made["webhook"]["id"]
        test = post(engineer, f"/{hook}/test").json()
        with tenant_context(north.partner):
            courier = carry()
        (listed,) = engineer.get(f"/api/v1/webhooks/{hook}/deliveries").json()["data"]
        assert [listed[name] for name in ("event_type", "state", "status", "attempts")] == ["webhook.test", "waiting", 503, 1]
        server.answer = lambda _got: (200, {}, b"ok")
        again = post(engineer, f"/{hook}/deliveries/{test['id']}/resend")
        with tenant_context(north.partner):
            carry(courier)
        detail = engineer.get(f"/api/v1/webhooks/{hook}/deliveries/{test['id']}").json()

    assert again.status_code == 201
    assert (detail["delivery"]["state"], detail["delivery"]["attempts"], detail["delivery"]["next_at"]) == ("delivered", 2, None)
    assert [(one["status"], one["answer"]) for one in detail["attempts"]] == [(200, "ok"), (503, "come back later")]
    assert detail["payload"].encode() == server.received[0].body
    assert [got.id for got in server.received] == [test["event_id"]] * 2
    Webhook(made["secret"]).verify(server.received[0].body, server.received[0].headers)


def test_deliveries_come_in_pages_and_by_state(engineer: Client) -> None:
    hook = post(engineer, "", BODY).json()["webhook"]["id"]
    sent = [post(engineer, f"/{hook}/test").json()["id"] for _ in range(5)]
    path, found = f"/api/v1/webhooks/{hook}/deliveries", []
    page: dict[str, Any] = {"has_more": True, "next_cursor": ""}
    while page["has_more"]:
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = engineer.get(path, {"limit": "2", **cursor}).json()
        found += [one["id"] for one in page["data"]]

    assert found == sent[::-1]
    assert engineer.get(path, {"state": "delivered"}).json()["data"] == []
    assert len(engineer.get(path, {"state": "waiting"}).json()["data"]) == 5
    for wrong in ({"cursor": "x"}, {"state": "lost"}, {"limit": "0"}):
        assert engineer.get(path, wrong).status_code == 400


def test_a_delivery_is_found_at_its_own_endpoint_only(engineer: Client) -> None:
    mine, other = (post(engineer, "", BODY).json()["webhook"]["id"] for _ in range(2))
    sent = post(engineer, f"/{mine}/test").json()["id"]

    assert engineer.get(f"/api/v1/webhooks/{mine}/deliveries/{sent}").status_code == 200
    for path in (f"/{other}/deliveries/{sent}", f"/{mine}/deliveries/{uuid.uuid4()}", f"/{mine}/deliveries/x", f"/x/deliveries/{sent}"):
        assert engineer.get(f"/api/v1/webhooks{path}").status_code == 404
        assert post(engineer, f"{path}/resend").status_code == 404
