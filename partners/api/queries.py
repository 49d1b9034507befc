"""Reading query parameters and pages of lists: every fault at once, nothing unknown passed over."""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from rest_framework.request import Request

from partners.api.errors import Fault, QueryRefused

PAGE = 25
MOST = 200
LONGEST_TEXT = 200
PLAIN = r"^[^\x00-\x1f\x7f]+$"
_PLAIN = re.compile(rf"[^\x00-\x1f\x7f]{{1,{LONGEST_TEXT}}}")
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)    # nothing that is asked for is older or newer
Reader = Callable[[str], Any]


def read_query(request: Request, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The parameters that were given, read. Raises QueryRefused for unknown, repeated or unreadable ones."""
    values: dict[str, Any] = {}
    faults = []
    for name, given in request._request.GET.lists():
        if name not in readers:
            faults.append(Fault(_shown(name), "unknown_parameter", "There is no such parameter.", is_parameter=True))
        elif len(given) > 1:
            faults.append(Fault(name, "duplicate_parameter", "This parameter is there more than once.", is_parameter=True))
        else:
            try:
                values[name] = readers[name](given[0])
            except ValueError as error:
                faults.append(Fault(name, "invalid_value", str(error), is_parameter=True))
    if faults:
        raise QueryRefused(faults)
    return values


def text(value: str) -> str:
    """Any text without control characters."""
    if not _PLAIN.fullmatch(value):
        raise ValueError("Give 1 to 200 printable characters.")
    return value


def one_of(*choices: str) -> Reader:
    """One of these words."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"Give one of {', '.join(choices)}.")
        return value

    return read


def moment(value: str) -> datetime:
    """A moment with its offset, as RFC 3339 writes it."""
    try:
        read = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("Give a time such as 2026-11-21T08:30:00Z.") from error
    if read.tzinfo is None:
        raise ValueError("Give a time with its offset, such as 2026-11-21T08:30:00Z.")
    if not _FIRST.year <= read.year < _LAST.year:
        return _FIRST if read.year < _FIRST.year else _LAST
    return read.astimezone(UTC)


def day(value: str) -> date:
    """A day, as RFC 3339 writes it."""
    try:
        read = date.fromisoformat(value)
    except ValueError as error:
        raise ValueError("Give a day such as 2026-11-21.") from error
    return min(max(read, _FIRST.date()), _LAST.date())


def whole_number(lowest: int, highest: int) -> Reader:
    """A whole number in this range."""

    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) <= len(str(highest)) and lowest <= int(value) <= highest):
            raise ValueError(f"Give a whole number from {lowest} to {highest}.")
        return int(value)

    return read


def identifier(value: str) -> uuid.UUID:
    """A UUID."""
    try:
        return uuid.UUID(value)
    except ValueError as error:
        raise ValueError("Give a UUID.") from error


PAGING: Mapping[str, Reader] = {"limit": whole_number(1, MOST), "cursor": text}


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name[:60])
