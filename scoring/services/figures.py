"""Hours that are over are counted once, so that the overview adds up small rows and counts only what came since."""

from datetime import UTC, datetime, timedelta

from scoring.models import Decision, HourFigures
from scoring.selectors.figures import counted_by_hour
from scoring.selectors.shadows import LATE

_SPAN = timedelta(hours=24)    # counted by one statement
_SPANS = 7    # in one turn: who has years behind them catches up in some minutes


def roll_up_hours() -> int:
    """The hours since the last counted one that can get no more decisions are counted. Returns how many. Safe beside itself."""
    until = _hour(datetime.now(UTC) - LATE)
    made = 0
    for _ in range(_SPANS):
        begin = _next_hour(until)
        if begin is None:
            break
        end = min(begin + _SPAN, until)
        rows = [HourFigures(hour=hour, counts=counts) for hour, counts in counted_by_hour(begin, end).items()]
        HourFigures.objects.bulk_create(rows, ignore_conflicts=True)    # another scheduler has counted the same
        made += len(rows)
    return made


def _next_hour(until: datetime) -> datetime | None:
    """The first hour with a decision that is not counted yet; None when there is none before `until`."""
    last = HourFigures.objects.order_by("-hour").values_list("hour", flat=True).first()
    found = Decision.objects.filter(created_at__lt=until)
    if last is not None:
        found = found.filter(created_at__gte=last + timedelta(hours=1))
    first = found.order_by("created_at").values_list("created_at", flat=True).first()
    return None if first is None else _hour(first)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
