"""What waits for one person: counts that stop early, each over an index, and what is most urgent among it."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, QuerySet

from portal.approvals.models import Application, SecondOpinion
from portal.approvals.transitions import WAITING, State

MOST = 99    # MOST + 1 stands for more


@dataclass(frozen=True, slots=True)
class Waiting:
    """One kind of waiting: how many, counted to MOST + 1, and until when the most urgent should be done."""

    count: int
    next_due: datetime | None


@dataclass(frozen=True, slots=True)
class WaitingFor:
    """What waits for a person and for everybody. `second`: proposals of others, for who may answer them."""

    everybody: Waiting
    late: Waiting
    mine: Waiting
    incomplete: Waiting    # of mine
    second: Waiting


@dataclass(frozen=True, slots=True)
class Counts:
    """How many applications wait for anybody and for this person, and how many proposals for them as the second; MOST + 1 is more."""

    everybody: int
    mine: int
    second: int


def waiting_for(person_id: uuid.UUID, *, may_approve: bool) -> WaitingFor:
    """What waits now. Put off is not waiting."""
    now = datetime.now(UTC)
    waiting = _waiting_at(now)
    mine = waiting.filter(assigned_to=person_id)
    second = open_proposals_for(person_id) if may_approve else SecondOpinion.objects.none()
    return WaitingFor(
        everybody=_waiting(waiting), late=_waiting(waiting.filter(due_at__lt=now)), mine=_waiting(mine),
        incomplete=_waiting(_waiting_at(now, [State.NEEDS_INFORMATION]).filter(assigned_to=person_id)),
        second=_waiting(second, "expires_at"),
    )  # fmt: skip


def waiting_counts(person_id: uuid.UUID) -> Counts:
    """What the menu and the tabs of the queue say."""
    waiting = _waiting_at(datetime.now(UTC))
    second = _waiting(open_proposals_for(person_id), "expires_at")
    return Counts(_waiting(waiting).count, _waiting(waiting.filter(assigned_to=person_id)).count, second.count)


def open_proposals_for(person_id: uuid.UUID) -> QuerySet[SecondOpinion]:
    """What others proposed and nobody has answered."""
    return SecondOpinion.objects.filter(state=SecondOpinion.Answer.OPEN).exclude(proposed_by=person_id)


def applications_of(applicant_id: uuid.UUID, *, at_most: int = 50) -> list[Application]:
    """The applicant's newest applications."""
    found = Application.objects.filter(applicant=applicant_id, decision__isnull=False).select_related("product")
    return list(found.defer("sealed_request", "product__definition").order_by("-created_at")[:at_most])


def _waiting_at(now: datetime, states: Collection[str] = WAITING) -> QuerySet[Application]:
    """Those in these states; a state that is asked for in two ways would mislead the planner."""
    waiting = Application.objects.filter(decision__isnull=False, state__in=sorted(states))
    return waiting.filter(Q(snoozed_until=None) | Q(snoozed_until__lte=now))


def _waiting(found: QuerySet[Application] | QuerySet[SecondOpinion], until: str = "due_at") -> Waiting:
    """In order: a count that stops early but in no order may walk along whatever has no such row."""
    first = list(found.order_by(until).values_list(until, flat=True)[: MOST + 1])
    return Waiting(len(first), first[0] if first else None)
