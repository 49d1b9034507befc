"""The way in, in a real browser: an authenticator app, a passkey of a virtual authenticator, and pages that anybody can use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from playwright.sync_api import expect

from audit.context import SYSTEM
from audit.ids import uuid7
from partners.accounts.models import Session, User
from partners.accounts.roles import Role
from partners.accounts.services import create_user
from partners.tenancy import tenant_context
from tests.conftest import PASSWORD, Site
from tests.partners.test_sign_in import code_at
from tests.portal.test_browser import CHROMIUM, Watched, browser, check, watched

__all__ = ["browser", "watched"]    # the fixtures

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
]
T = TypeVar("T")
PLATFORM = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}    # fmt: skip


def inside(site: Site, django_db_blocker: Any, act: Callable[[], T]) -> T:
    """What the act gives in the site's schema, in a thread of its own: the browser's has an event loop."""

    def perform() -> T:
        try:
            with tenant_context(site.house.partner):
                return act()
        finally:
            connection.close()

    with django_db_blocker.unblock(), ThreadPoolExecutor(1) as thread:
        return thread.submit(perform).result()


def newcomer(site: Site, django_db_blocker: Any, role: Role = Role.ANALYST) -> str:
    """The address of somebody new, known by PASSWORD."""
    email = f"p{uuid7().hex[-8:]}@site.example"

    def make() -> None:
        create_user(email=email, role=role, password=PASSWORD, actor=SYSTEM)
        User.objects.filter(email=email).update(password=make_password(PASSWORD, hasher="argon2"))

    inside(site, django_db_blocker, make)
    return email


def give_password(watched: Watched, email: str) -> None:
    watched.page.goto(watched.site.url("/login"))
    watched.page.get_by_label("Email").fill(email)
    watched.page.get_by_label("Password").fill(PASSWORD)
    watched.page.get_by_role("button", name="Continue").click()


def sign_out(watched: Watched) -> None:
    watched.page.goto(watched.site.url("/account"))
    watched.page.get_by_role("button", name="Sign out").first.click()
    expect(watched.page).to_have_url(watched.site.url("/login"))


def last_factor(site: Site, email: str, django_db_blocker: Any) -> str:
    return inside(site, django_db_blocker, lambda: Session.objects.filter(user__email=email).latest("began_at").factor)


def test_an_app_is_set_up_and_then_asked_for(watched: Watched, site: Site, django_db_blocker: Any) -> None:
    email = newcomer(site, django_db_blocker)
    page = watched.page
    give_password(watched, email)
    page.goto(site.url("/account/second-factor"))
    check(watched, "setting up")
    secret = page.locator("code.v-break").inner_text().replace(" ", "")
    page.get_by_label("The six digits").fill(code_at(secret=secret))
    page.get_by_label("Your password").first.fill(PASSWORD)
    page.get_by_role("button", name="Use this app").click()
    expect(page.get_by_role("heading", name="Keep these ten codes")).to_be_visible()
    check(watched, "recovery codes")
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 recovery codes left")).to_be_visible()
    sign_out(watched)

    give_password(watched, email)
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("4 tries left")).to_be_visible()
    check(watched, "second factor")
    page.get_by_label("Code").fill(code_at(1, secret=secret))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(site.url("/"))
    assert last_factor(site, email, django_db_blocker) == "totp"


def test_a_passkey_is_made_signs_in_by_itself_and_as_the_second_factor(watched: Watched, site: Site, django_db_blocker: Any) -> None:
    email = newcomer(site, django_db_blocker)
    page = watched.page
    devices = watched.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": PLATFORM})
    give_password(watched, email)
    page.goto(site.url("/account/second-factor"))
    page.get_by_label("What is it on?").fill("My laptop")
    page.get_by_label("Your password").last.fill(PASSWORD)
    page.get_by_role("button", name="Make a passkey").click()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("rowheader", name="My laptop")).to_be_visible()
    check(watched, "account")
    sign_out(watched)

    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(site.url("/"))
    assert last_factor(site, email, django_db_blocker) == "passkey"
    sign_out(watched)

    give_password(watched, email)
    expect(page).to_have_url(site.url("/login/code"))
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(site.url("/"))
    sign_out(watched)


def test_a_passkey_of_nobody_here_is_refused_in_words(watched: Watched, site: Site) -> None:
    devices = watched.context.new_cdp_session(watched.page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": PLATFORM})
    watched.page.goto(site.url("/login"))

    watched.page.get_by_role("button", name="Use a passkey").click()

    expect(watched.page.get_by_role("alert")).to_contain_text("The passkey was not shown")


def test_pages_of_the_way_in_and_of_the_team_are_for_everybody(watched: Watched, site: Site, django_db_blocker: Any) -> None:
    email = newcomer(site, django_db_blocker, Role.ADMIN)
    for path in ("/login", "/login/forgotten"):
        watched.page.goto(site.url(path))
        check(watched, path)
    give_password(watched, email)
    expect(watched.page).to_have_url(site.url("/"))
    for path in ("/team", "/team/invite", "/account", "/account/second-factor"):
        watched.page.goto(site.url(path))
        check(watched, path)
    watched.page.goto(site.url("/team"))
    watched.page.locator("a.v-who").last.click()
    check(watched, "person")
    watched.page.goto(site.url("/team/invite"))
    watched.page.get_by_label("Email").fill("new@site.example")
    watched.page.get_by_role("button", name="Make the link").click()
    check(watched, "invited")
    watched.page.goto(watched.page.locator("pre.v-code").inner_text())
    check(watched, "link")
