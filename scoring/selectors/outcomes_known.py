"""What is known of how decisions turned out."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from scoring.errors import DecisionUnknown
from scoring.models import Decision, Outcome


@dataclass(frozen=True, slots=True)
class OutcomeSummary:
    """One outcome as it was recorded. It `holds` unless a later one supersedes it."""

    id: uuid.UUID
    decision_id: uuid.UUID
    kind: str
    value: int
    amount: Decimal | None
    currency: str
    observed_on: date
    recorded_at: datetime
    source: str
    supersedes: uuid.UUID | None
    actor_label: str
    holds: bool


def outcomes_of(decision_id: uuid.UUID) -> list[OutcomeSummary]:
    """Every outcome of the decision, the one that holds first. Raises DecisionUnknown."""
    rows = list(Outcome.objects.filter(decision_id=decision_id).order_by("-id"))
    if not rows and not Decision.objects.filter(id=decision_id).exists():
        raise DecisionUnknown
    superseded = {row.supersedes_id for row in rows}
    return [outcome_summary(row, holds=row.id not in superseded) for row in rows]


def outcome_summary(row: Outcome, *, holds: bool) -> OutcomeSummary:
    """The row as others see it."""
    return OutcomeSummary(
        id=row.id, decision_id=row.decision_id, kind=row.kind, value=row.value, amount=row.amount, currency=row.currency,
        observed_on=row.observed_on, recorded_at=row.recorded_at, source=row.source, supersedes=row.supersedes_id,
        actor_label=row.actor_label, holds=holds,
    )  # fmt: skip


def outcomes_about(decision_ids: Sequence[uuid.UUID]) -> list[OutcomeSummary]:
    """What holds of these decisions, the newest observation first."""
    rows = Outcome.objects.filter(decision_id__in=decision_ids, superseded_by=None).order_by("-observed_on", "-id")
    return [outcome_summary(row, holds=True) for row in rows]
