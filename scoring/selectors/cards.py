"""A version's model card: the immutable part out of its signed bundle, and what the registry and the record know besides."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from audit.actions import Action
from audit.models import Event
from audit.vault import keyring
from scoring.engine.bundle import BundleRefused, read_card
from scoring.engine.card import FORMAT
from scoring.engine.policy import Policy
from scoring.errors import CardMissing, ModelRefused
from scoring.models import ModelVersion, Product, ProductRevision
from scoring.selectors.catalogue import ModelVersionSummary, model_version, model_versions
from scoring.selectors.promotions import RequestSummary, promotion_requests

_OF_VERSION = (Action.MODEL_STORED, Action.MODEL_OFFERED, Action.MODEL_RETIRED, Action.MODEL_REFUSED, Action.MODEL_REPAIRED)
_OF_PRODUCT = (Action.MODEL_PROMOTED, Action.MODEL_ROLLED_BACK, Action.CHALLENGER_SET, Action.CHALLENGER_REMOVED)
_OF_REQUEST = (Action.PROMOTION_ASKED, Action.PROMOTION_REFUSED, Action.PROMOTION_WITHDRAWN, Action.PROMOTION_LAPSED)


@dataclass(frozen=True, slots=True)
class StoredCard:
    """The card as it was written when the version was trained, and the SHA-256 of these bytes, by which a promotion names it."""

    written: bytes
    sha256: str

    def document(self) -> Mapping[str, Any]:
        """Its content."""
        found: Mapping[str, Any] = json.loads(self.written)
        return found


@dataclass(frozen=True, slots=True)
class Happening:
    """One entry of the record about a version. `other` is the version that took or left its place, None without one."""

    at: datetime
    action: str
    is_other_put_in_place: bool
    other: int | None
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """All that a card shows. `champion` was in force when the version was trained; None: the rules answered."""

    version: ModelVersionSummary
    stored: StoredCard
    policy_version: int
    policy: Policy
    champion: ModelVersionSummary | None
    earlier: tuple[ModelVersionSummary, ...]
    requests: tuple[RequestSummary, ...]
    history: tuple[Happening, ...]


def stored_card(version: ModelVersion) -> StoredCard:
    """The card in the version's bundle. Raises CardMissing, and ModelRefused for a bundle that this partner did not sign."""
    try:
        written = read_card(bytes(version.bundle), keyring().public_keys())
    except BundleRefused as refusal:
        raise ModelRefused(f"The bundle of version {version.version} cannot be used: {refusal}") from refusal
    if not written:
        raise CardMissing(
            f"Version {version.version} has no model card: it was trained before cards were made. Train it again with "
            "`manage.py train_model`, and promote the new version."
        )
    return StoredCard(written, hashlib.sha256(written).hexdigest())


def card_digest(product_slug: str, version: int) -> str:
    """The digest by which a promotion names the card; empty where there is none to read."""
    found = ModelVersion.objects.only("version", "bundle").filter(product__slug=product_slug, version=version).first()
    try:
        return stored_card(found).sha256 if found else ""
    except (CardMissing, ModelRefused):
        return ""


def points_table(product_slug: str, version: int) -> tuple[Mapping[str, Any] | None, Mapping[str, str]]:
    """A scorecard's points and the labels of its features, as its card tells them; None where it tells none, or is not there to read."""
    found = ModelVersion.objects.only("version", "bundle").filter(product__slug=product_slug, version=version).first()
    try:
        told = stored_card(found).document() if found else {}
    except (CardMissing, ModelRefused):
        told = {}
    return told.get("points"), {one["name"]: one["label"] for one in told.get("features", ())}


def model_card(product_slug: str, version: int) -> ModelCard:
    """The card of one version. Raises ProductUnknown, ModelVersionUnknown, CardMissing, ModelRefused."""
    summary = model_version(product_slug, version)
    stored = stored_card(ModelVersion.objects.only("version", "bundle").get(id=summary.id))
    if stored.document().get("format") != FORMAT:
        raise CardMissing(f"The card of version {version} is written in another form than this installation reads. Bring it up to date.")
    product = Product.objects.select_related("policy").defer("definition").get(slug=product_slug)
    versions = model_versions(product_slug)
    then = ProductRevision.objects.filter(product=product, began_at__lte=summary.trained_at).order_by("-revision")
    champion = then.values_list("champion_id", flat=True).first()
    requests = tuple(one for one in promotion_requests(product=product_slug) if one.version == version)
    return ModelCard(
        version=summary, stored=stored, policy_version=product.policy.version, policy=Policy.from_dict(product.policy.definition),
        champion=next((one for one in versions if one.id == champion), None),
        earlier=tuple(one for one in versions if one.version < version),
        requests=requests, history=_history(product, summary, requests),
    )    # fmt: skip


def _history(product: Product, version: ModelVersionSummary, requests: tuple[RequestSummary, ...]) -> tuple[Happening, ...]:
    """What the record tells of the version, oldest first."""
    number = version.version
    told = Event.objects.filter(
        Q(object_kind="model_version", object_id=str(version.id), action__in=_OF_VERSION)
        | Q(object_kind="promotion_request", object_id__in=[str(one.id) for one in requests], action__in=_OF_REQUEST)
        | Q(object_kind="product", object_id=str(product.id), action__in=_OF_PRODUCT)
    ).order_by("id")
    found = (event for event in told if number in (event.detail.get("version"), event.detail.get("previous")))
    return tuple(_happening(event, number) for event in found)


def _happening(event: Event, number: int) -> Happening:
    chosen, previous = event.detail.get("version"), event.detail.get("previous")
    other = previous if chosen == number else chosen
    reason = str(event.detail.get("answer") or event.detail.get("reason") or "")
    return Happening(event.recorded_at, event.action, chosen != number, other if other != number else None, event.actor_label, reason)
