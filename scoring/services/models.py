"""Model versions are stored, put in force and taken back; the product's revision tells every worker at its next decision."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from audit.vault import keyring
from scoring.engine.bundle import read_bundle
from scoring.errors import NothingToRollBack, VersionInForce
from scoring.models import ModelVersion, Product, Promotion
from scoring.services.products import locked_product


@transaction.atomic
def store_model_version(*, product_slug: str, bundle: bytes, estimator: str, metrics: Mapping[str, Any], actor: Actor) -> ModelVersion:
    """The bundle is the product's next version, a candidate. Raises ProductUnknown, and BundleRefused for one this partner did not sign."""
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
        trained_by=actor.label,
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
def promote_model(*, product_slug: str, version: int, actor: Actor, reason: str = "") -> Promotion:
    """This version answers from the next decision on. Raises ProductUnknown, ModelVersionUnknown, VersionInForce, BundleRefused."""
    product = locked_product(product_slug)
    chosen = product.versions.filter(version=version).first()
    if chosen is None:
        raise product.version_unknown(version)
    if chosen.id == product.champion_id:
        raise VersionInForce(f"Version {version} of '{product_slug}' is in force already.")
    read_bundle(bytes(chosen.bundle), keyring().public_keys())
    return _put_in_force(product, chosen, action=Promotion.Action.PROMOTE, actor=actor, reason=reason)


@transaction.atomic
def rollback_model(*, product_slug: str, actor: Actor, reason: str = "") -> Promotion:
    """What was in force before the current version is in force again, the rules if nothing was. Raises NothingToRollBack."""
    product = locked_product(product_slug)
    if product.champion_id is None:
        raise NothingToRollBack(f"No model of '{product_slug}' is in force: its rules answer.")
    earlier = ModelVersion.objects.filter(id=_before(product)).first()
    if earlier is not None:
        read_bundle(bytes(earlier.bundle), keyring().public_keys())
    return _put_in_force(product, earlier, action=Promotion.Action.ROLLBACK, actor=actor, reason=reason)


def _before(product: Product) -> Any:
    """The version under the current one: each promotion puts one on top, each rollback takes the top away."""
    stack: list[Any] = []
    for action, version_id in product.promotions.order_by("id").values_list("action", "version_id"):
        if action == Promotion.Action.PROMOTE:
            stack.append(version_id)
        else:
            stack.pop()
    return stack[-2] if len(stack) > 1 else None


def _put_in_force(product: Product, chosen: ModelVersion | None, *, action: Promotion.Action, actor: Actor, reason: str) -> Promotion:
    previous = product.champion
    if previous is not None:
        ModelVersion.objects.filter(id=previous.id).update(state=ModelVersion.State.RETIRED)
    if chosen is not None:
        ModelVersion.objects.filter(id=chosen.id).update(state=ModelVersion.State.CHAMPION, promoted_at=datetime.now(UTC))
    product.champion = chosen
    product.save(update_fields=["champion"])
    product.refresh_from_db(fields=["revision"])
    promotion = Promotion.objects.create(
        product=product,
        version=chosen,
        previous=previous,
        action=action,
        actor=actor.label,
        reason=reason,
    )
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
        },
    )
    return promotion
