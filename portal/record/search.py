"""Looking for events by what a person knows: somebody's name, an applicant's reference, a number, a request."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from audit.models import Event
from audit.selectors import EventFilters, events
from partners.accounts.models import ApiKey, User
from portal.approvals.models import Application
from scoring import selectors
from scoring.errors import CursorRefused
from scoring.models import Decision

PAGE = 50
_MOST = 1_000    # of what an applicant has, the newest


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first, and where the next ones begin."""

    events: list[Event]
    next_cursor: str | None


def event_page(filters: EventFilters, *, cursor: str | None = None, limit: int = PAGE) -> EventPage:
    """At most `limit` events after the cursor. Never counts. Raises CursorRefused."""
    try:
        before = uuid.UUID(cursor) if cursor else None
    except ValueError as error:
        raise CursorRefused from error
    found = events(filters, before=before, limit=limit + 1)
    return EventPage(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)


def actors_called(text: str) -> Sequence[str]:
    """The ids of people and keys with this name or e-mail, or a part of it."""
    people = User.objects.filter(Q(name__icontains=text) | Q(email__icontains=text)).values_list("id", flat=True)
    keys = ApiKey.objects.filter(name__icontains=text).values_list("id", flat=True)
    return [str(one) for one in (*people[:_MOST], *keys[:_MOST])]


def about_applicant(reference: str) -> list[tuple[str, str]]:
    """The applicant whom the partner calls so, with their decisions and applications; empty for nobody."""
    found = selectors.applicant(reference)
    return [] if found is None else about(found.id)


def about(applicant_id: uuid.UUID) -> list[tuple[str, str]]:
    """One applicant with what there is about them, as kinds and ids of objects in the record."""
    of_them = {"applicant_id": applicant_id}
    decisions = Decision.objects.filter(**of_them).order_by("-created_at").values_list("id", flat=True)[:_MOST]
    applications = Application.objects.filter(**of_them).order_by("-id").values_list("id", flat=True)[:_MOST]
    found = [("applicant", str(applicant_id)), *(("decision", str(one)) for one in decisions)]
    return [*found, *(("application", str(one)) for one in applications)]
