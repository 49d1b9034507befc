"""The pages in a real browser: a person's way through them, and what must hold on every one."""

import os
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
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
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SCHEMES: dict[Any, list[str]] = {"light": RULES, "dark": ["color-contrast"]}
AXE = "only => axe.run(document, {runOnly: only, resultTypes: ['violations'], preload: false})"
STILL = "Promise.all(document.getAnimations().map(one => one.finished)).then(() => document.documentElement.scrollWidth <= innerWidth)"
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
def watched(browser: Browser, site: Site) -> Iterator[Watched]:
    watched = Watched(browser, site, viewport={"width": 1280, "height": 900}, accept_downloads=True)
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
    """The page is accessible and fits a desk and a phone, in the light and in the dark; afterwards it is as it was.

    The dark has other colours and nothing else: there axe looks at contrasts only."""
    page = watched.page
    before = page.viewport_size
    assert before is not None
    page.evaluate(AXE_SCRIPT)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme, rules in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(STILL), f"{name} is wider than {width} pixels"
            found = AxeResults(page.evaluate(AXE, rules))
            assert found.violations_count == 0, f"{name} at {width}, {scheme}: {found.generate_report()}"
            if PICTURES and picture and scheme == "light":
                page.screenshot(path=str(Path(PICTURES) / f"{picture}-{width}.png"), full_page=True)
    page.set_viewport_size(before)
    page.emulate_media(color_scheme="light")


def test_an_officer_scores_an_applicant_and_reads_why(watched: Watched) -> None:
    watched.sign_in("officer")

    score_one(watched, "B-1")

    page = watched.page
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


def test_a_double_click_is_one_decision(watched: Watched) -> None:
    watched.sign_in("officer")
    page = watched.page
    page.goto(watched.site.url("/decisions/new"))
    fill_form(page, watched.site, "B-2")

    page.get_by_role("button", name="Score and decide").dblclick()
    expect(page.get_by_role("heading", level=1)).to_contain_text("band")

    page.goto(watched.site.url("/decisions?reference=B-2"))
    expect(page.locator(".v-queue tbody > tr")).to_have_count(1)


def test_wrong_answers_are_named_and_kept(watched: Watched) -> None:
    watched.sign_in("officer")
    page = watched.page
    page.goto(watched.site.url("/decisions/new"))
    page.locator("#id_reference").fill("B-3")
    page.locator("#id_input_0").fill("sixty thousand")

    page.get_by_role("button", name="Score and decide").click()

    expect(page.get_by_role("alert")).to_contain_text("need a correction")
    expect(page.locator("#id_input_0")).to_have_value("sixty thousand")
    page.get_by_role("alert").get_by_role("link").first.click()
    check(watched, "form with errors", picture="form-errors")


def test_a_form_of_an_earlier_session_is_not_lost(watched: Watched) -> None:
    watched.sign_in("officer")
    page = watched.page
    page.goto(watched.site.url("/decisions/new"))
    fill_form(page, watched.site, "B-5")
    watched.context.clear_cookies(name="csrf")

    page.get_by_role("button", name="Score and decide").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Your session has changed")
    check(watched, "form of an earlier session", picture="outdated")
    page.get_by_role("button", name="Send it again as it was").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Score")
    expect(page.get_by_text("Amina Otieno, B-5")).to_be_visible()


def test_the_list_is_worked_by_keyboard(watched: Watched) -> None:
    watched.sign_in("officer")
    score_one(watched, "B-4")
    page = watched.page
    page.goto(watched.site.url("/decisions"))

    page.keyboard.press("/")
    page.keyboard.type("B-4")
    page.keyboard.press("Enter")
    expect(page).to_have_url(watched.site.url("/decisions?reference=B-4&outcome=&band=&answered_by=&since=&until="))
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text("Score")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Keys")).to_be_visible()


def test_every_page_is_accessible_and_fits(watched: Watched) -> None:
    watched.page.goto(watched.site.url("/login"))
    check(watched, "login", picture="login")
    watched.sign_in("officer")
    score_one(watched, "B-every-page")
    check(watched, "decision", picture="decision")
    for name, path in PAGES.items():
        watched.page.goto(watched.site.url(path))
        check(watched, name, picture=name if name in {"overview", "list", "form", "model", "card"} else "")


def test_a_key_is_made_rotated_and_ended_by_an_engineer(watched: Watched, site: Site) -> None:
    page = watched.sign_in("developer")
    page.goto(site.url("/developers/keys/new"))
    check(watched, "key-new")
    page.get_by_label("What it is for").fill("Browser")
    page.get_by_role("button", name="Create it").click()
    secret = page.get_by_label("New key").input_value()
    assert secret.startswith(f"vk_live_{site.house.slug}_")
    check(watched, "key-made")
    page.get_by_role("link", name="I have stored it").click()
    called = page.evaluate("key => fetch('/api/v1/products', {headers: {'X-API-Key': key}}).then(answer => answer.status)", secret)
    assert called == 200
    page.get_by_role("button", name="Rotate").click()
    assert page.get_by_label("New key").input_value() != secret
    page.get_by_role("link", name="I have stored it").click()
    page.get_by_text("Revoke it").click()
    check(watched, "key")
    page.get_by_role("button", name="Revoke Browser").click()
    expect(page.get_by_role("status")).to_contain_text("The key is revoked")
    for path in ("keys?all=1", "requests", "requests?answer=maybe", "requests?q=nobody", "queues"):
        page.goto(site.url(f"/developers/{path}"))
        check(watched, path)


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


