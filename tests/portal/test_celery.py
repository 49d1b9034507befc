"""The queue fails closed: no message without a partner, no task in the wrong schema."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from redis import Redis

from partners.queues import QUEUES
from partners.tenancy import current_schema, tenant_context
from portal.celery import PartnerMissing, app
from tests.conftest import House
from tests.waiting import until

seen: list[str] = []


@app.task(name="tests.look")  # type: ignore[untyped-decorator]
def look() -> None:
    """Notes the schema it runs in."""
    seen.append(current_schema())


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis.from_url(settings.REDIS_URL, decode_responses=True) as client:
        client.flushdb()
        seen.clear()
        yield client
        client.flushdb()


def letters(redis: Redis) -> list[dict[str, Any]]:
    return [json.loads(message) for message in redis.lrange("vouch:vouch.dead", 0, -1)]


def drain(redis: Redis) -> None:
    """A worker takes every message."""
    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL", shutdown_timeout=30):
        until(lambda: not any(redis.llen(f"vouch:{name}") for name in QUEUES.values()) and not redis.hlen("vouch:unacked"))


def test_a_task_cannot_be_sent_outside_a_partner(redis: Redis, db: None) -> None:
    with pytest.raises(PartnerMissing):
        look.delay()

    assert redis.llen("vouch:vouch") == 0


def test_a_task_runs_in_the_schema_of_its_sender(redis: Redis, new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        look.delay()

    drain(redis)

    assert seen == [house.schema]
    assert letters(redis) == []


@pytest.mark.parametrize("schema", ["unnamed", "", "public", "t_nobody"])
def test_a_message_that_names_no_partner_becomes_a_dead_letter(redis: Redis, new_partner: Callable[..., House], schema: str) -> None:
    message = app.amqp.create_task_message("id-1", "tests.look", headers={} if schema == "unnamed" else {"_schema_name": schema})
    with app.producer_or_acquire() as producer:
        app.amqp.send_task_message(producer, "tests.look", message, queue=app.amqp.queues["vouch"])

    drain(redis)

    assert seen == []
    assert len(letters(redis)) == 1


def test_tasks_are_handed_on_and_never_doubled_by_the_clock() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_time_limit < app.conf.broker_transport_options["visibility_timeout"]
