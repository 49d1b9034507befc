"""The record's tables, one set in each partner's schema: keys, events, the tree over them, outbox, idempotency."""

from typing import Any

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from audit.ids import uuid7
from audit.privacy.models import Alert, Erasure, PrivacyRequest, PrivacyStep, PrivacyTerms

__all__ = [
    "Alert", "Checkpoint", "Erasure", "Event", "Idempotency", "Keyring", "Leaf", "Outbox", "PrivacyRequest", "PrivacyStep", "PrivacyTerms",
]  # fmt: skip


class TransactionId(models.BigIntegerField):  # type: ignore[type-arg]  # the class takes none at run time
    """A PostgreSQL `xid8`: which transaction wrote the row, so that a sealer can tell what may still be uncommitted."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(value)


class CurrentTransactionId(models.Func):
    """`pg_current_xact_id()`."""

    function = "pg_current_xact_id"
    arity = 0
    output_field = TransactionId()


class Keyring(models.Model):
    """One random key of the partner, wrapped by the root key. Retired keys still open what they sealed."""

    class Purpose(models.TextChoices):
        WRAP = "wrap", "Wraps applicants' data keys and seals what belongs to no applicant"
        INDEX = "index", "Blind indexes and applicants' ids"
        TOKEN = "token", "Access tokens"
        SIGN = "sign", "Signatures on bundles, receipts and checkpoints"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    purpose = models.CharField(max_length=8, choices=Purpose)
    version = models.PositiveSmallIntegerField(default=1)
    wrapped = models.BinaryField()
    public_key = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "version"], name="keyring_one_version"),
            models.UniqueConstraint(fields=["purpose"], condition=Q(retired_at=None), name="keyring_one_in_use"),
            models.CheckConstraint(condition=Q(purpose__in=["wrap", "index", "token", "sign"]), name="keyring_purpose_known"),
            models.CheckConstraint(condition=Q(public_key=None) | Q(purpose="sign"), name="keyring_public_key_signs"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.version}"


class Event(models.Model):
    """One fact that was recorded, never changed. `leaf_hash` covers every other column except `transaction`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    action = models.CharField(max_length=60)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    object_kind = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    detail = models.JSONField(default=dict)
    recorded_at = models.DateTimeField()
    leaf_hash = models.BinaryField(max_length=32)
    transaction = TransactionId(db_default=CurrentTransactionId(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["object_kind", "object_id", "id"], name="event_by_object"),
            models.Index(fields=["recorded_at", "id"], name="event_by_time"),
            models.Index(fields=["action", "id"], name="event_by_action"),
            models.Index(fields=["transaction"], name="event_by_transaction"),
            models.Index(fields=["actor_id", "id"], name="event_by_actor"),
            models.Index(fields=["request_id"], name="event_by_request"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(actor_kind__in=["user", "api_key", "operator", "system"]), name="event_actor_kind_known"),
            models.CheckConstraint(condition=Q(action__regex=r"^[a-z_]+\.[a-z_]+$"), name="event_action_well_formed"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_kind} {self.object_id}"


class Leaf(models.Model):
    """The place of one event in the partner's tree, given when it is sealed."""

    position = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="leaf")
    leaf_hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(position__gte=0), name="leaf_position_counts_up")]

    def __str__(self) -> str:
        return str(self.position)


class Subtree(models.Model):
    """The hash of one complete subtree of 2 ** level leaves, the `number`-th of its level, from level KEPT_FROM on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    level = models.PositiveSmallIntegerField()
    number = models.BigIntegerField()
    node_hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "number"], name="subtree_once")]

    def __str__(self) -> str:
        return f"{self.number} of level {self.level}"


class Verification(models.Model):
    """One check of the whole record, from its asking to its result. `problem` is empty while nothing wrong was found."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        HELD = "held", "In order"
        FAILED = "failed", "Not in order"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    total = models.BigIntegerField(default=0)
    checked = models.BigIntegerField(default=0)
    decisions = models.BigIntegerField(default=0)
    position = models.BigIntegerField(null=True)
    problem = models.TextField(blank=True)
    asked_by = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["waiting", "running", "held", "failed"]), name="verification_state_known"),
            models.UniqueConstraint(Value(1), condition=Q(finished_at=None), name="verification_one_at_a_time"),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.checked} of {self.total}"


class Checkpoint(models.Model):
    """The signed head of the tree at one size. `frontier` holds the complete subtrees it is made of, so sealing never reads old leaves."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    size = models.BigIntegerField(unique=True)
    root = models.BinaryField(max_length=32)
    frontier = models.BinaryField()
    signed_note = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(size__gt=0), name="checkpoint_size_counts_up")]

    def __str__(self) -> str:
        return f"size {self.size}"


class Outbox(models.Model):
    """Something the world outside is to be told, written in the commit that made it true. Holds ids, never personal data."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    topic = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64)
    body = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    delivered_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(db_default=0)

    class Meta:
        indexes = [models.Index(fields=["id"], condition=Q(delivered_at=None), name="outbox_waiting")]

    def __str__(self) -> str:
        return f"{self.topic} {self.object_id}"


class Idempotency(models.Model):
    """The sealed answer to one request of one caller, kept for 24 hours. Sealed under the applicant's key when `applicant_id` is set."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    route = models.CharField(max_length=120)
    key = models.CharField(max_length=255)
    actor_id = models.CharField(max_length=64)
    body_digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    sealed_response = models.BinaryField()
    applicant_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["route", "key", "actor_id"], name="idempotency_one_per_caller")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_by_time")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"
