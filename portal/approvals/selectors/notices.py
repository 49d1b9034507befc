"""Letters that are due, the most urgent first, and the ones that were sent."""

import base64
import binascii
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet

from portal.approvals.models import Application, Notice
from portal.approvals.transitions import TOLD
from scoring.errors import CursorRefused

_PAGE, _CURSOR = 50, 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DuePage:
    """Applications whose applicants wait for a letter, and where the next ones begin."""

    applications: list[Application]
    next_cursor: str | None


def notices_due(*, cursor: str | None = None, limit: int = _PAGE) -> DuePage:
    """At most `limit` applications that owe a letter, most urgent first, after the cursor. Never counts. Raises CursorRefused."""
    found = applications_owing()
    if cursor is not None:
        due_at, application_id = _from_cursor(cursor)
        found = found.filter(notice_due_at__gte=due_at).exclude(Q(notice_due_at=due_at, id__lte=application_id))
    found = found.select_related("product", "applicant").defer("product__definition", "sealed_request")
    rows = list(found.order_by("notice_due_at", "id")[: limit + 1])
    return DuePage(rows[:limit], _to_cursor(rows[limit - 1]) if len(rows) > limit else None)


def applications_owing() -> QuerySet[Application]:
    """The applications that owe a letter, in no order."""
    return Application.objects.filter(state__in=sorted(TOLD), notice_sent_at=None, notice_due_at__isnull=False)


def notices_sent(application: Application) -> list[Notice]:
    """The letters that went out about this application, the newest first."""
    return list(application.notices.select_related("sent_by").defer("sealed_letter").order_by("-id"))


def _to_cursor(one: Application) -> str:
    assert one.notice_due_at is not None
    place = (one.notice_due_at - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(place.to_bytes(8) + one.id.bytes).decode()


def _from_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    if len(cursor) != _CURSOR:
        raise CursorRefused
    try:
        place = base64.b64decode(cursor, altchars=b"-_", validate=True)
        return _EPOCH + timedelta(microseconds=int.from_bytes(place[:8])), uuid.UUID(bytes=place[8:])
    except (binascii.Error, ValueError, OverflowError) as error:
        raise CursorRefused from error
