"""Letters that are due, the most urgent first, and the ones that were sent."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from portal.approvals.models import Application, Notice
from portal.approvals.transitions import TOLD
from scoring.selectors.cursors import from_cursor, to_cursor

_PAGE = 50


@dataclass(frozen=True, slots=True)
class DuePage:
    """Applications whose applicants wait for a letter, and where the next ones begin."""

    applications: list[Application]
    next_cursor: str | None


def notices_due(*, cursor: str | None = None, limit: int = _PAGE) -> DuePage:
    """At most `limit` applications that owe a letter, most urgent first, after the cursor. Never counts. Raises CursorRefused."""
    found = applications_owing()
    if cursor is not None:
        due_at, application_id = from_cursor(cursor)
        found = found.filter(notice_due_at__gte=due_at).exclude(Q(notice_due_at=due_at, id__lte=application_id))
    found = found.select_related("product", "applicant").defer("product__definition", "sealed_request")
    rows = list(found.order_by("notice_due_at", "id")[: limit + 1])
    last = rows[limit - 1].notice_due_at if len(rows) > limit else None
    return DuePage(rows[:limit], None if last is None else to_cursor(last, rows[limit - 1].id))


def applications_owing() -> QuerySet[Application]:
    """The applications that owe a letter, in no order."""
    return Application.objects.filter(state__in=sorted(TOLD), notice_sent_at=None, notice_due_at__isnull=False)


def notices_sent(application: Application) -> list[Notice]:
    """The letters that went out about this application, the newest first."""
    return list(application.notices.select_related("sent_by").defer("sealed_letter").order_by("-id"))
