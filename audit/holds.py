"""What stands against an erasure: legal holds and periods that the law sets. Whoever keeps them registers a check."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Refusal:
    """The rule, with its citation, and the first day on which it no longer stands against it; None: until somebody lifts it."""

    rule: str
    until: date | None


Check = Callable[[uuid.UUID], Refusal | None]
_checks: list[Check] = []


def refuse_by(check: Check) -> None:
    """The check is asked before every erasure from now on. Called in AppConfig.ready()."""
    if check not in _checks:
        _checks.append(check)


def refusal(applicant_id: uuid.UUID) -> Refusal | None:
    """What stands longest against erasing this applicant, or None."""
    found = [one for check in _checks if (one := check(applicant_id)) is not None]
    return max(found, key=lambda one: one.until or date.max, default=None)
