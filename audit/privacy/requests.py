"""What is done about requests of applicants: each a step with its evidence and an event, in one transaction."""

import hashlib
import uuid
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from audit import holds
from audit.actions import Action
from audit.context import Actor
from audit.models import PrivacyRequest, PrivacyStep, PrivacyTerms
from audit.privacy.certificates import certificate_of
from audit.privacy.errors import (
    ErasureRefused,
    PrivacyRequestRefused,
    PrivacyRequestUnknown,
    PrivacyStepRefused,
    SecondPersonMissing,
)
from audit.privacy.holders import holders, keeper, reviewer
from audit.privacy.ledger import Under, entomb, erased_under
from audit.privacy.models import UNANSWERED, RequestKind, RequestState
from audit.retention.turns import take_turn
from audit.services import record
from audit.vault import keyring

DEFAULT_DAYS = dict.fromkeys(RequestKind.values, 30)    # one month, as most laws have it
MOST_DAYS = 365
PAGE = 50
LONGEST_STATEMENT, LONGEST_REASON = 4_000, 500
_TABLE = "audit_privacyrequest"
_Name = PrivacyStep.Name
_BEFORE_ANSWER = {
    RequestKind.ACCESS: _Name.COPIED, RequestKind.PORTABILITY: _Name.COPIED, RequestKind.RECTIFICATION: _Name.RECTIFIED,
    RequestKind.OBJECTION: _Name.REVIEWED,
}  # fmt: skip
_MISSING = {
    _Name.COPIED: "Make the copy of their data first, and hand it over.", _Name.RECTIFIED: "Correct their data first.",
    _Name.REVIEWED: "Let a person look at the decision first.",
}  # fmt: skip


# ---- reading


def request_of(number: int, *, is_locked: bool = False) -> PrivacyRequest:
    """The request of this number. Raises PrivacyRequestUnknown."""
    rows = PrivacyRequest.objects.select_for_update() if is_locked else PrivacyRequest.objects.all()
    found = rows.filter(number=number).first() if 0 < number < 2**31 else None
    if found is None:
        raise PrivacyRequestUnknown
    return found


def answered(number: int) -> PrivacyRequest:
    """The request with its certificate. Raises PrivacyRequestUnknown, PrivacyStepRefused while it is open."""
    found = request_of(number)
    if found.certificate is None:
        raise PrivacyStepRefused(f"Request {number} is {found.state}: its certificate is made when it is answered.")
    return found


def requests(*, is_open: bool = True, before: int | None = None, limit: int = PAGE) -> list[PrivacyRequest]:
    """Open ones, the most urgent first; or answered ones, the newest first, with numbers below `before`."""
    if is_open:
        return list(PrivacyRequest.objects.filter(state__in=UNANSWERED).order_by("due_on", "number")[:limit])
    rows = PrivacyRequest.objects.exclude(state__in=UNANSWERED).order_by("-number")
    return list((rows if before is None else rows.filter(number__lt=before))[:limit])


def statement_of(request: PrivacyRequest) -> str:
    """What the applicant said; empty when nothing, or when they are erased."""
    key = None if request.sealed_statement is None else keeper().data_key(request.applicant_id)
    if key is None or request.sealed_statement is None:
        return ""
    return keyring().unseal(key, request.sealed_statement, table=_TABLE, column="sealed_statement", owner=request.id).decode()


def terms_in_force() -> dict[str, int]:
    """How many days each kind may take."""
    newest = PrivacyTerms.objects.first()
    return {**DEFAULT_DAYS, **(newest.days if newest else {})}


def copy_of(request: PrivacyRequest) -> dict[str, Any]:
    """Everything that is held of the applicant, plain, by section. Raises PrivacyStepRefused, and what their apps do for the erased."""
    if not request.is_open or request.kind not in {RequestKind.ACCESS, RequestKind.PORTABILITY}:
        raise PrivacyStepRefused(f"Request {request.number} is {request.state} and asks for {request.kind}: no copy is made for it.")
    copy: dict[str, Any] = {"request": request.number, "made_on": timezone.now().date().isoformat()}
    for holder in holders():
        copy.update(holder.copy(request.applicant_id, request.language))
    return copy


