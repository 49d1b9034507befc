"""Calls of the API are written down and counted: whole, found again, without anything personal, and never in the way."""

import json
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory

from audit import vault
from audit.context import SYSTEM, Actor
from audit.ids import first_id_at, id_at, uuid7
from partners.accounts import calls, request_log
from partners.accounts.models import ApiKey, ApiRequest, Usage
from partners.accounts.request_log import MOST_UNASKED, Noted, forget_requests, write_noted
from partners.accounts.services import create_api_key
from partners.accounts.tokens import issue_tokens
from partners.tenancy import as_owner, tenant_context
from tests.conftest import House, Site
from tests.waiting import until

FIRST_NAMES = ("Amina", "Brian", "Chipo", "Diallo", "Esther", "Fatou", "Grace", "Hamza", "Imani", "Juma")
LAST_NAMES = ("Otieno", "Njeri", "Mwangi", "Banda", "Traore")


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    """What other tests asked is not written by these."""
    request_log._noted.clear()
    yield
    request_log._noted.clear()
    request_log._waiting.clear()


def written(house: House, **wanted: Any) -> list[ApiRequest]:
    """The house's calls of this kind, newest first."""
    write_noted()
    with tenant_context(house.partner):
        return list(calls.api_requests(calls.RequestFilters(**wanted), limit=1000).rows)


SOMEBODY = Actor(kind="api_key", id=str(uuid7()))


def noted(house: House, *, status: int = 200, actor: Actor | None = SOMEBODY, at: datetime | None = None, request_id: str = "") -> Noted:
    nanoseconds = time.time_ns() if at is None else int(at.timestamp()) * 1_000_000_000
    return Noted(house.schema, nanoseconds, request_id or str(uuid7()), actor, "GET", "api/v1/scores", status, "", False, 0.002)


def key_actor(house: House) -> Actor:
    with tenant_context(house.partner):
        return Actor(kind="api_key", id=str(ApiKey.objects.earliest("created_at").id))


