"""Retention over HTTP: rules, legal holds, what a run would do, runs by two people, certificates."""

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from audit import holds
from audit.errors import HoldUnknown, RunUnknown
from audit.models import Hold, RetentionPolicy, RetentionRun
from audit.retention import services
from audit.retention.registry import record_classes
from audit.retention.runs import gone_of, signed_certificate
from partners.accounts.roles import Permission
from partners.api.bodies import decode, read_body
from partners.api.description import described, path
from partners.api.idempotency import answer_once, attempt_of
from partners.api.queries import read_query
from partners.api.views import ApiView, answer, answer_bytes, identifier, principal_of

NEWEST = 200
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
_RUN = (path("run", "The run.", type="integer"),)
_HOLD = (path("hold_id", "The hold.", type="string", format="uuid"),)
_READS, _MANAGES = Permission.RECORD_READ, Permission.RETENTION_MANAGE


class RetentionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Records of this class stay so long after this event; of several rules the one that ends last counts. `action`: what is done
    with them then; null in a request: the usual one of the class."""

    record_class: str
    trigger: Literal["application", "notice", "closure", "made"]
    period: Annotated[int, msgspec.Meta(ge=1, le=20_000)]
    unit: Literal["days", "months", "years"]
    citation: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    action: Literal["erase", "anonymise", "delete"] | None = None


class RetentionRuleList(msgspec.Struct, frozen=True):
    """Every rule in force."""

    data: list[RetentionRule]


class RetentionStanding(msgspec.Struct, frozen=True):
    """Where the records of a class stand: how many are due, held, inside their period, waiting for an event, or without a rule."""

    record_class: str
    action: str
    counts: dict[str, int]
    sample: list[str]


class RetentionPreview(msgspec.Struct, frozen=True):
    """What a run would do now; nothing is changed. `sample`: ids that would go first."""

    data: list[RetentionStanding]


class RetentionRunAnswer(msgspec.Struct, frozen=True):
    """A run: proposed, confirmed (under way), done, refused or outdated. `due`: when it was proposed; `gone`: what it let go of."""

    number: int
    state: str
    as_of: datetime
    proposed_by: str
    answered_by: str | None
    finished_at: datetime | None
    due: dict[str, int]
    gone: dict[str, int]


class RetentionRunList(msgspec.Struct, frozen=True):
    """The newest runs, newest first."""

    data: list[RetentionRunAnswer]


class RetentionNothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty object."""


class SignedCertificate(msgspec.Struct, frozen=True):
    """`certificate` is the JSON text that was signed, with Ed25519, by the key of this id; /api/v1/signing-keys names it."""

    certificate: str
    key_id: str
    signature: str


