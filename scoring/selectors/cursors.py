"""Where a list by time goes on: the moment and the id of the last row, as one word for addresses."""

import base64
import re
import uuid
from datetime import UTC, datetime, timedelta

from scoring.errors import CursorRefused

CURSOR = r"^AA[A-Za-z0-9_-]{30}$"    # AA: before the year 2112


def to_cursor(moment: datetime, row_id: uuid.UUID) -> str:
    """The word for this place."""
    place = int(moment.timestamp()) * 1_000_000 + moment.microsecond
    return base64.urlsafe_b64encode(place.to_bytes(8) + row_id.bytes).decode()


def from_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    """The place again. Raises CursorRefused for a word that is none of ours."""
    if not re.fullmatch(CURSOR, cursor):
        raise CursorRefused
    place = base64.urlsafe_b64decode(cursor)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int.from_bytes(place[:8])), uuid.UUID(bytes=place[8:])
