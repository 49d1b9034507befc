"""Model versions are stored, change their state, are put in force and taken back; the product's revision tells every worker at once."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unicodedata import category

from django.db import transaction
from django.db.models import Max

from audit.actions import Action
from audit.context import Actor
from audit.services import announce, record
from audit.topics import Topic
from audit.vault import keyring
from partners.accounts.roles import Permission, permissions_of
from scoring.engine.bundle import BundleRefused, read_bundle
from scoring.engine.card import CHANCE
from scoring.errors import (
    CardDiffers,
    ModelRefused,
    NothingToRollBack,
    RanksLikeChance,
    ReasonMissing,
    SecondPersonNeeded,
    TransitionRefused,
    VersionInForce,
)
from scoring.models import TRANSITIONS, ModelVersion, Product, Promotion, PromotionRequest
from scoring.selectors import stored_card
from scoring.services.products import locked_product

State = ModelVersion.State
LONGEST_REASON = 500
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})    # controls, and what hides or turns text around


@transaction.atomic
def store_model_version(
    *, product_slug: str, bundle: bytes, estimator: str, metrics: Mapping[str, Any], actor: Actor, state: State = State.CANDIDATE
) -> ModelVersion:
    """The bundle is the product's next version, a candidate or a draft. Raises ProductUnknown, TransitionRefused for another state, and
    BundleRefused for a bundle this partner did not sign."""
    if state not in {State.DRAFT, State.CANDIDATE}:
        raise TransitionRefused(f"A version begins as a draft or a candidate, not as {state.label.lower()}.")
    read_bundle(bundle, keyring().public_keys())
    product = locked_product(product_slug)
    last = product.versions.aggregate(last=Max("version"))["last"] or 0
    version = ModelVersion.objects.create(
        product=product,
        version=last + 1,
        estimator=estimator,
        bundle=bundle,
        bundle_sha256=hashlib.sha256(bundle).digest(),
        metrics=dict(metrics),
        state=state,
        trained_by=actor.label,
        trained_by_id=actor.id,
    )
    record(
        action=Action.MODEL_STORED,
        actor=actor,
        object_kind="model_version",
        object_id=version.id,
        detail={"product": product_slug, "version": version.version, "estimator": estimator, "sha256": version.bundle_sha256.hex()},
    )
    return version


@transaction.atomic
def offer_model(*, product_slug: str, version: int, actor: Actor, reason: str = "") -> ModelVersion:
    """The draft is a candidate: it may be asked to be put in force. The reason, which one that ranks like chance needs, is on its card.

    Raises ProductUnknown, ModelVersionUnknown, TransitionRefused, ReasonMissing for words that cannot be recorded, and RanksLikeChance
    without a reason or from somebody who trains no models."""
    chosen = version_of(locked_product(product_slug), version)
    if ranks_like_chance(chosen.metrics):
        _check_offer(chosen, actor, reason)
    told = {"reason": given_reason(reason)} if reason.strip() else {}
    return _changed(product_slug, version, State.CANDIDATE, Action.MODEL_OFFERED, actor, **told)


def ranks_like_chance(metrics: Mapping[str, Any]) -> bool:
    """Whether a version's ranking cannot be told from chance, as training measured it."""
    low = metrics.get("auc_interval", [1.0])[0]
    return bool(low <= CHANCE)


def _check_offer(version: ModelVersion, actor: Actor, reason: str) -> None:
    """Raises RanksLikeChance unless whoever trains models says why."""
    low, high = version.metrics["auc_interval"]
    if not _may_train(actor):
        raise RanksLikeChance(
            f"The ranking of version {version.version} cannot be told from chance (AUC {low:.3f} to {high:.3f}). "
            "Only a data scientist may offer it, and has to write why."
        )
    if not reason.strip():
        raise RanksLikeChance(
            f"The ranking of version {version.version} cannot be told from chance (AUC {low:.3f} to {high:.3f}). "
            "Train a better one, or write why it is offered all the same; its card will show that."
        )


def _may_train(actor: Actor) -> bool:
    return actor.kind in {"operator", "system"} or Permission.MODEL_TRAIN in permissions_of(actor.role)


