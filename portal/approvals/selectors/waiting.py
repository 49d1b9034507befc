"""What waits for one person: counts that stop early, each over an index, and what is most urgent among it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q, QuerySet

from portal.approvals.models import Application, SecondOpinion
from portal.approvals.transitions import WAITING

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


def waiting_for(person_id: uuid.UUID, *, may_approve: bool) -> WaitingFor:
    """What waits now. Put off is not waiting."""
    now = datetime.now(UTC)
    waiting = _waiting_at(now)
    mine = waiting.filter(assigned_to=person_id)
    second = open_proposals_for(person_id) if may_approve else SecondOpinion.objects.none()
    return WaitingFor(
        everybody=_waiting(waiting), late=_waiting(waiting.filter(due_at__lt=now)), mine=_waiting(mine),
        incomplete=_waiting(mine.filter(state="needs_information")),
        second=Waiting(_count(second), second.order_by("expires_at").values_list("expires_at", flat=True).first()),
    )  # fmt: skip


def waiting_counts(person_id: uuid.UUID, *, may_approve: bool) -> tuple[int, int]:
    """How many applications wait for a first person, and how many proposals for this second one, for the menu."""
    return _count(_waiting_at(datetime.now(UTC))), _count(open_proposals_for(person_id)) if may_approve else 0


def open_proposals_for(person_id: uuid.UUID) -> QuerySet[SecondOpinion]:
    """What others proposed and nobody has answered."""
    return SecondOpinion.objects.filter(state=SecondOpinion.Answer.OPEN).exclude(proposed_by=person_id)


def applications_of(applicant_id: uuid.UUID, *, at_most: int = 50) -> list[Application]:
    """The applicant's newest applications."""
    found = Application.objects.filter(applicant=applicant_id, decision__isnull=False).select_related("product")
    return list(found.defer("sealed_request", "product__definition").order_by("-created_at")[:at_most])


def _waiting_at(now: datetime) -> QuerySet[Application]:
    waiting = Application.objects.filter(decision__isnull=False, state__in=sorted(WAITING))
    return waiting.filter(Q(snoozed_until=None) | Q(snoozed_until__lte=now))


def _waiting(found: QuerySet[Application]) -> Waiting:
    return Waiting(_count(found), found.order_by("due_at").values_list("due_at", flat=True).first())


def _count(found: QuerySet[Application] | QuerySet[SecondOpinion]) -> int:
    return found.order_by().values("id")[: MOST + 1].count()
