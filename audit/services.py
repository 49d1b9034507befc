"""Recording: what happened becomes an event in the caller's transaction, with a receipt; answers are kept for repeated requests."""

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from audit.actions import Action
from audit.context import Actor
from audit.errors import IdempotencyMismatch, ReceiptRefused
from audit.ids import uuid7
from audit.models import Event, Idempotency, Outbox
from audit.tree import leaf_hash
from audit.vault import Keyring, keyring

IDEMPOTENCY_KEPT = timedelta(hours=24)


def _plain(value: object) -> str:
    """For the encoder: text of a kind of its own, such as one marked as safe HTML."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"the record holds no {type(value).__name__}")


# The same bytes as json.dumps(ensure_ascii=False, separators=(",", ":"), sort_keys=True), at a fifth of its cost (a test compares them).
_encoded = msgspec.json.Encoder(order="deterministic", enc_hook=_plain).encode


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event's attested values and the leaf hash over them, ready to be written by whatever statement the caller uses."""

    id: uuid.UUID
    action: Action
    actor_kind: str
    actor_id: str
    actor_label: str
    address: str
    request_id: str
    object_kind: str
    object_id: str
    detail: str
    recorded_at: datetime
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The partner's signed promise that the event is in the record: hashes and signature as base64."""

    event_id: str
    leaf_hash: str
    issued_at: str
    signature: str
    key_id: str


def canonical(values: object) -> str:
    """One text for equal values: JSON with sorted keys and no floats, whose text databases are free to change."""
    _refuse_floats(values)
    return _encoded(values).decode()


def timestamp(moment: datetime) -> str:
    """A moment as the record writes it: UTC, microseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def new_event(
    *,
    action: Action,
    actor: Actor,
    object_kind: str,
    object_id: object,
    detail: Mapping[str, Any] | None = None,
    recorded_at: datetime | None = None,
    id: uuid.UUID | None = None,
) -> NewEvent:
    """The event with its leaf hash, not yet written. `detail` holds ids, codes, counts and digests: text, whole numbers, truth values."""
    moment = recorded_at or datetime.now(UTC)
    event_id = id or uuid7()
    facts = dict(detail or {})
    _refuse_floats(facts)
    attested = (actor.kind, actor.id, actor.label[:200], actor.address, actor.request_id, object_kind, str(object_id))
    leaf = leaf_hash(attested_text(event_id, action, attested, facts, moment))
    return NewEvent(event_id, action, *attested, _encoded(facts).decode(), moment, leaf)


def event_leaf_hash(event: Event) -> bytes:
    """The leaf hash over an event's columns as they are stored now."""
    attested = (event.actor_kind, event.actor_id, event.actor_label, event.address, event.request_id, event.object_kind, event.object_id)
    return leaf_hash(attested_text(event.id, event.action, attested, event.detail, event.recorded_at))


def is_untouched(event: Event) -> bool:
    """Whether the event's columns still give its leaf hash, and the tree, once it holds the event, holds that hash.

    Finds a change by whoever has not changed all three; against that stand the checkpoints, which are published elsewhere."""
    in_tree = getattr(event, "leaf", None)
    return event_leaf_hash(event) == bytes(event.leaf_hash) and (in_tree is None or bytes(in_tree.leaf_hash) == bytes(event.leaf_hash))


def attested_text(event_id: uuid.UUID, action: str, attested: tuple[str, ...], detail: Mapping[str, Any], moment: datetime) -> bytes:
    """The bytes that an event's leaf hash is over."""
    return _encoded(["vouch event v1", str(event_id), action, *attested, detail, timestamp(moment)])


def _refuse_floats(value: object) -> None:
    if type(value) is str:  # nearly all are, and each check below costs ten times this one
        return
    if isinstance(value, float):
        raise TypeError("the record holds no floats: a database may write the same number differently")
    if isinstance(value, Mapping):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def record(*, action: Action, actor: Actor, object_kind: str, object_id: object, detail: Mapping[str, Any] | None = None) -> Event:
    """The event is written in the caller's transaction: it is there exactly if what it tells of is."""
    new = new_event(action=action, actor=actor, object_kind=object_kind, object_id=object_id, detail=detail)
    event = Event(
        **{name: getattr(new, name) for name in NewEvent.__slots__ if name != "detail"},
        detail=json.loads(new.detail),
    )
    event.save(force_insert=True)
    return event


def announce(*, topic: str, object_id: object, body: Mapping[str, Any]) -> Outbox:
    """The outbox row is written in the caller's transaction; whoever listens is told after it, at least once."""
    return Outbox.objects.create(topic=topic, object_id=str(object_id), body=dict(body))


