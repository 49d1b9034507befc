"""Products come into being and change: definition, first policy and record in one transaction."""

import re

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.ids import uuid7
from audit.services import record
from scoring.engine.contract import DefinitionRefused
from scoring.engine.policy import Policy as PolicyDefinition
from scoring.engine.product import Product as ProductDefinition
from scoring.engine.rules import check_rules
from scoring.errors import ProductExists, ProductRefused
from scoring.models import Policy, Product

LONGEST_TITLE = 120
_SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,59}")


@transaction.atomic
def create_product(*, definition: ProductDefinition, policy: PolicyDefinition, actor: Actor) -> Product:
    """The product is there with its first policy; its rules answer until a model is promoted. Raises ProductRefused, ProductExists."""
    if not _SLUG.fullmatch(definition.slug) or not 0 < len(definition.title) <= LONGEST_TITLE:
        rule = "1 to 60 small letters, digits and single hyphens, a letter first"
        raise ProductRefused(f"'{definition.slug}' cannot be a product's slug ({rule}), or its title is longer than {LONGEST_TITLE}.")
    _check_rules(definition)
    if Product.objects.filter(slug=definition.slug).exists():
        raise ProductExists(f"There is already a product '{definition.slug}'.")
    product_id, policy_id = uuid7(), uuid7()
    product = Product.objects.create(
        id=product_id,
        slug=definition.slug,
        title=definition.title,
        kind=definition.kind,
        definition=definition.to_dict(),
        policy_id=policy_id,
    )
    Policy.objects.create(id=policy_id, product_id=product_id, version=1, definition=policy.to_dict(), created_by=actor.label)
    record(
        action=Action.PRODUCT_CREATED,
        actor=actor,
        object_kind="product",
        object_id=product_id,
        detail={"slug": definition.slug, "inputs": len(definition.contract.inputs), "policy_version": 1},
    )
    return product


@transaction.atomic
def change_product(*, definition: ProductDefinition, actor: Actor, reason: str = "") -> Product:
    """The product has this definition and a new revision; models trained before keep the one in their bundle.

    Raises ProductUnknown, and ProductRefused for rules that may not be put in force."""
    product = locked_product(definition.slug)
    before, after = product.definition, definition.to_dict()
    if before == after:
        return product
    if before.get("rules") != after["rules"]:
        _check_rules(definition, before=ProductDefinition.from_dict(before))
    product.title, product.kind, product.definition = definition.title, definition.kind, after
    product.save(update_fields=["title", "kind", "definition"])
    product.refresh_from_db(fields=["revision"])
    changed = sorted(part for part in before.keys() | after.keys() if before.get(part) != after.get(part))
    record(
        action=Action.PRODUCT_CHANGED,
        actor=actor,
        object_kind="product",
        object_id=product.id,
        detail={"slug": product.slug, "revision": product.revision, "changed": changed, **({"reason": reason[:500]} if reason else {})},
    )
    return product


def _check_rules(definition: ProductDefinition, *, before: ProductDefinition | None = None) -> None:
    try:
        check_rules(definition, before=before)
    except DefinitionRefused as refusal:
        raise ProductRefused(f"The rules cannot be used: {refusal}") from refusal


def locked_product(slug: str) -> Product:
    """The product's row, held until the caller's transaction ends. Raises ProductUnknown."""
    product = Product.objects.select_for_update().filter(slug=slug).first()
    if product is None:
        raise Product.unknown(slug)
    return product
