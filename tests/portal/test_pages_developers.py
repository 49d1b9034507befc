"""Pages of the Developers area: keys are made once and shown once, calls are found, queues are told."""

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from partners.accounts import request_log
from partners.accounts.models import ApiKey
from partners.accounts.request_log import write_noted
from partners.accounts.services import create_api_key, revoke_api_key
from partners.tenancy import tenant_context
from tests.conftest import House

NEW = "/developers/keys/new"
ASKED = {"name": "Core banking", "scopes": ["decision.make", "product.read"], "expires_at": ""}


def text_of(answer: Any) -> str:
    return " ".join(unescape(answer.content.decode()).split())


def typed(client: Client, **changed: Any) -> dict[str, Any]:
    """The form as a person fills it in, with the token that the page gave."""
    found = re.search(r'name="token" value="([^"]+)"', client.get(NEW).content.decode())
    assert found
    return {**ASKED, "token": found[1], **changed}


def secret_in(answer: Any) -> str:
    found = re.search(r'id="secret"[^>]*value="([^"]+)"', answer.content.decode())
    assert found, text_of(answer)
    return found[1]


def test_a_key_is_made_and_shown_once(north: House) -> None:
    client = north.client("developer")
    form = typed(client, expires_at="2027-01-31")

    answer = client.post(NEW, form)
    again = client.post(NEW, form)

    secret = secret_in(answer)
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    with tenant_context(north.partner):
        key = ApiKey.objects.get(name="Core banking")
        assert (key.hint, key.scopes, key.created_by) == (secret[-4:], ASKED["scopes"], north.users["developer"].name)
        event = Event.objects.filter(action=Action.API_KEY_CREATED, object_id=str(key.id)).get()
        assert event.actor_id == str(north.users["developer"].id)
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2027-02-01T00:00:00+00:00"
    assert again["Location"] == f"/developers/keys/{key.id}"
    shown = text_of(client.get(again["Location"]))
    assert "This form made this key already" in shown
    assert secret not in shown
    assert north.api(secret).get("/api/v1/products").status_code == 200
    assert north.api(secret).get("/api/v1/scores").status_code == 403


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": " "}, "This field is required"), ({"scopes": []}, "This field is required"),
        ({"scopes": ["user.manage"]}, "user.manage"), ({"expires_at": "2020-01-01"}, "The key would have expired already"),
        ({"expires_at": "9999-12-31"}, "at most ten years"), ({"name": "x" * 81}, "80"),
    ],
)  # fmt: skip
def test_what_is_typed_wrongly_makes_no_key_and_stays(north: House, changed: dict[str, Any], said: str) -> None:
    client = north.client("developer")
    with tenant_context(north.partner):
        before = ApiKey.objects.count()

    answer = client.post(NEW, typed(client, **changed))

    assert answer.status_code == 422
    assert said in text_of(answer)
    with tenant_context(north.partner):
        assert ApiKey.objects.count() == before


def test_a_key_is_rotated_with_the_overlap_that_was_chosen(north: House) -> None:
    client = north.client("developer")
    with tenant_context(north.partner):
        old = create_api_key(name="turning", actor=SYSTEM)
    address = f"/developers/keys/{old.key.id}"

    answer = client.post(f"{address}/rotate", {"overlap": "3600"})
    again = client.post(f"{address}/rotate", {"overlap": "3600"})

    secret = secret_in(answer)
    with tenant_context(north.partner):
        turned = ApiKey.objects.get(id=old.key.id)
    assert turned.expires_at is not None
    assert abs(turned.expires_at - timezone.now() - timedelta(hours=1)) < timedelta(minutes=1)
    assert [north.api(key).get("/api/v1/products").status_code for key in (old.secret, secret)] == [200, 200]
    assert again["Location"] == address
    shown = text_of(client.get(address))
    assert "Old key, works until" in shown
    assert f"The key …{secret[-4:]} followed it" in shown
    assert client.post(f"{address}/rotate", {"overlap": "7"}).status_code == 422


