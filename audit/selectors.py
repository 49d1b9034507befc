"""Reading the record: events of the current partner, newest first. For whoever may read the audit trail."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from audit.actions import Action
from audit.models import Checkpoint, Event
from audit.models import Keyring as KeyringRow
from audit.vault import keyring, public_key_id, refresh_keyring


@dataclass(frozen=True, slots=True)
class EventFilters:
    """Which events are wanted; what is None does not matter."""

    action: Action | None = None
    actor_id: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def events(filters: EventFilters, *, before: uuid.UUID | None = None, limit: int = 50) -> list[Event]:
    """At most `limit` events, newest first, older than the one that the last page ended with."""
    found = events_found(filters).order_by("-id")
    return list((found if before is None else found.filter(id__lt=before))[:limit])


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


def events_found(filters: EventFilters) -> QuerySet[Event]:
    """All of them, in no order."""
    found = Event.objects.all()
    if filters.action is not None:
        found = found.filter(action=filters.action)
    if filters.actor_id is not None:
        found = found.filter(actor_id=filters.actor_id)
    if filters.object_kind is not None:
        found = found.filter(object_kind=filters.object_kind)
    if filters.object_id is not None:
        found = found.filter(object_id=filters.object_id)
    if filters.since is not None:
        found = found.filter(recorded_at__gte=filters.since)
    if filters.until is not None:
        found = found.filter(recorded_at__lt=filters.until)
    return found


def newest_events(limit: int) -> list[Event]:
    """The last ones recorded, each with its place in the tree."""
    return list(Event.objects.select_related("leaf").order_by("-id")[:limit])


def newest_checkpoint() -> Checkpoint | None:
    """The head of the tree as it was signed last; None before the first."""
    return Checkpoint.objects.order_by("-size").first()
