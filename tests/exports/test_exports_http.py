"""Exports through HTTP: from the button on a list to the file, by page and by API, and at no other partner."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from audit.models import Event
from partners.accounts.tokens import issue_tokens
from partners.tenancy import tenant_context
from portal.exports.models import Export, Schedule
from portal.exports.services.writing import unattended, write_export
from scoring.models import Channel
from scoring.services.score import score_applicants
from tests.approvals.factories import Browser, add_product
from tests.conftest import House
from tests.scoring.factories import SLUG, an_item, by_key


@pytest.fixture
def house(new_partner: Callable[..., House]) -> Iterator[House]:
    made = new_partner()
    with tenant_context(made.partner):
        add_product()
        score_applicants(product_slug=SLUG, items=[an_item("A-1"), an_item("A-2")], actor=by_key(), channel=Channel.API)
        yield made


def work() -> None:
    """What the workers of the queue do."""
    for export_id in unattended():
        write_export(export_id)


def test_from_the_button_of_a_list_to_its_file(house: House) -> None:
    browser = Browser(house, "officer")
    listed = browser.get("/decisions?outcome=refer&reference=A-2").content.decode()
    address = re.search(r'href="(/exports/new[^"]*)"', listed)[1].replace("&amp;", "&")  # type: ignore[index]

    asked = browser.post(address, {"kind": "xlsx", "every": "once", "with_applicants": "on"})
    waiting = browser.get(asked["Location"])
    work()
    done = browser.get(asked["Location"])
    link = browser.post(f"{asked['Location']}/link")
    file = browser.get(link["Location"])
    content = b"".join(file)

    assert address == "/exports/new?list=decisions&reference=A-2&outcome=refer"
    assert ("data-live" in waiting.content.decode(), "data-live" in done.content.decode()) == (True, False)
    assert "<h1>1 row</h1>" in done.content.decode()
    assert content.startswith(b"PK")
    assert len(content) == int(file["Content-Length"])
    assert file["Content-Disposition"].startswith('attachment; filename="decisions-')
    assert (file["X-Content-Type-Options"], file["Cache-Control"]) == ("nosniff", "no-store")
    again = browser.get(link["Location"])
    assert (again.status_code, "press Download again" in again.content.decode()) == (404, True)
    downloaded = Event.objects.get(action="export.downloaded")
    assert (downloaded.detail["rows"], downloaded.actor_id) == (1, str(house.users["officer"].id))


def test_a_link_is_nothing_to_a_colleague_and_at_another_partner(house: House, new_partner: Callable[..., House]) -> None:
    browser = Browser(house, "officer")
    asked = browser.post("/exports/new?list=models", {"kind": "csv", "every": "once"})
    work()
    link = browser.post(f"{asked['Location']}/link")["Location"]
    with tenant_context("public"):
        other = new_partner()

    with tenant_context(other.partner):
        assert Browser(other, "officer").get(link).status_code == 404
    with tenant_context(house.partner):
        assert Browser(house, "admin").get(link).status_code == 404
        assert b"".join(browser.get(link)).startswith(b"\xef\xbb\xbfproduct,")


def test_an_export_that_comes_again_is_listed_and_stopped(house: House) -> None:
    browser = Browser(house, "officer")
    browser.post("/exports/new?list=applications&tab=all", {"kind": "csv", "every": "week"})
    (made,) = Schedule.objects.all()

    assert "Every Monday" in browser.get("/exports").content.decode()
    assert browser.post(f"/exports/schedules/{made.id}/stop")["Location"] == "/exports"
    assert "Every Monday" not in browser.get("/exports").content.decode()


@pytest.mark.parametrize(("address", "form", "status", "said"), [
    ("/exports/new?list=decisions&band=Z", {"kind": "csv", "every": "once"}, 422, "There is no such band"),
    ("/exports/new?list=decisions", {"kind": "xls", "every": "once"}, 422, "xls is not one of the available choices"),
    ("/exports/new?list=decisions", {"kind": "csv", "every": "hour"}, 422, "hour is not one of the available choices"),
    ("/exports/new?list=nothing", {"kind": "csv", "every": "once"}, 404, ""),
    ("/exports/new?list=events", {"kind": "csv", "every": "once"}, 403, ""),
])  # fmt: skip
def test_what_cannot_be_exported_is_said_on_the_page(house: House, address: str, form: Any, status: int, said: str) -> None:
    answer = Browser(house, "officer").post(address, form)

    assert answer.status_code == status
    assert said in answer.content.decode()
    assert not Export.objects.exists()


class Program:
    """A program at the house's API; the test's own schema is in force again after each request."""

    def __init__(self, house: House, client: Client | None = None) -> None:
        self.house, self.client = house, client or house.api()

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        raw = b"" if body is None else json.dumps(body).encode()
        with tenant_context("public"):
            return self.client.generic(method, path, raw, content_type="application/json", headers=headers)


def test_the_same_by_api(house: House) -> None:
    program = Program(house)
    body = {"list": "decisions", "format": "json", "filters": {"reference": "A-1"}, "with_applicants": True}

    asked = program("POST", "/api/v1/exports", body, **{"Idempotency-Key": "e-1"})
    repeated = program("POST", "/api/v1/exports", body, **{"Idempotency-Key": "e-1"})
    early = program("POST", f"/api/v1/exports/{asked.json()['id']}/link")
    work()
    done = program("GET", f"/api/v1/exports/{asked.json()['id']}").json()
    link = program("POST", f"/api/v1/exports/{done['id']}/link")
    file = program("GET", link.json()["url"])
    content = b"".join(file)

    assert (asked.status_code, asked.json()["state"], repeated.content) == (202, "queued", asked.content)
    assert (early.status_code, early.json()["code"]) == (409, "export_not_ready")
    assert (done["state"], done["rows"], done["size_bytes"]) == ("done", 1, len(content))
    assert [one["reference"] for one in json.loads(content)["data"]] == ["A-1"]
    assert (link.status_code, file["Content-Disposition"].split(";")[0], file["X-Content-Type-Options"]) == (201, "attachment", "nosniff")
    assert program("GET", link.json()["url"]).json()["code"] == "link_spent"
    assert [one["id"] for one in program("GET", "/api/v1/exports").json()["data"]] == [done["id"]]


def test_pages_of_the_list_follow_one_another(house: House) -> None:
    program = Program(house)
    made = [program("POST", "/api/v1/exports", {"list": "models", "format": "csv"}).json()["id"] for _ in range(3)]

    first = program("GET", "/api/v1/exports?limit=2").json()
    second = program("GET", f"/api/v1/exports?limit=2&cursor={first['next_cursor']}").json()

    assert [one["id"] for one in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)


def test_a_link_of_the_api_is_nothing_to_another_credential(house: House) -> None:
    program = Program(house)
    asked = program("POST", "/api/v1/exports", {"list": "models", "format": "csv"}).json()
    work()
    url = program("POST", f"/api/v1/exports/{asked['id']}/link").json()["url"]
    token = issue_tokens(house.users["admin"]).access
    person = Program(house, Client(HTTP_HOST=house.host, HTTP_AUTHORIZATION=f"Bearer {token}"))

    assert person("GET", url).status_code == 404
    assert person("GET", f"/api/v1/exports/{asked['id']}").status_code == 404
    assert person("GET", "/api/v1/exports").json()["data"] == []
    assert b"".join(program("GET", url)).startswith(b"\xef\xbb\xbfproduct,")


@pytest.mark.parametrize(("body", "status", "code", "pointers"), [
    ({"list": "nothing", "format": "csv"}, 404, "list_unknown", []),
    ({"list": "events", "format": "csv"}, 403, "list_not_yours", []),
    ({"list": "decisions", "format": "xls"}, 422, "invalid_request", ["/format"]),
    ({"list": "decisions", "format": "csv", "filters": {"colour": "red"}}, 422, "invalid_request", ["/filters"]),
    ({"list": "models", "format": "csv", "with_applicants": True}, 422, "invalid_request", ["/with_applicants"]),
    ({"list": "decisions", "format": "csv", "filters": {"band": "Z"}}, 400, "filter_refused", []),
    ({"list": "decisions", "format": "csv", "filters": {"band": 1}}, 422, "invalid_request", ["/filters"]),
    ({"list": "decisions", "format": "csv", "filters": {"since": "\u0000"}}, 422, "invalid_request", ["/filters/since"]),
])  # fmt: skip
def test_what_cannot_be_exported_is_told_to_programs(house: House, body: Any, status: int, code: str, pointers: list[str]) -> None:
    answer = Program(house)("POST", "/api/v1/exports", body)

    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code)
    assert [one["pointer"] for one in told.get("errors", [])] == pointers


def test_a_link_in_an_address_is_written_into_no_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    browser = Browser(house, "officer")
    asked = browser.post("/exports/new?list=models", {"kind": "csv", "every": "once"})
    work()
    link = browser.post(f"{asked['Location']}/link")["Location"]

    assert b"".join(browser.get(link))
    browser.get(link)

    assert urlsplit(link).query.partition("=")[2] not in caplog.text
