"""The queues of background work: interactive goes before bulk, and how each stands for one partner."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from partners.errors import QueuesAway
from partners.tenancy import current_schema, scoped

# What a person waits for, and what may take its time. Workers look into the first of the sorted names first.
QUEUES = {"interactive": "vouch", "bulk": "vouch.bulk"}
COUNTED_DAYS = 7
MOST_READ = 5_000    # messages of one queue, of all partners together; beyond it what waits is "at least"
_UNACKNOWLEDGED = "unacked"    # kombu's: messages that a worker has and has not finished


@dataclass(frozen=True, slots=True)
class Standing:
    """One queue for one partner: tasks that wait and that run now, and how many ended since `first_day`."""

    name: str
    waiting: int
    active: int
    done: int
    failed: int


def first_day() -> date:
    """Since when ended tasks are counted (UTC)."""
    return datetime.now(UTC).date() - timedelta(days=COUNTED_DAYS - 1)


def standings() -> list[Standing]:
    """Every queue as it stands for the current partner. Raises QueuesAway."""
    schema = current_schema()
    try:
        with _redis() as redis:
            active = Counter(
                key for message, _exchange, key in map(json.loads, redis.hvals(_key(_UNACKNOWLEDGED))) if _schema(message) == schema
            )
            return [_standing(redis, schema, name, queue, active[queue]) for name, queue in QUEUES.items()]
    except (RedisError, OSError) as error:
        raise QueuesAway from error


def count_ended(queue: str, *, has_failed: bool) -> None:
    """One more task of the current partner ended in this queue. Figures only: without Redis it is not counted."""
    name = _counter(queue, datetime.now(UTC).date())
    with suppress(RedisError, OSError), _redis() as redis, redis.pipeline() as pipeline:
        pipeline.hincrby(name, "failed" if has_failed else "done", 1)
        pipeline.expire(name, timedelta(days=COUNTED_DAYS + 1))
        pipeline.execute()


def somebody_waits() -> bool:
    """Whether interactive work, of whichever partner, waits for a worker."""
    with suppress(RedisError, OSError), _redis() as redis:
        return bool(redis.llen(_key(QUEUES["interactive"])))
    return False


def _standing(redis: Redis, schema: str, name: str, queue: str, active: int) -> Standing:
    waiting = sum(_schema(json.loads(message)) == schema for message in redis.lrange(_key(queue), 0, MOST_READ - 1))
    days = [first_day() + timedelta(days=place) for place in range(COUNTED_DAYS)]
    ended = [redis.hmget(_counter(queue, day), "done", "failed") for day in days]
    done, failed = (sum(int(one[place] or 0) for one in ended) for place in (0, 1))
    return Standing(name, waiting, active, done, failed)


def _schema(message: dict[str, Any]) -> str:
    return str(message.get("headers", {}).get("_schema_name", ""))


def _counter(queue: str, day: date) -> str:
    return scoped("queue", queue, day)


def _key(name: str) -> str:
    return f"{settings.CELERY_BROKER_TRANSPORT_OPTIONS['global_keyprefix']}{name}"


@contextmanager
def _redis() -> Iterator[Redis]:
    timeout = settings.REDIS_TIMEOUT_SECONDS
    with Redis.from_url(settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout, decode_responses=True) as redis:
        yield redis
