"""Reference tables as files in the admin: what goes out runs nowhere and comes back as it was; what comes in goes through the services."""

import csv
import io
import re
from datetime import date
from decimal import Decimal
from typing import Any
from unittest.mock import ANY

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from openpyxl import load_workbook  # type: ignore[import-untyped]

from audit.actions import Action
from audit.context import Actor
from audit.holds import place_hold
from audit.models import Event, Hold, RetentionPolicy
from audit.retention.services import change_policy
from partners.accounts.models import User
from partners.models import ExchangeRate
from partners.selectors import exchange_rate
from partners.tenancy import public_context, tenant_context
from portal.reference import files
from scoring.models import Product
from tests.conftest import PRODUCT, House, of_operator
from tests.portal.test_admin import operator, record_of
from tests.portal.test_pages import score

__all__ = ["operator"]
RULES, HOLDS, TEXTS, RATES = "audit/retentionpolicy", "audit/hold", "scoring/product", "partners/exchangerate"
LEADS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3+cmd", "@SUM(1+1)", "\t=1+1", "\r=1+1")
HEADER = "record_class,trigger,period,unit,citation,action\r\n"
BY = Actor(kind="user", id="019aa000-0000-7000-8000-000000000000", label="Ada", role="admin")


def away(client: Client, table: str, kind: str) -> bytes:
    answer = client.get(f"/admin/{table}/export/?format={kind}")
    assert answer.status_code == 200
    return answer.content


def bring(client: Client, table: str, content: bytes | str, name: str = "table.csv") -> Any:
    """What the admin answers when the file is shown to it."""
    body = content if isinstance(content, bytes) else content.encode()
    return client.post(f"/admin/{table}/import/", {"table": SimpleUploadedFile(name, body)})


def form_of(answer: Any) -> str:
    found = re.search(r'name="shown" value="([^"]+)"', answer.content.decode())
    assert found is not None, answer.content.decode()
    return found[1]


def problems_of(answer: Any) -> list[str]:
    """Why rows, or the file, are refused."""
    return re.findall(r"(?:<small>|role=\"alert\">)(.*?)</(?:small|p)>", answer.content.decode())


def take_in(client: Client, table: str, content: bytes | str) -> Any:
    """Shown, and then taken in."""
    shown = bring(client, table, content)
    assert shown.status_code == 200, shown.content.decode()
    return client.post(f"/admin/{table}/import/", {"shown": form_of(shown)})


def cells_of(content: bytes, kind: str) -> list[list[Any]]:
    if kind == "csv":
        return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    return [[cell.value for cell in row] for row in load_workbook(io.BytesIO(content)).active.rows]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_what_goes_out_runs_nowhere_and_comes_back_as_it_was(north: House, kind: str) -> None:
    with tenant_context(north.partner):
        change_policy(record_class="applicant", trigger="application", period=7, unit="years", citation="x", actor=BY)
        rules = list(RetentionPolicy.objects.order_by("record_class", "trigger"))[:6]
        for lead, rule in zip(LEADS, rules, strict=False):
            RetentionPolicy.objects.filter(id=rule.id).update(citation=lead)
        assert len(rules) == len(LEADS)
    client = north.client("compliance")

    content = away(client, RULES, kind)

    cells = cells_of(content, kind)
    assert [row[4] for row in cells[1:7]] == [f"'{lead}" for lead in LEADS]
    assert {type(row[2]) for row in cells[1:]} == ({int} if kind == "xlsx" else {str})
    assert all(str(row[2]).isdigit() for row in cells[1:])
    answer = bring(client, RULES, content, f"back.{kind}")
    assert "Nothing would change." in answer.content.decode()
    assert f"{len(cells) - 1} as they are" in answer.content.decode()
    with tenant_context(north.partner):
        assert Event.objects.get(action=Action.REFERENCE_EXPORTED).object_id == "retention-rules"


def test_rules_are_shown_first_and_then_taken_in_by_the_service(north: House) -> None:
    client = north.client("compliance")
    with tenant_context(north.partner):
        change_policy(record_class="applicant", trigger="notice", period=5, unit="years", citation="Act 1", actor=BY)
        before = record_of(north)
    content = HEADER + "applicant,notice,6,years,Act 1,erase\r\nannouncement,made,25,months,Act 2,delete\r\n"

    shown = bring(client, RULES, content)

    page = shown.content.decode()
    assert "1 new, 1 changed" in page or "0 new, 2 changed" in page
    assert "<del>5</del> <ins>6</ins>" in page
    assert record_of(north) == before
    assert client.post(f"/admin/{RULES}/import/", {"shown": form_of(shown)})["Location"] == f"/admin/{RULES}/"
    with tenant_context(north.partner):
        rule = RetentionPolicy.objects.get(record_class="applicant", trigger="notice")
        assert (rule.period, rule.changed_by) == (6, north.users["compliance"].name)
        changed = Event.objects.filter(action=Action.RETENTION_POLICY_CHANGED, actor_id=str(north.users["compliance"].id))
        assert changed.count() == 2
        assert Event.objects.get(action=Action.REFERENCE_IMPORTED).detail == {"rows": 2, "new": ANY, "changed": ANY, "sha256": ANY}


