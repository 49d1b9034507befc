"""Applications over HTTP: send one, list them, look at one, decide, agree, assign, take the next."""

import uuid
from collections.abc import Mapping

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from audit.context import Actor
from partners.accounts.roles import Permission
from partners.api.bodies import read_body
from partners.api.description import described, paging, query
from partners.api.errors import PermissionMissing
from partners.api.idempotency import REPLAYED, attempt_of
from partners.api.queries import PAGE, PAGING, Reader, moment, one_of, read_query, text
from partners.api.queries import identifier as id_parameter
from partners.api.views import ApiView, answer, answer_bytes, identifier, principal_of
from partners.errors import MoneyRefused
from partners.money import to_minor
from portal.approvals import selectors
from portal.approvals.api.answers import Application as ApplicationAnswer
from portal.approvals.api.answers import (
    ApplicationEventList,
    ApplicationPage,
    ApplicationState,
    NextTaken,
    application_listed,
    application_of,
    event_of,
    state_of,
)
from portal.approvals.api.asking import ID, ROUTE, once, wanted_id
from portal.approvals.api.bodies import (
    ApplicationRequest,
    Assignment,
    DecisionTaken,
    NextAsked,
    Release,
    SecondOpinionGiven,
    read_application,
)
from portal.approvals.errors import MoveDetailsRefused
from portal.approvals.models import Application
from portal.approvals.services.applications import receive_application
from portal.approvals.services.decisions import agree_to_proposal, decide_application, refuse_proposal, retract_proposal
from portal.approvals.services.moves import Why
from portal.approvals.services.work import assign_application, release_application, take_next_application
from portal.approvals.transitions import MoveName, State
from scoring.api import examples
from scoring.api.language import language_of
from scoring.models import BandCode, Channel
from scoring.selectors.cursors import CURSOR

_FILTERS: Mapping[str, Reader] = {
    "state": one_of(*State.values),
    "product": text,
    "band": one_of(*BandCode.values),
    "assigned_to": id_parameter,
    "number": text,
    "reference": text,
    "tag": text,
    "due_at[lt]": moment,
    "created_at[gte]": moment,
    "created_at[lt]": moment,
    **PAGING,
}
_FILTER_PARAMETERS = (
    query("state", "Only in this state.", type="string", enum=State.values),
    query("product", "Only of this product."),
    query("band", "Only with this band.", type="string", enum=BandCode.values),
    query("assigned_to", "Only what this person has.", type="string", format="uuid"),
    query("number", "Only the one that people call by this number."),
    query("reference", "Only of this applicant, by your own reference."),
    query("tag", "Only with this tag."),
    query("due_at[lt]", "Only what waits for a person and is due before this moment.", type="string", format="date-time"),
    query("created_at[gte]", "Only from this moment on.", type="string", format="date-time"),
    query("created_at[lt]", "Only before this moment.", type="string", format="date-time"),
    *paging(type="string", pattern=CURSOR),
)
_EXAMPLE = {**examples.SCORE, "amount": {"amount": "60000.00", "currency": "KES"}}


