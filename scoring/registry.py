"""Which model and policy are in force for each product, loaded once per process; the store's guard says when that is no longer so."""

import os
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from django.db import connection, transaction
from django.utils import timezone

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from audit.services import record
from audit.vault import keyring
from scoring.engine.bundle import BundleRefused, read_bundle
from scoring.engine.contract import ContractViolation, Validator, compile_contract
from scoring.engine.pipeline import ServingModel
from scoring.engine.policy import Policy
from scoring.engine.product import Product as Definition
from scoring.errors import ProductUnknown
from scoring.models import ModelVersion, Product
from scoring.observers import tell_loaded, tell_refused

_KEPT_AT_MOST = 128
RETRY_REFUSED_SECONDS = 15.0    # what was refused may have been repaired

logger = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Active:
    """What answers for one product at one revision. `model_version_id` is None when the rules answer."""

    product_id: uuid.UUID
    slug: str
    revision: int
    definition: Definition
    model: ServingModel
    model_version_id: uuid.UUID | None
    model_version: int | None
    policy: Policy
    policy_id: uuid.UUID
    policy_version: int
    validator: Validator
    retry_at: float | None = None    # on the monotonic clock: when a refused bundle is read once more


_Key = tuple[str, str]
_active: OrderedDict[_Key, Active] = OrderedDict()
_loading: dict[_Key, threading.Lock] = {}
_lock = threading.Lock()


def _forked() -> None:
    """A lock that another thread held at the fork would stay held for ever in the child."""
    global _lock
    _lock = threading.Lock()
    _loading.clear()


os.register_at_fork(after_in_child=_forked)


def active(product_slug: str) -> Active:
    """What answers for the product, as this process knows it. Only the store can say whether it still holds. Raises ProductUnknown."""
    key = _key(product_slug)
    with _lock:
        found = _active.get(key)
        if found is not None:
            _active.move_to_end(key)
    if found is None or (found.retry_at is not None and found.retry_at <= time.monotonic()):
        return _load(key, stale=found)
    return found


def refresh(stale: Active) -> Active:
    """What answers now, after the store or a look at the revision said that `stale` does not. Many threads that ask at once load once."""
    return _load(_key(stale.slug), stale=stale)


def current(product_slug: str) -> Active:
    """What answers for the product according to the database at this moment, for pages and lists that no store will check."""
    found = active(product_slug)
    return found if _revision(found) == found.revision else refresh(found)


def check_inputs(product_slug: str, check: Callable[[Validator], T]) -> T:
    """What `check` makes of the contract in force. Refused inputs are checked again if the contract has changed since it was loaded."""
    found = active(product_slug)
    try:
        return check(found.validator)
    except ContractViolation:
        if _revision(found) == found.revision:
            raise
        return check(refresh(found).validator)


def forget() -> None:
    """This process knows nothing any more: for commands that change schemas under it, and for tests."""
    with _lock:
        _active.clear()
        _loading.clear()


def _key(product_slug: str) -> _Key:
    return connection.schema_name, product_slug  # type: ignore[attr-defined]


def _revision(known: Active) -> int | None:
    return Product.objects.filter(id=known.product_id).values_list("revision", flat=True).first()


def _load(key: _Key, *, stale: Active | None) -> Active:
    with _lock:
        loading = _loading.setdefault(key, threading.Lock())
    with loading:
        with _lock:
            found = _active.get(key)
        if found is not None and found is not stale:
            return found
        try:
            fresh = _read(key[1], found)
        except ProductUnknown:
            with _lock:
                _active.pop(key, None)
                _loading.pop(key, None)
            raise
        with _lock:
            _active[key] = fresh
            _active.move_to_end(key)
            while len(_active) > _KEPT_AT_MOST:
                _loading.pop(_active.popitem(last=False)[0], None)
            tell_loaded(len(_active))
        return fresh


def _read(slug: str, last: Active | None) -> Active:
    product = Product.objects.select_related("policy").filter(slug=slug).first()
    if product is None:
        raise Product.unknown(slug)
    definition, model, version = _model(product, last)
    is_champion = product.champion_id == (version and version[0])
    return Active(
        product_id=product.id,
        slug=product.slug,
        revision=product.revision,
        definition=definition,
        model=model,
        model_version_id=version and version[0],
        model_version=version and version[1],
        policy=Policy.from_dict(product.policy.definition),
        policy_id=product.policy.id,
        policy_version=product.policy.version,
        validator=compile_contract(definition.contract),
        retry_at=None if is_champion else time.monotonic() + RETRY_REFUSED_SECONDS,
    )


def _model(product: Product, last: Active | None) -> tuple[Definition, ServingModel, tuple[uuid.UUID, int] | None]:
    """The champion; if it is refused, the last good one this process had; without either, the product's rules."""
    if product.champion_id is not None:
        if last is not None and last.model_version_id == product.champion_id:
            return last.definition, last.model, (product.champion_id, last.model_version or 0)
        champion = ModelVersion.objects.only("id", "version", "bundle").get(id=product.champion_id)
        try:
            bundle = read_bundle(bytes(champion.bundle), keyring().public_keys())
        except BundleRefused as refusal:
            _tell_refused(product, champion, refusal)
            if last is not None and last.model_version_id is not None:
                return last.definition, last.model, (last.model_version_id, last.model_version or 0)
        else:
            _tell_repaired(product, champion)
            return bundle.product, ServingModel.of_bundle(bundle), (champion.id, champion.version)
    definition = Definition.from_dict(product.definition)
    return definition, ServingModel.of_rules(definition), None


def _tell_refused(product: Product, champion: ModelVersion, refusal: BundleRefused) -> None:
    """The refusal is in the log each time a process meets it; in the record and counted once, until the bundle was good again."""
    logger.error("bundle_refused", product=product.slug, version=champion.version, reason=str(refusal), at=timezone.now().isoformat())
    with transaction.atomic():
        Product.objects.select_for_update().get(id=product.id)
        if _is_known_refused(champion):
            return
        _record(Action.MODEL_REFUSED, product, champion, reason=str(refusal))
    tell_refused()


def _tell_repaired(product: Product, champion: ModelVersion) -> None:
    """Where a refusal was recorded, so is its end."""
    if _is_known_refused(champion):
        with transaction.atomic():
            Product.objects.select_for_update().get(id=product.id)
            if _is_known_refused(champion):
                _record(Action.MODEL_REPAIRED, product, champion)


def _is_known_refused(champion: ModelVersion) -> bool:
    told = Event.objects.filter(
        object_kind="model_version", object_id=str(champion.id), action__in=(Action.MODEL_REFUSED, Action.MODEL_REPAIRED)
    )
    return told.order_by("-id").values_list("action", flat=True).first() == Action.MODEL_REFUSED


def _record(action: Action, product: Product, champion: ModelVersion, **facts: str) -> None:
    detail = {"product": product.slug, "version": champion.version, **facts}
    record(action=action, actor=SYSTEM, object_kind="model_version", object_id=champion.id, detail=detail)
