"""The one statement that stores decisions: everything they consist of, guarded by everything they were based on."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from django.db import DataError, connection, connections, transaction

from audit.context import Actor
from audit.services import IDEMPOTENCY_KEPT, Attempt, NewEvent
from scoring.wire import Statement

# Nothing is written unless every guard holds in the statement's own snapshot. What slips in between two snapshots (a twin that
# commits first) is met by the unique indexes: then `go` stays empty, and if an applicant had been written, a division by zero undoes it.
_TEXT = """
WITH product AS (
    SELECT FROM {s}scoring_product WHERE id = :product_id::uuid AND revision = :revision::int4
), credential AS (
    SELECT WHERE CASE :actor_kind::text
        WHEN 'api_key' THEN EXISTS (
            SELECT FROM {s}accounts_apikey k
            WHERE k.id = :credential_id::uuid AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :now::timestamptz))
        WHEN 'user' THEN EXISTS (
            SELECT FROM {s}accounts_user u
            WHERE u.id = :credential_id::uuid AND u.is_active AND u.token_epoch = COALESCE(:token_epoch::int4, u.token_epoch))
        ELSE true END
), keyring AS (
    SELECT FROM {s}audit_keyring WHERE id = :keyring_id::uuid AND retired_at IS NULL
), believed AS (
    SELECT * FROM unnest(
        :applicants::uuid[], :key_ids::uuid[], :wrapped_keys::bytea[], :profiles::bytea[], :phones::bytea[],
        :national_ids::bytea[], :names::bytea[], :profile_digests::bytea[], :writes::bool[]
    ) AS b (id, data_key_id, wrapped_key, sealed_profile, phone_index, national_id_index, name_index, profile_digest, is_written)
), other AS (
    SELECT b.id, a.id IS NOT NULL AS is_there, a.data_key_id, a.wrapped_key, a.sealed_profile
    FROM believed b LEFT JOIN LATERAL (SELECT * FROM {s}scoring_applicant WHERE id = b.id OFFSET 0) a ON true  -- by index, one by one
    WHERE CASE WHEN a.id IS NULL THEN NOT b.is_written
        ELSE a.data_key_id IS DISTINCT FROM b.data_key_id OR sha256(a.sealed_profile) <> b.profile_digest END
), earlier AS (
    SELECT i.body_digest, i.status, i.sealed_response, i.applicant_id, a.data_key_id, a.wrapped_key
    FROM {s}audit_idempotency i LEFT JOIN {s}scoring_applicant a ON a.id = i.applicant_id
    WHERE i.route = :route::text AND i.key = :key::text AND i.actor_id = :caller::text
        AND i.created_at > :kept_since::timestamptz
), allowed AS (
    SELECT WHERE EXISTS (SELECT FROM product) AND EXISTS (SELECT FROM credential) AND EXISTS (SELECT FROM keyring)
        AND NOT EXISTS (SELECT FROM other) AND NOT EXISTS (SELECT FROM earlier) AND {is_held}
), written AS (
    INSERT INTO {s}scoring_applicant AS a
        (id, data_key_id, wrapped_key, sealed_profile, phone_index, national_id_index, name_index, created_at)
    SELECT b.id, b.data_key_id, b.wrapped_key, b.sealed_profile, b.phone_index, b.national_id_index, b.name_index, :now::timestamptz
    FROM allowed, believed b WHERE b.is_written ORDER BY b.id
    ON CONFLICT (id) DO UPDATE SET sealed_profile = EXCLUDED.sealed_profile, phone_index = EXCLUDED.phone_index,
        national_id_index = EXCLUDED.national_id_index, name_index = EXCLUDED.name_index
    WHERE a.data_key_id = EXCLUDED.data_key_id
    RETURNING 1
), complete AS (
    SELECT FROM allowed WHERE (SELECT count(*) FROM written) = (SELECT count(*) FROM believed WHERE is_written)
), claimed AS (
    INSERT INTO {s}audit_idempotency AS i (id, route, key, actor_id, body_digest, status, sealed_response, applicant_id, created_at)
    SELECT :attempt_id::uuid, :route::text, :key::text, :caller::text, :body_digest::bytea, :status::int2,
        :sealed_response::bytea, :answer_of::uuid, :now::timestamptz
    FROM complete WHERE :route::text IS NOT NULL
    ON CONFLICT (route, key, actor_id) DO UPDATE SET id = EXCLUDED.id, body_digest = EXCLUDED.body_digest, status = EXCLUDED.status,
        sealed_response = EXCLUDED.sealed_response, applicant_id = EXCLUDED.applicant_id, created_at = EXCLUDED.created_at
    WHERE i.created_at <= :kept_since::timestamptz
    RETURNING 1
){finished}, go AS (
    SELECT FROM complete WHERE (:route::text IS NULL OR EXISTS (SELECT FROM claimed)){is_finished}
), decision AS (
    INSERT INTO {s}scoring_decision
        (id, created_at, applicant_id, product_id, model_version_id, policy_id, revision, probability, score, band, outcome, answered_by,
         sealed, channel, actor_kind, actor_id, request_id, processing_microseconds)
    SELECT d.id, :now::timestamptz, d.applicant_id, :product_id::uuid, :model_version_id::uuid, :policy_id::uuid,
        :revision::int4, d.probability, d.score, d.band, d.outcome, :answered_by::text, d.sealed, :channel::text,
        :actor_kind::text, :caller::text, :request_id::text, :processing_microseconds::int4
    FROM go, unnest(
        :decisions::uuid[], :decided_applicants::uuid[], :probabilities::float8[], :scores::int2[], :bands::text[],
        :outcomes::text[], :sealed::bytea[]
    ) AS d (id, applicant_id, probability, score, band, outcome, sealed)
), event AS (
    INSERT INTO {s}audit_event
        (id, action, actor_kind, actor_id, actor_label, address, request_id, object_kind, object_id, detail, recorded_at, leaf_hash)
    SELECT e.id, :action::text, :actor_kind::text, :caller::text, :actor_label::text, :address::text, :request_id::text,
        'decision', e.decision_id::text, e.detail::jsonb, :now::timestamptz, e.leaf_hash
    FROM go, unnest(:events::uuid[], :decisions::uuid[], :details::text[], :leaf_hashes::bytea[])
        AS e (id, decision_id, detail, leaf_hash)
), outbox AS (
    INSERT INTO {s}audit_outbox (id, topic, object_id, body, created_at)
    SELECT o.id, :action::text, o.decision_id::text, jsonb_build_object('applicant_id', o.applicant_id, 'outcome', o.outcome),
        :now::timestamptz
    FROM go, unnest(:announcements::uuid[], :decisions::uuid[], :decided_applicants::uuid[], :outcomes::text[])
        AS o (id, decision_id, applicant_id, outcome)
)
SELECT
    CASE WHEN EXISTS (SELECT FROM go) THEN 1 WHEN EXISTS (SELECT FROM written) THEN 1 / (SELECT 0 * count(*)::int FROM written) ELSE 0 END,
    EXISTS (SELECT FROM product), EXISTS (SELECT FROM credential), EXISTS (SELECT FROM keyring),
    (SELECT array_agg(o.id) FROM other o), (SELECT array_agg(o.is_there) FROM other o), (SELECT array_agg(o.data_key_id) FROM other o),
    (SELECT array_agg(o.wrapped_key) FROM other o), (SELECT array_agg(o.sealed_profile) FROM other o),
    {is_held}, e.body_digest, e.status, e.sealed_response, e.applicant_id, e.data_key_id, e.wrapped_key
