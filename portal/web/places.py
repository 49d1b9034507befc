"""Where other pages are, for those that lead to them: one place to know the addresses of the queue."""

from urllib.parse import urlencode

APPLICATIONS = "/applications"
TAKE_NEXT = f"{APPLICATIONS}/take-next"


def applications(**wanted: str) -> str:
    """The queue in this state."""
    return f"{APPLICATIONS}?{urlencode(wanted)}" if wanted else APPLICATIONS


def application(number: str) -> str:
    """The page of one application."""
    return f"{APPLICATIONS}/{number}"
