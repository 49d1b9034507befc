"""Requests of applicants over HTTP: take one in, look at it, do its next step, make the copy of their data."""

import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from audit.context import Actor
from audit.models import PrivacyRequest
from audit.privacy import requests
from partners.accounts.roles import Permission
from partners.api.bodies import decode, read_body
from partners.api.description import described, path, query
from partners.api.idempotency import answer_once, attempt_of
from partners.api.queries import one_of, read_query
from partners.api.views import ApiView, answer, answer_bytes, principal_of

Kind = Literal["access", "portability", "rectification", "objection", "erasure"]
Act = Literal["rectify", "review", "propose", "confirm", "decline", "complete", "refuse", "withdraw"]
_PLAIN = r"^[^\x00]*$"
_NUMBER = (path("request_number", "The request.", type="integer", minimum=0),)


class PrivacyRequestAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an applicant asks for. `statement` is sealed under their own key; `decision_id` says what an objection is about."""

    kind: Kind
    reference: Annotated[str, Meta(min_length=1, max_length=100, pattern=_PLAIN)]
    received_on: date
    language: Annotated[str, Meta(min_length=2, max_length=10, pattern=r"^[A-Za-z-]+$")] = "en"
    statement: Annotated[str, Meta(max_length=4_000, pattern=_PLAIN)] = ""
    decision_id: uuid.UUID | None = None


class PrivacyAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next step. `because` goes with refuse; `changes` (name, phone, national_id, birth_date) with rectify. An erasure takes propose
    by one person and confirm by another."""

    action: Act
    because: Annotated[str, Meta(max_length=500, pattern=_PLAIN)] = ""
    changes: dict[str, Annotated[str, Meta(max_length=200, pattern=_PLAIN)]] = {}


class PrivacyStepDone(msgspec.Struct, frozen=True):
    """A step with its evidence: codes, counts, digests."""

    name: str
    at: datetime
    actor: str
    evidence: dict[str, Any]


class PrivacyRequestFound(msgspec.Struct, frozen=True):
    """A request. State: open, proposed, done, refused or withdrawn; the last three have a signed certificate."""

    number: int
    kind: str
    state: str
    applicant_id: str
    received_on: date
    due_on: date
    closed_at: datetime | None
    because: str
    steps: list[PrivacyStepDone]
    certificate: dict[str, Any] | None


class PrivacyRequestList(msgspec.Struct, frozen=True):
    """At most fifty: open ones, the most urgent first, or answered ones, the newest first."""

    data: list[PrivacyRequestFound]


class PrivacyCopy(msgspec.Struct, frozen=True):
    """Everything that is held of the applicant, by section, with the logic of each decision."""

    data: dict[str, Any]


class PrivacyNothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is asked."""


class PrivacyRequestsView(ApiView):
    """Requests of applicants."""

    permissions = {"GET": Permission.PRIVACY_MANAGE, "POST": Permission.PRIVACY_MANAGE}

    @described(
        "List applicants' requests", operation="privacy_request_list", gives=PrivacyRequestList, refuses=(400,),
        parameters=(query("show", "open or answered.", type="string", enum=["open", "answered"], default="open"),),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """At most fifty."""
        wanted = read_query(request, {"show": one_of("open", "answered")})
        return answer(PrivacyRequestList([_found(one) for one in requests.requests(is_open=wanted.get("show") != "answered")]))

    @described(
        "Take in an applicant's request", operation="privacy_request_create", takes=PrivacyRequestAsked, gives=PrivacyRequestFound,
        status=201,
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """201: it has a number and a day it is due."""
        raw = read_body(request)
        asked, actor = decode(raw, PrivacyRequestAsked), principal_of(request).actor

        def perform() -> bytes:
            return msgspec.json.encode(_found(requests.open_request(**msgspec.structs.asdict(asked), actor=actor)))

        return answer_once(attempt_of(request, route="POST /api/v1/privacy-requests", actor=actor, body=raw), status=201, perform=perform)


class PrivacyRequestView(ApiView):
    """One request."""

    permissions = {"GET": Permission.PRIVACY_MANAGE}

    @described("Look at a request", operation="privacy_request_read", gives=PrivacyRequestFound, refuses=(404,), parameters=_NUMBER)
    def get(self, request: Request, request_number: int) -> HttpResponse:
        """With its steps and, once it is answered, its certificate."""
        return answer(_found(requests.request_of(request_number)))


class PrivacyActionView(ApiView):
    """What is done with it."""

    permissions = {"POST": Permission.PRIVACY_MANAGE}

    @described(
        "Do the next step of a request", operation="privacy_request_act", takes=PrivacyAction, gives=PrivacyRequestFound,
        refuses=(404, 409), parameters=_NUMBER,
    )  # fmt: skip
    def post(self, request: Request, request_number: int) -> HttpResponse:
        """The request as it is afterwards. 409 says what stands against it, such as a rule and its day."""
        raw = read_body(request)
        asked, actor = decode(raw, PrivacyAction), principal_of(request).actor

        def perform() -> bytes:
            _ACTS[asked.action](request_number, asked, actor)
            return msgspec.json.encode(_found(requests.request_of(request_number)))

        route = f"POST /api/v1/privacy-requests/{request_number}/actions"
        return answer_once(attempt_of(request, route=route, actor=actor, body=raw), status=200, perform=perform)


class PrivacyCopyView(ApiView):
    """The copy of somebody's data."""

    permissions = {"POST": Permission.PRIVACY_MANAGE}

    @described(
        "Make the copy of an applicant's data", operation="privacy_request_copy", takes=PrivacyNothing, gives=PrivacyCopy,
        refuses=(404, 409), parameters=_NUMBER,
        text="For access and portability. That it was made is recorded, with the digest of what this answers.",
    )  # fmt: skip
    def post(self, request: Request, request_number: int) -> HttpResponse:
        """The copy. It is kept nowhere."""
        decode(read_body(request, may_be_empty=True), PrivacyNothing)
        body = msgspec.json.encode(PrivacyCopy(requests.copy_of(requests.request_of(request_number))))
        requests.record_copy(number=request_number, form="api", content=body, actor=principal_of(request).actor)
        return answer_bytes(body)


_Done = Callable[[int, PrivacyAction, Actor], object]
_ACTS: Mapping[str, _Done] = {
    "rectify": lambda number, asked, actor: requests.rectify(number=number, changes=asked.changes, actor=actor),
    "review": lambda number, asked, actor: requests.begin_review(number=number, actor=actor),
    "propose": lambda number, asked, actor: requests.propose_erasure(number=number, actor=actor),
    "confirm": lambda number, asked, actor: requests.confirm_erasure(number=number, actor=actor),
    "decline": lambda number, asked, actor: requests.decline_erasure(number=number, actor=actor),
    "complete": lambda number, asked, actor: requests.complete_request(number=number, actor=actor),
    "refuse": lambda number, asked, actor: requests.refuse_request(number=number, because=asked.because, actor=actor),
    "withdraw": lambda number, asked, actor: requests.withdraw_request(number=number, actor=actor),
}


def _found(one: PrivacyRequest) -> PrivacyRequestFound:
    steps = [PrivacyStepDone(step.name, step.at, step.actor, step.detail) for step in one.steps.order_by("id")]
    return PrivacyRequestFound(
        one.number, one.kind, one.state, str(one.applicant_id), one.received_on, one.due_on, one.closed_at, one.because, steps,
        one.certificate,
    )  # fmt: skip