FROM (SELECT) one LEFT JOIN earlier e ON true
"""
_FINISHED = """, finished AS (
    UPDATE {s}scoring_jobchunk c SET finished_at = :now::timestamptz, lease_until = NULL, sealed_input = NULL,
        sealed_result = :chunk_result::bytea, done = :chunk_done::int4, failed = :chunk_failed::int4
    FROM complete WHERE c.id = :chunk_id::uuid AND c.lease = :lease::uuid AND c.finished_at IS NULL
    RETURNING 1
)"""
_HELD = "EXISTS (SELECT FROM {s}scoring_jobchunk WHERE id = :chunk_id::uuid AND lease = :lease::uuid AND finished_at IS NULL)"


def _statement(**parts: str) -> Statement:
    text = _TEXT
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return Statement(text)


_STATEMENT = _statement(finished="", is_finished="", is_held="true")
_STATEMENT_OF_CHUNK = _statement(finished=_FINISHED, is_finished=" AND EXISTS (SELECT FROM finished)", is_held=_HELD)


@dataclass(frozen=True, slots=True)
class ApplicantRow:
    """What the caller believes about one applicant, and what it wants to write when `is_written`."""

    id: uuid.UUID
    data_key_id: uuid.UUID
    wrapped_key: bytes
    sealed_profile: bytes
    phone_index: bytes | None
    national_id_index: bytes | None
    name_index: bytes | None
    profile_digest: bytes | None  # of a profile remembered for longer than this call; None is not compared
    is_written: bool


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision as it is stored, with its event."""

    id: uuid.UUID
    applicant_id: uuid.UUID
    probability: float
    score: int
    band: str
    outcome: str
    sealed: bytes
    event: NewEvent
    announcement_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class SealedAnswer:
    """The answer that a repeat of this request gets, sealed under one applicant's key or, without one, the partner's."""

    id: uuid.UUID
    attempt: Attempt
    status: int
    sealed: bytes
    applicant_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class FinishedChunk:
    """The chunk of a job that these decisions finish, if the lease is still this one, and what comes out of it."""

    id: uuid.UUID
    lease: uuid.UUID
    done: int
    failed: int
    sealed_result: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Decisions that are stored together or not at all, and what they were based on."""

    product_id: uuid.UUID
    revision: int
    model_version_id: uuid.UUID | None
    policy_id: uuid.UUID
    keyring_id: uuid.UUID
    actor: Actor
    channel: str
    now: datetime
    processing_microseconds: int
    applicants: Sequence[ApplicantRow]
    decisions: Sequence[DecisionRow]
    answer: SealedAnswer | None
    chunk: FinishedChunk | None = None


@dataclass(frozen=True, slots=True)
class KnownApplicant:
    """An applicant as the table has it, where that is not what the caller believed. There without a key: erased."""

    id: uuid.UUID
    is_there: bool
    data_key_id: uuid.UUID | None
    wrapped_key: bytes | None
    sealed_profile: bytes | None


@dataclass(frozen=True, slots=True)
class EarlierAnswer:
    """The answer that this Idempotency-Key was given before."""

    body_digest: bytes
    status: int
    sealed: bytes
    applicant_id: uuid.UUID | None
    data_key_id: uuid.UUID | None
    wrapped_key: bytes | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the statement said. Unless `is_stored`, nothing was written and the others say why; if none does, a twin was first."""

    is_stored: bool
    is_product_current: bool = True
    is_credential_valid: bool = True
    is_keyring_current: bool = True
    is_lease_held: bool = True
    known: tuple[KnownApplicant, ...] = ()
    earlier: EarlierAnswer | None = None


