"""What people do with applications besides deciding, over HTTP: notes, put off, escalate, tags, and many assigned at once."""

import uuid

from django.http import HttpResponse
from rest_framework.request import Request

from audit.context import Actor
from partners.accounts.roles import Permission
from partners.api.description import described
from partners.api.views import ApiView, identifier
from portal.approvals.api.answers import ApplicationState, Assigned, LeftAsItWas, NoteKept, state_of
from portal.approvals.api.asking import ID, once, wanted_id
from portal.approvals.api.bodies import Assignments, Escalation, NoteWritten, Snooze, Tags
from portal.approvals.services.queue import Seen, assign_applications, escalate_application, snooze_application, tag_application
from portal.approvals.services.work import write_note

_NOBODY = uuid.UUID(int=0)


class ApplicationNotesView(ApiView):
    """What people write down about it."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described("Write a note", operation="application_note", takes=NoteWritten, gives=NoteKept, status=201, refuses=(404, 409),
               parameters=ID, text="For colleagues; kept encrypted under the applicant's own key, and read among the events.")  # fmt: skip
    def post(self, request: Request, application_id: str) -> HttpResponse:
        """201 with the note's id and time."""
        wanted = wanted_id(application_id)

        def perform(asked: NoteWritten, actor: Actor) -> NoteKept:
            kept = write_note(application_id=wanted, text=asked.note, actor=actor)
            return NoteKept(str(kept.id), kept.at)

        return once(request, f"{wanted}/notes", NoteWritten, perform, status=201)


class ApplicationSnoozeView(ApiView):
    """It is put off."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described("Put an application off", operation="application_snooze", takes=Snooze, gives=ApplicationState, refuses=(404, 409),
               parameters=ID, text="Nobody is offered it before then; `until` null ends that.")  # fmt: skip
    def post(self, request: Request, application_id: str) -> HttpResponse:
        """Where the application stands now."""
        wanted = wanted_id(application_id)

        def perform(asked: Snooze, actor: Actor) -> ApplicationState:
            return state_of(snooze_application(application_id=wanted, until=asked.until, actor=actor, revision=asked.revision))

        return once(request, f"{wanted}/snooze", Snooze, perform)


class ApplicationEscalationView(ApiView):
    """It comes before all others."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described("Put an application before all others", operation="application_escalate", takes=Escalation, gives=ApplicationState,
               refuses=(404, 409), parameters=ID, text="It is this approver's, or without one the next approver's.")  # fmt: skip
    def post(self, request: Request, application_id: str) -> HttpResponse:
        """Where the application stands now."""
        wanted = wanted_id(application_id)

        def perform(asked: Escalation, actor: Actor) -> ApplicationState:
            to = None if asked.to is None else identifier(asked.to) or _NOBODY
            return state_of(escalate_application(application_id=wanted, actor=actor, to=to, revision=asked.revision))

        return once(request, f"{wanted}/escalate", Escalation, perform)


class ApplicationTagsView(ApiView):
    """What it is marked with."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described("Tag an application", operation="application_tag", takes=Tags, gives=ApplicationState, refuses=(404, 409), parameters=ID,
               text="The application has exactly these tags then.")  # fmt: skip
    def post(self, request: Request, application_id: str) -> HttpResponse:
        """Where the application stands now."""
        wanted = wanted_id(application_id)

        def perform(asked: Tags, actor: Actor) -> ApplicationState:
            return state_of(tag_application(application_id=wanted, tags=asked.tags, actor=actor, revision=asked.revision))

        return once(request, f"{wanted}/tags", Tags, perform)


class AssignmentsView(ApiView):
    """Many are somebody's at once."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described("Assign many applications", operation="application_assign_many", takes=Assignments, gives=Assigned,
               text="Each for itself: what somebody changed meanwhile stays as it was, and the answer says why.")  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """How many are assigned, and which were left."""

        def perform(asked: Assignments, actor: Actor) -> Assigned:
            chosen = [Seen(identifier(one.id) or _NOBODY, one.revision) for one in asked.applications]
            given = assign_applications(chosen=chosen, assignee_id=identifier(asked.assignee_id) or _NOBODY, actor=actor)
            return Assigned(given.done, [LeftAsItWas(str(one.id), why.code, why.detail) for one, why in given.refused])

        return once(request, "assign", Assignments, perform)
