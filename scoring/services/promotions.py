"""A version is put in force by two people: one asks with a reason, another one confirms or refuses."""

import uuid
from datetime import UTC, datetime

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from partners.accounts.models import User
from scoring.errors import CardUnread, PromotionAnswered, PromotionOpen, PromotionUnknown, SecondPersonNeeded
from scoring.models import Promotion, PromotionRequest
from scoring.services.models import check_card, given_reason, promotable, put_in_force
from scoring.services.products import locked_product

State = PromotionRequest.State


@transaction.atomic
def ask_promotion(
    *, product_slug: str, version: int, reason: str, is_card_read: bool, card_sha256: str, actor: Actor
) -> PromotionRequest:
    """Somebody else may now put the version in force.

    Raises ProductUnknown, ModelVersionUnknown, VersionInForce, TransitionRefused, ModelRefused, ReasonMissing, CardUnread, CardMissing,
    CardDiffers when the card that was read is not the version's, PromotionOpen, and SecondPersonNeeded for a key or a command."""
    asker, reason = _person(actor), given_reason(reason)
    if not (is_card_read and card_sha256):
        raise CardUnread
    product = locked_product(product_slug)
    chosen = promotable(product, version)
    check_card(chosen, card_sha256)
    waiting = product.promotion_requests.filter(state=State.OPEN).select_related("asked_by").first()
    if waiting is not None:
        raise PromotionOpen(f"{waiting.asked_by.name} has asked for a version already; answer or withdraw that first.")
    request = PromotionRequest.objects.create(
        product=product, version=chosen, reason=reason, is_card_read=True, card_sha256=card_sha256, asked_by=asker
    )
    _record(request, Action.PROMOTION_ASKED, actor, reason=reason, bundle_sha256=bytes(chosen.bundle_sha256).hex(), card_sha256=card_sha256)
    return request


@transaction.atomic
def confirm_promotion(*, request_id: uuid.UUID, actor: Actor, answer: str = "") -> Promotion:
    """What was asked for is in force from the next decision on.

    Raises PromotionUnknown, PromotionAnswered, ModelRefused, TransitionRefused, CardMissing, CardDiffers for a request that names no card
    or another one, and SecondPersonNeeded for who asked or who trained."""
    request = _open_request(request_id)
    person = _second_person(request, actor)
    chosen = promotable(request.product, request.version.version)
    if chosen.trained_by_id == actor.id:
        raise SecondPersonNeeded(f"You trained version {chosen.version}: somebody else has to confirm it.")
    check_card(chosen, request.card_sha256)
    _answer(request, State.CONFIRMED, person, given_reason(answer) if answer.strip() else "")
    return put_in_force(
        request.product, chosen, action=Promotion.Action.PROMOTE, actor=actor, reason=request.reason, request=request
    )


@transaction.atomic
def refuse_promotion(*, request_id: uuid.UUID, actor: Actor, answer: str) -> PromotionRequest:
    """What was asked for is not done, and says why. Raises PromotionUnknown, PromotionAnswered, SecondPersonNeeded, ReasonMissing."""
    request = _open_request(request_id)
    _answer(request, State.REFUSED, _second_person(request, actor), given_reason(answer))
    _record(request, Action.PROMOTION_REFUSED, actor, reason=request.reason, answer=request.answer, asked_by=str(request.asked_by_id))
    return request


@transaction.atomic
def withdraw_promotion(*, request_id: uuid.UUID, actor: Actor) -> PromotionRequest:
    """Who asked does not ask any more. Raises PromotionUnknown, PromotionAnswered, SecondPersonNeeded for anybody else."""
    request = _open_request(request_id)
    person = _person(actor)
    if person.id != request.asked_by_id:
        raise SecondPersonNeeded("Only who asked can withdraw; you can refuse.")
    _answer(request, State.WITHDRAWN, person, "")
    _record(request, Action.PROMOTION_WITHDRAWN, actor)
    return request


def _person(actor: Actor) -> User:
    """Who acts, as the person that the request is going to name. Raises SecondPersonNeeded."""
    person = User.objects.filter(id=actor.id, is_active=True).first() if actor.kind == "user" else None
    if person is None:
        raise SecondPersonNeeded("Only people who sign in ask for and answer promotions.")
    return person


def _second_person(request: PromotionRequest, actor: Actor) -> User:
    person = _person(actor)
    if person.id == request.asked_by_id:
        raise SecondPersonNeeded("You asked for this: somebody else has to answer. You can withdraw it.")
    return person


def _open_request(request_id: uuid.UUID) -> PromotionRequest:
    """The request, its product locked, still open. Raises PromotionUnknown, PromotionAnswered."""
    slug = PromotionRequest.objects.filter(id=request_id).values_list("product__slug", flat=True).first()
    if slug is None:
        raise PromotionUnknown
    product = locked_product(slug)
    found = PromotionRequest.objects.select_related("version", "asked_by").defer("version__bundle", "version__metrics")
    request = found.get(id=request_id)
    if request.state != State.OPEN:
        raise PromotionAnswered(f"This request was {request.state} already.")
    request.product = product
    return request


def _answer(request: PromotionRequest, state: State, person: User, answer: str) -> None:
    request.state, request.answered_by, request.answered_at, request.answer = state, person, datetime.now(UTC), answer
    request.save(update_fields=["state", "answered_by", "answered_at", "answer"])


def _record(request: PromotionRequest, action: Action, actor: Actor, **facts: str) -> None:
    detail = {"product": request.product.slug, "version": request.version.version, **facts}
    record(action=action, actor=actor, object_kind="promotion_request", object_id=request.id, detail=detail)
