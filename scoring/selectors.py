"""Reading decisions, applicants, products and model versions of the current partner. For every role that may see decisions."""

import base64
import binascii
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from django.db.models import Aggregate, Count, ExpressionWrapper, F, FloatField, IntegerField, Q, QuerySet
from django.db.models.functions import TruncDate

from audit.actions import Action
from audit.models import Event
from audit.selectors import timeline
from audit.services import Receipt, event_leaf_hash, receipt_of
from audit.vault import Keyring, keyring
from scoring.applicants import ApplicantDetails, details_of, key_of
from scoring.errors import CursorRefused, DecisionUnknown, FilterRefused, ModelVersionUnknown, ProductUnknown
from scoring.models import AnsweredBy, Applicant, BandCode, Channel, Decision, ModelVersion, OutcomeCode, Product
from scoring.sealed import DecisionContent, SealedReason, open_content, stored_digest

PAGE = 25
_LOWEST, _BIN, _BINS = 300, 50, 11


# ---- decisions


@dataclass(frozen=True, slots=True)
class DecisionFilters:
    """Which decisions are wanted; what is None does not matter. Raises FilterRefused for a word that is none of ours."""

    product: str | None = None
    band: str | None = None
    outcome: str | None = None
    answered_by: str | None = None
    channel: str | None = None
    model_version: int | None = None
    reference: str | None = None
    applicant_id: uuid.UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        known = {"band": BandCode, "outcome": OutcomeCode, "answered_by": AnsweredBy, "channel": Channel}
        for name, choices in known.items():
            value = getattr(self, name)
            if value is not None and value not in choices.values:
                raise FilterRefused(f"{name} is one of {', '.join(choices.values)}.")


@dataclass(frozen=True, slots=True)
class DecisionSummary:
    """One decision as a list shows it. `reference` is None when the applicant was erased."""

    id: uuid.UUID
    created_at: datetime
    applicant_id: uuid.UUID
    reference: str | None
    product: str
    probability: float
    score: int
    band: str
    outcome: str
    answered_by: str
    model_version: int | None
    policy_version: int
    channel: str
    request_id: str
    processing_ms: float


