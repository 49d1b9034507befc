"""A product's challenger: a version that scores beside the champion, in shadow, and answers nobody."""

from datetime import UTC, datetime

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from scoring.errors import NoChallenger
from scoring.models import ModelVersion, Product
from scoring.services.models import State, check_bundle, move, refuse_transition, version_of
from scoring.services.products import locked_product


@transaction.atomic
def set_challenger(*, product_slug: str, version: int, actor: Actor, reason: str = "") -> ModelVersion:
    """Every decision of the product from now on is also scored by this version, after it was answered; the earlier challenger rests.

    Raises ProductUnknown, ModelVersionUnknown, TransitionRefused, ModelRefused."""
    product = locked_product(product_slug)
    chosen = version_of(product, version)
    refuse_transition(chosen, State.CHALLENGER)
    check_bundle(chosen)
    earlier = _challenger(product)
    if earlier is not None:
        _rest(earlier)
    now = datetime.now(UTC)
    move(chosen, State.CHALLENGER, challenged_at=now, shadowed_until=now)
    chosen.refresh_from_db(fields=["challenged_at", "shadowed_until"])
    _record(product, Action.CHALLENGER_SET, actor, version=version, previous=earlier.version if earlier else 0, reason=reason.strip()[:500])
    return chosen


@transaction.atomic
def remove_challenger(*, product_slug: str, actor: Actor, reason: str = "", seen: int | None = None) -> ModelVersion:
    """The challenger scores nothing more; what it scored stays. Raises ProductUnknown, and NoChallenger, also when it is not `seen`."""
    product = locked_product(product_slug)
    challenger = _challenger(product)
    if challenger is None:
        raise NoChallenger(f"No version of '{product_slug}' scores in shadow.")
    if seen not in {None, challenger.version}:
        raise NoChallenger(f"Version {challenger.version} of '{product_slug}' scores in shadow, not {seen}; nothing was changed.")
    _rest(challenger)
    _record(product, Action.CHALLENGER_REMOVED, actor, version=challenger.version, previous=challenger.version, reason=reason.strip()[:500])
    return challenger


def _challenger(product: Product) -> ModelVersion | None:
    return product.versions.filter(state=State.CHALLENGER).first()


def _rest(version: ModelVersion) -> None:
    """Back to what it was: retired if it was ever in force, else a candidate."""
    move(version, State.CANDIDATE if version.promoted_at is None else State.RETIRED)


def _record(product: Product, action: Action, actor: Actor, **facts: str | int) -> None:
    record(action=action, actor=actor, object_kind="product", object_id=product.id, detail={"product": product.slug, **facts})
