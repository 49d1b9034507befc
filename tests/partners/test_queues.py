"""Queues: interactive work goes before bulk, each partner sees its own tasks, and what ended is counted."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.test import override_settings
from redis import Redis

from audit.context import SYSTEM
from partners import queues
from partners.queues import QUEUES, Standing, standings
from partners.tenancy import tenant_context
from portal.celery import app
from scoring.models import Job
from scoring.services.jobs import begin_job
from tests.conftest import House
from tests.partners.test_request_log import as_developer
from tests.waiting import until

ran: list[str] = []
left: list[int] = []


@app.task(name="tests.note")  # type: ignore[untyped-decorator]
def note(name: str) -> None:
    """Notes that it ran, and what waited then."""
    ran.append(name)
    left.append(sum(one.active for one in standings()))
    if name == "broken":
        raise ValueError(name)


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        ran.clear()
        left.clear()
        yield client
        client.flushdb()


def send(house: House, name: str, queue: str) -> None:
    with tenant_context(house.partner):
        note.apply_async([name], queue=QUEUES[queue])


def drain(redis: Redis, count: int) -> None:
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL", shutdown_timeout=30):
        until(lambda: len(ran) == count and not redis.hlen("vouch:unacked"))


def test_interactive_work_goes_before_bulk(redis: Redis, new_partner: Callable[..., House]) -> None:
    house = new_partner()
    for place in range(4):
        send(house, f"bulk {place}", "bulk")
    for place in range(4):
        send(house, f"interactive {place}", "interactive")

    drain(redis, 8)

    assert ran == [*(f"interactive {place}" for place in range(4)), *(f"bulk {place}" for place in range(4))]


def test_a_partner_sees_its_own_tasks_wait_run_and_end(redis: Redis, new_partner: Callable[..., House]) -> None:
    house, other = new_partner(), new_partner()
    for name, queue in (("one", "interactive"), ("two", "bulk"), ("broken", "bulk")):
        send(house, name, queue)
    send(other, "theirs", "bulk")

    with tenant_context(house.partner):
        assert standings() == [Standing("interactive", 1, 0, 0, 0), Standing("bulk", 2, 0, 0, 0)]
    drain(redis, 4)

    with tenant_context(house.partner):
        assert standings() == [Standing("interactive", 0, 0, 1, 0), Standing("bulk", 0, 0, 1, 1)]
    with tenant_context(other.partner):
        assert standings() == [Standing("interactive", 0, 0, 0, 0), Standing("bulk", 0, 0, 1, 0)]
    assert left == [1, 1, 1, 1]    # each saw itself run, and nothing of the other partner


def test_tables_challengers_and_training_are_bulk() -> None:
    assert {name: route["queue"] for name, route in settings.CELERY_TASK_ROUTES.items()} == {
        "scoring.work_on_job": QUEUES["bulk"], "scoring.shadow_decisions": QUEUES["bulk"], "scoring.retrain": QUEUES["bulk"],
        "exports.write_export": QUEUES["bulk"], "approvals.count_months": QUEUES["bulk"],
    }  # fmt: skip
    assert QUEUES["interactive"] == settings.CELERY_TASK_DEFAULT_QUEUE
    assert sorted(QUEUES.values()) == list(QUEUES.values())    # the order in which workers look


def test_the_api_tells_queues_and_jobs(redis: Redis, north: House) -> None:
    with tenant_context(north.partner):
        old = begin_job(kind="check_table", body={}, actor=SYSTEM)
        Job.objects.filter(id=old.id).update(state="failed", finished_at=datetime.now(UTC) - timedelta(days=8))
        for state in ("queued", "running", "done"):
            job = begin_job(kind="check_table", body={}, actor=SYSTEM)
            Job.objects.filter(id=job.id).update(state=state, finished_at=datetime.now(UTC) if state == "done" else None)
        app.send_task("scoring.work_on_job", [str(uuid.uuid4())])
    with tenant_context(north.partner):
        assert queues.somebody_waits() is False    # a table is nothing that somebody waits for

    told = as_developer(north).get("/api/v1/queues").json()

    assert [(one["name"], one["waiting"]) for one in told["data"]] == [("interactive", 0), ("bulk", 1)]
    assert told["jobs"] == [{"kind": "check_table", "waiting": 1, "active": 1, "done": 1, "failed": 0}]


def test_without_redis_the_queues_say_so_and_nothing_else_fails(north: House) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"), tenant_context(north.partner):
        queues.count_ended("vouch", has_failed=False)
        assert queues.somebody_waits() is False
    developer, page = as_developer(north), north.client("developer")
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        answer = developer.get("/api/v1/queues")
        shown = page.get("/developers/queues")

    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "queues_away", "2")
    assert shown.status_code == 200
    assert b"The queues do not answer now" in shown.content
