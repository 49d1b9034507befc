"""The one statement that stores decisions: everything they consist of, guarded by everything they were based on."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
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
# One decision about an applicant who is new, or known and unchanged: the same guards and the same rows, without unnesting. Of what it
# does not store it says only whether the applicant is there; the rest is left to the statement above, which stores it or says why.
_ONE = """
WITH there AS (
    SELECT true AS is_there, data_key_id, wrapped_key, sealed_profile FROM {s}scoring_applicant WHERE id = :applicant::uuid
), allowed AS (
    SELECT WHERE EXISTS (SELECT FROM {s}scoring_product WHERE id = :product_id::uuid AND revision = :revision::int4)
        AND {credential}
        AND EXISTS (SELECT FROM {s}audit_keyring WHERE id = :keyring_id::uuid AND retired_at IS NULL)
        AND {applicant}{once}
){written}{claimed}, decision AS (
    INSERT INTO {s}scoring_decision
        (id, created_at, applicant_id, product_id, model_version_id, policy_id, revision, probability, score, band, outcome, answered_by,
         sealed, channel, actor_kind, actor_id, request_id, processing_microseconds)
    SELECT :decision::uuid, :now::timestamptz, :applicant::uuid, :product_id::uuid, :model_version_id::uuid, :policy_id::uuid,
        :revision::int4, :probability::float8, :score::int2, :band::text, :outcome::text, :answered_by::text, :sealed_content::bytea,
        :channel::text, :actor_kind::text, :caller::text, :request_id::text, :processing_microseconds::int4
    FROM {go}
), event AS (
    INSERT INTO {s}audit_event
        (id, action, actor_kind, actor_id, actor_label, address, request_id, object_kind, object_id, detail, recorded_at, leaf_hash)
    SELECT :event::uuid, :action::text, :actor_kind::text, :caller::text, :actor_label::text, :address::text, :request_id::text,
        'decision', :decision::uuid::text, :detail::text::jsonb, :now::timestamptz, :leaf_hash::bytea
    FROM {go}
), outbox AS (
    INSERT INTO {s}audit_outbox (id, topic, object_id, body, created_at)
    SELECT :announcement::uuid, :action::text, :decision::uuid::text,
        jsonb_build_object('applicant_id', :applicant::uuid, 'outcome', :outcome::text), :now::timestamptz
    FROM {go}
)
SELECT {is_stored}, t.is_there, t.data_key_id, t.wrapped_key, t.sealed_profile
FROM (SELECT) one LEFT JOIN there t ON NOT EXISTS (SELECT FROM {go})
"""
_CREDENTIALS = {
    "api_key": """EXISTS (SELECT FROM {s}accounts_apikey WHERE id = :credential_id::uuid AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > :now::timestamptz))""",
    "user": """EXISTS (SELECT FROM {s}accounts_user WHERE id = :credential_id::uuid AND is_active
            AND token_epoch = COALESCE(:token_epoch::int4, token_epoch))""",
}
_IS_NEW = "NOT EXISTS (SELECT FROM there)"
_IS_AS_BELIEVED = """EXISTS (SELECT FROM there WHERE data_key_id = :data_key_id::uuid
            AND (:profile_digest::bytea IS NULL OR sha256(sealed_profile) = :profile_digest::bytea))"""
_ONCE = """
        AND NOT EXISTS (SELECT FROM {s}audit_idempotency WHERE route = :route::text AND key = :key::text AND actor_id = :caller::text)"""
_WRITTEN = """, written AS (
    INSERT INTO {s}scoring_applicant
        (id, data_key_id, wrapped_key, sealed_profile, phone_index, national_id_index, name_index, created_at)
    SELECT :applicant::uuid, :data_key_id::uuid, :wrapped_key::bytea, :profile::bytea, :phone::bytea, :national_id::bytea,
        :name::bytea, :now::timestamptz
    FROM allowed
    ON CONFLICT (id) DO NOTHING
    RETURNING 1
)"""
_CLAIMED = """, claimed AS (
    INSERT INTO {s}audit_idempotency (id, route, key, actor_id, body_digest, status, sealed_response, applicant_id, created_at)
    SELECT :attempt_id::uuid, :route::text, :key::text, :caller::text, :body_digest::bytea, :status::int2,
        :sealed_response::bytea, :answer_of::uuid, :now::timestamptz
    FROM {before}
    ON CONFLICT (route, key, actor_id) DO NOTHING
    RETURNING 1
)"""
_IS_STORED = "EXISTS (SELECT FROM {go})"
_IS_STORED_OR_UNDONE = "CASE WHEN EXISTS (SELECT FROM {go}) THEN true ELSE (SELECT 0 / (count(*) - 1) FROM written) <> 0 END"
_FINISHED = """, finished AS (
    UPDATE {s}scoring_jobchunk c SET finished_at = :now::timestamptz, lease_until = NULL, sealed_input = NULL,
        sealed_result = :chunk_result::bytea, done = :chunk_done::int4, failed = :chunk_failed::int4
    FROM complete WHERE c.id = :chunk_id::uuid AND c.lease = :lease::uuid AND c.finished_at IS NULL
    RETURNING 1
)"""
_HELD = "EXISTS (SELECT FROM {s}scoring_jobchunk WHERE id = :chunk_id::uuid AND lease = :lease::uuid AND finished_at IS NULL)"


def _statement(text: str = _TEXT, **parts: str) -> Statement:
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return Statement(text)


@cache
def _statement_of_one(actor_kind: str, *, is_written: bool, is_once: bool) -> Statement:
    """Few of the forms are ever needed: a caller keeps to one kind of credential, and gives keys or does not."""
    before = "written" if is_written else "allowed"
    go = "claimed" if is_once else before
    is_undone = is_written and is_once    # a twin claimed the key first: the applicant must not stay
    return _statement(
        written=_WRITTEN if is_written else "",
        claimed=_CLAIMED.replace("{before}", before) if is_once else "",
        credential=_CREDENTIALS.get(actor_kind, "true"),
        applicant=_IS_NEW if is_written else _IS_AS_BELIEVED,
        once=_ONCE if is_once else "",
        is_stored=_IS_STORED_OR_UNDONE if is_undone else _IS_STORED,
        go=go,
        text=_ONE,
    )


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


_STORED = Verdict(is_stored=True)
_NO_ANSWER = dict.fromkeys(("attempt_id", "route", "key", "body_digest", "status", "sealed_response", "answer_of"))


def store(batch: Batch) -> Verdict:
    """The batch is durable, whole, when the verdict says so; otherwise nothing of it is there.

    Refuses to run inside a transaction, where a later rollback could take back what was already answered."""
    if connection.in_atomic_block and not connection.atomic_blocks[-1]._from_testcase:  # type: ignore[attr-defined]
        raise transaction.TransactionManagementError("decisions are stored outside of transactions: they commit by themselves")
    if len(batch.decisions) == len(batch.applicants) == 1 and batch.chunk is None and (verdict := _stored_alone(batch)) is not None:
        return verdict
    row = _run(_STATEMENT if batch.chunk is None else _STATEMENT_OF_CHUNK, {**_values(batch), **_values_of_many(batch)})
    return Verdict(is_stored=False) if row is None else _verdict(row)


def _stored_alone(batch: Batch) -> Verdict | None:
    """The verdict on one decision; None where nothing was written and the statement for many says why, or stores it."""
    applicant = batch.applicants[0]
    statement = _statement_of_one(batch.actor.kind, is_written=applicant.is_written, is_once=batch.answer is not None)
    row = _run(statement, {**_values(batch), **_values_of_one(batch)})
    if row is None:
        return None
    is_stored, is_there, key_id, wrapped_key, profile = row
    if is_stored:
        return _STORED
    if is_there and key_id != applicant.data_key_id:
        return Verdict(is_stored=False, known=(KnownApplicant(applicant.id, True, key_id, wrapped_key, profile),))
    return None


def _run(statement: Statement, values: dict[str, Any]) -> tuple[Any, ...] | None:
    """The statement's row; None where a twin was first and it undid itself."""
    wrapper: Any = connections["default"]
    driver: psycopg.Connection[Any] = wrapper.entered()
    try:
        with wrapper.wrap_database_errors:
            return statement.run(driver, wrapper.schema_name, values)
    except DataError as error:
        if not isinstance(error.__cause__, psycopg.errors.DivisionByZero):
            raise
        return None


