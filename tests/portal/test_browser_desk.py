"""The desk in a real browser: applications are decided with the keyboard alone, and its pages are accessible and fit."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.db import connection
from playwright.sync_api import Browser, expect

from audit.context import SYSTEM
from partners.tenancy import tenant_context
from portal.approvals.models import Application
from portal.approvals.services.applications import Asked, receive_application
from portal.approvals.services.notices import change_notice_settings
from portal.approvals.services.policies import change_approval_policy
from portal.approvals.transitions import State
from scoring import registry
from scoring.models import Channel
from scoring.services.score import ApplicantDetails
from tests.approvals.factories import actor_of
from tests.conftest import PRODUCT, Site
from tests.portal.test_browser import CHROMIUM, Watched, browser, check, watched

__all__ = ["browser", "watched"]    # the fixtures
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
]
T = TypeVar("T")
SAID = {"sender": "Site Lending", "address": "Kimathi Street 12\nNairobi", "email": "ask@site.example", "phone": "",
        "authority": "Data Protection Commissioner"}  # fmt: skip


def aside(site: Site, work: Callable[[], T]) -> T:
    """What `work` does with the site's rows, in a thread of its own: a browser's loop runs in this one, where Django refuses to ask."""

    def run() -> T:
        try:
            with tenant_context(site.house.partner):
                return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(60)


@pytest.fixture
def queue(site: Site, django_db_blocker: Any) -> Iterator[list[str]]:
    """The numbers of four applications that wait for a person, in the order of the queue."""

    def fill() -> list[str]:
        Application.objects.filter(state__in=["new", "in_review"]).update(state=State.WITHDRAWN)
        change_approval_policy(product_slug=PRODUCT, actor=SYSTEM)    # other tests on this site may have put limits in force
        change_notice_settings(said=SAID, reason_texts={}, actor=actor_of(site.house.users["analyst"]))
        return [_referred(site, f"K-{number}") for number in range(4)]

    with django_db_blocker.unblock():
        yield aside(site, fill)


def _referred(site: Site, name: str) -> str:
    """An application that waits, as if the policy had referred it."""
    values = registry.current(PRODUCT).validator.check(site.house.inputs)
    asked = Asked(PRODUCT, ApplicantDetails(reference=name, name=f"Amina {name}"), values, 6_000_000, "KES")
    answer = receive_application(
        asked=asked, actor=actor_of(site.house.users["developer"]), channel=Channel.PORTAL, render=lambda one: one.number.encode()
    )
    number = answer.body.decode()
    created = Application.objects.get(number=number).created_at
    Application.objects.filter(number=number).update(state="new", outcome="refer", because="referred", due_at=created, decided_at=None)
    return number


def test_an_officer_clears_the_queue_with_the_keyboard_alone(watched: Watched, site: Site, queue: list[str]) -> None:
    page = watched.sign_in("officer")
    page.goto(site.url(f"/applications/{queue[0]}"))

    page.keyboard.press("n")
    expect(page).to_have_url(site.url(f"/applications/{queue[1]}"))
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(page).to_have_url(site.url(f"/applications/{queue[2]}"))
    expect(page.get_by_role("status")).to_contain_text(f"{queue[1]}: Approved.")
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    expect(page).to_have_url(site.url(f"/applications/{queue[3]}"))
    page.keyboard.press("o")
    page.keyboard.press("Tab")
    page.keyboard.type("45000")
    page.keyboard.press("Enter")
    expect(page).to_have_url(site.url(f"/applications/{queue[0]}"))
    page.keyboard.press("i")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_contain_text("Nothing else waits for you.")
    states = aside(site, lambda: [Application.objects.get(number=number).state for number in queue])
    assert states == ["needs_information", "approved", "declined", "counter_offered"]


def test_the_desk_and_its_letters_are_accessible_and_fit(watched: Watched, site: Site, queue: list[str]) -> None:
    page = watched.sign_in("admin")
    for choice, shown in ((None, "desk"), ("approve", ""), ("counter", ""), ("decline", "desk-decline"), ("ask", "")):
        page.goto(site.url(f"/applications/{queue[0]}"))
        if choice:
            page.locator(f"input[value={choice}]").check()
        check(watched, f"desk, {choice}", picture=shown)
    aside(site, lambda: change_approval_policy(product_slug=PRODUCT, actor=SYSTEM, four_eyes="always"))
    page.goto(site.url(f"/applications/{queue[0]}"))
    page.locator("input[value=counter]").check()
    check(watched, "desk, two people")
    aside(site, lambda: change_approval_policy(product_slug=PRODUCT, actor=SYSTEM))
    page.goto(site.url(f"/applications/{queue[0]}"))
    page.locator("input[value=decline]").check()
    page.get_by_role("button", name="Decline, open the next").click()
    for name, path in (
        ("decided", f"/applications/{queue[0]}"), ("letter", f"/applications/{queue[0]}/letter"),
        ("letters", "/applications/notices"), ("letter-settings", "/applications/notices/settings"),
    ):  # fmt: skip
        page.goto(site.url(path))
        check(watched, name, picture=name)


def test_deciding_needs_no_script(browser: Browser, site: Site, queue: list[str]) -> None:
    watched = Watched(browser, site, java_script_enabled=False)
    page = watched.sign_in("officer")
    page.goto(site.url(f"/applications/{queue[0]}"))

    assert page.get_by_role("button", name="Decline, open the next").count() == 0
    page.get_by_label("Decline").check()
    page.get_by_role("button", name="Decline, open the next").click()

    expect(page).to_have_url(site.url(f"/applications/{queue[1]}"))
    expect(page.get_by_role("status")).to_contain_text("Declined.")
    watched.context.close()
