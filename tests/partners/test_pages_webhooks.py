"""The pages of webhooks: what can be done there without JavaScript, and what they never show."""

import re
import uuid
from html import unescape
from typing import Any

import pytest
from django.test import Client
from standardwebhooks import Webhook

from partners.tenancy import tenant_context
from partners.webhooks.models import Delivery, Endpoint
from tests.conftest import House
from tests.partners.receivers import receiver
from tests.partners.test_webhooks import URL, carry
from tests.portal.test_pages import score

LIST = "/developers/webhooks"


@pytest.fixture
def client(north: House, settings: Any) -> Client:
    settings.WEBHOOKS_TO_LOCALHOST = True
    return north.client("developer")


def said(answer: Any) -> str:
    return unescape(answer.content.decode())


def add(client: Client, url: str = URL) -> tuple[str, str]:
    """The page of a new endpoint, and its secret."""
    answer = client.post(f"{LIST}/new", {"url": url, "description": "The core", "event_types": ["batch.completed", "export.ready"]})
    assert answer.status_code == 201
    (page,) = set(re.findall(rf"{LIST}/[0-9a-f-]{{36}}", said(answer)))
    (secret,) = re.findall(r'value="(whsec_[^"]+)"', said(answer))
    return page, secret


def test_the_secret_is_shown_by_one_page_only(north: House, client: Client) -> None:
    page, secret = add(client)

    for path in (LIST, page, f"{page}/change"):
        assert "whsec_" not in said(client.get(path))
    assert "The core" in said(client.get(LIST))
    turned = client.post(page, {"act": "rotate", "overlap": "24"})
    assert (turned.status_code, turned["Cache-Control"]) == (201, "no-store")
    assert secret not in said(turned)
    assert "Two sign until" in said(client.get(page))
    client.post(page, {"act": "rotate", "overlap": "0"})
    assert "One signs." in said(client.get(page))


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"url": "http://hooks.example.com/", "event_types": "alert.raised"}, "The URL has to begin with https://."),
        ({"url": "https://10.0.0.1/", "event_types": "alert.raised"}, "addresses in numbers are not sent to"),
        ({"url": URL}, "Choose at least one kind of event."),
        ({"url": URL, "event_types": "no.such"}, "no.such"),
        ({"event_types": "alert.raised"}, "This field is required."),
    ],
)
def test_what_cannot_be_is_told_and_keeps_what_was_typed(north: House, client: Client, fields: dict[str, str], fault: str) -> None:
    answer = client.post(f"{LIST}/new", fields)

    assert answer.status_code == 422
    assert fault in said(answer)
    assert fields.get("url", "") in said(answer)
    assert all(f'id="{name}"' in said(answer) for name in re.findall(r'<li><a href="#([^"]*)"', said(answer)))
    assert ('value="alert.raised" checked' in said(answer)) == (fields.get("event_types") == "alert.raised")
    with tenant_context(north.partner):
        assert not Endpoint.objects.exists()


def test_an_endpoint_is_changed_paused_resumed_and_deleted_by_its_page(north: House, client: Client) -> None:
    page, _secret = add(client)

    client.post(f"{page}/change", {"url": "https://b.example.com/", "description": "", "event_types": ["decision.made"]})
    assert "https://b.example.com/" in said(client.get(page))
    assert 'value="decision.made" checked' in said(client.get(f"{page}/change"))
    client.post(page, {"act": "pause"})
    assert "Somebody paused it." in said(client.get(page))
    assert client.post(page, {"act": "test"}).status_code == 422
    client.post(page, {"act": "resume"})
    assert "Delivering" in said(client.get(page))
    assert client.post(page, {"act": "delete"})["Location"] == LIST
    assert client.get(page).status_code == 404
    assert "Nobody is told yet" in said(client.get(LIST))


def test_a_test_event_is_followed_to_its_answer_and_sent_again(north: House, client: Client) -> None:
    with receiver(lambda _got: (500, {}, b"<script>alert(1)</script>")) as server:
        page, secret = add(client, server.url)
        delivery = client.post(page, {"act": "test"})["Location"]
        assert ("data-live" in said(client.get(delivery)), "is on its way" in said(client.get(delivery))) == (True, True)
        with tenant_context(north.partner):
            courier = carry()
        refused = client.get(delivery)
        assert b"<script>alert" not in refused.content
        assert "<script>alert(1)</script>" in said(refused)
        assert re.search(r"500 · \d+ ms", said(refused))
        assert "It has taken nothing since" in said(client.get(page))
        score(north, "W-1")    # the overview of who has decided something
        assert f"{server.url} takes no events" in said(client.get("/"))
        assert "takes no events" not in said(north.client("officer").get("/"))
        server.answer = lambda _got: (200, {}, b"thanks")
        again = client.post(page, {"act": "again"}, follow=True)
        assert "1 event is sent now." in said(again)
        with tenant_context(north.partner):
            carry(courier)
        assert "webhook.test was delivered" in said(client.get(delivery))
        assert client.post(delivery).status_code == 302
        with tenant_context(north.partner):
            carry(courier)

    assert len(server.received) == 3
    assert len({got.id for got in server.received}) == 1
    Webhook(secret).verify(server.received[-1].body, server.received[-1].headers)


def test_deliveries_are_listed_in_pages_and_by_state(north: House, client: Client) -> None:
    page, _secret = add(client)
    for _ in range(27):
        client.post(page, {"act": "test"})

    first = said(client.get(page))
    (older,) = re.findall(r'href="\?(before=[0-9a-f-]+)" rel="next"', first)

    assert first.count("<code>webhook.test</code>") == 25
    assert said(client.get(f"{page}?{older}")).count("<code>webhook.test</code>") == 2
    with tenant_context(north.partner):
        Delivery.objects.update(state="given_up")
    assert "There is nothing here." in said(client.get(f"{page}?state=waiting"))
    for wrong in ("state=lost", "before=x"):
        assert client.get(f"{page}?{wrong}").status_code == 400


def test_a_delivery_of_another_endpoint_is_not_found_under_this_one(north: House, client: Client) -> None:
    mine, other = add(client)[0], add(client)[0]
    delivery = client.post(mine, {"act": "test"})["Location"].rpartition("/")[2]

    assert client.get(f"{mine}/deliveries/{delivery}").status_code == 200
    for path in (f"{other}/deliveries/{delivery}", f"{mine}/deliveries/{uuid.uuid4()}"):
        assert client.get(path).status_code == client.post(path).status_code == 404