class HoldPlaced(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing of this applicant goes: neither by a rule nor by an erasure. `until`: the last day; null: until two people lift it."""

    kind: Literal["applicant", "application", "decision"]
    object_id: uuid.UUID
    reason: Words
    until: date | None = None


class HoldAnswer(msgspec.Struct, frozen=True):
    """A hold, and who asked to lift it."""

    id: str
    kind: str
    object_id: str
    reason: str
    until: date | None
    placed_at: datetime
    placed_by: str
    lift_asked_by: str | None
    lift_reason: str | None
    lifted_at: datetime | None


class HoldList(msgspec.Struct, frozen=True):
    """The newest holds, newest first."""

    data: list[HoldAnswer]


class HoldLiftAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the hold may be lifted."""

    reason: Words


class TwoPeopleAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the second person says."""

    agrees: bool


class RetentionPoliciesView(ApiView):
    """Rules."""

    permissions = {"GET": _READS, "POST": _MANAGES}

    @described("List rules of retention", operation="retention_policy_list", gives=RetentionRuleList, refuses=(400,))
    def get(self, request: Request) -> HttpResponse:
        """All of them."""
        read_query(request, {})
        return answer(RetentionRuleList([_rule(one) for one in RetentionPolicy.objects.all()]))

    @described(
        "Set a rule of retention", operation="retention_policy_set", takes=RetentionRule, gives=RetentionRule, status=200, refuses=(409,),
        text="In place of the rule about the same class and event. 409 while a run is under way.",
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """The rule as it is in force."""
        raw = read_body(request)
        asked = msgspec.structs.asdict(decode(raw, RetentionRule))
        asked["action"] = asked["action"] or ""
        return _once(request, raw, "policies", 200, lambda actor: _rule(services.change_policy(**asked, actor=actor)))


class RetentionPolicyView(ApiView):
    """One rule."""

    permissions = {"DELETE": _MANAGES}

    @described(
        "Remove a rule of retention", operation="retention_policy_remove", status=204, refuses=(404, 409),
        parameters=(path("record_class", "The class."), path("trigger", "The event.")),
    )  # fmt: skip
    def delete(self, request: Request, record_class: str, trigger: str) -> HttpResponse:
        """A class without rules stays whole."""
        services.remove_policy(record_class=record_class, trigger=trigger, actor=principal_of(request).actor)
        return answer_bytes(b"", status=204)


class RetentionPreviewView(ApiView):
    """A trial."""

    permissions = {"GET": _READS}

    @described("See what a run would do", operation="retention_preview", gives=RetentionPreview, refuses=(400,))
    def get(self, request: Request) -> HttpResponse:
        """Counts and a sample; nothing is changed."""
        read_query(request, {})
        found = services.preview()
        return answer(
            RetentionPreview(
                [RetentionStanding(one.kind.name, one.kind.usual, dict(one.counts), [item.id for item, _ in one.sample]) for one in found]
            )
        )


class RetentionRunsView(ApiView):
    """Runs."""

    permissions = {"GET": _READS, "POST": _MANAGES}

    @described("List runs of retention", operation="retention_run_list", gives=RetentionRunList, refuses=(400,))
    def get(self, request: Request) -> HttpResponse:
        """The newest."""
        read_query(request, {})
        return answer(RetentionRunList([_run(one) for one in RetentionRun.objects.all()[:NEWEST]]))

    @described(
        "Propose a run of retention", operation="retention_run_propose", takes=RetentionNothing, gives=RetentionRunAnswer, status=201,
        refuses=(409,), text="For people: another one has to confirm it. 409 when nothing is due or a run is under way.",
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """It waits for a second person."""
        raw = read_body(request)
        decode(raw, RetentionNothing)
        return _once(request, raw, "runs", 201, lambda actor: _run(services.propose_run(actor=actor)))


class RetentionRunAnswerView(ApiView):
    """What the second person says of a run."""

    permissions = {"POST": _MANAGES}

    @described(
        "Confirm or refuse a run of retention", operation="retention_run_answer", takes=TwoPeopleAnswer, gives=RetentionRunAnswer,
        refuses=(404, 409), parameters=_RUN, text="403 `second_person_needed` for whoever proposed it.",
    )  # fmt: skip
    def post(self, request: Request, run: int) -> HttpResponse:
        """A worker begins within seconds, or nothing happens."""
        raw = read_body(request)
        agrees = decode(raw, TwoPeopleAnswer).agrees
        return _once(
            request, raw, f"runs/{run}/answer", 200, lambda actor: _run(services.answer_run(number=run, agrees=agrees, actor=actor))
        )


class RetentionCertificateView(ApiView):
    """What a run destroyed, signed."""

    permissions = {"GET": _READS}

    @described(
        "Read a destruction certificate", operation="retention_certificate", gives=SignedCertificate, refuses=(404,), parameters=_RUN
    )
    def get(self, request: Request, run: int) -> HttpResponse:
        """As it was signed."""
        read_query(request, {})
        return answer_bytes(signed_certificate(done_run(run)))


class HoldsView(ApiView):
    """Legal holds."""

    permissions = {"GET": _READS, "POST": _MANAGES}

    @described("List legal holds", operation="hold_list", gives=HoldList, refuses=(400,))
    def get(self, request: Request) -> HttpResponse:
        """The newest, lifted ones too."""
        read_query(request, {})
        return answer(HoldList([_hold(one) for one in Hold.objects.all()[:NEWEST]]))

    @described("Place a legal hold", operation="hold_place", takes=HoldPlaced, gives=HoldAnswer, status=201)
    def post(self, request: Request) -> HttpResponse:
        """It stands from now on."""
        raw = read_body(request)
        asked = decode(raw, HoldPlaced)
        return _once(request, raw, "holds", 201, lambda actor: _hold(holds.place_hold(**msgspec.structs.asdict(asked), actor=actor)))


class HoldLiftView(ApiView):
    """The first person's part in lifting a hold."""

    permissions = {"POST": _MANAGES}

    @described(
        "Ask to lift a legal hold", operation="hold_lift_ask", takes=HoldLiftAsked, gives=HoldAnswer, refuses=(404, 409), parameters=_HOLD
    )
    def post(self, request: Request, hold_id: str) -> HttpResponse:
        """It stands until another person agrees."""
        raw = read_body(request)
        reason, wanted = decode(raw, HoldLiftAsked).reason, _wanted(hold_id)
        return _once(
            request, raw, f"holds/{hold_id}/lift", 200, lambda actor: _hold(holds.ask_lift(hold_id=wanted, reason=reason, actor=actor))
        )


class HoldLiftAnswerView(ApiView):
    """The second person's part in lifting a hold."""

    permissions = {"POST": _MANAGES}

    @described(
        "Answer whether a legal hold is lifted", operation="hold_lift_answer", takes=TwoPeopleAnswer, gives=HoldAnswer, refuses=(404, 409),
        parameters=_HOLD,
    )  # fmt: skip
    def post(self, request: Request, hold_id: str) -> HttpResponse:
        """It is lifted, or stands as if nobody had asked."""
        raw = read_body(request)
        agrees, wanted = decode(raw, TwoPeopleAnswer).agrees, _wanted(hold_id)
        return _once(
            request, raw, f"holds/{hold_id}/answer", 200, lambda actor: _hold(holds.answer_lift(hold_id=wanted, agrees=agrees, actor=actor))
        )


def done_run(number: int) -> RetentionRun:
    """The run that is done. Raises RunUnknown."""
    found = RetentionRun.objects.filter(number=number, state=RetentionRun.State.DONE).first()
    if found is None:
        raise RunUnknown(f"There is no certificate of run {number}: it is not done, or there was none.")
    return found


def _once(request: Request, raw: bytes, what: str, status: int, perform: Callable[[Any], msgspec.Struct]) -> HttpResponse:
    actor = principal_of(request).actor
    attempt = attempt_of(request, route=f"POST /api/v1/retention/{what}", actor=actor, body=raw)
    return answer_once(attempt, status=status, perform=lambda: msgspec.json.encode(perform(actor)))


def _wanted(hold_id: str) -> uuid.UUID:
    found = identifier(hold_id)
    if found is None:
        raise HoldUnknown
    return found


def _rule(one: RetentionPolicy) -> RetentionRule:
    return RetentionRule(one.record_class, one.trigger, one.period, one.unit, one.citation, one.action)  # type: ignore[arg-type]


def _run(one: RetentionRun) -> RetentionRunAnswer:
    due = {name: one.counts.get(name, {}).get("due", 0) for name in record_classes()}
    return RetentionRunAnswer(
        one.number, one.state, one.as_of, one.proposed_by, one.answered_by or None, one.finished_at, due, gone_of(one)
    )


def _hold(one: Hold) -> HoldAnswer:
    return HoldAnswer(
        str(one.id), one.kind, str(one.object_id), one.reason, one.until, one.placed_at, one.placed_by, one.lift_asked_by or None,
        one.lift_reason or None, one.lifted_at,
    )  # fmt: skip
