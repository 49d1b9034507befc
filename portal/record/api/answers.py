"""What routes about the record answer."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from audit.models import Checkpoint, Event
from audit.proofs import Consistency, Inclusion
from audit.services import attested_text, receipt_of
from scoring.api.answers import Receipt


class EventListed(msgspec.Struct, frozen=True):
    """One event. `position` is its place in the tree, null for a second or two; `leaf_hash` is base64."""

    id: str
    position: int | None
    recorded_at: datetime
    action: str
    actor_kind: str
    actor_id: str
    actor_label: str
    address: str
    request_id: str
    object_kind: str
    object_id: str
    detail: dict[str, Any]
    leaf_hash: str


class EventPage(msgspec.Struct, frozen=True):
    """Events, newest first."""

    data: list[EventListed]
    next_cursor: str | None
    has_more: bool


class ActionCount(msgspec.Struct, frozen=True):
    """How often something was done by people, keys, operators or the system."""

    action: str
    actor_kind: str
    count: int


class RecordSummary(msgspec.Struct, frozen=True):
    """What was recorded in a time, and how far the record is sealed."""

    since: datetime
    until: datetime
    events: int
    actions: list[ActionCount]
    size: int
    sealed_at: datetime | None


class InclusionProof(msgspec.Struct, frozen=True):
    """That one event is under a checkpoint. `attested`: the text whose SHA-256, after a zero byte, is the leaf; `proof`: lowest first."""

    event: EventListed
    attested: str
    position: int
    size: int
    proof: list[str]
    checkpoint: str
    receipt: Receipt


class ConsistencyProof(msgspec.Struct, frozen=True, rename={"old": "from", "new": "to"}):
    """That one checkpoint continues another: their signed notes, and the hashes as base64."""

    old: str
    new: str
    proof: list[str]


class CheckpointListed(msgspec.Struct, frozen=True):
    """One signed head of the tree; `note` is what to keep."""

    size: int
    root: str
    note: str
    created_at: datetime


class CheckpointPage(msgspec.Struct, frozen=True):
    """Checkpoints, newest first."""

    data: list[CheckpointListed]
    next_cursor: str | None
    has_more: bool


def event_listed(event: Event) -> EventListed:
    """The event as it is told."""
    leaf = getattr(event, "leaf", None)
    return EventListed(
        id=str(event.id), position=None if leaf is None else leaf.position, recorded_at=event.recorded_at, action=event.action,
        actor_kind=event.actor_kind, actor_id=event.actor_id, actor_label=event.actor_label, address=event.address,
        request_id=event.request_id, object_kind=event.object_kind, object_id=event.object_id, detail=event.detail,
        leaf_hash=_base64(event.leaf_hash),
    )  # fmt: skip


def inclusion_of(event: Event, found: Inclusion) -> InclusionProof:
    """The event with its proof and receipt."""
    named = ("actor_kind", "actor_id", "actor_label", "address", "request_id", "object_kind", "object_id")
    text = attested_text(event.id, event.action, tuple(getattr(event, name) for name in named), event.detail, event.recorded_at)
    return InclusionProof(
        event=event_listed(event), attested=text.decode(), position=found.leaf.position, size=found.checkpoint.size,
        proof=_all(found.proof), checkpoint=found.checkpoint.signed_note,
        receipt=msgspec.convert(receipt_of(event), Receipt, from_attributes=True),
    )  # fmt: skip


def consistency_of(found: Consistency) -> ConsistencyProof:
    """The proof as it is told."""
    return ConsistencyProof(found.old.signed_note, found.new.signed_note, _all(found.proof))


def checkpoint_listed(one: Checkpoint) -> CheckpointListed:
    """The checkpoint as it is told."""
    return CheckpointListed(one.size, _base64(one.root), one.signed_note, one.created_at)


def _all(hashes: Sequence[bytes]) -> list[str]:
    return [_base64(one) for one in hashes]


def _base64(value: bytes | memoryview) -> str:
    return base64.b64encode(bytes(value)).decode()