# ---- writing


@transaction.atomic
def change_terms(*, days: Mapping[str, int], actor: Actor) -> PrivacyTerms:
    """Requests that come from now on are due after so many days. Raises PrivacyRequestRefused."""
    faults = {kind: f"Send whole days from 1 to {MOST_DAYS}." for kind in RequestKind.values if not 1 <= days.get(kind, 0) <= MOST_DAYS}
    if faults:
        raise PrivacyRequestRefused(fields=faults)
    _alone("terms")
    version = (PrivacyTerms.objects.aggregate(highest=Max("version"))["highest"] or 0) + 1
    wanted = {kind: days[kind] for kind in RequestKind.values}
    made = PrivacyTerms.objects.create(version=version, days=wanted, created_by=actor.label[:200])
    facts = {"version": version, **wanted}
    record(action=Action.PRIVACY_TERMS_CHANGED, actor=actor, object_kind="privacy_terms", object_id=made.id, detail=facts)
    return made


@transaction.atomic
def open_request(
    *, kind: str, reference: str, received_on: date, actor: Actor, language: str = "en", statement: str = "",
    decision_id: uuid.UUID | None = None,
) -> PrivacyRequest:  # fmt: skip
    """The request is there, with its number and the day it is due. Raises PrivacyRequestRefused."""
    applicant_id = _checked(kind, reference, received_on, statement)
    _alone("number")
    request = PrivacyRequest(
        number=(PrivacyRequest.objects.aggregate(highest=Max("number"))["highest"] or 0) + 1,
        kind=kind, applicant_id=applicant_id, decision_id=decision_id, language=language[:10], received_on=received_on,
        due_on=received_on + timedelta(days=terms_in_force()[kind]), created_by=actor.label[:200],
    )  # fmt: skip
    if statement:
        key, ring = keeper().data_key(applicant_id), keyring()
        assert key is not None
        request.sealed_statement = ring.seal(key, statement.encode(), table=_TABLE, column="sealed_statement", owner=request.id)
    request.save(force_insert=True)
    _step(request, _Name.RECEIVED, actor, {"kind": kind, "due_on": request.due_on.isoformat()}, Action.PRIVACY_REQUEST_OPENED)
    return request


