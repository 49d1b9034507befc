"""Decisions in pages, and one decision opened."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db.models import Q, QuerySet
from msgspec import structs

from audit.actions import Action
from audit.errors import SealBroken
from audit.models import Event
from audit.selectors import timeline
from audit.services import Receipt, receipt_of
from audit.vault import Keyring, keyring
from scoring.applicants import ApplicantDetails, details_of, key_of
from scoring.errors import DecisionUnknown, FilterRefused
from scoring.makers import Makers
from scoring.models import Batch, Channel, Decision
from scoring.retold import reasons_in
from scoring.sealed import DecisionContent, SealedReason, is_as_recorded, open_content
from scoring.selectors.catalogue import product_id
from scoring.selectors.cursors import from_cursor, to_cursor
from scoring.selectors.filters import DecisionFilters
from scoring.selectors.kinds import newest_of_kinds

PAGE = 25
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DecisionSummary:
    """One decision as a list shows it. `reference` is None when the applicant was erased, or the row of the applicant is damaged."""

    id: uuid.UUID
    created_at: datetime
    applicant_id: uuid.UUID
    reference: str | None
    product: str
    product_title: str
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
    """One decision with all that is known of it. Applicant, inputs and explanation are None when the applicant was erased.

    Unless it `is_as_recorded` there is no receipt, and what cannot be opened is None too."""

    summary: DecisionSummary
    applicant: ApplicantDetails | None
    inputs: Mapping[str, Any] | None
    explanation: Explanation | None
    actor_kind: str
    actor_label: str
    revision: int
    timeline: tuple[Event, ...]
    receipt: Receipt | None
    is_as_recorded: bool


def decisions(filters: DecisionFilters | None = None, *, cursor: str | None = None, limit: int = PAGE) -> Page:
    """At most `limit` decisions, newest first, after the cursor. Never counts. Raises FilterRefused, CursorRefused, ProductUnknown."""
    filters, after = filters or DecisionFilters(), None if cursor is None else from_cursor(cursor)
    if filters.is_of_kinds:
        found = Decision.objects.filter(id__in=newest_of_kinds(filters, after=after, limit=limit + 1))
    else:
        found = decisions_found(filters)
        found = found if after is None else found.filter(created_at__lte=after[0]).exclude(created_at=after[0], id__gte=after[1])
    opened = found.select_related("applicant", "product", "model_version", "policy").defer(*_HEAVY)
    rows = list(opened.order_by("-created_at", "-id")[: limit + 1])
    ring = keyring()
    more = len(rows) > limit
    return Page([_summary(ring, row) for row in rows[:limit]], to_cursor(rows[limit - 1].created_at, rows[limit - 1].id) if more else None)


def count_decisions(filters: DecisionFilters | None = None, *, at_most: int = 1000) -> int:
    """How many decisions there are, counted no further than `at_most`."""
    return decisions_found(filters or DecisionFilters()).order_by()[:at_most].count()


def decision_detail(decision_id: uuid.UUID, *, language: str | None = None) -> DecisionDetail:
    """The decision with applicant, inputs, explanation, timeline and receipt, opened; its reasons in the reader's language where one is
    given. Raises DecisionUnknown."""
    decision = _one(decision_id)
    ring = keyring()
    events = timeline("decision", decision.id)
    made = next((event for event in events if event.action == Action.DECISION_MADE), None)
    intact = is_as_recorded(decision, made)
    applicant = content = None
    try:
        applicant, content = details_of(ring, decision.applicant), _content(ring, decision)
    except SealBroken:
        intact = False
    if content is not None and language is not None and intact:
        content = structs.replace(content, reasons=list(reasons_in(language, decision, content, Makers(ring))))
    return DecisionDetail(
        summary=_summary(ring, decision),
        applicant=applicant,
        inputs=None if content is None else content.inputs,
        explanation=None if content is None else _explanation(decision, content),
        actor_kind=decision.actor_kind,
        actor_label="" if made is None else made.actor_label,
        revision=decision.revision,
        timeline=tuple(events),
        receipt=receipt_of(made) if made is not None and intact else None,
        is_as_recorded=intact,
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


def decisions_found(filters: DecisionFilters) -> QuerySet[Decision]:
    """The rows, in no order. Raises ProductUnknown."""
    wanted = Q()
    if filters.product is not None:
        wanted &= Q(product_id=product_id(filters.product))
    if filters.model_version is not None:
        wanted &= Q(model_version__version=filters.model_version)
    if filters.reference is not None:
        wanted &= Q(applicant_id=keyring().applicant_id(filters.reference))
    if filters.applicant_id is not None:
        wanted &= Q(applicant_id=filters.applicant_id)
    ranges = {
        "created_at__gte": filters.since, "created_at__lt": filters.until, "score__gte": filters.score_from,
        "score__lt": filters.score_below,
    }  # fmt: skip
    wanted &= Q(**{name: value for name, value in ranges.items() if value is not None})
    if filters.batch is not None:
        wanted &= _of_batch(filters.batch)
    for name in ("band", "outcome", "answered_by", "channel"):
        value = getattr(filters, name)
        if value is not None:
            wanted &= Q((name, value))
    return Decision.objects.filter(wanted)


def _of_batch(batch_id: uuid.UUID) -> Q:
    """The decisions of a batch: made while its rows were worked on, and for the request that started it. Raises FilterRefused."""
    batch = Batch.objects.select_related("working").only("working").filter(id=batch_id).first()
    if batch is None or batch.working is None:
        raise FilterRefused("There is no such batch, or it was not started.")
    job = batch.working
    ended = (job.finished_at or datetime.now(UTC)) + timedelta(minutes=1)    # a range of the index, whatever came before and after
    asked_by = job.body["actor"]["request_id"]
    return Q(created_at__gte=job.created_at, created_at__lte=ended, channel=Channel.FILE, request_id=asked_by)


def _summary(ring: Keyring, decision: Decision) -> DecisionSummary:
    try:
        details = details_of(ring, decision.applicant)
    except SealBroken:  # one damaged row hides no other
        logger.exception("applicant_damaged", applicant_id=str(decision.applicant_id))
        details = None
    return DecisionSummary(
        id=decision.id,
        created_at=decision.created_at,
        applicant_id=decision.applicant_id,
        reference=None if details is None else details.reference,
        product=decision.product.slug,
        product_title=decision.product.title,
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
