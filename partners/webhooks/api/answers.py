"""What routes about webhooks take and answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from audit.topics import Topic
from partners.webhooks.models import Attempt, Delivery, Endpoint
from partners.webhooks.selectors import DeliveryPage, Told
from partners.webhooks.services import LONGEST_DESCRIPTION, LONGEST_OVERLAP, ROTATION_OVERLAP, NewEndpoint
from partners.webhooks.targets import LONGEST_URL

Url = Annotated[str, Meta(min_length=1, max_length=LONGEST_URL, description="An https URL of a public host.")]
EventTypes = Annotated[
    list[Annotated[str, Meta(max_length=40)]],
    Meta(min_length=1, max_length=2 * len(Topic), description=f"Of {', '.join(Topic)}."),
]
Description = Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)]


class WebhookRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to tell of which events."""

    url: Url
    event_types: EventTypes
    description: Description = ""


class WebhookChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different. `is_active` false pauses: what happens meanwhile waits, three days at most."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: Description | None = None
    is_active: bool | None = None


class WebhookRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the secret of before still signs beside the new one."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=int(LONGEST_OVERLAP.total_seconds()))] = int(ROTATION_OVERLAP.total_seconds())


class WebhookNothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body without members; it may be left out."""


class Webhook(msgspec.Struct, frozen=True):
    """An endpoint. `paused_because` is person, failing, gone or empty."""

    id: str
    url: str
    description: str
    event_types: list[str]
    is_active: bool
    paused_because: str
    paused_at: datetime | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_by: str
    created_at: datetime


class WebhookMade(msgspec.Struct, frozen=True):
    """An endpoint with a new secret, which is shown this once."""

    webhook: Webhook
    secret: str | None


class WebhookList(msgspec.Struct, frozen=True):
    """Every endpoint, the oldest first."""

    data: list[Webhook]
    next_cursor: None = None
    has_more: bool = False


class WebhookDelivery(msgspec.Struct, frozen=True):
    """One event: waiting, delivered or given_up. `event_id` is its webhook-id; `status` and `problem` are of the newest attempt."""

    id: str
    event_id: str
    event_type: str
    object_id: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime | None
    status: int | None
    problem: str
    duration_ms: int | None


class WebhookDeliveryPage(msgspec.Struct, frozen=True):
    """Deliveries, newest first."""

    data: list[WebhookDelivery]
    next_cursor: str | None
    has_more: bool


class WebhookAttempt(msgspec.Struct, frozen=True):
    """One attempt: the status and the first KiB of what was answered, or the problem that kept it from being answered."""

    at: datetime
    status: int | None
    duration_ms: int
    answer: str
    problem: str


class WebhookDeliveryDetail(msgspec.Struct, frozen=True):
    """A delivery, the text that is signed and sent, and every attempt, the newest first."""

    delivery: WebhookDelivery
    payload: str
    attempts: list[WebhookAttempt]


def webhook_of(one: Endpoint) -> Webhook:
    """An endpoint as it is shown."""
    return Webhook(
        id=str(one.id), url=one.url, description=one.description, event_types=[str(each) for each in one.event_types],
        is_active=one.is_active, paused_because=one.paused_because, paused_at=one.paused_at, failing_since=one.failing_since,
        previous_secret_until=one.previous_until, created_by=one.created_by, created_at=one.created_at,
    )  # fmt: skip


def webhook_made(made: NewEndpoint) -> WebhookMade:
    """An endpoint just made or given a new secret."""
    return WebhookMade(webhook_of(made.endpoint), made.secret)


def delivery_of(told: Told) -> WebhookDelivery:
    """A delivery as it is listed."""
    one, newest = told.delivery, told.newest
    return WebhookDelivery(
        id=str(one.id), event_id=str(one.event_id), event_type=one.event_type, object_id=one.object_id, state=one.state,
        attempts=one.attempts, created_at=one.created_at, next_at=one.next_at if one.state == Delivery.State.WAITING else None,
        status=newest.status if newest else None, problem=newest.problem if newest else "",
        duration_ms=newest.milliseconds if newest else None,
    )  # fmt: skip


def page_of(page: DeliveryPage) -> WebhookDeliveryPage:
    """A page of deliveries."""
    cursor = None if page.next_before is None else str(page.next_before)
    return WebhookDeliveryPage([delivery_of(one) for one in page.deliveries], cursor, cursor is not None)


def detail_of(one: Delivery, attempts: Sequence[Attempt]) -> WebhookDeliveryDetail:
    """A delivery with all there is to know about it."""
    tried = [WebhookAttempt(each.at, each.status, each.milliseconds, each.answer, each.problem) for each in attempts]
    return WebhookDeliveryDetail(delivery_of(Told(one, attempts[0] if attempts else None)), one.payload, tried)