class ApplicationsView(ApiView):
    """The applications of the partner."""

    permissions = {"POST": Permission.DECISION_MAKE, "GET": Permission.DECISION_READ}
    credential_is_guarded = True  # the statement that stores the decision looks at the credential again

    @described(
        "Send an application", operation="application_create", takes=ApplicationRequest, gives=ApplicationAnswer, status=201,
        refuses=(409,), example=_EXAMPLE,
        text="The application is scored and routed before it is answered: approved, declined, or new, which waits for a person.",
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """201 with the application, once it is durable."""
        raw, principal = read_body(request), principal_of(request)
        attempt = attempt_of(request, route=ROUTE, actor=principal.actor, body=raw)
        shows = principal.allows(Permission.APPLICANT_READ)

        def render(made: Application) -> bytes:
            return msgspec.json.encode(application_of(made, shows_applicant=shows))

        asked = read_application(raw, language_of(request))
        answered = receive_application(asked=asked, actor=principal.actor, channel=Channel.API, render=render, attempt=attempt)
        made = msgspec.json.decode(answered.body, type=_Made).id
        headers = {"Location": f"/api/v1/applications/{made}", "Vary": "Accept-Language"}
        return answer_bytes(answered.body, status=answered.status, headers={**headers, **(REPLAYED if answered.is_replayed else {})})

    @described(
        "List applications", operation="application_list", gives=ApplicationPage, refuses=(400, 404), parameters=_FILTER_PARAMETERS
    )
    def get(self, request: Request) -> HttpResponse:
        """A page of applications, newest first."""
        wanted = read_query(request, _FILTERS)
        shows = principal_of(request).allows(Permission.APPLICANT_READ)
        if "reference" in wanted and not shows:
            raise PermissionMissing(f"To search by reference needs the permission {Permission.APPLICANT_READ}.")
        cursor, limit = wanted.pop("cursor", None), wanted.pop("limit", PAGE)
        times = {"since": "created_at[gte]", "until": "created_at[lt]", "due_before": "due_at[lt]"}
        given = {name: wanted.pop(parameter, None) for name, parameter in times.items()}
        page = selectors.applications(selectors.ApplicationFilters(**wanted, **given), cursor=cursor, limit=limit)
        listed = [application_listed(one, shows_applicant=shows) for one in page.applications]
        return answer(ApplicationPage(listed, page.next_cursor, page.has_more))


class ApplicationView(ApiView):
    """One application."""

    permissions = {"GET": Permission.DECISION_READ}

    @described("Look at one application", operation="application_read", gives=ApplicationAnswer, refuses=(404,), parameters=ID)
    def get(self, request: Request, application_id: str) -> HttpResponse:
        """The application as it stands."""
        found = selectors.application(wanted_id(application_id))
        return answer(application_of(found, shows_applicant=principal_of(request).allows(Permission.APPLICANT_READ)))


class ApplicationEventsView(ApiView):
    """What happened to one application."""

    permissions = {"GET": Permission.DECISION_READ}

    @described("What happened to an application", operation="application_events", gives=ApplicationEventList, refuses=(404,),
               parameters=ID)  # fmt: skip
    def get(self, request: Request, application_id: str) -> HttpResponse:
        """Everything, oldest first."""
        shows = principal_of(request).allows(Permission.APPLICANT_READ)
        found = selectors.history(selectors.application(wanted_id(application_id)))
        return answer(ApplicationEventList([event_of(one, shows_notes=shows) for one in found]))


class ApplicationDecisionsView(ApiView):
    """People decide."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described(
        "Decide about an application", operation="application_decide", takes=DecisionTaken, gives=ApplicationState, refuses=(404, 409),
        parameters=ID, text="Above the limit, on an override and where the policy says so it is a proposal that a second person answers.",
    )  # fmt: skip
    def post(self, request: Request, application_id: str) -> HttpResponse:
        """Where the application stands now."""
        wanted = wanted_id(application_id)

        def perform(asked: DecisionTaken, actor: Actor) -> ApplicationState:
            offer = None if asked.offer is None else _offered(asked.offer, wanted)
            why = Why(asked.reason_code, asked.note or "")
            done = decide_application(
                application_id=wanted, move=MoveName(asked.decision), why=why, actor=actor, revision=asked.revision, offered_minor=offer
            )
            return state_of(done)

        return once(request, f"{wanted}/decisions", DecisionTaken, perform)


class SecondOpinionView(ApiView):
    """A second person answers."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}    # who agrees or refuses needs application.approve: the service sees to it

    @described(
        "Answer a proposal", operation="application_second_opinion", takes=SecondOpinionGiven, gives=ApplicationState,
        refuses=(404, 409), parameters=ID, text="Neither who proposed nor who entered the application can agree.",
    )  # fmt: skip
    def post(self, request: Request, application_id: str) -> HttpResponse:
        """Where the application stands now."""
        wanted = wanted_id(application_id)

        def perform(asked: SecondOpinionGiven, actor: Actor) -> ApplicationState:
            if asked.answer == "agree":
                done = agree_to_proposal(application_id=wanted, actor=actor, note=asked.note or "", revision=asked.revision)
            elif asked.answer == "retract":
                done = retract_proposal(application_id=wanted, actor=actor, revision=asked.revision)
            else:
                why = Why(asked.reason_code or "", asked.note or "")
                done = refuse_proposal(application_id=wanted, why=why, actor=actor, revision=asked.revision)
            return state_of(done)

        return once(request, f"{wanted}/second-opinion", SecondOpinionGiven, perform)


class ApplicationAssignmentView(ApiView):
    """Whose it is."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described(
        "Assign an application", operation="application_assign", takes=Assignment, gives=ApplicationState, refuses=(404, 409),
        parameters=ID,
    )  # fmt: skip
    def post(self, request: Request, application_id: str) -> HttpResponse:
        """Where the application stands now."""
        wanted = wanted_id(application_id)

        def perform(asked: Assignment, actor: Actor) -> ApplicationState:
            assignee = identifier(asked.assignee_id) or uuid.UUID(int=0)
            return state_of(assign_application(application_id=wanted, assignee_id=assignee, actor=actor, revision=asked.revision))

        return once(request, f"{wanted}/assign", Assignment, perform)


class ApplicationReleaseView(ApiView):
    """It is nobody's again."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described(
        "Release an application", operation="application_release", takes=Release, gives=ApplicationState, refuses=(404, 409), parameters=ID
    )
    def post(self, request: Request, application_id: str) -> HttpResponse:
        """Where the application stands now."""
        wanted = wanted_id(application_id)

        def perform(asked: Release, actor: Actor) -> ApplicationState:
            return state_of(release_application(application_id=wanted, actor=actor, revision=asked.revision))

        return once(request, f"{wanted}/release", Release, perform)


class NextApplicationView(ApiView):
    """The most urgent one."""

    permissions = {"POST": Permission.APPLICATION_DECIDE}

    @described(
        "Take the next application", operation="application_take_next", takes=NextAsked, gives=NextTaken,
        text="It is yours, and open with you alone for 15 minutes. Two who ask at once get two.",
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """The application that was taken."""

        def perform(asked: NextAsked, actor: Actor) -> NextTaken:
            taken = take_next_application(actor=actor, product_slug=asked.product)
            return NextTaken(None if taken is None else state_of(taken))

        return once(request, "take-next", NextAsked, perform)


class _Made(msgspec.Struct):
    id: str


def _offered(amount: str, application_id: uuid.UUID) -> int:
    currency = selectors.application(application_id).currency
    try:
        return to_minor(amount, currency)
    except MoneyRefused as refusal:
        raise MoveDetailsRefused(fields={"offer": refusal.detail}) from refusal