def _values(batch: Batch) -> dict[str, Any]:
    actor, answer, first = batch.actor, batch.answer, batch.decisions[0].event
    values: dict[str, Any] = {
        "product_id": batch.product_id,
        "revision": batch.revision,
        "model_version_id": batch.model_version_id,
        "policy_id": batch.policy_id,
        "answered_by": "rules" if batch.model_version_id is None else "model",
        "keyring_id": batch.keyring_id,
        "actor_kind": actor.kind,
        "caller": actor.id,
        "credential_id": uuid.UUID(actor.id) if actor.kind in _CREDENTIALS else None,
        "token_epoch": actor.token_epoch,
        "actor_label": first.actor_label,
        "address": actor.address,
        "request_id": actor.request_id,
        "channel": batch.channel,
        "now": batch.now,
        "processing_microseconds": batch.processing_microseconds,
        "action": str(first.action),
    }
    if answer is not None:
        attempt = answer.attempt
        values |= {
            "attempt_id": answer.id,
            "route": attempt.route,
            "key": attempt.key,
            "body_digest": attempt.body_digest,
            "status": answer.status,
            "sealed_response": answer.sealed,
            "answer_of": answer.applicant_id,
        }
    return values


def _values_of_one(batch: Batch) -> dict[str, Any]:
    applicant, decision = batch.applicants[0], batch.decisions[0]
    return {
        "applicant": applicant.id,
        "data_key_id": applicant.data_key_id,
        "wrapped_key": applicant.wrapped_key,
        "profile": applicant.sealed_profile,
        "phone": applicant.phone_index,
        "national_id": applicant.national_id_index,
        "name": applicant.name_index,
        "profile_digest": applicant.profile_digest,
        "decision": decision.id,
        "probability": decision.probability,
        "score": decision.score,
        "band": decision.band,
        "outcome": decision.outcome,
        "sealed_content": decision.sealed,
        "event": decision.event.id,
        "detail": decision.event.detail,
        "leaf_hash": decision.event.leaf_hash,
        "announcement": decision.announcement_id,
    }


def _values_of_many(batch: Batch) -> dict[str, Any]:
    chunk, decisions, applicants = batch.chunk, batch.decisions, batch.applicants
    return {
        **(_NO_ANSWER if batch.answer is None else {}),
        "kept_since": batch.now - IDEMPOTENCY_KEPT,
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
