"""What people do with the queue besides deciding: keep one open, put it off, pass it up, tag it, give many to somebody."""

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.errors import DomainError
from partners.accounts.models import User
from partners.accounts.roles import Permission
from portal.approvals.errors import AssigneeRefused, MoveDetailsRefused, MoveRefused
from portal.approvals.models import Application
from portal.approvals.people import acting_person, refuse_own
from portal.approvals.services.moves import Why, locked, tell, write_move
from portal.approvals.services.work import LOCKED_FOR, assign_application, release_application
from portal.approvals.transitions import MoveName, State

LONGEST_SNOOZE = timedelta(days=90)
MOST_TAGS, MOST_AT_ONCE = 20, 100
_TAG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Seen:
    """An application as somebody saw it in the list."""

    id: uuid.UUID
    revision: int


@dataclass(frozen=True, slots=True)
class Given:
    """How giving many away went: how many are done, and why each of the others is not."""

    done: int
    refused: Sequence[tuple[Seen, DomainError]]


@transaction.atomic
def open_application(*, application_id: uuid.UUID, actor: Actor) -> Application:
    """The application is open with this person alone, for a quarter of an hour from now; a new one counts as looked at from now on.

    Opening it again lengthens that and tells nobody. Raises ApplicationLocked, OwnApplication, PersonNeeded, MoveRefused,
    ApplicationUnknown."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    application = locked(application_id, person_id=person.id)
    refuse_own(person, application)
    _refuse_unless_waiting(application)
    now = datetime.now(UTC)
    is_kept = application.locked_by_id == person.id and application.locked_until is not None and application.locked_until > now
    application.locked_by, application.locked_until = person, now + LOCKED_FOR
    if application.state == State.NEW:
        write_move(application, MoveName.TAKE, actor=actor, why=Why("opened"))
        return application
    application.save(update_fields=["locked_by", "locked_until"])
    if not is_kept:
        tell(application, Action.APPLICATION_OPENED, actor, revision=application.revision)
    return application


@transaction.atomic
def snooze_application(*, application_id: uuid.UUID, until: datetime | None, actor: Actor, revision: int | None = None) -> Application:
    """Nobody is offered the application before then; None ends that. Raises MoveDetailsRefused, PersonNeeded, MoveRefused, and what
    `locked` does."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    if until is not None and not timedelta(0) < until - datetime.now(UTC) <= LONGEST_SNOOZE:
        raise MoveDetailsRefused(fields={"until": f"Choose a moment from now to {LONGEST_SNOOZE.days} days ahead."})
    application = locked(application_id, revision=revision, person_id=person.id)
    _refuse_unless_waiting(application)
    application.snoozed_until, application.locked_by, application.locked_until = until, None, None
    _save(application, "snoozed_until", "locked_by", "locked_until")
    moment = "" if until is None else until.astimezone(UTC).isoformat(timespec="seconds")
    tell(application, Action.APPLICATION_SNOOZED, actor, until=moment, revision=application.revision)
    return application


@transaction.atomic
def escalate_application(
    *, application_id: uuid.UUID, actor: Actor, to: uuid.UUID | None = None, revision: int | None = None
) -> Application:
    """The application comes before all others, and is this approver's to do, or any next one's.

    Raises AssigneeRefused, OwnApplication, PersonNeeded, MoveRefused, and what `locked` does."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    application = locked(application_id, revision=revision, person_id=person.id)
    _refuse_unless_waiting(application)
    approver = None if to is None else _approver(to, application, person)
    application.priority, application.escalated_at = 1, datetime.now(UTC)
    application.assigned_to, application.locked_by, application.locked_until, application.snoozed_until = approver, None, None, None
    _save(application, "priority", "escalated_at", "assigned_to", "locked_by", "locked_until", "snoozed_until")
    tell(application, Action.APPLICATION_ESCALATED, actor, to="" if to is None else str(to), revision=application.revision)
    return application


@transaction.atomic
def tag_application(*, application_id: uuid.UUID, tags: Iterable[str], actor: Actor, revision: int | None = None) -> Application:
    """The application has exactly these tags. Raises MoveDetailsRefused, PersonNeeded, and what `locked` does."""
    acting_person(actor, Permission.APPLICATION_DECIDE)
    wanted = checked_tags(tags)
    application = locked(application_id, revision=revision)
    if wanted != application.tags:
        application.tags = wanted
        _save(application, "tags")
        tell(application, Action.APPLICATION_TAGGED, actor, tags=wanted, revision=application.revision)
    return application


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Each tag once, in order. Raises MoveDetailsRefused."""
    wanted = sorted({one.strip().lower() for one in tags if one.strip()})
    wrong = [one for one in wanted if not _TAG.fullmatch(one)]
    if wrong:
        raise MoveDetailsRefused(fields={"tags": f"“{wrong[0][:60]}” is no tag: use small letters, digits and -, such as second-loan."})
    if len(wanted) > MOST_TAGS:
        raise MoveDetailsRefused(fields={"tags": f"Use at most {MOST_TAGS} tags."})
    return wanted


def assign_applications(*, chosen: Sequence[Seen], assignee_id: uuid.UUID, actor: Actor) -> Given:
    """Each of these is this person's to do, in a commit of its own; those that somebody changed meanwhile stay as they are.

    Raises MoveDetailsRefused for none or too many; PersonNeeded and AssigneeRefused before anything is done."""
    acting_person(actor, Permission.APPLICATION_DECIDE)
    assignee = User.objects.filter(id=assignee_id).first()
    if assignee is None or not assignee.allows(Permission.APPLICATION_DECIDE):
        raise AssigneeRefused(fields={"assignee_id": "Choose somebody who decides about applications."})
    refused: list[tuple[Seen, DomainError]] = []
    for one in _some(chosen):
        try:
            assign_application(application_id=one.id, assignee_id=assignee_id, actor=actor, revision=one.revision)
        except DomainError as refusal:
            refused.append((one, refusal))
    return Given(len(chosen) - len(refused), refused)


def release_applications(*, chosen: Sequence[Seen], actor: Actor) -> Given:
    """Each of these is nobody's, as `assign_applications` does it."""
    acting_person(actor, Permission.APPLICATION_DECIDE)
    refused: list[tuple[Seen, DomainError]] = []
    for one in _some(chosen):
        try:
            release_application(application_id=one.id, actor=actor, revision=one.revision)
        except DomainError as refusal:
            refused.append((one, refusal))
    return Given(len(chosen) - len(refused), refused)


def _some(chosen: Sequence[Seen]) -> Sequence[Seen]:
    if not 1 <= len(chosen) <= MOST_AT_ONCE:
        raise MoveDetailsRefused(fields={"chosen": f"Choose 1 to {MOST_AT_ONCE} applications."})
    return chosen


def _approver(person_id: uuid.UUID, application: Application, asked_by: User) -> User:
    found = User.objects.filter(id=person_id).first()
    if found is None or not found.allows(Permission.APPLICATION_APPROVE):
        raise AssigneeRefused(fields={"to": "Choose an approver."})
    refuse_own(found, application, asked_by=asked_by)
    return found


def _refuse_unless_waiting(application: Application) -> None:
    if not application.is_waiting:
        raise MoveRefused(f"An application that is {application.state.replace('_', ' ')} waits for nobody.")


def _save(application: Application, *fields: str) -> None:
    application.revision += 1
    application.save(update_fields=[*fields, "revision"])
