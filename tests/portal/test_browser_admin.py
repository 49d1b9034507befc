"""The admin in a real browser: the policy refuses nothing of it, axe finds nothing, and it fits a phone."""

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import Site
from tests.portal.test_browser import CHROMIUM, Watched, browser, check, score_one, watched

__all__ = ["browser", "watched"]    # the fixtures
LISTS = ("audit/event", "audit/retentionpolicy", "scoring/decision", "accounts/user", "accounts/apikey")    # of each shape one
BROUGHT = (
    "record_class,trigger,period,unit,citation,action\r\n"
    "applicant,notice,31,months,A law,erase\r\nfile,notice,1,years,Another law,delete\r\n"
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
]


def test_every_page_of_the_admin_is_accessible_and_fits(watched: Watched, site: Site) -> None:
    watched.sign_in("admin")
    score_one(watched, "B-admin")
    page = watched.page

    page.goto(site.url("/admin/"))
    check(watched, "index", picture="admin-index")
    for name in LISTS:
        page.goto(site.url(f"/admin/{name}/"))
        check(watched, name, picture=f"admin-{name.replace('/', '-')}")
        row = page.locator("#result_list tbody th a").first
        if row.count():
            row.click()
            check(watched, f"a row of {name}", picture=f"admin-{name.replace('/', '-')}-row")
    page.goto(site.url("/admin/audit/retentionpolicy/import/"))
    page.get_by_label("A table, .csv or .xlsx").set_input_files({"name": "rules.csv", "mimeType": "text/csv", "buffer": BROUGHT.encode()})
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("0 refused")).to_be_visible()
    check(watched, "what a file would change", picture="admin-preview")
    revoke = page.get_by_role("link", name="Revoke this key")
    for number in range(20):    # other tests have revoked keys of this house
        if revoke.count():
            break
        page.goto(site.url("/admin/accounts/apikey/"))
        page.locator("#result_list tbody th a").nth(number).click()
    revoke.click()
    check(watched, "revoking", picture="admin-revoke")


def test_the_admin_works_without_a_script(browser: Browser, site: Site) -> None:
    watched = Watched(browser, site, java_script_enabled=False)
    page = watched.sign_in("compliance")
    page.goto(site.url("/admin/"))

    page.get_by_role("link", name="Events", exact=True).click()
    page.get_by_label("Find").fill("user.logged_in")
    page.get_by_role("button", name="Search").click()
    page.locator("#result_list tbody th a").first.click()

    expect(page.get_by_role("status")).to_contain_text("still give the hash")
    watched.context.close()