def test_one_refused_row_keeps_the_whole_file_out(north: House) -> None:
    client = north.client("compliance")
    before = record_of(north)

    rows = "applicant,notice,6,years,Act,erase\r\napplicant,notice,many,years,Act,erase\r\nnothing,notice,1,years,Act,erase\r\n"
    answer = bring(client, RULES, HEADER + rows)

    page = answer.content.decode()
    assert answer.status_code == 422
    assert "2 refused" in page
    assert "period: Give a whole number." in page
    assert "record_class: Choose one of these:" in page
    assert 'name="shown"' not in page
    assert record_of(north) == before


def test_what_changed_meanwhile_is_shown_again_and_not_taken_in(north: House) -> None:
    client, content = north.client("compliance"), HEADER + "applicant,notice,6,years,Act 1,erase\r\n"
    form = form_of(bring(client, RULES, content))
    with tenant_context(north.partner):
        change_policy(record_class="applicant", trigger="notice", period=9, unit="years", citation="Act 1", actor=BY)

    answer = client.post(f"/admin/{RULES}/import/", {"shown": form})

    assert "Something was changed since you looked" in answer.content.decode()
    with tenant_context(north.partner):
        assert RetentionPolicy.objects.get(record_class="applicant", trigger="notice").period == 9


def test_what_somebody_saw_is_theirs_and_of_that_table(north: House, south: House) -> None:
    form = form_of(bring(north.client("compliance"), RULES, HEADER + "applicant,notice,6,years,Act 1,erase\r\n"))
    for house, role, table in ((north, "admin", RULES), (south, "compliance", RULES), (north, "compliance", HOLDS)):
        client = house.client(role)
        before = record_of(house)

        answer = client.post(f"/admin/{table}/import/", {"shown": form})

        assert answer.status_code == 422
        assert "too old or not yours" in answer.content.decode()
        assert record_of(house) == before


def test_a_file_places_holds_and_changes_none(north: House) -> None:
    client, decision = north.client("compliance"), score(north, "REF-1")[0]
    with tenant_context(north.partner):
        hold = place_hold(kind="decision", object_id=decision, reason="=A case", until=date(2099, 1, 31), actor=BY)
    content = away(client, HOLDS, "csv").decode("utf-8-sig")
    assert "'=A case" in content

    assert "refused" in bring(client, HOLDS, content.replace("2099-01-31", "2099-01-30")).content.decode()
    assert bring(client, HOLDS, content.replace("2099-01-31", "2099-01-30")).status_code == 422
    assert bring(client, HOLDS, content + f"{hold.id.hex},decision,{decision},So,,\r\n").status_code == 422
    assert bring(client, HOLDS, content + ",decision,019aa000-0000-7000-8000-000000000000,So,,\r\n").status_code == 422
    assert take_in(client, HOLDS, content + f",decision,{decision},Another case,,\r\n").status_code == 302

    with tenant_context(north.partner):
        assert {(one.reason, one.lifted_at) for one in Hold.objects.all()} == {("=A case", None), ("Another case", None)}
        assert Event.objects.filter(action=Action.HOLD_PLACED).count() == 2


def test_reason_texts_become_the_products_in_one_revision(north: House) -> None:
    with tenant_context(north.partner):
        product = Product.objects.get(slug=PRODUCT)
        feature = re.sub(r"[^a-z0-9]+", "_", product.definition["features"][0]["name"].lower()).strip("_")
    client, header = north.client("analyst"), "product,of,code,en,fr\r\n"

    refused = {
        f"{feature}.high,Your score is too low.,": "tells the applicant nothing", "shoes.high,You have many shoes.,": "has such a code",
        f"{feature}.high,You have {{what}} of it.,": "leaves {what} open",
    }  # fmt: skip
    for wrong, why in refused.items():
        answer = bring(client, TEXTS, f"{header}{PRODUCT},reason,{wrong}\r\n")
        assert answer.status_code == 422
        assert any(why in problem for problem in problems_of(answer)), problems_of(answer)
    content = header + f"{PRODUCT},reason,{feature}.high,You have {{value}} of it.,Vous en avez {{value}}.\r\n"
    content += f"{PRODUCT},reason,{feature}.low,You have too little of it.,\r\n"
    assert take_in(client, TEXTS, content).status_code == 302

    with tenant_context(north.partner):
        after = Product.objects.get(slug=PRODUCT)
        assert after.revision == product.revision + 1
        assert after.definition["texts"][f"{feature}.high"] == {"en": "You have {value} of it.", "fr": "Vous en avez {value}."}
        assert after.definition["texts"][f"{feature}.low"] == {"en": "You have too little of it."}
        assert Event.objects.filter(action=Action.PRODUCT_CHANGED, actor_id=str(north.users["analyst"].id)).count() == 1
    assert "Nothing would change." in bring(client, TEXTS, away(client, TEXTS, "xlsx"), "back.xlsx").content.decode()