def announce_once(*, id: uuid.UUID, topic: str, object_id: object, body: Mapping[str, Any]) -> None:
    """The same under an id that only this news has: said again, by whichever process, it is told once."""
    if not Outbox.objects.filter(id=id).exists():
        Outbox.objects.bulk_create([Outbox(id=id, topic=topic, object_id=str(object_id), body=dict(body))], ignore_conflicts=True)


# ---- receipts


def receipt(*, event_id: uuid.UUID, leaf: bytes, recorded_at: datetime, ring: Keyring | None = None) -> Receipt:
    """The receipt of an event. Signing again gives the same bytes, so it is stored nowhere."""
    ring = ring or keyring()
    encoded, moment = base64.b64encode(leaf).decode(), timestamp(recorded_at)
    signature = ring.sign(_promise(ring.schema, str(event_id), encoded, moment))
    return Receipt(str(event_id), encoded, moment, base64.b64encode(signature).decode(), ring.key_id)


def receipt_of(event: Event) -> Receipt:
    """The receipt of a stored event."""
    return receipt(event_id=event.id, leaf=bytes(event.leaf_hash), recorded_at=event.recorded_at)


def verify_receipt(given: Receipt, *, schema: str, public_keys: Mapping[str, bytes]) -> None:
    """The receipt is the partner's own. Raises ReceiptRefused otherwise; needs no secret, so anybody can check it."""
    raw = public_keys.get(given.key_id)
    if raw is None:
        raise ReceiptRefused("The receipt names a key that is not the partner's.")
    try:
        signature = base64.b64decode(given.signature, validate=True)
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, _promise(schema, given.event_id, given.leaf_hash, given.issued_at))
    except (InvalidSignature, ValueError) as error:
        raise ReceiptRefused from error


def _promise(schema: str, event_id: str, leaf: str, issued_at: str) -> bytes:
    return f"vouch receipt v1\n{schema}\n{event_id}\n{leaf}\n{issued_at}\n".encode()


# ---- repeated requests


@dataclass(frozen=True, slots=True)
class Attempt:
    """One caller's request as an Idempotency-Key names it: which route, which key, whose, and what body."""

    route: str
    key: str
    actor_id: str
    body_digest: bytes

    @classmethod
    def of(cls, *, route: str, key: str, actor: Actor, body: bytes) -> "Attempt":
        return cls(route, key, actor.id, hashlib.sha256(body).digest())

    @property
    def owner(self) -> str:
        """Whose attempt this is."""
        return f"{self.route}|{self.key}|{self.actor_id}"

    def sealed_with(self, status: int) -> str:
        """What the answer is sealed for: it cannot be given for another body, nor with another status."""
        return f"{self.owner}|{self.body_digest.hex()}|{status}"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer that the first request of this kind was given."""

    status: int
    body: bytes


def begin_attempt(attempt: Attempt) -> StoredAnswer | None:
    """The stored answer of an earlier attempt, or None: then this caller alone goes on, until its transaction ends.

    Call inside the transaction that will `keep_answer`. A twin waits here. Raises IdempotencyMismatch for another body."""
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("begin_attempt belongs into the transaction that stores the answer")
    lock = int.from_bytes(hashlib.sha256(f"{connection.schema_name}|{attempt.owner}".encode()).digest()[:8], signed=True)  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
    return stored_answer(attempt)


def stored_answer(attempt: Attempt) -> StoredAnswer | None:
    """The answer kept for this attempt under the partner's key, if there is one not older than 24 hours."""
    row = Idempotency.objects.filter(
        route=attempt.route, key=attempt.key, actor_id=attempt.actor_id, created_at__gt=datetime.now(UTC) - IDEMPOTENCY_KEPT
    ).first()
    if row is None:
        return None
    if bytes(row.body_digest) != attempt.body_digest:
        raise IdempotencyMismatch
    ring = keyring()
    owner = attempt.sealed_with(row.status)
    body = ring.unseal(ring.partner_key, row.sealed_response, table="audit_idempotency", column="sealed_response", owner=owner)
    return StoredAnswer(row.status, body)


def keep_answer(attempt: Attempt, *, status: int, body: bytes) -> None:
    """The answer is kept, sealed under the partner's key, in the caller's transaction."""
    ring, owner = keyring(), attempt.sealed_with(status)
    sealed = ring.seal(ring.partner_key, body, table="audit_idempotency", column="sealed_response", owner=owner)
    Idempotency.objects.update_or_create(
        route=attempt.route,
        key=attempt.key,
        actor_id=attempt.actor_id,
        defaults={
            "body_digest": attempt.body_digest,
            "status": status,
            "sealed_response": sealed,
            "applicant_id": None,
            "created_at": datetime.now(UTC),
        },
    )


def forget_old_answers() -> int:
    """Answers older than 24 hours are gone; returns how many were."""
    forgotten, _ = Idempotency.objects.filter(created_at__lte=datetime.now(UTC) - IDEMPOTENCY_KEPT).delete()
    return forgotten