def store(batch: Batch) -> Verdict:
    """The batch is durable, whole, when the verdict says so; otherwise nothing of it is there.

    Refuses to run inside a transaction, where a later rollback could take back what was already answered."""
    if connection.in_atomic_block and not connection.atomic_blocks[-1]._from_testcase:  # type: ignore[attr-defined]
        raise transaction.TransactionManagementError("decisions are stored outside of transactions: they commit by themselves")
    try:
        row = _run(_STATEMENT if batch.chunk is None else _STATEMENT_OF_CHUNK, _values(batch))
    except DataError as error:
        if not isinstance(error.__cause__, psycopg.errors.DivisionByZero):
            raise
        return Verdict(is_stored=False)
    return _verdict(row)


def _run(statement: Statement, values: dict[str, Any]) -> tuple[Any, ...]:
    wrapper: Any = connections["default"]
    driver: psycopg.Connection[Any] = wrapper.entered()
    with wrapper.wrap_database_errors:
        return statement.run(driver, wrapper.schema_name, values)


def _values(batch: Batch) -> dict[str, Any]:
    actor, answer, chunk, decisions, applicants = batch.actor, batch.answer, batch.chunk, batch.decisions, batch.applicants
    first = decisions[0].event
    return {
        "product_id": batch.product_id,
        "revision": batch.revision,
        "model_version_id": batch.model_version_id,
        "policy_id": batch.policy_id,
        "answered_by": "rules" if batch.model_version_id is None else "model",
        "keyring_id": batch.keyring_id,
        "actor_kind": actor.kind,
        "caller": actor.id,
        "credential_id": uuid.UUID(actor.id) if actor.kind in ("api_key", "user") else None,
        "token_epoch": actor.token_epoch,
        "actor_label": first.actor_label,
        "address": actor.address,
        "request_id": actor.request_id,
        "channel": batch.channel,
        "now": batch.now,
        "kept_since": batch.now - IDEMPOTENCY_KEPT,
        "processing_microseconds": batch.processing_microseconds,
        "action": str(first.action),
        "applicants": [a.id for a in applicants],
        "key_ids": [a.data_key_id for a in applicants],
        "wrapped_keys": [a.wrapped_key for a in applicants],
        "profiles": [a.sealed_profile for a in applicants],
        "phones": [a.phone_index for a in applicants],
        "national_ids": [a.national_id_index for a in applicants],
        "names": [a.name_index for a in applicants],
        "profile_digests": [a.profile_digest for a in applicants],
        "writes": [a.is_written for a in applicants],
        "decisions": [d.id for d in decisions],
        "decided_applicants": [d.applicant_id for d in decisions],
        "probabilities": [d.probability for d in decisions],
        "scores": [d.score for d in decisions],
        "bands": [d.band for d in decisions],
        "outcomes": [d.outcome for d in decisions],
        "sealed": [d.sealed for d in decisions],
        "events": [d.event.id for d in decisions],
        "details": [d.event.detail for d in decisions],
        "leaf_hashes": [d.event.leaf_hash for d in decisions],
        "announcements": [d.announcement_id for d in decisions],
        "attempt_id": answer and answer.id,
        "route": answer and answer.attempt.route,
        "key": answer and answer.attempt.key,
        "body_digest": answer and answer.attempt.body_digest,
        "status": answer and answer.status,
        "sealed_response": answer and answer.sealed,
        "answer_of": answer and answer.applicant_id,
        "chunk_id": chunk and chunk.id,
        "lease": chunk and chunk.lease,
        "chunk_done": chunk and chunk.done,
        "chunk_failed": chunk and chunk.failed,
        "chunk_result": chunk and chunk.sealed_result,
    }


def _verdict(row: tuple[Any, ...]) -> Verdict:
    stored, product, credential, ring, ids, there, key_ids, wrapped_keys, profiles, is_held, *earlier = row
    known = zip(ids, there, key_ids, wrapped_keys, profiles, strict=True) if ids else ()
    return Verdict(
        is_stored=bool(stored),
        is_product_current=product,
        is_credential_valid=credential,
        is_keyring_current=ring,
        is_lease_held=is_held,
        known=tuple(KnownApplicant(*columns) for columns in known),
        earlier=None if earlier[0] is None else EarlierAnswer(*earlier),
    )