@transaction.atomic
def record_copy(*, number: int, form: str, content: bytes, actor: Actor) -> None:
    """That this copy was made is a step, with its digest. Raises PrivacyRequestUnknown, PrivacyStepRefused."""
    request = _open(number, RequestKind.ACCESS, RequestKind.PORTABILITY)
    evidence = {"form": form, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    _step(request, _Name.COPIED, actor, evidence, Action.PRIVACY_REQUEST_STEPPED)
    record(
        action=Action.APPLICANT_EXPORTED, actor=actor, object_kind="applicant", object_id=request.applicant_id,
        detail={"request": number, **evidence},
    )  # fmt: skip


@transaction.atomic
def rectify(*, number: int, changes: Mapping[str, str], actor: Actor) -> None:
    """The applicant's details are corrected; evidence says which, not what. Raises PrivacyRequestUnknown, PrivacyStepRefused, -Refused."""
    request = _open(number, RequestKind.RECTIFICATION)
    changed = list(keeper().rectify(request.applicant_id, changes))
    if not changed:
        raise PrivacyStepRefused("Nothing was changed: enter what is to be corrected.")
    _step(request, _Name.RECTIFIED, actor, {"fields": changed}, Action.PRIVACY_REQUEST_STEPPED)
    record(
        action=Action.APPLICANT_RECTIFIED, actor=actor, object_kind="applicant", object_id=request.applicant_id,
        detail={"request": number, "fields": changed},
    )  # fmt: skip


@transaction.atomic
def begin_review(*, number: int, actor: Actor) -> str:
    """A person looks at the decision again; in the application of the number returned. Raises as above, and what the reviewer raises."""
    request = _open(number, RequestKind.OBJECTION)
    application = reviewer()(request.applicant_id, request.decision_id, statement_of(request), actor)
    _step(request, _Name.REVIEWED, actor, {"application": application}, Action.PRIVACY_REQUEST_STEPPED)
    return application


def propose_erasure(*, number: int, actor: Actor) -> PrivacyRequest:
    """The erasure waits for a second person. Raises PrivacyRequestUnknown, PrivacyStepRefused, ErasureRefused."""
    _refuse_by_rule(number, actor)
    with transaction.atomic():
        request = _open(number, RequestKind.ERASURE)
        if request.state == RequestState.PROPOSED:
            raise PrivacyStepRefused("It waits for a second person already.")
        request.state, request.proposed_by_id, request.proposed_by = RequestState.PROPOSED, _who(actor), actor.label[:200]
        request.save(update_fields=["state", "proposed_by_id", "proposed_by"])
        _step(request, _Name.PROPOSED, actor, {}, Action.PRIVACY_REQUEST_STEPPED)
    return request


def decline_erasure(*, number: int, actor: Actor) -> PrivacyRequest:
    """The second person does not agree, or the first one takes it back: it is open as before. Raises as above."""
    with transaction.atomic():
        request = _open(number, RequestKind.ERASURE)
        _refuse_unless_proposed(request)
        request.state, request.proposed_by_id, request.proposed_by = RequestState.OPEN, "", ""
        request.save(update_fields=["state", "proposed_by_id", "proposed_by"])
        _step(request, _Name.DECLINED, actor, {}, Action.PRIVACY_REQUEST_STEPPED)
    return request


def confirm_erasure(*, number: int, actor: Actor) -> PrivacyRequest:
    """The applicant is erased: what is sealed under their key opens for nobody any more, here or in a backup that is restored later.

    Raises PrivacyRequestUnknown, PrivacyStepRefused, SecondPersonMissing, ErasureRefused."""
    _refuse_by_rule(number, actor)
    with transaction.atomic():
        take_turn()    # nobody holds them or changes rules between this look and the commit
        request = _open(number, RequestKind.ERASURE)
        _refuse_unless_proposed(request)
        if against := holds.refusal(request.applicant_id):
            raise ErasureRefused(against.rule, against.last_day)
        if request.proposed_by_id == _who(actor):
            raise SecondPersonMissing
        subject = keeper().subject(request.applicant_id)
        if subject is None:
            raise PrivacyStepRefused("The applicant is erased already.")
        counts, (made,) = entomb([subject], under=Under(request=number), actor=actor)
        _step(request, _Name.ERASED, actor, {"event": str(made.id), **counts}, Action.PRIVACY_REQUEST_STEPPED)
        _close(request, RequestState.DONE, actor, "")
    return request


@transaction.atomic
def complete_request(*, number: int, actor: Actor) -> PrivacyRequest:
    """The request is answered, with a certificate. Raises PrivacyRequestUnknown, PrivacyStepRefused while its step is missing."""
    request = _open(number, *_BEFORE_ANSWER)
    needed = _BEFORE_ANSWER[RequestKind(request.kind)]
    if not request.steps.filter(name=needed).exists():
        raise PrivacyStepRefused(_MISSING[needed])
    _close(request, RequestState.DONE, actor, "")
    return request


@transaction.atomic
def refuse_request(*, number: int, because: str, actor: Actor) -> PrivacyRequest:
    """The request is refused, with the reason that the applicant is told and a certificate. Raises as above."""
    because = because.strip()
    if not 10 <= len(because) <= LONGEST_REASON or "\0" in because:
        raise PrivacyRequestRefused(fields={"because": f"Write in 10 to {LONGEST_REASON} characters why, with the rule; name nobody."})
    request = _open(number)
    _close(request, RequestState.REFUSED, actor, because)
    return request


@transaction.atomic
def withdraw_request(*, number: int, actor: Actor) -> PrivacyRequest:
    """The applicant took the request back. Raises PrivacyRequestUnknown, PrivacyStepRefused."""
    request = _open(number)
    _close(request, RequestState.WITHDRAWN, actor, "")
    return request


# ---- parts


def _checked(kind: str, reference: str, received_on: date, statement: str) -> uuid.UUID:
    faults = {}
    if kind not in RequestKind.values:
        faults["kind"] = f"Send one of {', '.join(RequestKind.values)}."
    today = timezone.now().date()
    if not today - timedelta(days=MOST_DAYS) <= received_on <= today + timedelta(days=1):
        faults["received_on"] = "Send the day it came in: within the last year, and not one that is still to come."
    if len(statement) > LONGEST_STATEMENT or "\0" in statement:
        faults["statement"] = f"Send at most {LONGEST_STATEMENT} characters."
    applicant_id = keeper().find(reference) if reference.strip() and "\0" not in reference else None
    if applicant_id is None:
        faults["reference"] = "Nobody is known by this reference: nothing is held of them. Look for them among the applicants."
    elif keeper().subject(applicant_id) is None:
        under = erased_under({applicant_id}).get(applicant_id)
        faults["reference"] = "They are erased" + (f" under {under}" if under else "") + ": nothing personal is held of them."
    elif kind == RequestKind.ERASURE and PrivacyRequest.objects.filter(applicant_id=applicant_id, kind=kind, state__in=UNANSWERED).exists():
        faults["kind"] = "Their erasure is asked for already: go on with that request."
    if faults or applicant_id is None:
        raise PrivacyRequestRefused(fields=faults)
    return applicant_id


def _open(number: int, *kinds: str) -> PrivacyRequest:
    """The request, locked. Raises PrivacyRequestUnknown, and PrivacyStepRefused when it is answered or of another kind."""
    request = request_of(number, is_locked=True)
    if not request.is_open:
        raise PrivacyStepRefused(f"Request {number} is {request.state}: nothing can be done with it any more.")
    if kinds and request.kind not in kinds:
        raise PrivacyStepRefused(f"Request {number} asks for {request.kind}: this step is for {', '.join(sorted(kinds))}.")
    return request


def _refuse_by_rule(number: int, actor: Actor) -> None:
    """Raises ErasureRefused; that a rule stood against it is a step, which stays."""
    request = request_of(number)
    against = holds.refusal(request.applicant_id) if request.kind == RequestKind.ERASURE and request.is_open else None
    if against is None:
        return
    with transaction.atomic():
        evidence = {"rule": against.rule, "until": against.last_day.isoformat() if against.last_day else ""}
        _step(_open(number, RequestKind.ERASURE), _Name.STOPPED, actor, evidence, Action.PRIVACY_REQUEST_STEPPED)
    raise ErasureRefused(against.rule, against.last_day)


def _refuse_unless_proposed(request: PrivacyRequest) -> None:
    if request.state != RequestState.PROPOSED:
        raise PrivacyStepRefused("Propose the erasure first; then another person agrees.")


def _step(request: PrivacyRequest, name: PrivacyStep.Name, actor: Actor, evidence: Mapping[str, Any], action: Action) -> None:
    PrivacyStep.objects.create(
        request=request, name=name, detail=dict(evidence), actor_kind=actor.kind, actor_id=actor.id, actor=actor.label[:200],
        at=timezone.now(),
    )  # fmt: skip
    detail = {"request": request.number, "kind": request.kind, "step": str(name), **evidence}
    record(action=action, actor=actor, object_kind="privacy_request", object_id=request.id, detail=detail)


def _close(request: PrivacyRequest, state: RequestState, actor: Actor, because: str) -> None:
    request.state, request.closed_at, request.closed_by, request.because = state, timezone.now(), actor.label[:200], because
    _step(request, _Name.CLOSED, actor, {"outcome": str(state)}, Action.PRIVACY_REQUEST_CLOSED)
    request.certificate = certificate_of(request)
    request.save(update_fields=["state", "closed_at", "closed_by", "because", "certificate"])


def _who(actor: Actor) -> str:
    return f"{actor.kind}:{actor.id}"[:64]


def _alone(what: str) -> None:
    """Nobody else of this partner passes here until the transaction ends."""
    place = hashlib.sha256(f"privacy|{connection.schema_name}|{what}".encode()).digest()    # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(place[:8], signed=True)])
