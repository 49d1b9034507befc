"""Applications come in: the row first, then the score, then the route; whatever a crash leaves, a repeat or the sweeper finishes."""

import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from django.db import transaction

from audit.actions import Action
from audit.context import SYSTEM, Actor, ActorKind
from audit.errors import IdempotencyMismatch
from audit.ids import uuid7
from audit.models import Idempotency
from audit.services import IDEMPOTENCY_KEPT, Attempt, announce, begin_attempt, keep_answer
from audit.topics import Topic
from audit.vault import keyring
from partners.accounts.models import User
from portal.approvals.errors import ApplicationUnknown
from portal.approvals.four_eyes import why_two
from portal.approvals.models import Application, ApprovalPolicy
from portal.approvals.people import is_applicant
from portal.approvals.sealed import Request, open_answer, open_request, seal_answer, seal_request
from portal.approvals.services.moves import Why, locked, tell, write_move
from portal.approvals.services.policies import policy_in_force
from portal.approvals.transitions import BY_OUTCOME, MoveName
from scoring.applicants import ApplicantDetails, key_of
from scoring.decided import Decided
from scoring.engine.contract import ContractViolation, Values
from scoring.errors import ApplicantErased, CredentialRevoked, ProductUnknown, StoreContended
from scoring.models import Applicant, Channel, Decision, Product
from scoring.services.score import Answer, ScoreItem, score_once

ROUTE = "application"    # under which the score of an application is made once
LEFT_AFTER = timedelta(seconds=60)    # no request takes that long
_CREATED = 201
_Because = Application.Because
Render = Callable[[Application], bytes]
# What scoring refuses for good. Whoever asks is told, and nothing stays of the application.
_FINAL: tuple[type[Exception], ...] = (ApplicantErased, ContractViolation, ProductUnknown)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for: an applicant with checked inputs, a product and an amount in the currency's smallest unit."""

    product_slug: str
    applicant: ApplicantDetails
    values: Values
    amount_minor: int
    currency: str
    language: str = "en"
    tags: Sequence[str] = ()


def receive_application(*, asked: Asked, actor: Actor, channel: Channel, render: Render, attempt: Attempt | None = None) -> Answer:
    """The application is scored and routed, and the answer is what `render` makes of it; once for this attempt.

    Not to be called inside a transaction: the decision commits by itself. Raises ProductUnknown, ApplicantErased, CredentialRevoked,
    StoreContended, IdempotencyMismatch, and ContractViolation when the contract changed meanwhile: then nothing stays."""
    begun = _begin(asked, actor, channel, attempt)
    if isinstance(begun, Answer):
        return begun
    try:
        decision_id = _score(begun, actor)
    except _FINAL:
        _discard(begun.id)
        raise
    except CredentialRevoked:
        if _score_made(begun) is None:    # else an earlier run had it, and the sweeper goes on
            _discard(begun.id)
        raise
    try:
        return _answer(begun.id, decision_id, render, attempt)
    except ApplicationUnknown as gone:    # a twin was refused at the same moment
        raise StoreContended from gone


def finish_left_applications(*, at_most: int = 100) -> int:
    """Applications that a crash left without a decision have one, in the name of whoever sent them; returns how many were finished."""
    left = Application.objects.filter(decision=None, created_at__lt=datetime.now(UTC) - LEFT_AFTER).order_by("created_at")
    finished = 0
    for application in left.select_related("product")[:at_most]:
        finished += _finish(application)
    return finished


def has_left_applications() -> bool:
    """Whether `finish_left_applications` has something to do."""
    return Application.objects.filter(decision=None, created_at__lt=datetime.now(UTC) - LEFT_AFTER).exists()


@transaction.atomic
def _answer(application_id: uuid.UUID, decision_id: uuid.UUID, render: Render, attempt: Attempt | None) -> Answer:
    if attempt is not None:
        earlier = begin_attempt(attempt)
        if earlier is not None:    # a twin was first
            return _replayed(earlier.body)
    application = _route(application_id, decision_id)
    body = render(application)
    if attempt is not None:
        keep_answer(attempt, status=_CREATED, body=application.id.bytes + seal_answer(application, body))
    return Answer(_CREATED, body, is_replayed=False)


def _finish(application: Application) -> bool:
    try:
        try:
            decision_id = _score(application, _sender(application))
        except CredentialRevoked:    # it was valid when the application was taken in, and may even have had its score
            decision_id = _score_made(application) or _score(application, SYSTEM)
        with transaction.atomic():
            _route(application.id, decision_id)
    except _FINAL:
        _discard(application.id)
        return False
    except (ApplicationUnknown, StoreContended):    # its own request went on after all, or it is the next round's
        return False
    return True


def _begin(asked: Asked, actor: Actor, channel: Channel, attempt: Attempt | None) -> Application | Answer:
    """The application's row, of this or of an earlier run of the same attempt, or the answer that was given before."""
    with transaction.atomic():
        if attempt is not None:
            earlier = begin_attempt(attempt)
            if earlier is not None:
                return _replayed(earlier.body)
            found = _of_attempt(attempt)
            if found is not None:
                return found
        product = Product.objects.filter(slug=asked.product_slug).defer("definition").first()
        if product is None:
            raise Product.unknown(asked.product_slug)
        application_id = uuid7()
        request = Request(applicant=asked.applicant, values=dict(asked.values), language=asked.language)
        return Application.objects.create(
            id=application_id,
            product=product,
            amount_minor=asked.amount_minor,
            currency=asked.currency,
            channel=channel,
            tags=list(asked.tags),
            created_at=datetime.now(UTC),
            created_by_kind=actor.kind,
            created_by_id=actor.id,
            created_by=actor.label[:200],
            request_id=actor.request_id,
            attempt=None if attempt is None else _digest(attempt),
            attempt_body=None if attempt is None else attempt.body_digest,
            sealed_request=seal_request(application_id, request),
        )


