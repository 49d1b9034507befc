"""What scoring routes answer, and how decisions, products and model versions become it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from statistics import fmean
from typing import Any

import msgspec

from audit.services import Receipt as SignedReceipt
from scoring.decided import Decided
from scoring.engine.reasons import Reason as Given
from scoring.errors import DecisionAltered
from scoring.models import OutcomeCode
from scoring.sealed import SealedReason
from scoring.selectors import DecisionDetail, DecisionSummary, KeyUsage, ModelVersionSummary, ProductSummary


class ApplicantNamed(msgspec.Struct, frozen=True):
    """Who was scored. The reference is null when the applicant was erased or the caller may not see it."""

    reference: str | None


class Reason(msgspec.Struct, frozen=True):
    """Why, as a stable code and a sentence in the language the decision was asked for in. The sentence names what the applicant told, so it
    is null for a caller who may not see that."""

    code: str
    text: str | None


class ModelNamed(msgspec.Struct, frozen=True):
    """The model version that answered."""

    version: int


class PolicyNamed(msgspec.Struct, frozen=True):
    """The policy version that decided."""

    version: int


class Receipt(msgspec.Struct, frozen=True):
    """The signed promise that the decision is in the record."""

    event_id: str
    leaf_hash: str
    issued_at: str
    signature: str
    key_id: str


class Score(msgspec.Struct, frozen=True):
    """One decision. `model` is null when the product's rules answered instead."""

    id: str
    product: str
    applicant: ApplicantNamed
    probability: float
    score: int
    band: str
    outcome: str
    reasons: list[Reason]
    answered_by: str
    model: ModelNamed | None
    policy: PolicyNamed
    receipt: Receipt
    request_id: str
    processing_ms: float
    created_at: datetime


class ScoreListed(msgspec.Struct, frozen=True):
    """One decision of a list."""

    id: str
    product: str
    applicant: ApplicantNamed
    probability: float
    score: int
    band: str
    outcome: str
    answered_by: str
    model: ModelNamed | None
    policy: PolicyNamed
    channel: str
    request_id: str
    processing_ms: float
    created_at: datetime


class ScorePage(msgspec.Struct, frozen=True):
    """Decisions, newest first."""

    data: list[ScoreListed]
    next_cursor: str | None
    has_more: bool


class Contribution(msgspec.Struct, frozen=True):
    """How much one feature moved the decision: in log odds of the predicted event, and in points of the score."""

    feature: str
    log_odds: float
    points: float


class Explanation(msgspec.Struct, frozen=True):
    """Why a decision came out as it did: `base` and all contributions add up to `log_odds`, those of the probability."""

    id: str
    base: float
    log_odds: float
    reasons: list[Reason]
    top: list[Contribution]
    contributions: list[Contribution]
    inputs: dict[str, Any] | None


class Portfolio(msgspec.Struct, frozen=True):
    """A batch in figures."""

    total: int
    by_outcome: dict[str, int]
    by_band: dict[str, int]
    mean_probability: float
    mean_score: float
    expected_events: float


class ScoreBatch(msgspec.Struct, frozen=True):
    """The decisions of a batch, in the order of its items."""

    product: str
    results: list[Score]
    portfolio: Portfolio
    request_id: str


class DayCount(msgspec.Struct, frozen=True):
    """How many decisions a day had."""

    day: date
    decisions: int


class KeyUsed(msgspec.Struct, frozen=True):
    """What one API key asked for; days without a decision are left out."""

    id: str
    name: str
    hint: str
    decisions: int
    by_day: list[DayCount]
    last_used_at: datetime | None
    revoked_at: datetime | None


class UsageList(msgspec.Struct, frozen=True):
    """What API keys asked for from `since` to before `until`, newest key first."""

    since: datetime
    until: datetime
    decisions: int
    data: list[KeyUsed]
    next_cursor: str | None = None
    has_more: bool = False


class ProductListed(msgspec.Struct, frozen=True):
    """One product and what is in force for it."""

    slug: str
    title: str
    kind: str
    model: ModelNamed | None
    policy: PolicyNamed
    created_at: datetime


class ProductList(msgspec.Struct, frozen=True):
    """Every product of the partner."""

    data: list[ProductListed]
    next_cursor: str | None = None
    has_more: bool = False


class ProductDescribed(msgspec.Struct, frozen=True):
    """One product with the contract of its inputs as JSON Schema 2020-12, and an example that scores."""

    slug: str
    title: str
    kind: str
    model: ModelNamed | None
    policy: PolicyNamed
    created_at: datetime
    contract: dict[str, Any]
    example: dict[str, Any]


class ModelListed(msgspec.Struct, frozen=True):
    """One trained model of a product."""

    product: str
    version: int
    estimator: str
    state: str
    metrics: dict[str, Any]
    bundle_sha256: str
    trained_at: datetime
    promoted_at: datetime | None


class ModelList(msgspec.Struct, frozen=True):
    """Model versions, newest first within each product."""

    data: list[ModelListed]
    next_cursor: str | None = None
    has_more: bool = False


