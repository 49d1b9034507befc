"""Months are counted by the clock: the one that runs and the one before again and again, older ones now and then."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from partners.accounts.models import User
from portal.approvals.models import Application, MonthFigures
from portal.approvals.selectors.months import Span, last_months, month_of_applications

MONTHS = 12
_FRESH, _FRESH_OF_OLD = timedelta(minutes=1), timedelta(hours=1)
_REST = 50    # times what counting took: at most a fiftieth of a processor for each month
_LONG_AGO = timedelta(days=62)    # what is older hardly changes any more


def count_months() -> int:
    """Every month that is due is counted, in the time zone of each person who may look; returns how many. Safe beside itself."""
    due = months_due()
    for since, until in due:
        began = time.monotonic()
        figures = msgspec.to_builtins(month_of_applications(since, until))
        values = {"ends_at": until, "figures": figures, "counted_at": datetime.now(UTC), "seconds": time.monotonic() - began}
        MonthFigures.objects.update_or_create(begins_at=since, defaults=values)
    return len(due)


def months_due() -> list[Span]:
    """Those to be counted now, the newest first; none from before the first application."""
    first = Application.objects.filter(decision__isnull=False).order_by("created_at").values_list("created_at", flat=True).first()
    if first is None:
        return []
    zones = User.objects.filter(is_active=True).order_by().values_list("time_zone", flat=True).distinct()
    spans = {span for zone in zones for span in last_months(MONTHS, ZoneInfo(zone)) if span[1] > first}
    kept = {one.begins_at: one for one in MonthFigures.objects.defer("figures")}
    return sorted((span for span in spans if _is_due(span, kept.get(span[0]))), reverse=True)


def _is_due(span: Span, kept: MonthFigures | None) -> bool:
    if kept is None or kept.ends_at != span[1]:
        return True
    now = datetime.now(UTC)
    fresh = _FRESH if now - span[0] < _LONG_AGO else _FRESH_OF_OLD
    return now - kept.counted_at > max(fresh, timedelta(seconds=_REST * kept.seconds))
