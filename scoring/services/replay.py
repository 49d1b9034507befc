"""Replaying decisions: computed again from what they were made of, and compared to the last bit with what was stored."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.alerts import REPLAY_DIFFERS, raise_alert
from audit.context import SYSTEM
from audit.errors import SealBroken
from audit.models import Event
from audit.privacy.ledger import Under, erased_under
from audit.services import event_leaf_hash, is_untouched, record
from audit.vault import keyring
from scoring.applicants import details_of, key_of
from scoring.engine.bundle import BundleRefused
from scoring.engine.pipeline import score
from scoring.fixed import case_of, settled
from scoring.makers import Makers
from scoring.models import Decision
from scoring.sealed import DecisionContent, open_content, stored_digest
from scoring.services.score import content_of

_AT_ONCE = 500
_NAMED_AT_MOST = 20
NIGHTLY = 200    # decisions


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that did not come out again, as text that shows every bit."""

    decision_id: uuid.UUID
    what: str
    stored: str
    recomputed: str


@dataclass(slots=True)
class Replay:
    """What a replay found. Erased decisions cannot be recomputed and are no fault."""

    checked: int = 0
    identical: int = 0
    erased: list[uuid.UUID] = field(default_factory=list)
    erased_under: dict[uuid.UUID, Under] = field(default_factory=dict)    # by decision
    differences: list[Difference] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.differences

    def as_dict(self) -> dict[str, Any]:
        return {
            "checked": self.checked,
            "identical": self.identical,
            "erased": [str(decision_id) for decision_id in self.erased],
            "erased_under": {str(decision_id): str(under) for decision_id, under in self.erased_under.items()},
            "differences": [{**asdict(difference), "decision_id": str(difference.decision_id)} for difference in self.differences],
            "holds": self.holds,
        }


def replay_decisions(*, sample: int | None = None) -> Iterator[Replay]:
    """The current partner's decisions, or a random sample of them, are recomputed from stored inputs, bundle and policy.

    Yields the same growing Replay after each part, for whoever shows progress. Writes nothing."""
    found, makers = Replay(), Makers(keyring())
    for decisions in _parts(sample):
        events = _events(decisions)
        for decision in decisions:
            _replay(decision, events.get(str(decision.id)), makers, found)
        under = erased_under({one.applicant_id for one in decisions if one.applicant.is_erased})
        found.erased_under |= {one.id: under[one.applicant_id] for one in decisions if one.applicant_id in under}
        yield found
    if not found.checked:
        yield found


def is_nightly_due() -> bool:
    """Whether no sample was replayed by itself today yet, and there is something to replay."""
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    done = Event.objects.filter(action=Action.DECISIONS_REPLAYED, actor_kind=SYSTEM.kind, recorded_at__gte=today)
    return not done.exists() and Decision.objects.exists()


def replay_nightly(*, sample: int = NIGHTLY) -> Replay:
    """A random sample is replayed and recorded; an alert names each decision that differs, and in what."""
    *_, found = replay_decisions(sample=sample)
    named: dict[uuid.UUID, list[str]] = {}
    for one in found.differences:
        named.setdefault(one.decision_id, []).append(one.what)
    with transaction.atomic():
        record(
            action=Action.DECISIONS_REPLAYED, actor=SYSTEM, object_kind="partner", object_id=keyring().schema, detail={
                "checked": found.checked, "identical": found.identical, "erased": len(found.erased), "differences": len(found.differences),
            },
        )  # fmt: skip
        for decision_id, what in list(named.items())[:_NAMED_AT_MOST]:
            detail = {"differs_in": what[:_NAMED_AT_MOST]}
            raise_alert(kind=REPLAY_DIFFERS, object_kind="decision", object_id=str(decision_id), detail=detail)
    return found


def _parts(sample: int | None) -> Iterator[list[Decision]]:
    everything = Decision.objects.select_related("applicant").order_by("id")
    if sample is not None:
        ids = list(Decision.objects.order_by("?").values_list("id", flat=True)[:sample])
        for at in range(0, len(ids), _AT_ONCE):
            yield list(everything.filter(id__in=ids[at : at + _AT_ONCE]))
        return
    part = list(everything[:_AT_ONCE])
    while part:
        yield part
        part = list(everything.filter(id__gt=part[-1].id)[:_AT_ONCE])


def _events(decisions: Sequence[Decision]) -> dict[str, Event]:
    made = Event.objects.filter(action=Action.DECISION_MADE, object_kind="decision", object_id__in=[str(row.id) for row in decisions])
    return {event.object_id: event for event in made.select_related("leaf")}


def _replay(decision: Decision, made: Event | None, makers: Makers, found: Replay) -> None:
    found.checked += 1
    before = len(found.differences)

    def differs(what: str, stored: object, recomputed: object) -> None:
        found.differences.append(Difference(decision.id, what, _bits(stored), _bits(recomputed)))

    if made is None or made.detail.get("digest") != stored_digest(decision):
        differs("record", made and made.detail.get("digest"), stored_digest(decision))
    if made is not None and not is_untouched(made):
        differs("event", bytes(made.leaf_hash).hex(), event_leaf_hash(made).hex())
    try:
        key = key_of(makers.ring, decision.applicant)
        if key is None:
            found.erased.append(decision.id)
            return
        details_of(makers.ring, decision.applicant)
        stored = open_content(makers.ring, key, decision)
        model, policy = makers.model(decision), makers.policy(decision.policy_id)
    except (SealBroken, BundleRefused) as refusal:
        differs(refusal.code, "intact", str(refusal))
        return
    result = score(model, policy, [stored.inputs], decided_on=stored.decided_on, language=stored.language)[0]
    result = settled(result, case_of(reason.code for reason in stored.reasons))
    for name in ("probability", "score", "band", "outcome", "answered_by"):
        if _bits(getattr(decision, name)) != _bits(getattr(result, name)):
            differs(name, getattr(decision, name), getattr(result, name))
    for name, one, other in _content_pairs(stored, content_of(stored.inputs, result, stored.decided_on, stored.language)):
        if _bits(one) != _bits(other):
            differs(name, one, other)
    found.identical += len(found.differences) == before


def _content_pairs(stored: DecisionContent, again: DecisionContent) -> Iterator[tuple[str, object, object]]:
    yield "margin", stored.margin, again.margin
    yield "base", stored.base, again.base
    for feature in sorted({*stored.contributions, *again.contributions}):
        yield f"contribution of {feature}", stored.contributions.get(feature), again.contributions.get(feature)
    yield "number of reasons", len(stored.reasons), len(again.reasons)
    for number, (one, other) in enumerate(zip(stored.reasons, again.reasons, strict=False), start=1):
        for name in one.__struct_fields__:
            yield f"reason {number} {name}", getattr(one, name), getattr(other, name)


def _bits(value: object) -> str:
    """Text that is equal exactly when the bits are."""
    return value.hex() if isinstance(value, float) else str(value)