def _digest(attempt: Attempt) -> bytes:
    return hashlib.sha256(attempt.owner.encode()).digest()


def _of_attempt(attempt: Attempt) -> Application | None:
    """What an earlier run of this attempt left; one that is older than answers are kept is let go. Raises IdempotencyMismatch."""
    found = Application.objects.select_for_update(of=("self",)).select_related("product").filter(attempt=_digest(attempt)).first()
    if found is None:
        return None
    if found.created_at <= datetime.now(UTC) - IDEMPOTENCY_KEPT and found.decision_id is not None:
        Application.objects.filter(id=found.id).update(attempt=None, attempt_body=None)
        return None
    if not hmac.compare_digest(bytes(found.attempt_body or b""), attempt.body_digest):
        raise IdempotencyMismatch
    return found


def _replayed(kept: bytes) -> Answer:
    application = Application.objects.select_related("applicant").get(id=uuid.UUID(bytes=kept[:16]))
    return Answer(_CREATED, open_answer(application, kept[16:]), is_replayed=True)


class _Made(msgspec.Struct):
    id: uuid.UUID


def _score(application: Application, actor: Actor) -> uuid.UUID:
    """The decision about the application: made now, or by an earlier run in the same name."""
    if application.decision_id is not None:
        return application.decision_id
    request = open_request(application)

    def render(decided: Sequence[Decided]) -> bytes:
        return msgspec.json.encode(_Made(decided[0].id))

    once = score_once(
        attempt=Attempt.of(route=ROUTE, key=str(application.id), actor=actor, body=b""),
        render=render,
        product_slug=application.product.slug,
        items=[ScoreItem(request.applicant, request.values)],
        actor=actor,
        channel=Channel(application.channel),
        received_at=application.created_at,
        language=request.language,
    )
    return msgspec.json.decode(once.body, type=_Made).id


def _score_made(application: Application) -> uuid.UUID | None:
    """The decision that a run in the sender's name had made before their credential ended."""
    row = Idempotency.objects.filter(route=ROUTE, key=str(application.id), actor_id=application.created_by_id).first()
    if row is None or row.applicant_id is None:
        return None
    applicant = Applicant.objects.get(id=row.applicant_id)
    ring = keyring()
    key = key_of(ring, applicant)
    if key is None:
        raise ApplicantErased
    owner = f"{ROUTE}|{application.id}|{application.created_by_id}|{bytes(row.body_digest).hex()}|{row.status}"
    body = ring.unseal(key, row.sealed_response, table="audit_idempotency", column="sealed_response", owner=owner)
    return msgspec.json.decode(body, type=_Made).id


def _route(application_id: uuid.UUID, decision_id: uuid.UUID) -> Application:
    """The application has its decision, and is approved, declined, or waits for a person. Safe to run twice: the second finds it done."""
    application = Application.objects.select_for_update(of=("self",)).select_related("product").filter(id=application_id).first()
    if application is None:
        raise ApplicationUnknown
    if application.decision_id is None:
        _take_decision(application, Decision.objects.select_related("applicant").defer("sealed").get(id=decision_id))
    return locked(application_id)


def _take_decision(application: Application, decision: Decision) -> None:
    policy, now = policy_in_force(application.product_id), application.created_at
    application.decision, application.applicant, application.sealed_request = decision, decision.applicant, None
    application.band, application.outcome = decision.band, decision.outcome
    application.policy = policy if policy.version else None
    application.expires_at = now + timedelta(days=policy.lifetime_days)
    application.notice_due_at = now + timedelta(days=policy.notice_days)
    move, because = _by_itself(application, policy)
    application.because = because
    application.due_at = None if move else now + timedelta(hours=policy.due_hours)
    application.save()
    facts: Mapping[str, Any] = {
        "product": application.product.slug, "number": application.number, "amount_minor": application.amount_minor,
        "currency": application.currency, "decision": str(decision.id), "outcome": decision.outcome, "because": because,
        "policy": policy.version,
    }  # fmt: skip
    tell(application, Action.APPLICATION_CREATED, _sender(application), **facts)
    body = {"applicant_id": str(decision.applicant_id), "decision_id": str(decision.id), "outcome": decision.outcome}
    announce(topic=Topic.APPLICATION_SCORED, object_id=application.id, body=body)
    if move is not None:
        write_move(application, move, actor=SYSTEM, why=Why("as_policy_says"), facts={"policy": policy.version})


def _sender(application: Application) -> Actor:
    kind = cast(ActorKind, application.created_by_kind)
    return Actor(kind=kind, id=application.created_by_id, label=application.created_by, request_id=application.request_id)


def _by_itself(application: Application, policy: ApprovalPolicy) -> tuple[MoveName | None, str]:
    """What happens without a person, or why one is needed."""
    move = BY_OUTCOME.get(application.outcome)
    if move is None:
        return None, _Because.REFERRED
    two = why_two(policy, application, move)
    if two:
        return None, _Because(two[0])
    return (None, _Because.OWN) if _is_own(application) else (move, "")


def _is_own(application: Application) -> bool:
    if application.created_by_kind != "user" or application.applicant is None:
        return False
    person = User.objects.filter(id=application.created_by_id).first()
    return person is not None and is_applicant(person, application.applicant)


def _discard(application_id: uuid.UUID) -> None:
    """Nothing stays of an application that was refused before it had a decision."""
    Application.objects.filter(id=application_id, decision=None).delete()
