"""The way of an event, as rows: from the outbox to each endpoint that wants it, to who sends it, and to what became of it."""

import json
import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from audit.models import Outbox
from partners.webhooks.models import Attempt, Delivery, Endpoint
from partners.webhooks.sender import Letter, Outcome
from partners.webhooks.services import pause, payload_of, secrets_of

GIVEN_UP_AFTER = timedelta(days=3)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=8)
LONGEST_REST = timedelta(minutes=5)
JITTER = 0.2
MOST_HANDED_OUT = 2_000
OUTBOX_KEPT, DELIVERIES_KEPT, DELETED_KEPT = timedelta(days=7), timedelta(days=30), timedelta(days=1)
MOST_FORGOTTEN = 20_000
GONE = 410

_NEWS = """
SELECT EXISTS (SELECT FROM audit_outbox WHERE delivered_at IS NULL),
    EXISTS (SELECT FROM webhooks_delivery WHERE state = 'waiting' AND next_at <= clock_timestamp())
"""
_STRIKE = """
WITH next AS MATERIALIZED (
    SELECT id FROM audit_outbox WHERE delivered_at IS NULL ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
), struck AS (
    UPDATE audit_outbox o SET delivered_at = clock_timestamp() FROM next WHERE o.id = next.id
    RETURNING o.id, o.topic, o.object_id, o.body::text, o.created_at
)
SELECT s.*, c.number FROM (SELECT count(*) AS number FROM next) c LEFT JOIN struck s ON s.topic = ANY(%(wanted)s)
"""
# Of what concerns the same object, nothing passes an earlier event that still waits for another time.
_TAKE = """
WITH due AS (
    SELECT d.id FROM webhooks_delivery d
    WHERE d.endpoint_id = %(endpoint)s AND d.state = 'waiting' AND d.next_at <= clock_timestamp()
        AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())
        AND NOT EXISTS (
            SELECT FROM webhooks_delivery e
            WHERE e.endpoint_id = d.endpoint_id AND e.object_id = d.object_id AND e.state = 'waiting' AND e.event_id < d.event_id
                AND (e.next_at > clock_timestamp() OR e.lease_until >= clock_timestamp())
        )
    ORDER BY d.event_id LIMIT %(most)s FOR UPDATE OF d SKIP LOCKED
)
UPDATE webhooks_delivery d SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM due WHERE d.id = due.id
RETURNING d.id, d.event_id, d.object_id, d.payload
"""


@dataclass(frozen=True, slots=True)
class _Event:
    id: uuid.UUID
    topic: str
    object_id: str
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery that this process holds for a while."""

    id: uuid.UUID
    event_id: uuid.UUID
    object_id: str
    letter: Letter


def has_news() -> bool:
    """Whether there is anything to hand out or to send. Asked for each partner every second."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWS)
        return any(cursor.fetchone())


def hand_out() -> bool:
    """The next events of the outbox wait at every endpoint that wants them, each once. Whether there may be more."""
    endpoints = list(Endpoint.objects.filter(deleted_at=None))
    wanted = sorted({one for endpoint in endpoints for one in endpoint.event_types})
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_STRIKE, {"most": MOST_HANDED_OUT, "wanted": wanted})
        struck = cursor.fetchall()
        events = sorted((_Event(*row[:5]) for row in struck if row[0] is not None), key=lambda event: event.id)
        made = [_delivery(event, endpoint) for event in events for endpoint in endpoints if event.topic in endpoint.event_types]
        Delivery.objects.bulk_create(made, ignore_conflicts=True)
    return bool(struck) and struck[0][5] == MOST_HANDED_OUT


def _delivery(event: _Event, endpoint: Endpoint) -> Delivery:
    now = timezone.now()
    payload = payload_of(event_type=event.topic, at=event.at, object_id=event.object_id, body=json.loads(event.body))
    return Delivery(
        endpoint=endpoint, event_id=event.id, event_type=event.topic, object_id=event.object_id, payload=payload,
        created_at=now, began_at=now, next_at=now,
    )  # fmt: skip


def endpoints_due() -> Sequence[Endpoint]:
    """Those that something may be sent to now."""
    now = timezone.now()
    is_due = Q(deliveries__state=Delivery.State.WAITING, deliveries__next_at__lte=now)
    awake = Q(rests_until=None) | Q(rests_until__lte=now)
    return list(Endpoint.objects.filter(is_due, awake, paused_because="", deleted_at=None).distinct())