def test_a_call_is_found_by_its_request_id_with_what_became_of_it(north: House) -> None:
    answer = north.api().get(f"/api/v1/scores/{uuid7()}")
    north.api().get("/api/v1/scores")

    (row,) = written(north, request_id=answer["X-Request-ID"])

    assert (row.method, row.route, row.status, row.code) == ("GET", "/api/v1/scores/{score_id}", 404, answer.json()["code"])
    assert (row.request_id, row.credential_kind) == (answer["X-Request-ID"], "api_key")
    assert str(row.credential_id) == key_actor(north).id
    assert 0 < row.microseconds < 5_000_000
    assert abs(row.at - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.timeout(20)
def test_the_first_call_of_a_process_is_written_before_it_knows_the_partners_keys(north: House) -> None:
    vault._rings.pop(north.schema, None)    # a worker that refused a call before it scored any: it hung for good
    request_log._noted.append(noted(north, actor=None, status=401, request_id=str(uuid7())))

    assert [one.status for one in written(north)][:1] == [401]


def test_every_call_is_counted_by_day_key_and_route(north: House) -> None:
    with tenant_context(north.partner):
        made = create_api_key(name="counted", actor=SYSTEM)
        token = issue_tokens(north.users["admin"]).access
    program, person = north.api(made.secret), Client(HTTP_HOST=north.host, HTTP_AUTHORIZATION=f"Bearer {token}")
    for _ in range(3):
        program.get("/api/v1/scores")
    program.get(f"/api/v1/scores/{uuid7()}")
    program.get("/api/v1/users")
    north.client().get("/api/v1/scores")
    north.client("admin").get("/decisions")    # a page is no call
    write_noted()
    program.get("/api/v1/scores")
    person.get("/api/v1/scores")
    write_noted()

    stats = person.get("/api/v1/api-keys/stats").json()

    one = next(one for one in stats["data"] if one["id"] == str(made.key.id))
    today = datetime.now(UTC).date().isoformat()
    assert [one[name] for name in ("name", "state", "calls", "refused", "failed")] == ["counted", "active", 6, 2, 0]
    assert [(day["day"], day["calls"]) for day in one["by_day"]] == [(today, 6)]
    assert [(line["method"], line["route"], line["calls"], line["refused"]) for line in one["by_day"][0]["routes"]] == [
        ("GET", "/api/v1/scores", 4, 0), ("GET", "/api/v1/scores/{score_id}", 1, 1), ("GET", "/api/v1/users", 1, 1),
    ]  # fmt: skip
    assert (stats["calls"], stats["calls_by_people"], stats["calls_without_credential"]) == (8, 1, 1)
    assert (stats["plan"], stats["requests_per_hour"]) == ("enterprise", settings.PLAN_REQUESTS_PER_HOUR["enterprise"])


def test_the_statistics_are_of_the_days_asked_for(north: House) -> None:
    actor, now = key_actor(north), datetime.now(UTC)
    request_log._noted.extend(noted(north, actor=actor, at=now - timedelta(days=days)) for days in (0, 1, 1, 29, 30))
    write_noted()

    def counted(since: date, last: date) -> int:
        with tenant_context(north.partner):
            return calls.added(one.total for one in calls.calls_by_key(since, last)).total

    assert counted(*calls.span()) == 4
    assert counted(*calls.span(now.date() - timedelta(days=1), days=1)) == 2
    answer = as_developer(north).get("/api/v1/api-keys/stats", {"days": 1})
    assert answer.json()["data"][-1]["calls"] == 1
    assert as_developer(north).get("/api/v1/api-keys/stats", {"days": "0", "until": "yesterday"}).json()["code"] == "invalid_query"


def as_developer(house: House) -> Client:
    with tenant_context(house.partner):
        return Client(HTTP_HOST=house.host, HTTP_AUTHORIZATION=f"Bearer {issue_tokens(house.users['developer']).access}")


def personal_values() -> list[str]:
    """Fifty of them: names, telephones, e-mail addresses, national ids, references."""
    draw = random.Random(5)
    names = [f"{first}.{last}" for first in FIRST_NAMES[:5] for last in LAST_NAMES[:2]]
    phones = [f"2547{draw.randrange(10**8):08}" for _ in range(10)]
    mails = [f"{name.lower()}@example.org" for name in names]
    ids = [f"{draw.randrange(10**8):08}" for _ in range(10)]
    return [*names, *phones, *mails, *ids, *(f"REF-{draw.randrange(10**6):06}-{name[:3]}" for name in names)]


def test_nothing_personal_is_written(north: House) -> None:
    values = personal_values()
    assert len(set(values)) == 50
    for value in values:
        headers = {"X-Request-ID": value, "Idempotency-Key": value, "User-Agent": value, "Referer": value}
        client = Client(HTTP_HOST=north.host, HTTP_X_API_KEY=north.api_key, headers=headers)
        client.get(f"/api/v1/scores/{value}", {"reference": value})
        client.get(f"/api/v1/{value}")
        body = {"product": value, "applicant": {"reference": value, "name": value, value: value}, "inputs": {value: value}}
        client.post(f"/api/v1/scores?{value}", json.dumps(body), content_type="application/json")
        client.generic(value.upper().replace("@", "")[:20], "/api/v1/scores")
        write_noted()

    with tenant_context(north.partner), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_apirequest")
        assert cursor.fetchone()[0] == 200
        kept = ""
        for table in ("accounts_apirequest", "accounts_usage"):
            cursor.execute(f"SELECT string_agg(t::text, chr(10)) FROM {table} t")
            kept += cursor.fetchone()[0].lower()

    assert [value for value in values if value.lower() in kept] == []
    assert len(written(north, request_id=values[10])) == 4    # and still each call is found by what it was called


@pytest.mark.parametrize(
    ("request_id", "seen"),
    [("01a1fc5f-1111-7000-8000-000000000000", True), ("5" * 32, True), ("254711223344", False), ("Amina", False), ("a" * 64, True)],
)
def test_an_id_is_shown_whole_where_a_machine_made_it(request_id: str, seen: bool) -> None:
    shown = request_log.shown(request_id)

    assert (shown == request_id) == seen
    assert seen or len(shown) <= 3


def test_callers_without_a_credential_cannot_fill_the_table(north: House) -> None:
    with tenant_context(north.partner):
        before = ApiRequest.objects.count()
    request_log._noted.extend(noted(north, status=401, actor=None) for _ in range(MOST_UNASKED + 30))
    request_log._noted.extend(noted(north, status=429, actor=key_actor(north)) for _ in range(30))
    request_log._noted.extend(noted(north, actor=key_actor(north)) for _ in range(30))
    write_noted()

    with tenant_context(north.partner):
        assert ApiRequest.objects.count() == before + MOST_UNASKED + 30
        kinds = calls.calls_by_kind(*calls.span())
        assert (kinds[""].refused, kinds["api_key"].refused, kinds["api_key"].answered) == (MOST_UNASKED + 30, 30, 30)


def test_what_cannot_be_written_now_is_written_later_and_once(new_partner: Callable[..., House]) -> None:
    north = new_partner()
    request_log._noted.extend(noted(north) for _ in range(5))
    request_log._noted.append(noted(north)._replace(schema="t_nobody"))
    with as_owner(north.schema), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_usage RENAME TO accounts_usage_away")
    write_noted()
    with tenant_context(north.partner):
        assert ApiRequest.objects.count() == 0    # lines and counts are one transaction
    with as_owner(north.schema), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_usage_away RENAME TO accounts_usage")

    request_log._noted.append(noted(north))
    write_noted()
    write_noted()

    with tenant_context(north.partner):
        assert (ApiRequest.objects.count(), Usage.objects.get().answered) == (6, 6)
    assert {schema: len(left) for schema, left in request_log._waiting.items()} == {"t_nobody": 1}


def test_what_waits_is_bounded(new_partner: Callable[..., House]) -> None:
    north = new_partner()
    for _ in range(2):
        request_log._noted.extend(noted(north)._replace(schema="t_nobody") for _ in range(request_log.MOST_WAITING))
        write_noted()

    assert len(request_log._waiting["t_nobody"]) == request_log.MOST_WAITING


def test_calls_are_forgotten_after_their_time(in_north: House) -> None:
    now, kept = datetime.now(UTC), timedelta(days=settings.REQUEST_LOG_DAYS)
    ages = (timedelta(0), kept - timedelta(minutes=1), kept + timedelta(minutes=1), timedelta(days=500))
    request_log._noted.extend(noted(in_north, at=now - age) for age in ages)
    write_noted()

    assert forget_requests() == 2
    assert ApiRequest.objects.count() == 2
    assert sorted(now.date() - day for day in Usage.objects.values_list("day", flat=True)) <= [timedelta(0), kept + timedelta(days=1)]
    assert Usage.objects.count() <= 3


def test_ids_sort_by_the_moment() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [began + timedelta(milliseconds=step) for step in range(50)]
    ids = [id_at(int(began.timestamp()) * 10**9 + step * 10**6) for step in range(50)]

    assert ids == sorted(ids)
    assert all(first_id_at(moment) <= made for moment, made in zip(moments, ids, strict=True))
    assert first_id_at(moments[1]) > ids[0]
    assert id_at(time.time_ns()) < uuid7() < first_id_at(datetime.now(UTC) + timedelta(seconds=1))


def test_the_list_goes_on_where_it_ended_and_filters(north: House) -> None:
    actor, developer = key_actor(north), as_developer(north)
    request_log._noted.extend(noted(north, status=status, actor=actor) for status in (200, 201, 404, 422, 500, 503, 200))
    write_noted()

    first = developer.get("/api/v1/requests", {"limit": "4", "key_id": actor.id}).json()
    second = developer.get("/api/v1/requests", {"limit": "4", "key_id": actor.id, "cursor": first["next_cursor"]}).json()

    found = [*first["data"], *second["data"]]
    assert [one["status"] for one in found] == [200, 503, 500, 422, 404, 201, 200]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    for answer, statuses in (("answered", [200, 201, 200]), ("refused", [422, 404]), ("failed", [503, 500])):
        listed = developer.get("/api/v1/requests", {"answer": answer, "key_id": actor.id}).json()["data"]
        assert [one["status"] for one in listed] == statuses
    assert developer.get("/api/v1/requests", {"key_id": str(uuid7())}).json()["data"] == []
    assert developer.get("/api/v1/requests", {"route": "/api/v1/scores", "limit": "200"}).json()["data"]
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert developer.get("/api/v1/requests", {"created_at[gte]": later}).json()["data"] == []
    assert developer.get("/api/v1/requests", {"created_at[lt]": later, "code": "nothing"}).json()["data"] == []
    wrong = developer.get("/api/v1/requests", {"cursor": "x", "answer": "maybe", "key_id": "7"}).json()
    assert {one["parameter"] for one in wrong["errors"]} == {"cursor", "answer", "key_id"}


def test_writers_at_the_same_moment_lose_no_call(new_partner: Callable[..., House], django_db_blocker: Any) -> None:
    house = new_partner()
    actors = [Actor(kind="api_key", id=str(uuid7())) for _ in range(6)]

    def write(_: int) -> None:
        order = random.sample(actors, len(actors))
        lines = [noted(house, actor=actor) for actor in order]
        try:
            with tenant_context(house.partner):
                request_log._write(lines)
        finally:
            connection.close()

    with django_db_blocker.unblock(), ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))

    with tenant_context(house.partner):
        assert [line.answered for line in Usage.objects.all()] == [80] * 6
        assert ApiRequest.objects.count() == 480