def test_a_revoked_key_is_refused_and_its_page_stays(north: House) -> None:
    client = north.client("developer")
    with tenant_context(north.partner):
        made = create_api_key(name="ending", actor=SYSTEM)
    address = f"/developers/keys/{made.key.id}"

    assert client.post(f"{address}/revoke")["Location"] == address
    assert client.post(f"{address}/revoke")["Location"] == address

    assert north.api(made.secret).get("/api/v1/products").status_code == 401
    shown = text_of(client.get(address))
    assert "Revoked" in shown
    assert f"{address}/rotate" not in shown
    assert "ending" not in text_of(client.get("/developers/keys"))
    assert "ending" in text_of(client.get("/developers/keys?all=1"))


def test_the_pages_tell_use_plan_and_limit(north: House) -> None:
    request_log._noted.clear()
    with tenant_context(north.partner):
        made = create_api_key(name="busy", actor=SYSTEM)
    for _ in range(3):
        north.api(made.secret).get("/api/v1/scores")
    north.api(made.secret).get("/api/v1/users")
    write_noted()
    client = north.client("developer")

    listed, shown = text_of(client.get("/developers/keys")), text_of(client.get(f"/developers/keys/{made.key.id}"))

    assert "Plan Enterprise: 10,000,000 requests an hour for each key." in listed
    assert f'?key={made.key.id}&span=day">4<' in listed
    assert "<code>GET /api/v1/scores</code></a></td><td class=\"v-num\" data-l=\"Calls\">3</td>" in shown
    assert "<dt>Refused or failed</dt><dd>1 / 0</dd>" in shown


def test_a_call_is_looked_up_on_the_page(north: House) -> None:
    request_log._noted.clear()
    own = north.api().get("/api/v1/users", headers={"X-Request-ID": "order-4711"})
    made_up = north.api().get("/api/v1/scores")
    write_noted()
    client = north.client("developer")

    found = text_of(client.get("/developers/requests", {"q": "order-4711"}))

    assert own["X-Request-ID"] == "order-4711"
    assert "403: That is not allowed" in found
    assert "Ask an administrator of your organisation." in found
    assert "<code>or…</code>" in found
    assert "GET /api/v1/scores" not in found
    assert "<h2 id=\"shown\">200</h2>" in text_of(client.get("/developers/requests", {"q": made_up["X-Request-ID"]}))
    assert "No call had the request id “nobody”" in text_of(client.get("/developers/requests", {"q": "nobody"}))
    listed = text_of(client.get("/developers/requests", {"answer": "refused"}))
    assert listed.count("v-who") == 1
    assert "permission_missing" not in listed.partition("<aside")[0]


@pytest.mark.parametrize("query", [{"answer": "maybe"}, {"span": "year"}, {"key": "7"}, {"before": "x"}, {"q": "x" * 121}, {"q": "a\0b"}])
def test_what_cannot_be_looked_for_is_said(north: House, query: dict[str, str]) -> None:
    answer = north.client("developer").get("/developers/requests", query)

    assert answer.status_code == 422
    assert "That cannot be looked for." in text_of(answer)


def test_the_list_of_calls_goes_on_where_it_ended(north: House) -> None:
    request_log._noted.clear()
    for _ in range(30):
        north.api().get("/api/v1/products")
    write_noted()
    client = north.client("developer")

    first = client.get("/developers/requests?answer=answered&span=hour")
    older = re.search(r'<a href="(\?[^"]*)" rel="next">', first.content.decode())
    assert older
    second = client.get(f"/developers/requests{unescape(older[1])}")

    assert [text_of(one).count("v-who") for one in (first, second)] == [25, 5]
    assert 'rel="next"' not in text_of(second)


def test_developers_begin_with_their_keys(north: House) -> None:
    client = north.client("developer")

    assert client.get("/developers")["Location"] == "/developers/keys"
    assert '<a href="/developers" aria-current="page">' in text_of(client.get("/developers/queues"))
    assert "/developers" not in text_of(north.client("officer").get("/"))


def test_keys_of_before_can_be_revoked_while_others_are_made(north: House) -> None:
    with tenant_context(north.partner):
        made = create_api_key(name="stale", actor=SYSTEM)
        revoke_api_key(key_id=made.key.id, actor=SYSTEM)

    answer = north.client("developer").post(f"/developers/keys/{made.key.id}/rotate", {"overlap": "0"}, follow=True)

    assert "Nothing was done: this key was rotated or revoked already." in text_of(answer)
