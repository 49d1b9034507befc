"""An integration engineer's first hour, in a real browser and with what the pages show alone: from an invitation to a verified event."""

import json
import shutil
import socket
import subprocess
import sys
from typing import Any

import pytest
from playwright.sync_api import expect

from portal.waiting import wait_until
from tests.conftest import PASSWORD, Site
from tests.partners.test_sign_in import code_at
from tests.partners.test_webhooks import carry
from tests.portal.test_api_integrators import listens
from tests.portal.test_browser import CHROMIUM, Watched, browser, check
from tests.portal.test_browser_sign_in import inside, sign_out, watched

__all__ = ["browser", "watched"]    # the fixtures

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None or shutil.which("curl") is None, reason="no Chromium or no curl is installed"),
]
EMAIL = "engineer@site.example"


def join(watched: Watched) -> None:
    """An administrator makes the link; the engineer follows it, chooses a password and sets up an app."""
    page = watched.sign_in("admin")
    page.goto(watched.site.url("/team/invite"))
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Role").select_option(label="Integration engineer")
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("pre.v-code").inner_text()
    sign_out(watched)

    page.goto(link)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Choose it").click()
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(watched.site.url("/"))
    page.goto(watched.site.url("/account/second-factor"))
    page.get_by_label("The six digits").fill(code_at(secret=page.locator("code.v-break").inner_text().replace(" ", "")))
    page.get_by_label("Your password").first.fill(PASSWORD)
    page.get_by_role("button", name="Use this app").click()
    page.get_by_role("link", name="I have kept them").click()


def pasted(snippet: str, key: str) -> Any:
    """What a shell makes of it."""
    shell = {"PATH": "/usr/bin:/bin", "KEY": key}
    done = subprocess.run(["sh", "-c", snippet], env=shell, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def make_key(watched: Watched) -> str:
    page = watched.page
    page.get_by_role("link", name="Make a key").click()
    page.get_by_label("What it is for").fill("Core banking")
    page.get_by_role("button", name="Create it").click()
    secret = page.get_by_label("New key").input_value()
    assert [one["slug"] for one in pasted(page.locator("pre.v-code").inner_text(), secret)["data"]] == [watched.site.house.product]
    page.get_by_role("link", name="I have stored it").click()
    assert secret not in page.content()
    return secret


def make_endpoint(watched: Watched, port: int) -> str:
    page = watched.page
    page.get_by_role("link", name="Add an endpoint").click()
    page.get_by_label("URL").fill(f"http://localhost:{port}/")
    page.get_by_role("checkbox", name="decision.made").check()
    page.get_by_role("button", name="Add it, show its secret").click()
    secret = page.get_by_label("Signing secret").input_value()
    page.get_by_role("link", name="I have kept it, go on").click()
    return secret


def test_an_engineer_gets_from_an_invitation_to_a_verified_event(
    watched: Watched, site: Site, settings: Any, django_db_blocker: Any
) -> None:
    settings.WEBHOOKS_TO_LOCALHOST = True
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inside(site, django_db_blocker, carry)    # what other tests decided here is told before there is an endpoint
    page = watched.page
    join(watched)
    page.get_by_role("link", name="Developers").click()
    page.get_by_role("link", name="Guide").click()
    guide = page.url
    page.get_by_text("receiver.py", exact=True).click()
    check(watched, "guide", picture="guide-1280")
    receiver, score = (page.locator(f"pre#{name}").inner_text() for name in ("receiver", "score"))

    key = make_key(watched)
    page.goto(guide)
    secret = make_endpoint(watched, port)
    environment = {"PATH": "/usr/bin:/bin", "SECRET": secret, "PORT": str(port)}
    with subprocess.Popen([sys.executable, "-c", receiver], env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert wait_until(lambda: listens(port), 20)
            made = pasted(score, key)
            inside(site, django_db_blocker, carry)
        finally:
            process.terminate()
        told = process.stdout.read() if process.stdout else ""

    assert told == f"decision.made {made['id']}\n"
    page.reload()
    row = page.get_by_role("table", name="Deliveries, newest first").get_by_role("row").nth(1)
    expect(row).to_contain_text("decision.made")
    expect(row).to_contain_text("204")
    check(watched, "endpoint with a delivery", picture="endpoint-1280")
