"""Scoring applicants: the one path of every decision, from checked inputs to an answer that is already durable."""

import hmac
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from audit.actions import Action
from audit.context import Actor
from audit.errors import IdempotencyMismatch
from audit.ids import uuid7
from audit.services import Attempt, new_event
from audit.vault import Keyring, keyring, refresh_keyring
from scoring import fixed, registry
from scoring.applicants import ApplicantDetails, known_applicants, open_applicants, open_known, remember, told_about
from scoring.decided import Decided
from scoring.engine.contract import Values
from scoring.engine.pipeline import Result, score
from scoring.errors import ApplicantErased, CredentialRevoked, LeaseLost, StoreContended
from scoring.models import Channel
from scoring.observers import tell
from scoring.sealed import DecisionContent, SealedReason, decision_digest, seal_content
from scoring.store import Batch, DecisionRow, EarlierAnswer, FinishedChunk, KnownApplicant, SealedAnswer, Verdict, store

__all__ = ["Answer", "ApplicantDetails", "ScoreItem", "score_applicants", "score_chunk", "score_once"]

_REPEATS = 6
_REPEATS_OF_BATCH = 12  # each other batch about the same new applicants may come first twice
_LOOKED_UP_FROM = 20    # so many applicants at once: asking which of them are known costs less than deciding twice
_CREATED = 201
_LONGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """One applicant with inputs as the contract's validator returned them."""

    applicant: ApplicantDetails
    values: Values


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request with an Idempotency-Key: what was rendered now, or, byte for byte, what was answered before."""

    status: int
    body: bytes
    is_replayed: bool


@dataclass(frozen=True, slots=True)
class _Once:
    attempt: Attempt
    status: int
    render: Callable[[Sequence[Decided]], bytes]


def score_applicants(
    *,
    product_slug: str,
    items: Sequence[ScoreItem],
    actor: Actor,
    channel: Channel,
    received_at: datetime | None = None,
    language: str = "en",
) -> list[Decided]:
    """Every item has a stored, recorded, announced decision, or none has.

    Raises ProductUnknown, ApplicantErased, CredentialRevoked, StoreContended, and ContractViolation when the contract changed meanwhile."""
    decided, _ = _Scoring(product_slug, items, actor, channel, received_at or datetime.now(UTC), language, None).run()
    return decided


def score_once(
    *,
    attempt: Attempt,
    render: Callable[[Sequence[Decided]], bytes],
    product_slug: str,
    items: Sequence[ScoreItem],
    actor: Actor,
    channel: Channel,
    received_at: datetime | None = None,
    language: str = "en",
) -> Answer:
    """As `score_applicants`, once for this attempt: a repeat of it gets the first answer's bytes and decides nothing.

    Raises IdempotencyMismatch when the key was used with another body."""
    _, answer = _Scoring(
        product_slug, items, actor, channel, received_at or datetime.now(UTC), language, _Once(attempt, _CREATED, render)
    ).run()
    assert answer is not None
    return answer


def score_chunk(
    *,
    finish: Callable[[Sequence[Decided]], FinishedChunk],
    product_slug: str,
    items: Sequence[ScoreItem],
    actor: Actor,
    channel: Channel,
) -> list[Decided]:
    """As `score_applicants` for at least one item, and in the same commit the chunk is finished with what `finish` makes of the decisions.

    Raises LeaseLost when somebody else holds or has finished the chunk: then nothing was stored."""
    decided, _ = _Scoring(product_slug, items, actor, channel, datetime.now(UTC), "en", None, finish).run()
    return decided


class _Scoring:
    """One call, and what it has found out so far: repeated as far as the store's verdict asks for."""

    def __init__(
        self,
        product_slug: str,
        items: Sequence[ScoreItem],
        actor: Actor,
        channel: Channel,
        received_at: datetime,
        language: str,
        once: _Once | None,
        finish: Callable[[Sequence[Decided]], FinishedChunk] | None = None,
    ) -> None:
        self.items, self.actor, self.channel = items, actor, channel
        self.received_at, self.language, self.once, self.finish = received_at, language, once, finish
        self.active = registry.active(product_slug)
        self.asked = fixed.asked_of([item.applicant.reference for item in items])
        fixed.wait_if_slow(self.asked)
        self._score_by_what_is_known()
        self._open(keyring())

    def run(self) -> tuple[list[Decided], Answer | None]:
        """Stores, and answers with what was stored or with what was answered before."""
        repeats = _REPEATS if len(self.told) == 1 else _REPEATS_OF_BATCH
        for _ in range(1 + repeats if self.items else 0):
            # Each decision's share of the whole request, so that figures over decisions mean the same for one and for a thousand.
            share = (datetime.now(UTC) - self.received_at).total_seconds() / len(self.items)
            elapsed = min(max(0, round(share * 1e6)), _LONGEST)
            rows, decided = self._decide(elapsed)
            kept, answer = self._answer(decided)
            verdict = store(self._batch(rows, kept, elapsed, self.finish and self.finish(decided)))
            if verdict.is_stored:
                remember(self.ring, self.applicants.values())
                tell(decided)
                return decided, answer
            if not verdict.is_credential_valid:
                raise CredentialRevoked
            if not verdict.is_lease_held:
                raise LeaseLost
            if verdict.earlier is not None:
                return [], self._replayed(verdict.earlier)
            self._catch_up(verdict)
        if self.items:
            raise StoreContended
        return [], None

    def _score_by_what_is_known(self) -> None:
        """Scores. What cannot score never comes to the store, which would say that it is out of date: so that is asked here."""
        try:
            self._score()
        except Exception:
            fresh = registry.current(self.active.slug)
            if fresh is self.active:
                raise
            self.active = fresh
            for item in self.items:
                self.active.validator.check(item.values)
            self._score()

    def _score(self) -> None:
        self.now = datetime.now(UTC)
        values = [item.values for item in self.items]
        self.answering = fixed.without_model(self.active, self.asked)
        results = score(self.answering.model, self.active.policy, values, decided_on=self.now.date(), language=self.language)
        self.results = [fixed.settled(result, case) for result, case in zip(results, self.asked, strict=True)]

    def _open(self, ring: Keyring) -> None:
        self.ring = ring
        self.ids = [ring.applicant_id(item.applicant.reference) for item in self.items]
        self.told = told_about(zip(self.ids, (item.applicant for item in self.items), strict=True))
        self.applicants = open_applicants(ring, self.told)
        if len(self.told) >= _LOOKED_UP_FROM:
            self._meet(known_applicants([known.row.id for known in self.applicants.values() if known.row.is_written]))

    def _catch_up(self, verdict: Verdict) -> None:
        """What the store found out of date is up to date. Raises ApplicantErased."""
        if not verdict.is_keyring_current:
            self._open(refresh_keyring())
        if not verdict.is_product_current:
            self.active = registry.refresh(self.active)
            for item in self.items:
                self.active.validator.check(item.values)
            self._score()
        self._meet(verdict.known)

    def _meet(self, known_ones: Iterable[KnownApplicant]) -> None:
        """These applicants are taken as the table has them. Raises ApplicantErased."""
        erased = {known.id for known in known_ones if not self._recognise(known)}
        if erased:
            raise ApplicantErased([at for at, applicant_id in enumerate(self.ids) if applicant_id in erased])

    def _recognise(self, known: KnownApplicant) -> bool:
        opened = open_known(self.ring, known, self.told[known.id])
        if opened is not None:
            self.applicants[known.id] = opened
        return opened is not None

    def _decide(self, elapsed: int) -> tuple[list[DecisionRow], list[Decided]]:
        rows, decided = [], []
        for item, applicant_id, result in zip(self.items, self.ids, self.results, strict=True):
            row = self._row(item, applicant_id, result)
            rows.append(row)
            decided.append(self._decided(item, row, result, elapsed))
        return rows, decided

    def _row(self, item: ScoreItem, applicant_id: uuid.UUID, result: Result) -> DecisionRow:
        decision_id = uuid7()
        sealed = seal_content(
            self.ring,
            self.applicants[applicant_id].key,
            decision_id,
            content_of(item.values, result, self.now.date(), self.language),
        )
        columns = {
            "id": decision_id,
            "created_at": self.now,
            "applicant_id": applicant_id,
            "product_id": self.active.product_id,
            "model_version_id": self.answering.model_version_id,
            "policy_id": self.active.policy_id,
            "revision": self.active.revision,
            "probability": result.probability,
            "score": result.score,
            "band": result.band,
            "outcome": result.outcome,
            "answered_by": result.answered_by,
            "channel": self.channel,
        }
        event = new_event(
            action=Action.DECISION_MADE,
            actor=self.actor,
            object_kind="decision",
            object_id=decision_id,
            detail={"product": self.active.slug, "outcome": str(result.outcome), "digest": decision_digest(columns, sealed)},
            recorded_at=self.now,
        )
        return DecisionRow(
            decision_id, applicant_id, result.probability, result.score, str(result.band), str(result.outcome), sealed, event, uuid7()
        )

    def _decided(self, item: ScoreItem, row: DecisionRow, result: Result, elapsed: int) -> Decided:
        return Decided(
            id=row.id,
            created_at=self.now,
            applicant_id=row.applicant_id,
            reference=item.applicant.reference,
            product=self.active.slug,
            probability=result.probability,
            score=result.score,
            band=row.band,
            outcome=row.outcome,
            reasons=tuple(result.reasons),
            contributions=result.contributions,
            base=result.base,
            answered_by=str(result.answered_by),
            model_version=self.answering.model_version,
            policy_version=self.active.policy_version,
            channel=str(self.channel),
            request_id=self.actor.request_id,
            processing_ms=elapsed / 1000,
            event=row.event,
            ring=self.ring,
        )

    def _answer(self, decided: Sequence[Decided]) -> tuple[SealedAnswer | None, Answer | None]:
        if self.once is None:
            return None, None
        body = self.once.render(decided)
        # An answer about one applicant is sealed under that applicant's key, so that erasing them ends its replay too.
        only = self.ids[0] if len(self.told) == 1 else None
        key = self.ring.partner_key if only is None else self.applicants[only].key
        owner = self.once.attempt.sealed_with(self.once.status)
        sealed = self.ring.seal(key, body, table="audit_idempotency", column="sealed_response", owner=owner)
        return SealedAnswer(uuid7(), self.once.attempt, self.once.status, sealed, only), Answer(self.once.status, body, is_replayed=False)

    def _replayed(self, earlier: EarlierAnswer) -> Answer:
        assert self.once is not None
        attempt = self.once.attempt
        if not hmac.compare_digest(earlier.body_digest, attempt.body_digest):
            raise IdempotencyMismatch
        key = self.ring.partner_key
        if earlier.applicant_id is not None:
            if earlier.wrapped_key is None or earlier.data_key_id is None:
                raise ApplicantErased(range(len(self.items)))
            key = self.ring.unwrap(earlier.wrapped_key, key_id=earlier.data_key_id, owner=earlier.applicant_id)
        owner = attempt.sealed_with(earlier.status)
        body = self.ring.unseal(key, earlier.sealed, table="audit_idempotency", column="sealed_response", owner=owner)
        return Answer(earlier.status, body, is_replayed=True)

    def _batch(self, rows: Sequence[DecisionRow], kept: SealedAnswer | None, elapsed: int, chunk: FinishedChunk | None) -> Batch:
        return Batch(
            product_id=self.active.product_id,
            revision=self.active.revision,
            model_version_id=self.answering.model_version_id,
            policy_id=self.active.policy_id,
            keyring_id=self.ring.wrap_id,
            actor=self.actor,
            channel=str(self.channel),
            now=self.now,
            processing_microseconds=elapsed,
            applicants=[applicant.row for applicant in self.applicants.values()],
            decisions=rows,
            answer=kept,
            chunk=chunk,
        )


def content_of(values: Values, result: Result, decided_on: date, language: str) -> DecisionContent:
    """What a decision keeps sealed."""
    return DecisionContent(
        inputs=dict(values),
        decided_on=decided_on,
        language=language,
        margin=result.margin,
        base=result.base,
        contributions=dict(result.contributions),
        reasons=[SealedReason(reason.code, reason.text, reason.points, reason.feature) for reason in result.reasons],
    )
