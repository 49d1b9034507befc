"""A partner's products in its sandbox: definition, policy and the champion's bundle, signed anew by the sandbox's own key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.context import Actor
from audit.vault import keyring
from scoring.engine.bundle import bundle_body, sign_bundle
from scoring.engine.policy import Policy as PolicyDefinition
from scoring.engine.product import Product as ProductDefinition
from scoring.models import ModelVersion, Product, Promotion
from scoring.services.models import put_in_force, store_model_version
from scoring.services.policies import change_policy
from scoring.services.products import change_product, create_product, locked_product

_REASON = "As the partner has it"


@dataclass(frozen=True, slots=True)
class CopiedModel:
    """The champion: what its bundle holds under the signature, and what is known about it."""

    body: bytes
    estimator: str
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CopiedProduct:
    """A product as it is in force."""

    definition: ProductDefinition
    policy: PolicyDefinition
    champion: CopiedModel | None


def read_products() -> Sequence[CopiedProduct]:
    """The current partner's products. Raises BundleRefused for a champion that it did not sign."""
    keys = keyring().public_keys()
    return [
        CopiedProduct(
            ProductDefinition.from_dict(one.definition), PolicyDefinition.from_dict(one.policy.definition),
            _champion(one.champion, keys),
        )
        for one in Product.objects.select_related("policy", "champion").order_by("id")
    ]  # fmt: skip


def _champion(version: ModelVersion | None, keys: Mapping[str, bytes]) -> CopiedModel | None:
    return None if version is None else CopiedModel(bundle_body(bytes(version.bundle), keys), version.estimator, version.metrics)


def write_products(products: Sequence[CopiedProduct], actor: Actor) -> None:
    """The sandbox has each of these as it is there; products of its own stay."""
    for one in products:
        slug = one.definition.slug
        if not Product.objects.filter(slug=slug).exists():
            create_product(definition=one.definition, policy=one.policy, actor=actor)
        else:
            change_product(definition=one.definition, actor=actor, reason=_REASON)
            change_policy(product_slug=slug, policy=one.policy, actor=actor, reason=_REASON)
        _put_in_force(slug, one.champion, actor)


def _put_in_force(slug: str, model: CopiedModel | None, actor: Actor) -> None:
    ring, product = keyring(), locked_product(slug)
    champion = product.champion
    if model is None:
        if champion is not None:
            put_in_force(product, None, action=Promotion.Action.ROLLBACK, actor=actor, reason=_REASON)
        return
    if champion is not None and bundle_body(bytes(champion.bundle), ring.public_keys()) == model.body:
        return
    bundle = sign_bundle(model.body, sign=ring.sign, key_id=ring.key_id)
    stored = store_model_version(product_slug=slug, bundle=bundle, estimator=model.estimator, metrics=model.metrics, actor=actor)
    put_in_force(locked_product(slug), stored, action=Promotion.Action.PROMOTE, actor=actor, reason=_REASON)