def test_the_queue_is_worked_by_keyboard(watched: Watched, two_people: None) -> None:
    watched.sign_in("officer")
    for place in range(2):
        apply(watched, f"Q-{place}")
    page = watched.page
    page.goto(watched.site.url("/applications"))
    bulk = page.locator(".v-bulk")
    expect(bulk).to_be_hidden()

    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[name=chosen]:checked")).to_have_count(1)
    expect(bulk).to_be_visible()
    check(watched, "queue with a chosen row", picture="queue")
    page.get_by_label("Who is to have them").select_option(label="You")
    page.get_by_role("button", name="Assign").click()

    expect(page.get_by_role("status")).to_contain_text("1 application is with")
    page.goto(watched.site.url("/applications?q=Q-1"))
    expect(page.locator(".v-queue tbody > tr")).to_have_count(1)
    page.goto(watched.site.url("/applications"))
    page.keyboard.press("t")
    page.wait_for_url(re.compile(r"/applications/\w{4}-\w{4}$"))


def test_an_application_is_taken_in_on_a_phone(watched: Watched, two_people: None) -> None:
    watched.page.set_viewport_size({"width": 390, "height": 900})
    watched.sign_in("officer")
    apply(watched, "Q-phone")

    watched.page.goto(watched.site.url("/applications"))

    expect(watched.page.locator(".v-queue tbody > tr").first).to_be_visible()


def test_an_analyst_tries_rules_before_they_are_in_force(watched: Watched, site: Site) -> None:
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
    check(watched, "rules with errors", picture="rules-errors")
    rule.get_by_label("Reason, in English").fill("You have traded for less than six months.")
    page.get_by_role("button", name="Try them").last.click()
    page.get_by_label("Months trading").fill("3")
    page.get_by_label("Months trading").press("Enter")

    expect(page.get_by_role("table", name="Answers of the rules")).to_contain_text("You have traded for less than six months.")
    check(watched, "rules tried", picture="rules-tried")


def test_an_analyst_tries_a_policy_and_reads_the_approval_rules(watched: Watched, site: Site) -> None:
    page = watched.sign_in("analyst")
    score_one(watched, "B-policy")
    page.goto(site.url("/products/market-loan"))
    page.get_by_role("link", name="Change the policy").click()
    for label in ("Approve from score", "Decline below score"):
        page.get_by_label(label).fill("851")
    page.get_by_label("Compare groups by").select_option("age")

    page.get_by_role("button", name="Try it").last.click()

    expect(page.get_by_role("heading", name="Who would move")).to_be_visible()
    check(watched, "policy tried", picture="policy")
    page.goto(site.url("/products/market-loan"))
    page.get_by_role("link", name="Approval rules").click()
    page.get_by_role("button", name="Put these rules in force").last.click()
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    check(watched, "approval rules", picture="approval-rules")


def a_table(site: Site, rows: int, *, bad: int = 0) -> FilePayload:
    """A file as a browser sends it; the first `bad` rows have a word for an amount."""
    names = list(site.house.inputs)
    cells = [str(value).lower() if isinstance(value, bool) else str(value) for value in site.house.inputs.values()]
    lines = [",".join(["Reference", *names, "branch"])]
    for row in range(rows):
        amount = ["KES 48 200" if row < bad and name == "loan_amount" else cell for name, cell in zip(names, cells, strict=True)]
        lines.append(",".join([f"T-{row}", *amount, "east"]))
    return {"name": "traders-november.csv", "mimeType": "text/csv", "buffer": "\n".join(lines).encode()}


def test_an_officer_brings_a_table_and_takes_the_result(watched: Watched, site: Site) -> None:
    page = watched.sign_in("officer")

    page.goto(site.url("/batches/new"))
    page.get_by_label("Table").set_input_files(a_table(site, 40, bad=3))
    page.get_by_role("button", name="Upload and match columns").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Which column means what?")
    check(watched, "columns", picture="batch-columns")
    page.get_by_role("button", name="Check every row").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("3 of 40 rows need a correction")
    expect(page.locator("code.v-bad").first).to_have_text("KES 48 200")
    check(watched, "checked", picture="batch-check")
    page.get_by_role("button", name="Score 37 rows").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("37 applicants scored")
    check(watched, "done", picture="batch-done")
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download CSV").click()
    assert Path(taken.value.path()).read_text(encoding="utf-8-sig").count("\n") == 38
    page.goto(site.url("/batches"))
    expect(page.get_by_role("link", name="traders-november.csv").first).to_be_visible()
    check(watched, "batches", picture="batches")


def test_a_large_table_moves_before_the_eyes_and_survives_a_reload(watched: Watched, django_db_blocker: Any) -> None:
    page = watched.sign_in("officer")
    page.goto(watched.site.url("/batches/new"))
    page.get_by_label("Table").set_input_files(a_table(watched.site, 4_000))
    page.get_by_role("button", name="Upload and match columns").click()
    page.get_by_role("button", name="Check every row").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Checking every row")
    check(watched, "checking", picture="batch-running")

    def work(chunks: int) -> int:
        try:
            with django_db_blocker.unblock(), tenant_context(watched.site.house.partner):
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


def test_a_viewer_sees_no_names_and_may_not_score(watched: Watched, browser: Browser, site: Site) -> None:
    watched.sign_in("officer")
    decision = score_one(watched, "B-secret")
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