def score_of(decided: Decided) -> Score:
    """A decision just made."""
    return Score(
        id=str(decided.id),
        product=decided.product,
        applicant=ApplicantNamed(decided.reference),
        probability=decided.probability,
        score=decided.score,
        band=decided.band,
        outcome=decided.outcome,
        reasons=reasons_of(decided.reasons),
        answered_by=decided.answered_by,
        model=_model(decided.model_version),
        policy=PolicyNamed(decided.policy_version),
        receipt=_receipt(decided.receipt),
        request_id=decided.request_id,
        processing_ms=decided.processing_ms,
        created_at=decided.created_at,
    )


def score_detail(detail: DecisionDetail, *, shows_applicant: bool) -> Score:
    """A stored decision. Raises DecisionAltered when it is not as it was recorded."""
    summary, explanation = detail.summary, detail.explanation
    if detail.receipt is None:
        raise DecisionAltered
    return Score(
        id=str(summary.id),
        product=summary.product,
        applicant=ApplicantNamed(summary.reference if shows_applicant else None),
        probability=summary.probability,
        score=summary.score,
        band=summary.band,
        outcome=summary.outcome,
        reasons=[] if explanation is None else reasons_of(explanation.reasons, shows_text=shows_applicant),
        answered_by=summary.answered_by,
        model=_model(summary.model_version),
        policy=PolicyNamed(summary.policy_version),
        receipt=_receipt(detail.receipt),
        request_id=summary.request_id,
        processing_ms=summary.processing_ms,
        created_at=summary.created_at,
    )


def score_listed(summary: DecisionSummary, *, shows_applicant: bool) -> ScoreListed:
    """A stored decision as a list shows it."""
    return ScoreListed(
        id=str(summary.id),
        product=summary.product,
        applicant=ApplicantNamed(summary.reference if shows_applicant else None),
        probability=summary.probability,
        score=summary.score,
        band=summary.band,
        outcome=summary.outcome,
        answered_by=summary.answered_by,
        model=_model(summary.model_version),
        policy=PolicyNamed(summary.policy_version),
        channel=summary.channel,
        request_id=summary.request_id,
        processing_ms=summary.processing_ms,
        created_at=summary.created_at,
    )


def batch_of(decided: Sequence[Decided]) -> ScoreBatch:
    """A batch just decided."""
    probabilities = [one.probability for one in decided]
    return ScoreBatch(
        product=decided[0].product,
        results=[score_of(one) for one in decided],
        portfolio=Portfolio(
            total=len(decided),
            by_outcome={outcome: sum(one.outcome == outcome for one in decided) for outcome in OutcomeCode.values},
            by_band=_counted([one.band for one in decided]),
            mean_probability=fmean(probabilities),
            mean_score=fmean([one.score for one in decided]),
            expected_events=sum(probabilities),
        ),
        request_id=decided[0].request_id,
    )


def usage_listed(used: Sequence[KeyUsage], since: datetime, until: datetime) -> UsageList:
    """What was counted, key by key."""
    return UsageList(since=since, until=until, decisions=sum(one.decisions for one in used), data=[_key_used(one) for one in used])


def _key_used(used: KeyUsage) -> KeyUsed:
    key, by_day = used.key, [DayCount(day, count) for day, count in used.by_day]
    return KeyUsed(str(key.id), key.name, key.hint, used.decisions, by_day, key.last_used_at, key.revoked_at)


def product_listed(summary: ProductSummary) -> ProductListed:
    """A product as a list shows it."""
    return ProductListed(
        slug=summary.slug,
        title=summary.title,
        kind=summary.kind,
        model=_model(summary.champion_version),
        policy=PolicyNamed(summary.policy_version),
        created_at=summary.created_at,
    )


def model_listed(summary: ModelVersionSummary) -> ModelListed:
    """A model version as a list shows it."""
    return ModelListed(
        product=summary.product,
        version=summary.version,
        estimator=summary.estimator,
        state=summary.state,
        metrics=dict(summary.metrics),
        bundle_sha256=summary.bundle_sha256,
        trained_at=summary.trained_at,
        promoted_at=summary.promoted_at,
    )


def reasons_of(given: Sequence[Given | SealedReason], *, shows_text: bool = True) -> list[Reason]:
    """Reasons as they were given, in the language they were given in."""
    return [Reason(one.code, one.text if shows_text else None) for one in given]


def _model(version: int | None) -> ModelNamed | None:
    return None if version is None else ModelNamed(version)


def _receipt(signed: SignedReceipt) -> Receipt:
    return Receipt(signed.event_id, signed.leaf_hash, signed.issued_at, signed.signature, signed.key_id)


def _counted(words: Sequence[str]) -> dict[str, int]:
    counts: Mapping[str, int] = {word: words.count(word) for word in ("VERY_LOW", "LOW", "MEDIUM", "HIGH", "VERY_HIGH")}
    return dict(counts)
