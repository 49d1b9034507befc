"""When the turn of something comes again."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from portal.exports.models import Every

MORNING = time(6)    # in the person's own time zone


def next_time(every: str, after: datetime, zone: str) -> datetime:
    """The next morning, Monday's morning, or morning of a first of a month, where the person is."""
    here = after.astimezone(ZoneInfo(zone))
    day = here.date()
    while datetime.combine(day, MORNING, here.tzinfo) <= here or not _is_turn(every, day.weekday(), day.day):
        day += timedelta(days=1)
    return datetime.combine(day, MORNING, here.tzinfo)


def _is_turn(every: str, weekday: int, day: int) -> bool:
    return every == Every.DAY or (every == Every.WEEK and weekday == 0) or (every == Every.MONTH and day == 1)