@dataclass(frozen=True, slots=True)
class Page:
    """Some decisions, and where the next ones begin."""

    decisions: list[DecisionSummary]
    next_cursor: str | None

    @property
    def has_more(self) -> bool:
        return self.next_cursor is not None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a decision came out as it did: contributions add up from `base` to `margin`, largest effect first."""

    decision_id: uuid.UUID
    base: float
    margin: float
    contributions: tuple[tuple[str, float], ...]
    reasons: tuple[SealedReason, ...]


@dataclass(frozen=True, slots=True)
class DecisionDetail:
    """One decision with all that is known of it. Applicant, inputs and explanation are None when the applicant was erased."""

    summary: DecisionSummary
    applicant: ApplicantDetails | None
    inputs: Mapping[str, Any] | None
    explanation: Explanation | None
    actor_kind: str
    actor_label: str
    revision: int
    timeline: tuple[Event, ...]
    receipt: Receipt
    is_as_recorded: bool


def decisions(filters: DecisionFilters | None = None, *, cursor: str | None = None, limit: int = PAGE) -> Page:
    """At most `limit` decisions, newest first, after the cursor. Never counts. Raises FilterRefused, CursorRefused, ProductUnknown."""
    found = _filtered(filters or DecisionFilters()).select_related("applicant", "product", "model_version", "policy").defer(*_HEAVY)
    if cursor is not None:
        created_at, decision_id = _from_cursor(cursor)
        found = found.filter(created_at__lte=created_at).exclude(created_at=created_at, id__gte=decision_id)
    rows = list(found.order_by("-created_at", "-id")[: limit + 1])
    ring = keyring()
    more = len(rows) > limit
    return Page([_summary(ring, row) for row in rows[:limit]], _to_cursor(rows[limit - 1]) if more else None)


def count_decisions(filters: DecisionFilters | None = None, *, at_most: int = 1000) -> int:
    """How many decisions there are, counted no further than `at_most`."""
    return _filtered(filters or DecisionFilters()).order_by()[:at_most].count()


def decision_detail(decision_id: uuid.UUID) -> DecisionDetail:
    """The decision with applicant, inputs, explanation, timeline and receipt, opened. Raises DecisionUnknown."""
    decision = _one(decision_id)
    ring = keyring()
    content = _content(ring, decision)
    events = timeline("decision", decision.id)
    made = next(event for event in events if event.action == Action.DECISION_MADE)
    return DecisionDetail(
        summary=_summary(ring, decision),
        applicant=details_of(ring, decision.applicant),
        inputs=None if content is None else content.inputs,
        explanation=None if content is None else _explanation(decision, content),
        actor_kind=decision.actor_kind,
        actor_label=made.actor_label,
        revision=decision.revision,
        timeline=tuple(events),
        receipt=receipt_of(made),
        is_as_recorded=made.detail.get("digest") == stored_digest(decision) and event_leaf_hash(made) == bytes(made.leaf_hash),
    )


def decision_explanation(decision_id: uuid.UUID) -> Explanation | None:
    """Why the decision came out as it did; None when the applicant was erased. Raises DecisionUnknown."""
    decision = _one(decision_id)
    content = _content(keyring(), decision)
    return None if content is None else _explanation(decision, content)


_HEAVY = ("sealed", "product__definition", "model_version__bundle", "model_version__metrics", "policy__definition")


def _one(decision_id: uuid.UUID) -> Decision:
    found = Decision.objects.select_related("applicant", "product", "model_version", "policy").defer(*_HEAVY[1:])
    decision = found.filter(id=decision_id).first()
    if decision is None:
        raise DecisionUnknown
    return decision


def _filtered(filters: DecisionFilters) -> QuerySet[Decision]:
    wanted = Q()
    if filters.product is not None:
        wanted &= Q(product_id=_product_id(filters.product))
    if filters.model_version is not None:
        wanted &= Q(model_version__version=filters.model_version)
    if filters.reference is not None:
        wanted &= Q(applicant_id=keyring().applicant_id(filters.reference))
    if filters.applicant_id is not None:
        wanted &= Q(applicant_id=filters.applicant_id)
    if filters.since is not None:
        wanted &= Q(created_at__gte=filters.since)
    if filters.until is not None:
        wanted &= Q(created_at__lt=filters.until)
    for name in ("band", "outcome", "answered_by", "channel"):
        value = getattr(filters, name)
        if value is not None:
            wanted &= Q((name, value))
    return Decision.objects.filter(wanted)


def _product_id(slug: str) -> uuid.UUID:
    product_id = Product.objects.filter(slug=slug).values_list("id", flat=True).first()
    if product_id is None:
        raise ProductUnknown(f"There is no product {slug!r}.")
    return product_id


def _summary(ring: Keyring, decision: Decision) -> DecisionSummary:
    details = details_of(ring, decision.applicant)
    return DecisionSummary(
        id=decision.id,
        created_at=decision.created_at,
        applicant_id=decision.applicant_id,
        reference=None if details is None else details.reference,
        product=decision.product.slug,
        probability=decision.probability,
        score=decision.score,
        band=decision.band,
        outcome=decision.outcome,
        answered_by=decision.answered_by,
        model_version=None if decision.model_version is None else decision.model_version.version,
        policy_version=decision.policy.version,
        channel=decision.channel,
        request_id=decision.request_id,
        processing_ms=decision.processing_microseconds / 1000,
    )


def _content(ring: Keyring, decision: Decision) -> DecisionContent | None:
    key = key_of(ring, decision.applicant)
    return None if key is None else open_content(ring, key, decision)


def _explanation(decision: Decision, content: DecisionContent) -> Explanation:
    ordered = sorted(content.contributions.items(), key=lambda item: (-abs(item[1]), item[0]))
    return Explanation(decision.id, content.base, content.margin, tuple(ordered), tuple(content.reasons))


def _to_cursor(decision: Decision) -> str:
    place = int(decision.created_at.timestamp()) * 1_000_000 + decision.created_at.microsecond
    return base64.urlsafe_b64encode(place.to_bytes(8) + decision.id.bytes).decode().rstrip("=")


def _from_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if len(place) != 24:
            raise CursorRefused
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int.from_bytes(place[:8])), uuid.UUID(bytes=place[8:])
    except (binascii.Error, ValueError, OverflowError) as error:
        raise CursorRefused from error


# ---- applicants


@dataclass(frozen=True, slots=True)
class ApplicantSummary:
    """One applicant; `details` is None when erased."""

    id: uuid.UUID
    details: ApplicantDetails | None
    created_at: datetime


def applicant(reference: str) -> ApplicantSummary | None:
    """The applicant that the partner calls by this reference."""
    found = _applicants(Q(id=keyring().applicant_id(reference)))
    return found[0] if found else None


def find_applicants(*, phone: str = "", national_id: str = "", name: str = "") -> list[ApplicantSummary]:
    """Applicants with exactly this telephone, national id or name, however it was written. At most 50."""
    ring = keyring()
    wanted = Q()
    if phone:
        wanted |= Q(phone_index=ring.blind_index("phone", phone))
    if national_id:
        wanted |= Q(national_id_index=ring.blind_index("national_id", national_id))
    if name:
        wanted |= Q(name_index=ring.blind_index("name", name))
    return _applicants(wanted) if wanted else []


def _applicants(wanted: Q) -> list[ApplicantSummary]:
    ring = keyring()
    return [ApplicantSummary(row.id, details_of(ring, row), row.created_at) for row in Applicant.objects.filter(wanted).order_by("id")[:50]]


# ---- overview


class _Median(Aggregate):
    """The middle value."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True)
