"""Reading the record: events of the current partner, newest first. For whoever may read the audit trail."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet

from audit.actions import Action
from audit.errors import EventUnknown
from audit.models import Checkpoint, Event
from audit.models import Keyring as KeyringRow
from audit.vault import keyring, public_key_id, refresh_keyring


@dataclass(frozen=True, slots=True)
class EventFilters:
    """Which events are wanted; what is None does not matter."""

    action: str | None = None    # or the noun before its dot
    actor_id: str | None = None
    actors: Collection[str] | None = None
    request_id: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    objects: Collection[tuple[str, str]] | None = None    # any of these kinds and ids
    since: datetime | None = None
    until: datetime | None = None


def events(filters: EventFilters, *, before: uuid.UUID | None = None, limit: int = 50) -> list[Event]:
    """At most `limit` events, newest first, older than the one that the last page ended with."""
    found = events_found(filters).select_related("leaf").order_by("-id")
    return list((found if before is None else found.filter(id__lt=before))[:limit])


def event(event_id: uuid.UUID) -> Event:
    """One event with its place in the tree. Raises EventUnknown."""
    found = Event.objects.select_related("leaf").filter(id=event_id).first()
    if found is None:
        raise EventUnknown
    return found


def actions_recorded(since: datetime, until: datetime) -> list[tuple[str, str, int]]:
    """How often each action was recorded in this time, by the kind of who acted, the most frequent first."""
    found = Event.objects.filter(recorded_at__gte=since, recorded_at__lt=until).order_by()
    counted = found.values_list("action", "actor_kind").annotate(count=Count("*"))
    return sorted(counted, key=lambda one: (-one[2], one[0], one[1]))


def timeline(object_kind: str, object_id: object) -> list[Event]:
    """Everything recorded about one thing, oldest first, each with its place in the tree."""
    return list(Event.objects.select_related("leaf").filter(object_kind=object_kind, object_id=str(object_id)).order_by("id"))


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs or once signed receipts, bundles and checkpoints: its id, its raw Ed25519 public key, and since and until when."""

    key_id: str
    public_key: bytes
    created_at: datetime
    retired_at: datetime | None


def signing_keys() -> list[SigningKey]:
    """Every signing key of the current partner, the one in use first. A row whose public key belongs to none of the secrets is left out."""
    rows = list(KeyringRow.objects.filter(purpose=KeyringRow.Purpose.SIGN).order_by("-version"))
    found = {public_key_id(bytes(row.public_key)): row for row in rows if row.public_key is not None}
    known = keyring().public_keys()
    if not known.keys() >= found.keys():
        known = refresh_keyring().public_keys()
    return [SigningKey(key_id, known[key_id], row.created_at, row.retired_at) for key_id, row in found.items() if key_id in known]


_SLACK = timedelta(hours=1)    # between the time in an event's id and the time it tells


def events_found(filters: EventFilters) -> QuerySet[Event]:
    """The events that are wanted, in no order."""
    wanted = Q()
    for name in ("actor_id", "request_id", "object_kind", "object_id"):
        value = getattr(filters, name)
        if value is not None:
            wanted &= Q((name, value))
    if filters.action is not None:
        wanted &= Q(action=filters.action) if "." in filters.action else Q(action__in=_actions_of(filters.action))
    if filters.actors is not None:
        wanted &= Q(actor_id__in=list(filters.actors))
    if filters.objects is not None:
        by_kind: dict[str, list[str]] = {}
        for kind, object_id in filters.objects:
            by_kind.setdefault(kind, []).append(object_id)
        about = [Q(object_kind=kind, object_id__in=ids) for kind, ids in by_kind.items()]
        wanted &= Q(*about, _connector=Q.OR) if about else Q(id=None)
    # Ids are in the order of time: a page deep in the past is read from where it is.
    if filters.since is not None:
        wanted &= Q(recorded_at__gte=filters.since, id__gte=_first_id(filters.since - _SLACK))
    if filters.until is not None:
        wanted &= Q(recorded_at__lt=filters.until, id__lt=_first_id(filters.until + _SLACK))
    return Event.objects.filter(wanted)


def newest_events(limit: int) -> list[Event]:
    """The last ones recorded, each with its place in the tree."""
    return list(Event.objects.select_related("leaf").order_by("-id")[:limit])


def newest_checkpoint() -> Checkpoint | None:
    """The head of the tree as it was signed last; None before the first."""
    return Checkpoint.objects.order_by("-size").first()


def _actions_of(noun: str) -> list[str]:
    return [str(action) for action in Action if action.startswith(f"{noun}.")]


def _first_id(moment: datetime) -> uuid.UUID:
    """The least id that could be made at this moment."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
