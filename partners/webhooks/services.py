"""Writes about endpoints: making, changing, pausing and deleting them, their secrets, and what is to be sent again."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.ids import uuid7
from audit.services import record, timestamp
from audit.topics import Topic
from audit.vault import keyring
from partners.webhooks.errors import DeliveryUnknown, EndpointRefused, EndpointUnknown
from partners.webhooks.models import Delivery, Endpoint
from partners.webhooks.signing import new_secret
from partners.webhooks.targets import target_of

MOST_ENDPOINTS = 20
LONGEST_DESCRIPTION = 200
ROTATION_OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)
TEST = "webhook.test"
_TABLE = "webhooks_endpoint"


@dataclass(frozen=True, slots=True, repr=False)
class NewEndpoint:
    """An endpoint, and its secret for the only time."""

    endpoint: Endpoint
    secret: str


# ---- endpoints


@transaction.atomic
def create_endpoint(*, url: str, event_types: Iterable[str], actor: Actor, description: str = "") -> NewEndpoint:
    """The URL is told of these events from now on. Raises EndpointRefused."""
    types = sorted(set(event_types))
    if faults := faults_of_endpoint(url=url, event_types=types, description=description):
        raise EndpointRefused(fields=faults)
    if Endpoint.objects.filter(deleted_at=None).count() >= MOST_ENDPOINTS:
        raise EndpointRefused(fields={"url": f"There are {MOST_ENDPOINTS} endpoints already; delete one first."})
    made = Endpoint(url=url, description=description.strip(), event_types=types, created_by=actor.label[:200], created_at=timezone.now())
    secret = new_secret()
    made.sealed_secret = _seal(made, secret)
    made.save(force_insert=True)
    _record(Action.WEBHOOK_CREATED, made, actor, host=target_of(url).authority, event_types=types)
    return NewEndpoint(made, secret)


def faults_of_endpoint(
    *, url: str | None = None, event_types: Iterable[str] | None = None, description: str | None = None
) -> dict[str, str]:
    """What is wrong with an endpoint's details, by name; what is None is not looked at."""
    faults: dict[str, str] = {}
    if url is not None:
        try:
            target_of(url)
        except EndpointRefused as refusal:
            faults |= refusal.fields
    if event_types is not None:
        wanted = sorted(set(event_types))
        if unknown := [one for one in wanted if one not in set(Topic)]:
            faults["event_types"] = f"There is no event {', '.join(unknown)}; possible are {', '.join(sorted(Topic))}."
        elif not wanted:
            faults["event_types"] = "Choose at least one kind of event."
    if description is not None and (len(description) > LONGEST_DESCRIPTION or not description.isprintable()):
        faults["description"] = f"The description is at most {LONGEST_DESCRIPTION} characters on one line."
    return faults


@transaction.atomic
def change_endpoint(
    *, endpoint_id: uuid.UUID, actor: Actor, url: str | None = None, event_types: Iterable[str] | None = None,
    description: str | None = None, is_active: bool | None = None,
) -> Endpoint:  # fmt: skip
    """The endpoint is as asked for; what waited while it was paused is sent. Raises EndpointUnknown or EndpointRefused."""
    types = None if event_types is None else sorted(set(event_types))
    endpoint = _locked(endpoint_id)
    if faults := faults_of_endpoint(url=url, event_types=types, description=description):
        raise EndpointRefused(fields=faults)
    wanted = {"url": url, "event_types": types, "description": None if description is None else description.strip()}
    changed = {name: value for name, value in wanted.items() if value is not None and value != getattr(endpoint, name)}
    if changed:
        for name, value in changed.items():
            setattr(endpoint, name, value)
        endpoint.save(update_fields=list(changed))
        _record(Action.WEBHOOK_CHANGED, endpoint, actor, changed=sorted(changed), host=target_of(endpoint.url).authority)
    if is_active is True and not endpoint.is_active:
        _resume(endpoint, actor)
    elif is_active is False and endpoint.is_active:
        pause(endpoint, because=Endpoint.Pause.PERSON, actor=actor)
    return endpoint


def pause(endpoint: Endpoint, *, because: Endpoint.Pause, actor: Actor = SYSTEM) -> None:
    """Nothing is sent to the endpoint until somebody resumes it; what happens meanwhile waits, three days at most. Call with it locked."""
    endpoint.paused_because, endpoint.paused_at = because, timezone.now()
    endpoint.save(update_fields=["paused_because", "paused_at"])
    _record(Action.WEBHOOK_PAUSED, endpoint, actor, because=str(because))


def _resume(endpoint: Endpoint, actor: Actor) -> None:
    endpoint.paused_because, endpoint.paused_at, endpoint.failing_since, endpoint.rests_until = "", None, None, None
    endpoint.save(update_fields=["paused_because", "paused_at", "failing_since", "rests_until"])
    _record(Action.WEBHOOK_RESUMED, endpoint, actor)


@transaction.atomic
def delete_endpoint(*, endpoint_id: uuid.UUID, actor: Actor) -> None:
    """Nothing is sent to the endpoint any more, and its secrets are gone. Raises EndpointUnknown."""
    endpoint = _locked(endpoint_id)
    endpoint.deleted_at, endpoint.sealed_secret, endpoint.sealed_previous = timezone.now(), b"", None
    endpoint.save(update_fields=["deleted_at", "sealed_secret", "sealed_previous"])
    _record(Action.WEBHOOK_DELETED, endpoint, actor, host=target_of_stored(endpoint))