@transaction.atomic
def retire_model(*, product_slug: str, version: int, actor: Actor, reason: str) -> ModelVersion:
    """The version waits for nothing any more. A champion is rolled back instead, or another one promoted over it.

    Raises ProductUnknown, ModelVersionUnknown, TransitionRefused, ReasonMissing."""
    product = locked_product(product_slug)
    if product.champion_id == version_of(product, version).id:
        raise TransitionRefused(f"Version {version} of '{product_slug}' is in force: roll it back, or put another one in force.")
    return _changed(product_slug, version, State.RETIRED, Action.MODEL_RETIRED, actor, reason=given_reason(reason))


def _changed(product_slug: str, version: int, to: State, action: Action, actor: Actor, **detail: str) -> ModelVersion:
    product = locked_product(product_slug)
    chosen = version_of(product, version)
    move(chosen, to)
    facts = {"product": product.slug, "version": version, **detail}
    record(action=action, actor=actor, object_kind="model_version", object_id=chosen.id, detail=facts)
    return chosen


@transaction.atomic
def promote_model(*, product_slug: str, version: int, actor: Actor, reason: str = "", card_sha256: str = "") -> Promotion:
    """This version answers from the next decision on. For the installation's operator: people ask and confirm (services.promotions).

    Raises ProductUnknown, ModelVersionUnknown, VersionInForce, ModelRefused, TransitionRefused, CardMissing, SecondPersonNeeded, and
    CardDiffers where a card is named and is not the version's."""
    if actor.kind not in {"operator", "system"}:
        raise SecondPersonNeeded("A version is put in force by two people: one asks, another one confirms.")
    product = locked_product(product_slug)
    chosen = promotable(product, version)
    if card_sha256:
        check_card(chosen, card_sha256)
    return put_in_force(product, chosen, action=Promotion.Action.PROMOTE, actor=actor, reason=reason, card_sha256=card_sha256)


@transaction.atomic
def rollback_model(*, product_slug: str, actor: Actor, reason: str = "", seen: int | None = None) -> Promotion:
    """What was in force before the current version is in force again, the rules if nothing was; one person is enough.

    `seen`: the version that the person takes back, so that a second press of a button does not take back what the first put in force.
    Raises ProductUnknown, NothingToRollBack, TransitionRefused for one that is not in force, ModelRefused, and ReasonMissing for whoever
    signs in."""
    if actor.kind not in {"operator", "system"}:
        reason = given_reason(reason)
    product = locked_product(product_slug)
    if product.champion_id is None:
        raise NothingToRollBack(f"No model of '{product_slug}' is in force: its rules answer.")
    if seen is not None and version_of(product, seen).id != product.champion_id:
        raise TransitionRefused(f"Version {seen} of '{product_slug}' is not in force, so nothing was taken back: look at what is.")
    earlier = ModelVersion.objects.filter(id=_before(product)).first()
    if earlier is not None:
        check_bundle(earlier)
    return put_in_force(product, earlier, action=Promotion.Action.ROLLBACK, actor=actor, reason=reason)


def version_of(product: Product, version: int) -> ModelVersion:
    """The product's version of this number. Raises ModelVersionUnknown."""
    found = product.versions.filter(version=version).first() if version < 2**31 else None
    if found is None:
        raise product.version_unknown(version)
    return found


def promotable(product: Product, version: int) -> ModelVersion:
    """The version, if it could be put in force now. Raises ModelVersionUnknown, VersionInForce, TransitionRefused, ModelRefused, and
    CardMissing for one that nobody can read about."""
    chosen = version_of(product, version)
    if chosen.id == product.champion_id:
        raise VersionInForce(f"Version {version} of '{product.slug}' is in force already.")
    refuse_transition(chosen, State.CHAMPION)
    check_bundle(chosen)
    stored_card(chosen)
    return chosen


def check_card(version: ModelVersion, sha256: str) -> None:
    """What was read is the version's card. Raises CardDiffers, CardMissing, ModelRefused."""
    found = stored_card(version).sha256
    if sha256 != found:
        raise CardDiffers(f"The card of version {version.version} is {found[:12]}…, not {sha256[:12]}…: read it as it is now, and name it.")


