"""What routes about applications answer."""

from datetime import datetime

import msgspec

from partners.accounts.models import User
from partners.money import to_text
from portal.approvals.api.bodies import Money
from portal.approvals.models import Application as Row
from portal.approvals.models import SecondOpinion
from portal.approvals.selectors import HistoryEntry, open_proposal, reference_of
from portal.approvals.transitions import moves_from
from scoring import selectors as scores
from scoring.api.answers import ApplicantNamed, Score, score_detail


class Person(msgspec.Struct, frozen=True):
    """Somebody who works for the partner."""

    id: str
    name: str


class Proposal(msgspec.Struct, frozen=True):
    """What one person proposed and a second one has to answer before it lapses. `because`: above_limit, override, always."""

    decision: str
    because: list[str]
    reason_code: str
    offer: Money | None
    proposed_by: Person
    proposed_at: datetime
    expires_at: datetime


class ApplicationListed(msgspec.Struct, frozen=True):
    """One application of a list. `number` is what people call it by; `because` says why a person has to decide."""

    id: str
    number: str
    product: str
    applicant: ApplicantNamed
    amount: Money
    offer: Money | None
    state: str
    because: str | None
    band: str
    outcome: str
    score_id: str
    channel: str
    tags: list[str]
    priority: int
    assigned_to: Person | None
    due_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    decided_at: datetime | None
    revision: int


class Application(ApplicationListed, frozen=True):
    """One application with the decision of the model, what waits for a second person, and what a person can do now."""

    score: Score
    proposal: Proposal | None
    possible: list[str]


class ApplicationState(msgspec.Struct, frozen=True):
    """Where an application stands after what was asked. With a `proposal` it is not decided yet: a second person has to agree."""

    id: str
    number: str
    state: str
    revision: int
    assigned_to: Person | None
    proposal: Proposal | None
    possible: list[str]


class NextTaken(msgspec.Struct, frozen=True):
    """The application that was taken; null when none waits."""

    application: ApplicationState | None


class NoteKept(msgspec.Struct, frozen=True):
    """The note as it was kept; its text stands among the events."""

    id: str
    at: datetime


class LeftAsItWas(msgspec.Struct, frozen=True):
    """An application that could not be assigned, and why."""

    id: str
    code: str
    detail: str


class Assigned(msgspec.Struct, frozen=True):
    """How many applications are assigned, and those that stay as they were."""

    done: int
    refused: list[LeftAsItWas]


class ApplicationPage(msgspec.Struct, frozen=True):
    """Applications, newest first."""

    data: list[ApplicationListed]
    next_cursor: str | None
    has_more: bool


class ApplicationEvent(msgspec.Struct, frozen=True):
    """One thing that happened to an application. The note is null for a caller who may not see what people wrote."""

    id: str
    action: str
    at: datetime
    actor_kind: str
    actor: str
    from_state: str | None
    to_state: str | None
    reason_code: str | None
    revision: int | None
    note: str | None


class ApplicationEventList(msgspec.Struct, frozen=True):
    """Everything that happened, oldest first."""

    data: list[ApplicationEvent]
    next_cursor: str | None = None
    has_more: bool = False


def application_listed(row: Row, *, shows_applicant: bool) -> ApplicationListed:
    """An application as a list shows it."""
    return ApplicationListed(**_listed(row, shows_applicant))  # type: ignore[arg-type]


def application_of(row: Row, *, shows_applicant: bool) -> Application:
    """One application, whole. Raises DecisionAltered when its decision is not as it was recorded."""
    assert row.decision_id is not None
    score = score_detail(scores.decision_detail(row.decision_id), shows_applicant=shows_applicant)
    waiting = proposal_of(row)
    return Application(**_listed(row, shows_applicant), score=score, proposal=waiting, possible=_possible(row, waiting))  # type: ignore[arg-type]


def state_of(row: Row) -> ApplicationState:
    """Where the application stands; nothing about the applicant, since the answer is kept for repeats."""
    waiting = proposal_of(row)
    return ApplicationState(str(row.id), row.number, row.state, row.revision, _person(row.assigned_to), waiting, _possible(row, waiting))


def proposal_of(row: Row) -> Proposal | None:
    """What waits for a second person."""
    found: SecondOpinion | None = open_proposal(row)
    if found is None:
        return None
    offer = None if found.offered_minor is None else Money(to_text(found.offered_minor, row.currency), row.currency)
    by = Person(str(found.proposed_by_id), found.proposed_by.name)
    return Proposal(found.move, list(found.because), found.reason_code, offer, by, found.proposed_at, found.expires_at)


def event_of(entry: HistoryEntry, *, shows_notes: bool) -> ApplicationEvent:
    """One thing that happened."""
    event, detail = entry.event, entry.detail
    return ApplicationEvent(
        str(event.id), event.action, event.recorded_at, event.actor_kind, event.actor_label, detail.get("from"), detail.get("to"),
        detail.get("reason_code"), detail.get("revision"), entry.note if shows_notes else None,
    )  # fmt: skip


def _possible(row: Row, waiting: Proposal | None) -> list[str]:
    return ["agree", "refuse", "retract", "withdraw"] if waiting else [move.value for move in moves_from(row.state)]


def _person(user: User | None) -> Person | None:
    return None if user is None else Person(str(user.id), user.name)


def _listed(row: Row, shows_applicant: bool) -> dict[str, object]:
    offered = row.offered
    return {
        "id": str(row.id),
        "number": row.number,
        "product": row.product.slug,
        "applicant": ApplicantNamed(reference_of(row) if shows_applicant else None),
        "amount": Money(row.amount, row.currency),
        "offer": None if offered is None else Money(offered, row.currency),
        "state": row.state,
        "because": row.because or None,
        "band": row.band,
        "outcome": row.outcome,
        "score_id": str(row.decision_id),
        "channel": row.channel,
        "tags": list(row.tags),
        "priority": row.priority,
        "assigned_to": _person(row.assigned_to),
        "due_at": row.due_at if row.is_waiting else None,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
        "decided_at": row.decided_at,
        "revision": row.revision,
    }
