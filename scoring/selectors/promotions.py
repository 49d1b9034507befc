"""Requests to put a model version in force, and champions whose bundle was refused."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import CharField, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast

from audit.actions import Action
from audit.models import Event
from scoring.errors import PromotionUnknown
from scoring.models import Product, PromotionRequest
from scoring.selectors.catalogue import product_id


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """One request to put a version in force: who asked and why, who answered and what."""

    id: uuid.UUID
    product: str
    version: int
    state: str
    reason: str
    card_sha256: str
    asked_by_id: uuid.UUID
    asked_by: str
    asked_at: datetime
    answered_by: str
    answered_at: datetime | None
    answer: str


@dataclass(frozen=True, slots=True)
class RefusedChampion:
    """A model version that is in force and whose bundle could not be opened when it was last tried."""

    product: str
    title: str
    version: int
    since: datetime
    reason: str


def promotion_requests(*, product: str | None = None, state: str | None = None) -> list[RequestSummary]:
    """Requests, newest first. Raises ProductUnknown."""
    found = _requests()
    if product is not None:
        found = found.filter(product_id=product_id(product))
    if state is not None:
        found = found.filter(state=state)
    return [_summary(row) for row in found]


def promotion_request(request_id: uuid.UUID) -> RequestSummary:
    """One request. Raises PromotionUnknown."""
    row = _requests().filter(id=request_id).first()
    if row is None:
        raise PromotionUnknown
    return _summary(row)


def refused_champions() -> list[RefusedChampion]:
    """Every product that is not answered by the model that was put in force, since its bundle is missing or refused."""
    told = Event.objects.filter(
        object_kind="model_version", object_id=OuterRef("champion_text"), action__in=(Action.MODEL_REFUSED, Action.MODEL_REPAIRED)
    ).order_by("-id")
    rows = (
        Product.objects.filter(champion__isnull=False)
        .annotate(champion_text=Cast("champion_id", CharField()))
        .annotate(last=Subquery(told.values("action")[:1]), since=Subquery(told.values("recorded_at")[:1]),
                  why=Subquery(told.values("detail__reason")[:1]), number=F("champion__version"))
        .filter(last=Action.MODEL_REFUSED)
        .values_list("slug", "title", "number", "since", "why")
    )    # fmt: skip
    return [RefusedChampion(*row) for row in rows]


def _requests() -> QuerySet[PromotionRequest]:
    return PromotionRequest.objects.select_related("product", "version", "asked_by", "answered_by").defer(
        "product__definition", "version__bundle", "version__metrics"
    )


def _summary(row: PromotionRequest) -> RequestSummary:
    return RequestSummary(
        id=row.id,
        product=row.product.slug,
        version=row.version.version,
        state=row.state,
        reason=row.reason,
        card_sha256=row.card_sha256,
        asked_by_id=row.asked_by_id,
        asked_by=row.asked_by.name,
        asked_at=row.asked_at,
        answered_by="" if row.answered_by is None else row.answered_by.name,
        answered_at=row.answered_at,
        answer=row.answer,
    )
