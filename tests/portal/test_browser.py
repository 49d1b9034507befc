"""The pages in a real browser: a person's way through them, and what must hold on every one."""

import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect, sync_playwright

from audit.context import SYSTEM
from partners.tenancy import tenant_context
from portal.approvals.services.policies import change_approval_policy
from scoring.models import Job
from scoring.services.work import work_on
from tests.conftest import PASSWORD, PRODUCT, Site

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"]
WIDTHS = (1280, 390)
PICTURES = os.environ.get("VOUCH_PICTURES", "")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
PAGES = {
    "overview": "/", "queue": "/applications", "queue-empty": "/applications?q=nobody",
    "queue-filters": "/applications?tag=visit&sort=largest", "queue-problem": "/applications?band=HUGE",
    "application-new": "/applications/new",
    "list": "/decisions", "list-empty": "/decisions?reference=nobody", "list-problem": "/decisions?band=HUGE",
    "summary": "/summary", "applicants": "/applicants", "applicants-nobody": "/applicants?q=nobody", "help": "/help",
    "help-decide": "/help/decide", "practice": "/help/practice/2?decision=approve",
    "form": "/decisions/new", "products": "/products", "product": "/products/market-loan", "models": "/models",
    "model": "/models/market-loan/1", "card": "/models/market-loan/1/card", "history": "/models/market-loan/history",
    "compare": "/models/market-loan/compare", "retraining": "/models/market-loan/retraining",
    "retention": "/retention", "trial": "/retention/trial", "report": "/compliance-report", "account": "/account",
    "batches-empty": "/batches",
    "batch-new": "/batches/new", "exports": "/exports", "export": "/exports/new?outcome=decline", "nothing": "/nothing-here",
}  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A browser context that notes everything that should not happen."""

    def __init__(self, browser: Browser, site: Site, **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(**options)
        self.site = site
        self.faults: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: self._note(message.type == "error", message.text))
        self.page.on("request", lambda request: self._note(not request.url.startswith((site.url(""), "data:")), f"external: {request.url}"))
        self.page.on("pageerror", lambda error: self._note(True, str(error)))

    def _note(self, is_fault: bool, text: str) -> None:
        if is_fault and "404 (Not Found)" not in text and "422" not in text and "403 (Forbidden)" not in text:
            self.faults.append(text)

    def sign_in(self, role: str) -> Page:
        self.page.goto(self.site.url("/login"))
        self.page.get_by_label("Email").fill(f"{role}@{self.site.house.slug}.example")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Continue").click()
        expect(self.page).to_have_url(self.site.url("/"))
        return self.page


@pytest.fixture
def officer(browser: Browser, site: Site) -> Iterator[Watched]:
    watched = Watched(browser, site, viewport={"width": 1280, "height": 900})
    yield watched
    watched.context.close()
    assert watched.faults == []


def fill_form(page: Page, site: Site, reference: str) -> None:
    page.get_by_label("Your reference").fill(reference)
    page.get_by_label("Full name").fill("Amina Otieno")
    for name, value in site.house.inputs.items():
        control = page.locator(f"[data-input={name}]")
        if not control.count():    # the contract's amount is the one of the application
            continue
        if isinstance(value, bool | str):
            control.select_option(str(value).lower() if isinstance(value, bool) else value)
        else:
            control.fill(f"{value:g}")


def score_one(watched: Watched, reference: str) -> str:
    page = watched.page
    page.goto(watched.site.url("/decisions/new"))
    fill_form(page, watched.site, reference)
    page.get_by_role("button", name="Score and decide").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Score")
    return page.url


def check(watched: Watched, name: str, *, picture: str = "") -> None:
    page = watched.page
    results = Axe().run(page, options=RULES)
    assert results.violations_count == 0, f"{name}: {results.generate_report()}"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the screen"
    if PICTURES and picture:
        page.screenshot(path=str(Path(PICTURES) / f"{picture}.png"), full_page=True)


def test_an_officer_scores_an_applicant_and_reads_why(officer: Watched) -> None:
    officer.sign_in("officer")

    score_one(officer, "B-1")

    page = officer.page
    expect(page.locator(".v-reasons > li").first).to_be_visible()
    assert 1 <= page.locator(".v-reasons > li").count() <= 4
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    expect(page.get_by_text("Amina Otieno")).to_be_visible()


def test_on_a_phone_the_receipt_comes_after_the_chart(browser: Browser, site: Site) -> None:
    watched = Watched(browser, site, viewport={"width": 390, "height": 900})
    watched.sign_in("officer")
    score_one(watched, "B-phone")
    names = ("Why the score is not higher", "How the score came about", "Receipt", "What happened")

    boxes = [watched.page.get_by_role("heading", name=name).bounding_box() for name in names]
    watched.context.close()

    heights = [box["y"] for box in boxes if box]
    assert len(heights) == len(names)
    assert heights == sorted(heights)


def test_a_double_click_is_one_decision(officer: Watched) -> None:
    officer.sign_in("officer")
    page = officer.page
    page.goto(officer.site.url("/decisions/new"))
    fill_form(page, officer.site, "B-2")

    page.get_by_role("button", name="Score and decide").dblclick()
    expect(page.get_by_role("heading", level=1)).to_contain_text("band")

    page.goto(officer.site.url("/decisions?reference=B-2"))
    expect(page.locator(".v-queue tbody > tr")).to_have_count(1)


def test_wrong_answers_are_named_and_kept(officer: Watched) -> None:
    officer.sign_in("officer")
    page = officer.page
    page.goto(officer.site.url("/decisions/new"))
    page.locator("#id_reference").fill("B-3")
    page.locator("#id_input_0").fill("sixty thousand")

    page.get_by_role("button", name="Score and decide").click()

    expect(page.get_by_role("alert")).to_contain_text("need a correction")
    expect(page.locator("#id_input_0")).to_have_value("sixty thousand")
    page.get_by_role("alert").get_by_role("link").first.click()
    check(officer, "form with errors", picture="form-errors")


def test_a_form_of_an_earlier_session_is_not_lost(officer: Watched) -> None:
    officer.sign_in("officer")
    page = officer.page
    page.goto(officer.site.url("/decisions/new"))
    fill_form(page, officer.site, "B-5")
    officer.context.clear_cookies(name="csrf")

    page.get_by_role("button", name="Score and decide").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your session has changed")
    check(officer, "form of an earlier session", picture="outdated")
    page.get_by_role("button", name="Send it again as it was").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Score")
    expect(page.get_by_text("Amina Otieno, B-5")).to_be_visible()


def test_the_list_is_worked_by_keyboard(officer: Watched) -> None:
    officer.sign_in("officer")
    score_one(officer, "B-4")
    page = officer.page
    page.goto(officer.site.url("/decisions"))

    page.keyboard.press("/")
    page.keyboard.type("B-4")
    page.keyboard.press("Enter")
    expect(page).to_have_url(officer.site.url("/decisions?reference=B-4&outcome=&band=&answered_by=&since=&until="))
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text("Score")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_accessible_and_fits(browser: Browser, site: Site, width: int, scheme: Any) -> None:
    watched = Watched(browser, site, viewport={"width": width, "height": 900}, color_scheme=scheme)
    suffix = f"-{width}{'-dark' if scheme == 'dark' else ''}"
    watched.page.goto(site.url("/login"))
    check(watched, "login", picture=f"login{suffix}" if scheme == "light" else "")
    watched.sign_in("officer")
    score_one(watched, f"B-{width}-{scheme}")
    check(watched, "decision", picture=f"decision{suffix}" if scheme == "light" else "")
    for name, path in PAGES.items():
        watched.page.goto(site.url(path))
        shown = name in {"overview", "list", "form", "model", "card"} and scheme == "light"
        check(watched, f"{name} at {width}", picture=f"{name}{suffix}" if shown else "")
    watched.context.close()

    assert watched.faults == []


@pytest.mark.parametrize("width", WIDTHS)
def test_a_key_is_made_rotated_and_ended_by_an_engineer(browser: Browser, site: Site, width: int) -> None:
    watched = Watched(browser, site, viewport={"width": width, "height": 900})
    page = watched.sign_in("developer")
    page.goto(site.url("/developers/keys/new"))
    check(watched, f"key-new at {width}")
    page.get_by_label("What it is for").fill(f"Browser {width}")
    page.get_by_role("button", name="Create it").click()
    secret = page.get_by_label("New key").input_value()
    assert secret.startswith(f"vk_live_{site.house.slug}_")
    check(watched, f"key-made at {width}")
    page.get_by_role("link", name="I have stored it").click()
    called = page.evaluate("key => fetch('/api/v1/products', {headers: {'X-API-Key': key}}).then(answer => answer.status)", secret)
    assert called == 200
    page.get_by_role("button", name="Rotate").click()
    assert page.get_by_label("New key").input_value() != secret
    page.get_by_role("link", name="I have stored it").click()
    page.get_by_text("Revoke it").click()
    check(watched, f"key at {width}")
    page.get_by_role("button", name=f"Revoke Browser {width}").click()
    expect(page.get_by_role("status")).to_contain_text("The key is revoked")
    for path in ("keys?all=1", "requests", "requests?answer=maybe", "requests?q=nobody", "queues", "guide"):
        page.goto(site.url(f"/developers/{path}"))
        check(watched, f"{path} at {width}")
    watched.context.close()

    assert watched.faults == []


def apply(watched: Watched, reference: str) -> None:
    page = watched.page
    page.goto(watched.site.url("/applications/new"))
    page.get_by_label("Amount asked for").first.fill("60 000")
    fill_form(page, watched.site, reference)
    page.get_by_role("button", name="Take the application in").click()
    page.wait_for_url(re.compile(r"/applications/\w{4}-\w{4}$"))


@pytest.fixture
def two_people(site: Site, django_db_blocker: Any) -> None:
    """Every application waits for a person."""

    def change() -> None:
        with tenant_context(site.house.partner):
            change_approval_policy(product_slug=PRODUCT, four_eyes="always", actor=SYSTEM)
        connection.close()

    with django_db_blocker.unblock(), ThreadPoolExecutor(1) as thread:    # a thread of its own: the browser's has an event loop
        thread.submit(change).result()


def test_the_queue_is_worked_by_keyboard(officer: Watched, two_people: None) -> None:
    officer.sign_in("officer")
    for place in range(2):
        apply(officer, f"Q-{place}")
    page = officer.page
    page.goto(officer.site.url("/applications"))
    bulk = page.locator(".v-bulk")
    expect(bulk).to_be_hidden()

    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[name=chosen]:checked")).to_have_count(1)
    expect(bulk).to_be_visible()
    check(officer, "queue with a chosen row", picture="queue-1280")
    page.get_by_label("Who is to have them").select_option(label="You")
    page.get_by_role("button", name="Assign").click()

    expect(page.get_by_role("status")).to_contain_text("1 application is with")
    page.goto(officer.site.url("/applications?q=Q-1"))
    expect(page.locator(".v-queue tbody > tr")).to_have_count(1)
    page.goto(officer.site.url("/applications"))
    page.keyboard.press("t")
    page.wait_for_url(re.compile(r"/applications/\w{4}-\w{4}$"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_queue_fits_a_phone(browser: Browser, site: Site, two_people: None, scheme: Any) -> None:
    watched = Watched(browser, site, viewport={"width": 390, "height": 900}, color_scheme=scheme)
    watched.sign_in("officer")
    apply(watched, f"Q-phone-{scheme}")

    watched.page.goto(site.url("/applications"))

    expect(watched.page.locator(".v-queue tbody > tr").first).to_be_visible()
    check(watched, f"queue on a phone, {scheme}", picture="queue-390" if scheme == "light" else "")
    watched.context.close()
    assert watched.faults == []


@pytest.mark.parametrize("width", WIDTHS)
def test_an_analyst_tries_rules_before_they_are_in_force(browser: Browser, site: Site, width: int) -> None:
    watched = Watched(browser, site, viewport={"width": width, "height": 900})
    page = watched.sign_in("analyst")
    page.goto(site.url("/products/market-loan"))
    page.get_by_role("link", name="Edit the rules").click()
    rule = page.locator("fieldset").last
    rule.get_by_label("Name").fill("short_trade")
    rule.get_by_label("Holds where").select_option("months_trading")
    rule.get_by_label("Compared").select_option("lt")
    rule.get_by_label("With").fill("6")
    rule.get_by_label("Log odds").fill("0.7")

    page.get_by_role("button", name="Put these rules in force").click()
    expect(page.get_by_role("alert")).to_contain_text("Say in a full sentence")
    check(watched, f"rules with errors at {width}", picture=f"rules-errors-{width}")
    rule.get_by_label("Reason, in English").fill("You have traded for less than six months.")
    page.get_by_role("button", name="Try them").last.click()
    page.get_by_label("Months trading").fill("3")
    page.get_by_label("Months trading").press("Enter")

    expect(page.get_by_role("table", name="Answers of the rules")).to_contain_text("You have traded for less than six months.")
    check(watched, f"rules tried at {width}", picture=f"rules-tried-{width}")
    watched.context.close()
    assert watched.faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_an_analyst_tries_a_policy_and_reads_the_approval_rules(browser: Browser, site: Site, width: int, scheme: Any) -> None:
    watched = Watched(browser, site, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = watched.sign_in("analyst")
    score_one(watched, f"B-policy-{width}-{scheme}")
    page.goto(site.url("/products/market-loan"))
    page.get_by_role("link", name="Change the policy").click()
    for label in ("Approve from score", "Decline below score"):
        page.get_by_label(label).fill("851")
    page.get_by_label("Compare groups by").select_option("age")

    page.get_by_role("button", name="Try it").last.click()

    expect(page.get_by_role("heading", name="Who would move")).to_be_visible()
    check(watched, f"policy tried at {width}", picture=f"policy-{width}" if scheme == "light" else "")
    page.goto(site.url("/products/market-loan"))
    page.get_by_role("link", name="Approval rules").click()
    page.get_by_role("button", name="Put these rules in force").last.click()
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    check(watched, f"approval rules at {width}", picture=f"approval-rules-{width}" if scheme == "light" else "")
    watched.context.close()
    assert watched.faults == []


def a_table(site: Site, rows: int, *, bad: int = 0) -> FilePayload:
    """A file as a browser sends it; the first `bad` rows have a word for an amount."""
    names = list(site.house.inputs)
    cells = [str(value).lower() if isinstance(value, bool) else str(value) for value in site.house.inputs.values()]
    lines = [",".join(["Reference", *names, "branch"])]
    for row in range(rows):
        amount = ["KES 48 200" if row < bad and name == "loan_amount" else cell for name, cell in zip(names, cells, strict=True)]
        lines.append(",".join([f"T-{row}", *amount, "east"]))
    return {"name": "traders-november.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}


@pytest.mark.parametrize("width", WIDTHS)
def test_an_officer_brings_a_table_and_takes_the_result(browser: Browser, site: Site, width: int) -> None:
    watched = Watched(browser, site, viewport={"width": width, "height": 900}, accept_downloads=True)
    page = watched.sign_in("officer")

    page.goto(site.url("/batches/new"))
    page.get_by_label("Table").set_input_files(a_table(site, 40, bad=3))
    page.get_by_role("button", name="Upload and match columns").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Which column means what?")
    check(watched, "columns", picture=f"batch-columns-{width}")
    page.get_by_role("button", name="Check every row").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("3 of 40 rows need a correction")
    expect(page.locator("code.v-bad").first).to_have_text("KES 48 200")
    check(watched, "checked", picture=f"batch-check-{width}")
    page.get_by_role("button", name="Score 37 rows").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("37 applicants scored")
    check(watched, "done", picture=f"batch-done-{width}")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download CSV").click()
    assert Path(taken.value.path()).read_text(encoding="utf-8-sig").count("\n") == 38
    page.goto(site.url("/batches"))
    expect(page.get_by_role("link", name="traders-november.csv").first).to_be_visible()
    check(watched, "batches", picture=f"batches-{width}")
    watched.context.close()

    assert watched.faults == []


def test_a_large_table_moves_before_the_eyes_and_survives_a_reload(officer: Watched, django_db_blocker: Any) -> None:
    page = officer.sign_in("officer")
    page.goto(officer.site.url("/batches/new"))
    page.get_by_label("Table").set_input_files(a_table(officer.site, 4_000))
    page.get_by_role("button", name="Upload and match columns").click()
    page.get_by_role("button", name="Check every row").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Checking every row")
    check(officer, "checking", picture="batch-running-1280")

    def work(chunks: int) -> int:
        try:
            with django_db_blocker.unblock(), tenant_context(officer.site.house.partner):
                job = Job.objects.filter(finished_at=None).latest("created_at")
                return sum(work_on(job) for _ in range(chunks))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as worker:    # beside the loop that drives the browser, where Django refuses to ask the database
        assert worker.submit(work, 1).result() == 1
        expect(page.get_by_role("heading", name="1,000 of 4,000 rows")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="1,000 of 4,000 rows")).to_be_visible()
        assert worker.submit(work, 9).result() == 3

    expect(page.get_by_role("heading", level=1)).to_have_text("All 4,000 rows are good")


def test_everything_works_without_a_script(browser: Browser, site: Site) -> None:
    watched = Watched(browser, site, java_script_enabled=False)
    watched.sign_in("officer")

    score_one(watched, "B-no-script")

    watched.page.get_by_role("link", name="Decisions").first.click()
    expect(watched.page.get_by_text("B-no-script")).to_be_visible()
    watched.context.close()


def test_a_viewer_sees_no_names_and_may_not_score(browser: Browser, site: Site) -> None:
    officer = Watched(browser, site)
    officer.sign_in("officer")
    decision = score_one(officer, "B-secret")
    officer.context.close()
    viewer = Watched(browser, site)
    viewer.sign_in("viewer")

    viewer.page.goto(decision)
    expect(viewer.page.get_by_role("heading", level=1)).to_contain_text("Score")
    assert "Amina" not in viewer.page.content()
    assert "B-secret" not in viewer.page.content()
    response = viewer.page.goto(site.url("/decisions/new"))

    assert response is not None
    assert response.status == 403
    expect(viewer.page.get_by_role("heading", level=1)).to_have_text("That is not allowed")
    viewer.context.close()
