"""Reading query parameters and pages of lists: every fault at once, nothing unknown passed over."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from rest_framework.request import Request

from partners.api.errors import Fault, QueryRefused

PAGE = 25
MOST = 200
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
    """Any text a database can hold."""
    if not value or len(value) > 200 or not value.isprintable():
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
        in_utc = read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("Give a time such as 2026-11-21T08:30:00Z.") from error
    if read.tzinfo is None or not 1900 <= read.year <= 9000:
        raise ValueError("Give a time with its offset, such as 2026-11-21T08:30:00Z.")
    return in_utc


def whole_number(lowest: int, highest: int) -> Reader:
    """A whole number in this range."""

    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) <= 10 and lowest <= int(value) <= highest):
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
