"""Reads about endpoints and deliveries of the current partner. For who may manage webhooks."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from partners.webhooks.errors import DeliveryUnknown, EndpointUnknown
from partners.webhooks.models import Attempt, Delivery, Endpoint

PAGE = 25


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery, with its newest attempt."""

    delivery: Delivery
    newest: Attempt | None


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some deliveries, newest first; `next_before` is where the older ones begin, None when there are none."""

    deliveries: Sequence[Told]
    next_before: uuid.UUID | None


def endpoints() -> Sequence[Endpoint]:
    """Those that were not deleted, the oldest first."""
    return list(Endpoint.objects.filter(deleted_at=None))


def troubled_endpoints() -> Sequence[Endpoint]:
    """Those that take nothing, and those that were paused for it."""
    is_paused_by_us = Q(paused_because__in=[Endpoint.Pause.FAILING, Endpoint.Pause.GONE])
    return list(Endpoint.objects.filter(is_paused_by_us | Q(failing_since__isnull=False), deleted_at=None))


def endpoint(endpoint_id: uuid.UUID | None) -> Endpoint:
    """One of them. Raises EndpointUnknown."""
    found = Endpoint.objects.filter(id=endpoint_id, deleted_at=None).first() if endpoint_id else None
    if found is None:
        raise EndpointUnknown
    return found


def deliveries(one: Endpoint, *, state: str = "", before: uuid.UUID | None = None, limit: int = PAGE) -> DeliveryPage:
    """At most `limit` deliveries to the endpoint, newest first, older than `before`. Never counts."""
    found = Delivery.objects.filter(endpoint=one).order_by("-id").defer("payload")
    found = found.filter(state=state) if state else found
    rows = list(found.filter(id__lt=before)[: limit + 1] if before else found[: limit + 1])
    shown = rows[:limit]
    newest = Attempt.objects.filter(delivery__in=shown).order_by("delivery_id", "-id").distinct("delivery_id")
    by_delivery = {tried.delivery_id: tried for tried in newest}
    return DeliveryPage([Told(row, by_delivery.get(row.id)) for row in shown], shown[-1].id if len(rows) > limit else None)


def delivery(one: Endpoint, delivery_id: uuid.UUID | None) -> tuple[Delivery, Sequence[Attempt]]:
    """One delivery to the endpoint, with its attempts, the newest first. Raises DeliveryUnknown."""
    found = Delivery.objects.filter(endpoint=one, id=delivery_id).first() if delivery_id else None
    if found is None:
        raise DeliveryUnknown
    return found, list(found.tries.order_by("-id"))