def take(endpoint: Endpoint, most: int) -> list[Taken]:
    """At most so many deliveries that nobody sends, in the order of their events, held by this process for the time of a lease."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"endpoint": endpoint.id, "most": most, "seconds": settings.JOB_LEASE_SECONDS})
        rows = sorted(cursor.fetchall(), key=lambda row: row[1])
    secrets = secrets_of(endpoint)
    return [Taken(row[0], row[1], row[2], Letter(endpoint.url, str(row[1]), row[3].encode(), secrets)) for row in rows]


def give_back(taken: Iterable[Taken]) -> None:
    """What was taken and not tried may be taken again at once."""
    Delivery.objects.filter(id__in=[one.id for one in taken]).update(lease_until=None)


@transaction.atomic
def settle(endpoint_id: uuid.UUID, tried: Sequence[tuple[Taken, Outcome]]) -> None:
    """What became of these attempts is stored, and what follows for them and for the endpoint."""
    endpoint = Endpoint.objects.select_for_update().get(id=endpoint_id)
    found = Delivery.objects.select_for_update().in_bulk([taken.id for taken, _outcome in tried])
    for taken, outcome in tried:
        delivery = found[taken.id]
        delivery.attempts += 1
        delivery.lease_until = None
        if outcome.is_delivered:
            delivery.state, delivery.finished_at = Delivery.State.DELIVERED, timezone.now()
            endpoint.failing_since = endpoint.rests_until = None
        else:
            _put_off(delivery, endpoint, outcome)
    Delivery.objects.bulk_update(found.values(), ["attempts", "lease_until", "state", "finished_at", "next_at"])
    Attempt.objects.bulk_create(_attempt(taken, outcome) for taken, outcome in tried)
    endpoint.save(update_fields=["failing_since", "rests_until"])
    if endpoint.is_active and (because := _why_paused(endpoint, [outcome for _taken, outcome in tried])):
        pause(endpoint, because=because)


def _attempt(taken: Taken, outcome: Outcome) -> Attempt:
    return Attempt(
        delivery_id=taken.id, at=outcome.at, status=outcome.status, milliseconds=outcome.milliseconds, answer=outcome.answer,
        problem=outcome.problem,
    )  # fmt: skip


def _put_off(delivery: Delivery, endpoint: Endpoint, outcome: Outcome) -> None:
    """The next attempt comes after as long as was tried already, so the pauses double; one that was delivered meanwhile stays so."""
    if delivery.state != Delivery.State.WAITING:
        return
    now = timezone.now()
    endpoint.failing_since = endpoint.failing_since or now
    endpoint.rests_until = now + min(LONGEST_REST, _jittered(max(FIRST_PAUSE, now - endpoint.failing_since)))
    delivery.next_at = now + next_pause(now - delivery.began_at, outcome.retry_seconds)
    if delivery.next_at > delivery.began_at + GIVEN_UP_AFTER:
        delivery.state, delivery.finished_at = Delivery.State.GIVEN_UP, now


def next_pause(tried_for: timedelta, retry_seconds: int = 0) -> timedelta:
    """How long to wait after a failure: as long as it was tried for, five seconds to eight hours, a fifth more or less, and not less than
    the endpoint asked for."""
    asked = min(timedelta(seconds=retry_seconds), LONGEST_PAUSE)
    return max(_jittered(min(max(tried_for, FIRST_PAUSE), LONGEST_PAUSE)), asked)


def _jittered(pause: timedelta) -> timedelta:
    return pause * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - only spreads what would come at once


def _why_paused(endpoint: Endpoint, outcomes: Sequence[Outcome]) -> Endpoint.Pause | None:
    if outcomes[-1].status == GONE:
        return Endpoint.Pause.GONE
    failing = endpoint.failing_since
    return Endpoint.Pause.FAILING if failing and timezone.now() - failing > GIVEN_UP_AFTER else None


# ---- forgetting


def give_up() -> int:
    """What waited for three days, mostly at a paused endpoint, waits no more; returns how many."""
    late = Delivery.objects.filter(state=Delivery.State.WAITING, began_at__lt=timezone.now() - GIVEN_UP_AFTER)
    return late.update(state=Delivery.State.GIVEN_UP, finished_at=timezone.now(), lease_until=None)


def forget_deliveries() -> None:
    """What lapsed is given up; outbox rows handed out a week ago, deliveries of last month and what deleted endpoints left are gone."""
    now = timezone.now()
    give_up()
    struck = Outbox.objects.filter(delivered_at__lt=now - OUTBOX_KEPT).values_list("id", flat=True)[:MOST_FORGOTTEN]
    Outbox.objects.filter(id__in=list(struck)).delete()
    over = Q(created_at__lt=now - DELIVERIES_KEPT) & ~Q(state=Delivery.State.WAITING)
    gone = Delivery.objects.filter(over | Q(endpoint__deleted_at__lt=now - DELETED_KEPT)).values_list("id", flat=True)[:MOST_FORGOTTEN]
    ids = list(gone)
    Attempt.objects.filter(delivery_id__in=ids).delete()
    Delivery.objects.filter(id__in=ids).delete()
    Endpoint.objects.filter(deleted_at__lt=now - DELETED_KEPT, deliveries=None).delete()