@pytest.mark.slow
def test_a_server_writes_what_it_is_asked_within_two_seconds(site: Site, django_db_blocker: Any) -> None:
    link = HTTPConnection("127.0.0.1", site.port, timeout=20)
    link.request("GET", "/api/v1/nothing-like-that", headers={"Host": site.house.host, "X-API-Key": site.house.api_key})
    answer = link.getresponse()
    answer.read()
    request_id = answer.headers["X-Request-ID"]
    link.close()

    def found() -> bool:
        with django_db_blocker.unblock(), tenant_context(site.house.partner):
            return bool(calls.api_requests(calls.RequestFilters(request_id=request_id)).rows)

    until(found, seconds=10)


def test_noting_a_call_costs_microseconds(north: House) -> None:
    request = RequestFactory().get("/api/v1/scores")
    request.partner, request.request_id, request.user = north.partner, str(uuid7()), SYSTEM  # type: ignore[attr-defined,assignment]
    response = HttpResponse()

    def took() -> float:
        began = time.thread_time_ns()
        for _ in range(1_000):
            request_log.note(request, response, 0.001)
        return (time.thread_time_ns() - began) / 1e6

    assert statistics.median(took() for _ in range(9)) < 20    # us; about 2 on a quiet machine


def test_the_operator_is_told_of_keys_too(new_partner: Callable[..., House], capsys: pytest.CaptureFixture[str]) -> None:
    house = new_partner()
    request_log._noted.extend(noted(house, actor=key_actor(house), status=status) for status in (200, 200, 404))
    write_noted()

    call_command("key_stats", house.slug)
    lines = capsys.readouterr().out.splitlines()
    call_command("key_stats", house.slug, json=True, days=1)
    told = json.loads(capsys.readouterr().out)

    assert "plan enterprise" in lines[0]
    assert re.fullmatch(r"tests \(….{4}\) +active +3 calls +1 refused +0 failed", lines[1])
    assert [(one["name"], one["calls"], one["refused"]) for one in told["keys"]] == [("tests", 3, 1)]
