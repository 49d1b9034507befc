"""What a decision keeps sealed: inputs, contributions and reasons, to the last bit."""

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from django.db.models import CharField, Exists, OuterRef
from django.db.models.functions import Cast

from audit.actions import Action
from audit.models import Event
from audit.services import canonical, is_untouched, timestamp
from audit.vault import DataKey, Keyring
from scoring.models import Decision

TABLE = "scoring_decision"


class SealedReason(msgspec.Struct, frozen=True, array_like=True):
    """One reason as it was given."""

    code: str
    text: str
    points: float
    feature: str


class DecisionContent(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one decision that says something about the applicant. MessagePack keeps every double's bits."""

    inputs: dict[str, Any]
    decided_on: date
    language: str = "en"  # of the reasons' texts
    margin: float
    base: float
    contributions: dict[str, float]
    reasons: list[SealedReason]


def seal_content(ring: Keyring, key: DataKey, decision_id: object, content: DecisionContent) -> bytes:
    """The content under the applicant's key, for this decision only."""
    return ring.seal(key, msgspec.msgpack.encode(content), table=TABLE, column="sealed", owner=decision_id)


def open_content(ring: Keyring, key: DataKey, decision: Decision) -> DecisionContent:
    """The content of a stored decision. Raises SealBroken if the row is not what was stored."""
    return msgspec.msgpack.decode(ring.unseal(key, decision.sealed, table=TABLE, column="sealed", owner=decision.id), type=DecisionContent)


def decision_digest(columns: Mapping[str, Any], sealed: bytes) -> str:
    """A digest over a decision's columns and its sealed content: in the audit event, it makes a later change of the row provable."""
    attested = {name: _text(columns[name]) for name in _ATTESTED}
    return hashlib.sha256(canonical({**attested, "sealed": hashlib.sha256(sealed).hexdigest()}).encode()).hexdigest()


def stored_digest(decision: Decision) -> str:
    """The digest over a decision as the table has it now."""
    return decision_digest({name: getattr(decision, name) for name in _ATTESTED}, bytes(decision.sealed))


def attested_rows(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[str, Any]]:
    """What the digests of these decisions are over, for exports of the record."""
    return {row.id: _told(row) for row in Decision.objects.filter(id__in=ids)}


def unrecorded_rows() -> Iterator[dict[str, Any]]:
    """The same of every decision that no event tells of: there should be none."""
    made = Event.objects.filter(action=Action.DECISION_MADE, object_kind="decision", object_id=Cast(OuterRef("id"), CharField()))
    for row in Decision.objects.filter(~Exists(made)).order_by("id"):
        yield _told(row)


def _told(row: Decision) -> dict[str, Any]:
    return {**{name: _text(getattr(row, name)) for name in _ATTESTED}, "sealed": hashlib.sha256(bytes(row.sealed)).hexdigest()}


def is_as_recorded(decision: Decision, made: Event | None) -> bool:
    """Whether the row is the one its event tells of, and that event is untouched."""
    return made is not None and made.detail.get("digest") == stored_digest(decision) and is_untouched(made)


_ATTESTED = (
    "id",
    "created_at",
    "applicant_id",
    "product_id",
    "model_version_id",
    "policy_id",
    "revision",
    "probability",
    "score",
    "band",
    "outcome",
    "answered_by",
    "channel",
)


def _text(value: Any) -> str | int | None:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, datetime):
        return timestamp(value)
    return value if value is None or isinstance(value, int) else str(value)