class DayVolume:
    """How many decisions one day had, by outcome."""

    day: date
    approve: int = 0
    refer: int = 0
    decline: int = 0

    @property
    def total(self) -> int:
        return self.approve + self.refer + self.decline


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """How many decisions have a score from `low` to below `high`; the last bin holds the highest score too."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The last days in figures. Shares are of `total`; the median is None without a decision."""

    days: int
    since: datetime
    total: int
    volume: tuple[DayVolume, ...]
    histogram: tuple[ScoreBin, ...]
    by_outcome: Mapping[str, int]
    by_band: Mapping[str, int]
    by_answer: Mapping[str, int]
    by_product: Mapping[str, int]
    waiting: int
    median_processing_ms: float | None


def overview(days: int = 30, *, zone: tzinfo = UTC) -> Overview:
    """The last `days` calendar days of the zone, today included: one pass over their decisions."""
    today = datetime.now(zone).date()
    first = today - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=zone)
    recent = Decision.objects.filter(created_at__gte=since).order_by()
    bin_number = ExpressionWrapper((F("score") - _LOWEST) / _BIN, output_field=IntegerField())
    groups = recent.values_list(
        TruncDate("created_at", tzinfo=zone), bin_number, "outcome", "band", "answered_by", "product__slug"
    ).annotate(decisions=Count("id"))
    volume: dict[date, Counter[str]] = {first + timedelta(days=day): Counter() for day in range(days)}
    bins, outcomes, bands, answers, products = Counter[int](), Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for day, at, outcome, band, answer, product, count in groups:
        volume.setdefault(day, Counter())[outcome] += count  # midnight may have passed since `today`
        for counter, value in ((bins, min(at, _BINS - 1)), (outcomes, outcome), (bands, band), (answers, answer), (products, product)):
            counter[value] += count
    median = recent.aggregate(median=_Median("processing_microseconds"))["median"]
    return Overview(
        days=days,
        since=since,
        total=outcomes.total(),
        volume=tuple(DayVolume(day, *(counted[outcome] for outcome in OutcomeCode.values)) for day, counted in volume.items()),
        histogram=tuple(ScoreBin(_LOWEST + at * _BIN, _LOWEST + (at + 1) * _BIN, bins[at]) for at in range(_BINS)),
        by_outcome={outcome: outcomes[outcome] for outcome in OutcomeCode.values},
        by_band={band: bands[band] for band in BandCode.values},
        by_answer={answer: answers[answer] for answer in AnsweredBy.values},
        by_product=dict(sorted(products.items())),
        waiting=outcomes[OutcomeCode.REFER],
        median_processing_ms=None if median is None else median / 1000,
    )


# ---- products and model versions


@dataclass(frozen=True, slots=True)
class ProductSummary:
    """One product and what is in force for it. Without a champion the rules answer."""

    id: uuid.UUID
    slug: str
    title: str
    kind: str
    revision: int
    champion_version: int | None
    policy_version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ModelVersionSummary:
    """One trained model of a product."""

    id: uuid.UUID
    product: str
    version: int
    estimator: str
    state: str
    metrics: Mapping[str, Any]
    bundle_sha256: str
    trained_at: datetime
    trained_by: str
    promoted_at: datetime | None


def products() -> list[ProductSummary]:
    """Every product, by slug."""
    return [_product_summary(row) for row in _products()]


def product(slug: str) -> ProductSummary:
    """One product. What it asks for is `registry.current(slug).definition`. Raises ProductUnknown."""
    row = _products().filter(slug=slug).first()
    if row is None:
        raise ProductUnknown(f"There is no product {slug!r}.")
    return _product_summary(row)


def model_versions(product_slug: str | None = None) -> list[ModelVersionSummary]:
    """The model versions of one product, or of all, newest first. Raises ProductUnknown."""
    found = ModelVersion.objects.select_related("product").defer("bundle", "product__definition").order_by("product__slug", "-version")
    if product_slug is not None:
        found = found.filter(product_id=_product_id(product_slug))
    return [_version_summary(row) for row in found]


def model_version(product_slug: str, version: int) -> ModelVersionSummary:
    """One model version. Raises ProductUnknown, ModelVersionUnknown."""
    found = ModelVersion.objects.select_related("product").defer("bundle", "product__definition")
    row = found.filter(product_id=_product_id(product_slug), version=version).first()
    if row is None:
        raise ModelVersionUnknown(f"There is no version {version} of {product_slug!r}.")
    return _version_summary(row)


def _products() -> QuerySet[Product]:
    return Product.objects.select_related("champion", "policy").defer(
        "definition", "champion__bundle", "champion__metrics", "policy__definition"
    )


def _product_summary(row: Product) -> ProductSummary:
    champion = row.champion
    return ProductSummary(
        id=row.id,
        slug=row.slug,
        title=row.title,
        kind=row.kind,
        revision=row.revision,
        champion_version=None if champion is None else champion.version,
        policy_version=row.policy.version,
        created_at=row.created_at,
    )


def _version_summary(row: ModelVersion) -> ModelVersionSummary:
    return ModelVersionSummary(
        id=row.id,
        product=row.product.slug,
        version=row.version,
        estimator=row.estimator,
        state=row.state,
        metrics=row.metrics,
        bundle_sha256=bytes(row.bundle_sha256).hex(),
        trained_at=row.trained_at,
        trained_by=row.trained_by,
        promoted_at=row.promoted_at,
    )
