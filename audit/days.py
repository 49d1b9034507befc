"""What somebody types to find something: a day, an id."""

import uuid
from datetime import UTC, date, datetime, timedelta


def day_of(term: str) -> tuple[datetime, datetime] | None:
    """A day in UTC as its begin and end; None for what is no day."""
    try:
        began = datetime.combine(date.fromisoformat(term), datetime.min.time(), UTC)
        return began, began + timedelta(days=1)
    except (ValueError, OverflowError):
        return None


def id_of(term: str) -> uuid.UUID | None:
    """An id; None for what is none."""
    try:
        return uuid.UUID(term)
    except ValueError:
        return None