def check_bundle(version: ModelVersion) -> None:
    """The stored bundle is one that this partner signed and that computes what it promised. Raises ModelRefused."""
    try:
        read_bundle(bytes(version.bundle), keyring().public_keys())
    except BundleRefused as refusal:
        raise ModelRefused(f"The bundle of version {version.version} cannot be used: {refusal}") from refusal


def refuse_transition(version: ModelVersion, to: State) -> None:
    """Raises TransitionRefused unless TRANSITIONS lets the version go there."""
    if to not in TRANSITIONS[version.state]:
        allowed = ", ".join(sorted(TRANSITIONS[version.state]))
        raise TransitionRefused(f"Version {version.version} is {version.state} and can become {allowed}, not {to}.")


def move(version: ModelVersion, to: State, **also: Any) -> None:
    """The version is in this state; the only place that writes it. Raises TransitionRefused, also when another one moved it meanwhile."""
    refuse_transition(version, to)
    if not ModelVersion.objects.filter(id=version.id, state=version.state).update(state=to, **also):
        raise TransitionRefused(f"Version {version.version} is not {version.state} any more.")
    version.state = to


def given_reason(reason: str) -> str:
    """The reason as it is recorded. Raises ReasonMissing."""
    said = reason.strip()
    if not said or len(said) > LONGEST_REASON or any(category(character) in _UNSEEN and character not in "\r\n" for character in said):
        raise ReasonMissing
    return said


def _before(product: Product) -> Any:
    """The version under the current one: each promotion puts one on top, each rollback takes the top away."""
    stack: list[Any] = []
    for action, version_id in product.promotions.order_by("id").values_list("action", "version_id"):
        if action == Promotion.Action.PROMOTE:
            stack.append(version_id)
        else:
            stack.pop()
    return stack[-2] if len(stack) > 1 else None


def put_in_force(
    product: Product,
    chosen: ModelVersion | None,
    *,
    action: Promotion.Action,
    actor: Actor,
    reason: str,
    request: PromotionRequest | None = None,
    card_sha256: str = "",
) -> Promotion:
    """The version, or the rules, answer from the next decision on. Call with the product locked. Open requests other than this lapse."""
    previous = product.champion
    if previous is not None:
        move(previous, State.RETIRED)
    if chosen is not None:
        move(chosen, State.CHAMPION, promoted_at=datetime.now(UTC))
    product.champion = chosen
    product.save(update_fields=["champion"])
    product.refresh_from_db(fields=["revision"])
    _lapse(product, actor=actor, but=request)
    promotion = Promotion.objects.create(
        product=product, version=chosen, previous=previous, action=action, actor=actor.label, actor_kind=actor.kind, reason=reason,
        request=request,
    )    # fmt: skip
    asked = {"card_sha256": card_sha256} if card_sha256 else {}
    if request is not None:
        asked = {"request": str(request.id), "asked_by": str(request.asked_by_id)}
    record(
        action=Action.MODEL_PROMOTED if action == Promotion.Action.PROMOTE else Action.MODEL_ROLLED_BACK,
        actor=actor,
        object_kind="product",
        object_id=product.id,
        detail={
            "product": product.slug,
            "version": chosen.version if chosen else 0,
            "previous": previous.version if previous else 0,
            "revision": product.revision,
            "reason": reason,
            **asked,
        },
    )
    topic = Topic.MODEL_PROMOTED if action == Promotion.Action.PROMOTE else Topic.MODEL_ROLLED_BACK
    announce(topic=topic, object_id=promotion.id, body={"product": product.slug, "version": chosen.version if chosen else None})
    return promotion


def _lapse(product: Product, *, actor: Actor, but: PromotionRequest | None) -> None:
    """What was asked against another champion is asked no more."""
    waiting = product.promotion_requests.filter(state=PromotionRequest.State.OPEN).select_related("version")
    for request in waiting.defer("version__bundle", "version__metrics"):
        if request == but:
            continue
        request.state, request.answered_at = PromotionRequest.State.LAPSED, datetime.now(UTC)
        request.save(update_fields=["state", "answered_at"])
        detail = {"product": product.slug, "version": request.version.version}
        record(action=Action.PROMOTION_LAPSED, actor=actor, object_kind="promotion_request", object_id=request.id, detail=detail)
