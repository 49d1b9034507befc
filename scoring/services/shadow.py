"""Scoring in shadow: decisions that were answered are scored again by the challenger, from their sealed inputs, in bulk."""

import hashlib
import threading
import time
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from audit.errors import SealBroken
from audit.vault import Keyring, keyring
from partners.tenancy import current_schema
from scoring.applicants import key_of
from scoring.engine.bundle import BundleRefused, read_bundle
from scoring.engine.contract import Contract, ContractViolation, Values, compile_contract
from scoring.engine.pipeline import ServingModel, score
from scoring.engine.policy import Policy
from scoring.errors import ModelRefused, ModelVersionUnknown
from scoring.models import Decision, ModelVersion, Shadow
from scoring.models import Policy as PolicyRow
from scoring.sealed import open_content
from scoring.selectors.shadows import challengers, unsettled_since

_AT_ONCE = 500
_KEPT_AT_MOST = 16

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Shadowed:
    """What one pass has done so far: decisions looked at, and those that could not be scored (erased, or inputs that do not suffice)."""

    looked_at: int = 0
    skipped: int = 0


class Scorer:
    """A version that scores what another version's contract has checked."""

    def __init__(self, model: ServingModel) -> None:
        contract = model.product.contract
        self.model = model
        self.required = frozenset(one.name for one in contract.inputs if one.required)
        self.names = tuple(one.name for one in contract.inputs)
        # What was said to be missing was checked when it was said.
        self._validator = compile_contract(Contract(tuple(replace(one, required=False) for one in contract.inputs)))

    def values(self, inputs: Mapping[str, Any]) -> Values:
        """The inputs as this version's contract takes them. Raises ContractViolation."""
        if not self.required <= inputs.keys():
            raise ContractViolation([])
        return self._validator.check({name: inputs[name] for name in self.names if inputs.get(name) is not None})


# A version's bundle never changes, so what was read of it is right for ever.
_scorers: OrderedDict[tuple[str, uuid.UUID], Scorer] = OrderedDict()
_lock = threading.Lock()


def shadow_outstanding(*, passes: int = 20, rest: float = 0.0) -> Shadowed:
    """The current partner's challengers have scored what was decided since they last did, or `passes` times 500 decisions of it.

    After each 500 it rests `rest` times as long as they took: what answers people has the processor first. Safe to run twice and beside
    itself: whoever comes second leaves it to the first."""
    looked_at = skipped = 0
    for version in challengers():
        began = time.monotonic()
        for number, found in enumerate(_pass(version, unsettled_since(version), is_settling=True), start=1):
            looked_at, skipped = looked_at + found.looked_at, skipped + found.skipped
            if number >= passes:
                break
            time.sleep(rest * (time.monotonic() - began))    # leaves the processor to those who wait for an answer
            began = time.monotonic()
    return Shadowed(looked_at, skipped)


def shadow_since(*, version_id: uuid.UUID, since: datetime) -> Iterator[Shadowed]:
    """The version has scored every decision of its product since then; yields its growing count.

    Raises ModelVersionUnknown, ModelRefused."""
    version = ModelVersion.objects.defer("bundle", "metrics").filter(id=version_id).first()
    if version is None:
        raise ModelVersionUnknown
    looked_at = skipped = 0
    for found in _pass(version, since, is_settling=False):
        looked_at, skipped = looked_at + found.looked_at, skipped + found.skipped
        yield Shadowed(looked_at, skipped)


def _pass(version: ModelVersion, since: datetime, *, is_settling: bool) -> Iterator[Shadowed]:
    """Part after part, each in a transaction of its own, until none is left or somebody else is at it."""
    try:
        scorer = _scorer(version.id)
    except BundleRefused as refusal:
        logger.error("challenger_refused", version=str(version.id), reason=str(refusal))
        raise ModelRefused(f"The bundle of version {version.version} cannot be used: {refusal}") from refusal
    ring, place = keyring(), (since, uuid.UUID(int=0))
    while True:
        with transaction.atomic():
            if not _alone(version.id, waits=not is_settling):
                return
            decisions = list(_unscored(version, since, place)[:_AT_ONCE])
            if not decisions:
                return
            rows = _shadows(version, scorer, decisions, ring)
            Shadow.objects.bulk_create(rows, ignore_conflicts=True)
            place = decisions[-1].created_at, decisions[-1].id
            if is_settling:
                ModelVersion.objects.filter(id=version.id, shadowed_until__lt=place[0]).update(shadowed_until=place[0])
        yield Shadowed(len(decisions), len(decisions) - len(rows))


def _unscored(version: ModelVersion, since: datetime, place: tuple[datetime, uuid.UUID]) -> QuerySet[Decision]:
    """In the order they were made, from this place on; those of the version itself are no comparison."""
    at, last = place
    scored = Shadow.objects.filter(decision=OuterRef("id"), version=version)
    return (
        Decision.objects.select_related("applicant")
        .filter(~Exists(scored), product=version.product_id, created_at__gte=max(at, since))
        .exclude(model_version=version.id)
        .exclude(Q(created_at=at, id__lte=last))
        .order_by("created_at", "id")
    )


def _shadows(version: ModelVersion, scorer: Scorer, decisions: Sequence[Decision], ring: Keyring) -> list[Shadow]:
    """What the version would have decided, by the policy that did decide, on the day that it was."""
    together: defaultdict[tuple[uuid.UUID, date], list[tuple[Decision, Values]]] = defaultdict(list)
    for decision in decisions:
        try:
            key = key_of(ring, decision.applicant)
            if key is None:
                continue
            content = open_content(ring, key, decision)
            together[decision.policy_id, content.decided_on].append((decision, scorer.values(content.inputs)))
        except ContractViolation:
            continue
        except SealBroken:
            logger.exception("decision_damaged", decision_id=str(decision.id))
    policies = {row.id: Policy.from_dict(row.definition) for row in PolicyRow.objects.filter(id__in={policy for policy, _ in together})}
    found: list[Shadow] = []
    for (policy, day), told in together.items():
        results = score(scorer.model, policies[policy], [values for _, values in told], decided_on=day)
        found += [
            Shadow(
                decision=decision, version_id=version.id, decided_at=decision.created_at, probability=result.probability,
                score=result.score, band=str(result.band), outcome=str(result.outcome),
            )
            for (decision, _), result in zip(told, results, strict=True)
        ]    # fmt: skip
    return found


def _scorer(version_id: uuid.UUID) -> Scorer:
    """The version, read and verified once per process. Raises BundleRefused."""
    place = current_schema(), version_id
    with _lock:
        known = _scorers.get(place)
    if known is None:
        bundle = ModelVersion.objects.values_list("bundle", flat=True).get(id=version_id)
        known = Scorer(ServingModel.of_bundle(read_bundle(bytes(bundle), keyring().public_keys())))
        with _lock:
            _scorers[place] = known
            while len(_scorers) > _KEPT_AT_MOST:
                _scorers.popitem(last=False)
    return known


def _alone(version_id: uuid.UUID, *, waits: bool) -> bool:
    """Whether this transaction is the only one that scores for this version, until it ends; sooner or later for one that waits."""
    lock = int.from_bytes(hashlib.sha256(f"shadow|{current_schema()}|{version_id}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        if waits:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
            return True
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])
