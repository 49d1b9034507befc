"""Reading the record: events of the current partner, newest first. For whoever may read the audit trail."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from audit.actions import Action
from audit.models import Event


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
    found = _filtered(filters).order_by("-id")
    return list((found if before is None else found.filter(id__lt=before))[:limit])


def timeline(object_kind: str, object_id: object) -> list[Event]:
    """Everything recorded about one thing, oldest first, each with its place in the tree."""
    return list(Event.objects.select_related("leaf").filter(object_kind=object_kind, object_id=str(object_id)).order_by("id"))


def _filtered(filters: EventFilters) -> QuerySet[Event]:
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
