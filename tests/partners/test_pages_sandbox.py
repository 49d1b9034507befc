"""Between a partner's pages and its sandbox: a ticket that works once, a session on each side, access that ends on both."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from audit.context import SYSTEM
from partners.accounts.models import ApiKey, Session, User
from partners.accounts.services import change_user, create_api_key
from partners.accounts.tickets import LIFETIME
from partners.models import Partner
from partners.sandboxes import refresh_sandbox
from partners.tenancy import tenant_context
from scoring.models import Product
from tests.conftest import House


@pytest.fixture
def live(new_partner: Callable[..., House]) -> House:
    return new_partner()


@pytest.fixture
def sandbox(live: House) -> Partner:
    return refresh_sandbox(live.partner, actor=SYSTEM)


def way_in(live: House, role: str = "developer") -> Any:
    """Where the button leads."""
    answer = live.client(role).get("/developers/sandbox/open")
    assert answer.status_code == 302
    return urlsplit(answer["Location"])


def enter(live: House, role: str = "developer") -> Client:
    """A browser that went from the partner's pages to the sandbox's."""
    there = way_in(live, role)
    browser = Client(HTTP_HOST=there.netloc)
    assert browser.get(f"{there.path}?{there.query}").status_code == 302
    return browser


def test_who_is_signed_in_goes_over_and_back(live: House, sandbox: Partner) -> None:
    browser = enter(live)

    page = browser.get("/developers/sandbox").content.decode()

    assert "v-sandbox" in page
    assert "test-decline" in page
    assert f'href="http://{live.host}/developers/sandbox"' in page
    assert "v-sandbox" not in live.client("developer").get("/developers/sandbox").content.decode()
    with tenant_context(sandbox):
        person = User.objects.get()
        assert (person.email, person.role, person.has_usable_password()) == (live.users["developer"].email, "developer", False)
        assert Session.objects.get().factor == Session.Factor.TOTP


def test_a_session_is_one_sides(live: House, sandbox: Partner) -> None:
    browser = enter(live)
    cookies = browser.cookies

    stranger = Client(HTTP_HOST=live.host)
    stranger.cookies = cookies

    assert stranger.get("/developers/sandbox").status_code == 302
    assert stranger.get("/developers/sandbox")["Location"].startswith("/login")


def test_a_ticket_works_once_soon_and_there(
    live: House, sandbox: Partner, new_partner: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = way_in(live)
    elsewhere = refresh_sandbox(new_partner().partner, actor=SYSTEM)

    def shown(host: str) -> int:
        return int(Client(HTTP_HOST=host).get(f"{there.path}?{there.query}").status_code)

    assert shown(elsewhere.host) == 410
    assert shown(live.host) == 404
    assert shown(sandbox.host) == 302
    assert shown(sandbox.host) == 410
    there = way_in(live)
    late = time.time() + LIFETIME.total_seconds() + 1
    monkeypatch.setattr("django.core.signing.time.time", lambda: late)
    assert shown(sandbox.host) == 410


def test_access_that_ends_with_the_partner_ends_in_the_sandbox(live: House, sandbox: Partner) -> None:
    browser = enter(live)
    with tenant_context(sandbox):
        person = User.objects.get()
        actor_key = create_api_key(name="theirs", actor=SYSTEM).key
        ApiKey.objects.filter(id=actor_key.id).update(created_by_id=person.id)
    with tenant_context(live.partner):
        change_user(user_id=live.users["developer"].id, is_active=False, actor=SYSTEM)

    assert browser.get("/developers/sandbox").status_code == 302
    with tenant_context(sandbox):
        assert ApiKey.objects.get(id=actor_key.id).revoked_at is not None


@pytest.mark.parametrize("change", [{"is_active": False}, {"role": "viewer"}])
def test_a_ticket_made_before_access_ended_opens_nothing(live: House, sandbox: Partner, change: dict[str, Any]) -> None:
    there = way_in(live)
    with tenant_context(live.partner):
        change_user(user_id=live.users["developer"].id, actor=SYSTEM, **change)

    assert Client(HTTP_HOST=there.netloc).get(f"{there.path}?{there.query}").status_code == 410
    with tenant_context(sandbox):
        assert not User.objects.exists()


def test_another_role_is_the_role_of_the_next_visit(live: House, sandbox: Partner) -> None:
    enter(live)
    with tenant_context(live.partner):
        change_user(user_id=live.users["developer"].id, role="admin", actor=SYSTEM)
        live.users["developer"].refresh_from_db()

    enter(live)

    with tenant_context(sandbox):
        assert User.objects.get().role == "admin"


def test_the_button_empties_the_sandbox_and_the_other_copies(live: House, sandbox: Partner) -> None:
    assert enter(live).post("/developers/sandbox").status_code == 302
    assert live.client("developer").post("/developers/sandbox").status_code == 302
    with tenant_context(sandbox):
        assert Product.objects.count() == 0
    key = _key(sandbox)
    reset = Client(HTTP_HOST=sandbox.host, HTTP_X_API_KEY=key).post("/api/v1/sandbox/reset", content_type="application/json")
    assert (reset.status_code, reset.json()) == (200, {"is_empty": True})
    refused = live.api().post("/api/v1/sandbox/reset", content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_a_sandbox")


def _key(sandbox: Partner) -> str:
    with tenant_context(sandbox):
        return create_api_key(name="trials", actor=SYSTEM).secret
