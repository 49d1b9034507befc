"""Who works on what: take the next application, give one to somebody, give it back, write a note."""

import uuid
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.actions import Action
from audit.context import Actor
from audit.ids import uuid7
from audit.vault import keyring
from partners.accounts.models import User
from partners.accounts.roles import Permission
from portal.approvals.errors import AssigneeRefused, MoveDetailsRefused, MoveRefused, PersonNeeded
from portal.approvals.models import Application, Note, SecondOpinion
from portal.approvals.people import acting_person, own_references, refuse_own
from portal.approvals.sealed import seal_text
from portal.approvals.services.moves import LONGEST_NOTE, Why, locked, tell, write_move
from portal.approvals.transitions import MoveName, State

LOCKED_FOR = timedelta(minutes=15)
_HELD = ("assigned_to", "locked_by", "locked_until", "revision")


@transaction.atomic
def take_next_application(*, actor: Actor, product_slug: str | None = None, after: Application | None = None) -> Application | None:
    """The most urgent application that waits for this person is theirs, and open with them alone; None when none waits.

    `after` one of the queue it is the next in order, and from the top where that was the last. Two people who ask at once get two.
    Raises PersonNeeded."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    waiting = waiting_for(person, datetime.now(UTC))
    if product_slug is not None:
        waiting = waiting.filter(product__slug=product_slug)
    places = [waiting] if after is None else [waiting.filter(_behind(after)), waiting.exclude(id=after.id)]
    free = (place.only("id").select_for_update(of=("self",), skip_locked=True)[:1] for place in places)
    found = next((one for one in free if one), None)
    if not found:
        return None
    application = locked(found[0].id, person_id=person.id)
    application.locked_by, application.locked_until = person, datetime.now(UTC) + LOCKED_FOR
    application.assigned_to = person
    if application.state == State.NEW:
        write_move(application, MoveName.TAKE, actor=actor, why=Why("taken"))
    else:
        _save(application)
        tell(application, Action.APPLICATION_ASSIGNED, actor, to=str(person.id), revision=application.revision)
    return application


@transaction.atomic
def assign_application(
    *, application_id: uuid.UUID, assignee_id: uuid.UUID, actor: Actor, revision: int | None = None
) -> Application:
    """The application is this person's to do. Raises AssigneeRefused, OwnApplication, PersonNeeded, MoveRefused, and what `locked` does."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    application = locked(application_id, revision=revision, person_id=person.id)
    assignee = User.objects.filter(id=assignee_id).first()
    if assignee is None or not assignee.allows(Permission.APPLICATION_DECIDE):
        raise AssigneeRefused(fields={"assignee_id": "Send the id of somebody who decides about applications."})
    refuse_own(assignee, application, asked_by=person)
    _refuse_unless_waiting(application)
    application.assigned_to, application.locked_by, application.locked_until = assignee, None, None
    _save(application)
    tell(application, Action.APPLICATION_ASSIGNED, actor, to=str(assignee.id), revision=application.revision)
    return application


@transaction.atomic
def release_application(*, application_id: uuid.UUID, actor: Actor, revision: int | None = None) -> Application:
    """The application is nobody's. Raises PersonNeeded for somebody else's, unless an approver asks; and what `locked` does."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    application = locked(application_id, revision=revision)
    holders = {application.assigned_to_id, application.locked_by_id} - {None}
    if holders - {person.id} and not person.allows(Permission.APPLICATION_APPROVE):
        raise PersonNeeded("Somebody else has this application: they or an approver can release it.")
    if not holders:
        return application
    application.assigned_to = application.locked_by = application.locked_until = None
    _save(application)
    tell(application, Action.APPLICATION_RELEASED, actor, revision=application.revision)
    return application


@transaction.atomic
def write_note(*, application_id: uuid.UUID, text: str, actor: Actor) -> Note:
    """The note is there, sealed. Raises MoveDetailsRefused, PersonNeeded, ApplicationUnknown, ApplicantErased."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    if not text.strip() or len(text) > LONGEST_NOTE or "\0" in text:
        raise MoveDetailsRefused(fields={"note": f"Write 1 to {LONGEST_NOTE} characters."})
    application = locked(application_id)
    note_id = uuid7()
    sealed = seal_text(application, Note, note_id, text.strip())
    note = Note.objects.create(id=note_id, application=application, sealed_text=sealed, written_by=person, at=datetime.now(UTC))
    tell(application, Action.APPLICATION_NOTED, actor, note=str(note_id))
    return note


def waiting_for(person: User, now: datetime) -> QuerySet[Application]:
    """What this person could do next, most urgent first: nobody else's, not snoozed, not open elsewhere, not their own."""
    name, proposals = keyring().blind_index("name", person.name), SecondOpinion.objects.filter(application=OuterRef("id"), state="open")
    found = (
        Application.objects.filter(decision__isnull=False, state__in=[State.NEW, State.IN_REVIEW])
        .filter(Q(assigned_to=None) | Q(assigned_to=person))
        .filter(Q(snoozed_until=None) | Q(snoozed_until__lte=now))
        .filter(Q(locked_by=None) | Q(locked_by=person) | Q(locked_until__lte=now))
        .exclude(applicant_id__in=own_references(person))
        .order_by("-priority", "due_at", "id")
    )
    if name is not None:
        found = found.exclude(applicant__name_index=name)
    if not person.allows(Permission.APPLICATION_APPROVE):
        return found.filter(~Exists(proposals))
    entered = Q(created_by_kind="user", created_by_id=str(person.id)) & Exists(proposals)
    return found.filter(~Exists(proposals.filter(proposed_by=person))).exclude(entered)


def next_in_queue(after: Application, person: User) -> Application | None:
    """What comes after this one for this person, most urgent first, and from the top where it was the last. Nothing changes."""
    waiting = waiting_for(person, datetime.now(UTC)).exclude(id=after.id).only("number")
    return waiting.filter(_behind(after)).first() or waiting.first()


def previous_in_queue(before: Application, person: User) -> Application | None:
    """What comes before this one for this person, and from the bottom where it was the first. Nothing changes."""
    waiting = waiting_for(person, datetime.now(UTC)).exclude(id=before.id).only("number").reverse()
    return waiting.exclude(_behind(before)).first() or waiting.first()


def _behind(one: Application) -> Q:
    """Less urgent than this one: -priority, due_at with none at the end, id."""
    later = Q(due_at=one.due_at, id__gt=one.id)
    if one.due_at is not None:
        later |= Q(due_at__gt=one.due_at) | Q(due_at=None)
    return Q(priority__lt=one.priority) | Q(priority=one.priority) & later


def _refuse_unless_waiting(application: Application) -> None:
    if not application.is_waiting:
        raise MoveRefused(f"An application that is {application.state} waits for nobody.")


def _save(application: Application) -> None:
    application.revision += 1
    application.save(update_fields=_HELD)
