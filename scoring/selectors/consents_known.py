"""What applicants allowed, as it is known."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from scoring.models import Consent


@dataclass(frozen=True, slots=True)
class ConsentSummary:
    """One statement of an applicant. It `holds` unless a later one is about the same."""

    id: uuid.UUID
    kind: str
    title: str
    is_given: bool
    at: datetime
    way: str
    recorded_at: datetime
    actor_label: str
    holds: bool


def consents_of(applicant_id: uuid.UUID, *, at_most: int = 100) -> list[ConsentSummary]:
    """The newest statements of the applicant, the newest first."""
    seen: set[str] = set()
    found = []
    for row in Consent.objects.filter(applicant_id=applicant_id).order_by("-at", "-id")[:at_most]:
        found.append(
            ConsentSummary(
                row.id, row.kind, row.get_kind_display(), row.is_given, row.at, row.get_how_display(), row.recorded_at, row.actor_label,
                row.kind not in seen,
            )  # fmt: skip
        )
        seen.add(row.kind)
    return found
