"""A period as an operator writes it: two days, or two moments, in UTC unless they say otherwise."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def add_period(parser: ArgumentParser) -> None:
    """--since and --until."""
    parser.add_argument("--since", type=_moment, metavar="TIME", help="from this day or moment on, such as 2026-11-01")
    parser.add_argument("--until", type=_moment, metavar="TIME", help="before this day or moment")


def period_of(options: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """What was given."""
    return options["since"], options["until"]


def _moment(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no day or moment such as 2026-11-21 or 2026-11-21T08:30:00Z") from error
    return read if read.tzinfo else read.replace(tzinfo=UTC)
