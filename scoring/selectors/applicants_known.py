"""Applicants found by what the partner knows of them, and listed by when they came."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db.models import OuterRef, Q, QuerySet, Subquery

from audit.errors import SealBroken
from audit.vault import IndexKind, Keyring, keyring
from scoring.applicants import ApplicantDetails, details_of
from scoring.errors import ApplicantUnknown
from scoring.models import Applicant, Decision
from scoring.selectors.cursors import from_cursor, to_cursor

PAGE, MOST_FOUND = 25, 50
_INDEXED: Mapping[IndexKind, str] = {"phone": "phone_index", "national_id": "national_id_index", "name": "name_index"}
_LATEST = ("id", "created_at", "score", "band", "outcome", "product__title")
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApplicantSummary:
    """One applicant; `details` is None when erased."""

    id: uuid.UUID
    details: ApplicantDetails | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApplicantRow:
    """One applicant in a list: nothing personal but what a search was given, and the newest decision."""

    id: uuid.UUID
    created_at: datetime
    is_erased: bool
    details: ApplicantDetails | None
    latest: Decision | None


@dataclass(frozen=True, slots=True)
class ApplicantPage:
    """Some applicants, and where the next ones begin."""

    rows: list[ApplicantRow]
    next_cursor: str | None


def applicant(reference: str) -> ApplicantSummary | None:
    """The applicant that the partner calls by this reference."""
    found = _applicants(Q(id=keyring().applicant_id(reference)))
    return found[0] if found else None


def applicant_by_id(applicant_id: uuid.UUID) -> ApplicantSummary:
    """The applicant, opened. Raises ApplicantUnknown, and SealBroken when the row is damaged."""
    found = _applicants(Q(id=applicant_id))
    if not found:
        raise ApplicantUnknown
    return found[0]


def find_applicants(*, phone: str = "", national_id: str = "", name: str = "") -> list[ApplicantSummary]:
    """Applicants with exactly this telephone, national id or name, however it was written. At most 50."""
    wanted = _indexed(keyring(), {"phone": phone, "national_id": national_id, "name": name})
    return _applicants(wanted) if wanted else []


def search_applicants(text: str) -> ApplicantPage:
    """Whoever has exactly this reference, telephone, national id or name, newest first, with their details. At most 50."""
    found = list(applicants_found(text).order_by("-created_at", "-id")[:MOST_FOUND])
    return ApplicantPage(_rows(found, keyring()), None)


def applicants_found(text: str) -> QuerySet[Applicant]:
    """Whoever has exactly this reference, telephone, national id or name; everybody for no text. In no order."""
    if not text:
        return Applicant.objects.all()
    ring = keyring()
    return Applicant.objects.filter(Q(id=ring.applicant_id(text)) | _indexed(ring, dict.fromkeys(_INDEXED, text)))


def newest_applicants(*, cursor: str | None = None, limit: int = PAGE) -> ApplicantPage:
    """At most `limit` applicants, newest first, without anything personal. Never counts. Raises CursorRefused."""
    found = Applicant.objects.only("id", "created_at", "data_key_id")
    if cursor is not None:
        created_at, applicant_id = from_cursor(cursor)
        found = found.filter(created_at__lte=created_at).exclude(created_at=created_at, id__gte=applicant_id)
    rows = list(found.order_by("-created_at", "-id")[: limit + 1])
    last = rows[limit - 1] if len(rows) > limit else None
    return ApplicantPage(_rows(rows[:limit], None), None if last is None else to_cursor(last.created_at, last.id))


def _rows(found: list[Applicant], ring: Keyring | None) -> list[ApplicantRow]:
    """With details where there is a ring to open them with."""
    newest = Decision.objects.filter(applicant=OuterRef("id")).order_by("-created_at").values("id")[:1]
    ids = Applicant.objects.filter(id__in=[one.id for one in found]).annotate(latest=Subquery(newest)).values("latest")
    made = {one.applicant_id: one for one in Decision.objects.filter(id__in=ids).select_related("product").only("applicant_id", *_LATEST)}
    return [
        ApplicantRow(one.id, one.created_at, one.data_key_id is None, _details(ring, one) if ring else None, made.get(one.id))
        for one in found
    ]


def _details(ring: Keyring, one: Applicant) -> ApplicantDetails | None:
    try:
        return details_of(ring, one)
    except SealBroken:    # one damaged row hides no other
        logger.exception("applicant_damaged", applicant_id=str(one.id))
        return None


def _indexed(ring: Keyring, told: Mapping[IndexKind, str]) -> Q:
    """What the blind indexes know of these texts; nothing for a text that has none, such as a telephone without a digit."""
    wanted = Q()
    for kind, text in told.items():
        index = ring.blind_index(kind, text) if text else None
        if index is not None:
            wanted |= Q((_INDEXED[kind], index))
    return wanted


def _applicants(wanted: Q) -> list[ApplicantSummary]:
    ring = keyring()
    return [ApplicantSummary(row.id, details_of(ring, row), row.created_at) for row in Applicant.objects.filter(wanted).order_by("id")[:50]]