def test_operators_set_exchange_rates_and_partners_do_not(operator: User, north: House) -> None:
    client, header = of_operator(operator), "base,quote,valid_from,rate,source\r\n"

    answer = bring(client, RATES, header + "KES,EUR,2026-11-01,-1,ECB\r\nKES,KES,2026-11-01,1,ECB\r\nKES,ZZZ,soon,x,\r\n")
    assert "3 refused" in answer.content.decode()
    assert take_in(client, RATES, header + "KES,EUR,2026-11-01,0.0066,ECB\r\nKES,EUR,2026-11-21,0.00671234,ECB\r\n").status_code == 302

    assert exchange_rate("KES", "EUR", date(2026, 11, 20)) == Decimal("0.0066")
    assert exchange_rate("KES", "EUR", date(2026, 11, 21)) == Decimal("0.00671234")
    assert exchange_rate("KES", "EUR", date(2026, 10, 31)) is None
    for kind in ("csv", "xlsx"):
        assert "Nothing would change." in bring(client, RATES, away(client, RATES, kind), f"back.{kind}").content.decode()
    sheet = cells_of(away(client, RATES, "xlsx"), "xlsx")
    assert sheet[1] == ["KES", "EUR", "2026-11-01", 0.0066, "ECB"]
    with public_context():
        assert Event.objects.filter(action=Action.EXCHANGE_RATE_SET, actor_id=str(operator.id), actor_kind="operator").count() == 2
        assert ExchangeRate.objects.get(valid_from=date(2026, 11, 1)).set_by == operator.name
    assert north.client("admin").get(f"/admin/{RATES}/").status_code == 404


@pytest.mark.parametrize(("table", "role", "status"), [
    (RULES, "analyst", 403), (HOLDS, "analyst", 403), (TEXTS, "compliance", 403), (RULES, "compliance", 200), (TEXTS, "analyst", 200),
])  # fmt: skip
def test_who_may_bring_what(north: House, table: str, role: str, status: int) -> None:
    client = north.client(role)
    assert client.get(f"/admin/{table}/import/").status_code == status
    assert ("Bring a file" in client.get(f"/admin/{table}/").content.decode()) == (status == 200)
    if status == 403:
        assert bring(client, table, "x").status_code == 403
    assert client.get(f"/admin/{table}/export/?format=json").status_code == 400


@pytest.mark.parametrize(("name", "content", "why"), [
    ("table.csv", HEADER + "applicant,notice,6,years,=1+1,erase\r\n", "spreadsheet formula"),
    ("table.csv", "record_class,trigger\r\ndecision,notice\r\n", "misses the columns"),
    ("table.csv", "record_class,trigger,period,unit,citation,action,id\r\na,b,c,d,e,f,g\r\n", "no such column"),
    ("table.csv", HEADER, "no rows"),
    ("table.csv", HEADER + "applicant,notice,6,years,Act,erase\r\n" * (files.MOST_ROWS + 1), "bring it in parts"),
    ("table.csv", HEADER + "x" * files.LARGEST, "larger than 256 KiB"),
    ("table.xlsx", "PK but no workbook", "no .xlsx workbook"),
    ("table.xlsm", "x", "macros"),
    ("table.exe", "x", "neither .csv nor .xlsx"),
])  # fmt: skip
def test_a_file_that_is_no_table_of_ours_is_refused_with_what_to_do(north: House, name: str, content: str, why: str) -> None:
    answer = bring(north.client("compliance"), RULES, content, name)

    assert answer.status_code == 422
    assert why in answer.content.decode()
    assert north.client("compliance").post(f"/admin/{RULES}/import/").status_code == 422


def test_a_form_from_elsewhere_brings_nothing(north: House) -> None:
    client = north.client("compliance")
    strict = Client(HTTP_HOST=north.host, enforce_csrf_checks=True)
    strict.cookies = client.cookies

    assert bring(strict, RULES, HEADER + "applicant,notice,6,years,Act,erase\r\n").status_code == 403
    assert connection.schema_name == "public"  # type: ignore[attr-defined]
