"""How the record of the current schema stands, and what waits for a compliance officer, in a few lines for the index of the admin."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.admin import days_left
from audit.holds import standing
from audit.models import Alert, Checkpoint, Hold, PrivacyRequest, RetentionRun, Verification
from audit.privacy.models import UNANSWERED
from audit.selectors import newest_checkpoint, newest_events
from audit.services import is_untouched
from audit.verification import last_verification
from partners.accounts.models import User
from partners.accounts.roles import Permission

LATEST = 100
LATE = timedelta(minutes=5)
SOON = timedelta(days=7)
MOST = 100    # of what waits; more is told as 100+
_Run = RetentionRun.State


@dataclass(frozen=True, slots=True)
class State:
    """One line: what it is about, how it stands, whether that is well or soon will not be, and where its rows are."""

    title: str | Promise
    text: str
    is_well: bool
    address: str = ""
    is_soon: bool = False


def record_state() -> list[State]:
    """The last check and checkpoint, what waits to be sealed, and whether the newest events are as they were recorded."""
    events, checkpoint, check = newest_events(LATEST), newest_checkpoint(), last_verification()
    waiting = [event for event in events if not hasattr(event, "leaf")]
    is_late = bool(waiting) and timezone.now() - waiting[-1].recorded_at > LATE
    changed = sum(not is_untouched(event) for event in events)
    is_failed = check is not None and check.state == Verification.State.FAILED
    return [
        State(gettext_lazy("Last check"), _checked(check), not is_failed, _row("audit_verification", check)),
        State(
            gettext_lazy("Last checkpoint"), _told(checkpoint), checkpoint is not None or not events, _row("audit_checkpoint", checkpoint)
        ),
        State(gettext_lazy("Events not sealed yet"), _bounded(len(waiting)), not is_late, _rows("audit_event")),
        State(gettext_lazy("The newest events"), _looked_at(len(events), changed), not changed, _rows("audit_event")),
    ]


def work_state(user: User) -> list[State]:
    """Requests of applicants, alerts, holds and runs of retention, each with its rows."""
    alerts = _count(Alert.objects.filter(closed_at=None))
    asked = _count(Hold.objects.filter(lifted_at=None).exclude(lift_asked_by_id=""))
    states = [
        State(gettext_lazy("Alerts"), _open(alerts), not alerts, _rows("audit_alert")),
        State(gettext_lazy("Legal holds"), _holds(_count(standing()), asked), True, _rows("audit_hold", "standing"), bool(asked)),
        _runs(),
        State(gettext_lazy("Compliance report"), _("of the last month, or any other time"), True, reverse("retention:compliance-report")),
    ]
    return [_requests(), *states] if user.allows(Permission.PRIVACY_MANAGE) else states


def _requests() -> State:
    open_ones = PrivacyRequest.objects.filter(state__in=UNANSWERED)
    title, rows = gettext_lazy("Requests of applicants"), _rows("audit_privacyrequest")
    first = open_ones.order_by("due_on", "number").first()
    if first is None:
        return State(title, _("none open"), True, rows)
    count, today = _count(open_ones), timezone.localdate()
    text = _("%(count)s open; the next one due: %(left)s") % {"count": _bounded(count), "left": days_left(first)}
    return State(title, text, first.due_on >= today, rows, first.due_on - today <= SOON)


def _runs() -> State:
    run = RetentionRun.objects.filter(state__in=[_Run.PROPOSED, _Run.CONFIRMED]).order_by("number").first()
    title = gettext_lazy("Retention runs")
    if run is None:
        return State(title, _("none waits"), True, _rows("audit_retentionrun"))
    if run.state == _Run.CONFIRMED:
        return State(title, _("Run %(number)s is under way.") % {"number": run.number}, True, _row("audit_retentionrun", run))
    text = _("Run %(number)s of %(person)s waits for a second person.") % {"number": run.number, "person": run.proposed_by}
    return State(title, text, True, _row("audit_retentionrun", run), is_soon=True)


def _open(count: int) -> str:
    return _("%(count)s open") % {"count": _bounded(count)} if count else _("none open")


def _holds(count: int, asked: int) -> str:
    stand = ngettext("%(count)s stands", "%(count)s stand", count) % {"count": _bounded(count)}
    return stand if not asked else _("%(stand)s; to lift %(asked)s of them a second person is asked") % {"stand": stand, "asked": asked}


def _checked(check: Verification | None) -> str:
    if check is None:
        return _("none yet")
    if check.finished_at is None:
        return _("%(checked)s of %(total)s events so far") % {"checked": check.checked, "total": check.total}
    at = date_format(timezone.localtime(check.finished_at), "DATETIME_FORMAT")
    if check.state == Verification.State.FAILED:
        return _("%(at)s: not in order. %(problem)s") % {"at": at, "problem": check.problem}
    return _("%(at)s: all %(total)s events in order") % {"at": at, "total": check.total}


def _told(checkpoint: Checkpoint | None) -> str:
    if checkpoint is None:
        return _("none yet")
    size, at = checkpoint.size, date_format(timezone.localtime(checkpoint.created_at), "DATETIME_FORMAT")
    return _("%(at)s, over %(size)s events") % {"at": at, "size": size}


def _looked_at(count: int, changed: int) -> str:
    if changed:
        return _("%(changed)s of %(count)s were changed after they were recorded") % {"changed": changed, "count": count}
    return _("%(count)s looked at just now, all as they were recorded") % {"count": count}


def _count(rows: QuerySet[Any]) -> int:
    return rows[:MOST].count()


def _bounded(count: int) -> str:
    return f"{count}+" if count >= MOST else str(count)


def _rows(name: str, term: str = "") -> str:
    return reverse(f"admin:{name}_changelist") + (f"?{urlencode({'q': term})}" if term else "")


def _row(name: str, row: Model | None) -> str:
    return _rows(name) if row is None else reverse(f"admin:{name}_change", args=[row.pk])
