"""A product's policy changes: a new version with who, when and why; every decision names the version that made it."""

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from scoring.engine.contract import DefinitionRefused
from scoring.engine.policy import Policy as PolicyDefinition
from scoring.engine.product import Product as ProductDefinition
from scoring.errors import PolicyChanged, ProductRefused
from scoring.models import Policy, Product
from scoring.services.models import given_reason
from scoring.services.products import locked_product


@transaction.atomic
def change_policy(*, product_slug: str, policy: PolicyDefinition, actor: Actor, reason: str, seen: int | None = None) -> Policy:
    """This policy decides from the next decision on, as a new version; the one in force when it is that already.

    `seen`: the version that the person changed. Raises ProductUnknown, ProductRefused, ReasonMissing, and PolicyChanged when another
    version is in force than was seen."""
    product, said = locked_product(product_slug), given_reason(reason)
    current = product.policy
    if seen is not None and seen != current.version:
        raise PolicyChanged
    _check(product, policy)
    if policy.to_dict() == current.definition:
        return current
    last = product.policies.order_by("-version").values_list("version", flat=True).first() or 0
    made = Policy.objects.create(product=product, version=last + 1, definition=policy.to_dict(), created_by=actor.label)
    product.policy = made
    product.save(update_fields=["policy"])
    product.refresh_from_db(fields=["revision"])
    record(
        action=Action.POLICY_CHANGED,
        actor=actor,
        object_kind="product",
        object_id=product.id,
        detail={
            "slug": product.slug, "version": made.version, "previous": current.version, "revision": product.revision, "reason": said,
        },
    )    # fmt: skip
    return made


def _check(product: Product, policy: PolicyDefinition) -> None:
    """Raises ProductRefused for a rule about an input that is not asked for, or that nobody may be judged by, and for two of one name."""
    try:
        inputs = {one.name: one for one in ProductDefinition.from_dict(product.definition).contract.inputs}
    except DefinitionRefused as refusal:
        raise ProductRefused(str(refusal)) from refusal
    codes = [rule.code for rule in policy.knock_outs]
    if len(set(codes)) < len(codes):
        raise ProductRefused("Two knock-out rules have the same name; give each its own.")
    for rule in policy.knock_outs:
        known = inputs.get(rule.condition.input)
        if known is None:
            raise ProductRefused(f"The rule '{rule.code}' asks about '{rule.condition.input}', which is no input of the product.")
        if known.is_protected:
            raise ProductRefused(f"The rule '{rule.code}' asks about '{rule.condition.input}', which is protected; nobody is judged by it.")


def policy_in_force(product_slug: str) -> tuple[PolicyDefinition, int]:
    """The product's policy and its version, as the database has them now. Raises ProductUnknown."""
    product = Product.objects.select_related("policy").filter(slug=product_slug).first()
    if product is None:
        raise Product.unknown(product_slug)
    return PolicyDefinition.from_dict(product.policy.definition), product.policy.version
