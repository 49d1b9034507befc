"""Applications in pages, one application, and everything that happened to it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db.models import Q, QuerySet

from audit.errors import SealBroken
from audit.models import Event
from audit.selectors import timeline
from audit.vault import keyring
from portal.approvals.errors import ApplicationUnknown
from portal.approvals.models import Application, Note, Review, SecondOpinion
from portal.approvals.sealed import open_text
from scoring.applicants import ApplicantDetails, details_of
from scoring.selectors.catalogue import product_id
from scoring.selectors.cursors import from_cursor, to_cursor

PAGE = 25
_HEAVY = ("sealed_request", "product__definition", "decision__sealed")
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApplicationFilters:
    """Which applications are wanted; what is None does not matter. `assigned_to`: a person's id; `is_assigned`: whether to anybody."""

    state: str | None = None
    product: str | None = None
    band: str | None = None
    assigned_to: uuid.UUID | None = None
    is_assigned: bool | None = None
    number: str | None = None
    reference: str | None = None
    tag: str | None = None
    due_before: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApplicationPage:
    """Some applications, and where the next ones begin."""

    applications: list[Application]
    next_cursor: str | None

    @property
    def has_more(self) -> bool:
        return self.next_cursor is not None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that happened to an application. `note` is None when nothing was written, or the applicant was erased."""

    event: Event
    detail: Mapping[str, Any]
    note: str | None


def applications(filters: ApplicationFilters | None = None, *, cursor: str | None = None, limit: int = PAGE) -> ApplicationPage:
    """At most `limit` applications, newest first, after the cursor. Never counts. Raises CursorRefused, ProductUnknown."""
    found = _applications().filter(_wanted(filters or ApplicationFilters()))
    if cursor is not None:
        created_at, application_id = from_cursor(cursor)
        found = found.filter(created_at__lte=created_at).exclude(created_at=created_at, id__gte=application_id)
    rows = list(found.order_by("-created_at", "-id")[: limit + 1])
    last = rows[limit - 1] if len(rows) > limit else None
    return ApplicationPage(rows[:limit], None if last is None else to_cursor(last.created_at, last.id))


def application(application_id: uuid.UUID) -> Application:
    """The application with product, applicant and who has it. Raises ApplicationUnknown."""
    found = _applications().filter(id=application_id).first()
    if found is None:
        raise ApplicationUnknown
    return found


def details(one: Application) -> ApplicantDetails | None:
    """What is known of the applicant; None when they were erased or their row is damaged."""
    try:
        return None if one.applicant is None else details_of(keyring(), one.applicant)
    except SealBroken:    # one damaged row hides no other
        logger.exception("applicant_damaged", applicant_id=str(one.applicant_id))
        return None


def reference_of(one: Application) -> str | None:
    """The partner's own reference of the applicant; None when they were erased or their row is damaged."""
    found = details(one)
    return None if found is None else found.reference


def open_proposal(one: Application) -> SecondOpinion | None:
    """The proposal that waits for a second person."""
    return one.second_opinions.filter(state=SecondOpinion.Answer.OPEN).select_related("proposed_by").first()


def history(one: Application) -> list[HistoryEntry]:
    """Everything that happened to the application, oldest first, with what people wrote."""
    written: dict[str, Review | Note] = {str(review.id): review for review in one.reviews.all()}
    written |= {str(note.id): note for note in one.notes.all()}
    return [_entry(one, event, written) for event in timeline("application", one.id)]


def _entry(one: Application, event: Event, written: Mapping[str, Review | Note]) -> HistoryEntry:
    row = written.get(str(event.detail.get("review") or event.detail.get("note") or ""))
    return HistoryEntry(event, event.detail, None if row is None else open_text(one, row))


def _applications() -> QuerySet[Application]:
    """Those that are scored; what is still being taken in is shown to nobody."""
    found = Application.objects.filter(decision__isnull=False)
    return found.select_related("product", "applicant", "assigned_to", "locked_by").defer(*_HEAVY[:2])


def _wanted(filters: ApplicationFilters) -> Q:
    wanted = Q()
    plain = {
        "state": filters.state, "band": filters.band, "assigned_to_id": filters.assigned_to, "due_at__lt": filters.due_before,
        "created_at__gte": filters.since, "created_at__lt": filters.until, "number": filters.number and filters.number.strip().upper(),
        "product_id": filters.product and product_id(filters.product),
        "applicant_id": filters.reference and keyring().applicant_id(filters.reference),
    }  # fmt: skip
    wanted &= Q(**{name: value for name, value in plain.items() if value is not None})
    if filters.is_assigned is not None:
        wanted &= Q(assigned_to__isnull=not filters.is_assigned)
    if filters.due_before is not None:
        wanted &= Q(state__in=["in_review", "needs_information", "new"])
    if filters.tag is not None:
        wanted &= Q(tags__contains=[filters.tag])
    return wanted