def target_of_stored(endpoint: Endpoint) -> str:
    """The endpoint's host, also where it would not be allowed today."""
    try:
        return target_of(endpoint.url).authority
    except EndpointRefused:
        return ""


@transaction.atomic
def rotate_secret(*, endpoint_id: uuid.UUID, actor: Actor, overlap: timedelta = ROTATION_OVERLAP) -> NewEndpoint:
    """A new secret signs; the one before signs beside it until the overlap ends. Raises EndpointUnknown or EndpointRefused."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise EndpointRefused(fields={"overlap_seconds": f"The overlap is 0 to {LONGEST_OVERLAP.days} days."})
    endpoint, secret = _locked(endpoint_id), new_secret()
    endpoint.sealed_previous = _seal(endpoint, secrets_of(endpoint)[0], "sealed_previous")
    endpoint.previous_until = timezone.now() + overlap
    endpoint.sealed_secret = _seal(endpoint, secret)
    endpoint.save(update_fields=["sealed_secret", "sealed_previous", "previous_until"])
    _record(Action.WEBHOOK_SECRET_ROTATED, endpoint, actor, overlap_seconds=int(overlap.total_seconds()))
    return NewEndpoint(endpoint, secret)


def secrets_of(endpoint: Endpoint, now: datetime | None = None) -> tuple[str, ...]:
    """The secrets that sign now, the newest first."""
    sealed = {"sealed_secret": endpoint.sealed_secret}
    if endpoint.sealed_previous and endpoint.previous_until and endpoint.previous_until > (now or timezone.now()):
        sealed["sealed_previous"] = endpoint.sealed_previous
    ring = keyring()
    place = {"table": _TABLE, "owner": endpoint.id}
    return tuple(ring.unseal(ring.partner_key, one, column=name, **place).decode() for name, one in sealed.items())  # type: ignore[arg-type]


# ---- what is to be sent


def payload_of(*, event_type: str, at: datetime, object_id: str, body: dict[str, Any]) -> str:
    """The bytes that a receiver gets, as Standard Webhooks lays them out."""
    content = {"type": event_type, "timestamp": timestamp(at), "data": {"id": object_id, **body}}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


@transaction.atomic
def send_test(*, endpoint_id: uuid.UUID, actor: Actor) -> Delivery:
    """An event that tells of nothing is on its way to the endpoint, even if it rests. Raises EndpointUnknown, EndpointRefused."""
    endpoint, event_id, now = _locked(endpoint_id), uuid7(), timezone.now()
    _refuse_paused(endpoint)
    payload = payload_of(event_type=TEST, at=now, object_id=str(endpoint.id), body={})
    made = Delivery.objects.create(
        endpoint=endpoint, event_id=event_id, event_type=TEST, object_id=str(event_id), payload=payload,
        created_at=now, began_at=now, next_at=now,
    )  # fmt: skip
    _wake(endpoint)
    _record(Action.WEBHOOK_TESTED, endpoint, actor, event=str(event_id))
    return made


@transaction.atomic
def resend(*, endpoint_id: uuid.UUID, delivery_id: uuid.UUID, actor: Actor) -> Delivery:
    """The event is sent again now, under the same webhook-id, and for three days if need be. Raises DeliveryUnknown, EndpointUnknown,
    EndpointRefused."""
    endpoint = _locked(endpoint_id)
    _refuse_paused(endpoint)
    found = Delivery.objects.select_for_update().filter(endpoint=endpoint, id=delivery_id).first()
    if found is None:
        raise DeliveryUnknown
    now = timezone.now()
    found.state, found.began_at, found.next_at, found.finished_at = Delivery.State.WAITING, now, now, None
    found.save(update_fields=["state", "began_at", "next_at", "finished_at"])
    _wake(endpoint)
    _record(Action.WEBHOOK_RESENT, endpoint, actor, event=str(found.event_id), events=1)
    return found


@transaction.atomic
def resend_waiting(*, endpoint_id: uuid.UUID, actor: Actor) -> int:
    """Everything that waits for its next attempt is sent now; returns how many that are. Raises EndpointUnknown, EndpointRefused."""
    endpoint = _locked(endpoint_id)
    _refuse_paused(endpoint)
    waiting = Delivery.objects.filter(endpoint=endpoint, state=Delivery.State.WAITING).update(next_at=timezone.now())
    _wake(endpoint)
    _record(Action.WEBHOOK_RESENT, endpoint, actor, events=waiting)
    return waiting


def _refuse_paused(endpoint: Endpoint) -> None:
    if not endpoint.is_active:
        raise EndpointRefused("The endpoint is paused; resume it first.")


def _wake(endpoint: Endpoint) -> None:
    Endpoint.objects.filter(id=endpoint.id).update(rests_until=None)


def _locked(endpoint_id: uuid.UUID) -> Endpoint:
    found = Endpoint.objects.select_for_update().filter(id=endpoint_id, deleted_at=None).first()
    if found is None:
        raise EndpointUnknown
    return found


def _seal(endpoint: Endpoint, secret: str, column: str = "sealed_secret") -> bytes:
    ring = keyring()
    return ring.seal(ring.partner_key, secret.encode(), table=_TABLE, column=column, owner=endpoint.id)


def _record(action: Action, endpoint: Endpoint, actor: Actor, **detail: Any) -> None:
    record(action=action, actor=actor, object_kind="webhook", object_id=endpoint.id, detail=detail)
