"""Webhooks over HTTP: endpoints, their secrets, and what was delivered."""

from datetime import timedelta

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.bodies import decode, read_body
from partners.api.description import BY_ID, described, path, query
from partners.api.idempotency import answer_once, attempt_of
from partners.api.queries import identifier as as_identifier
from partners.api.queries import one_of, read_query, whole_number
from partners.api.views import ApiView, answer, answer_bytes, identifier, principal_of
from partners.webhooks import selectors, services
from partners.webhooks.api.answers import (
    Webhook,
    WebhookChange,
    WebhookDelivery,
    WebhookDeliveryDetail,
    WebhookDeliveryPage,
    WebhookList,
    WebhookMade,
    WebhookNothing,
    WebhookRequest,
    WebhookRotation,
    delivery_of,
    detail_of,
    page_of,
    webhook_made,
    webhook_of,
)
from partners.webhooks.errors import DeliveryUnknown
from partners.webhooks.models import Delivery
from partners.webhooks.selectors import Told

_MANAGE = Permission.WEBHOOK_MANAGE
_ENDPOINT = (path("webhook_id", "The endpoint.", type="string", format="uuid"),)
_DELIVERY = (*_ENDPOINT, path("delivery_id", "The delivery.", type="string", format="uuid"))
_STATES = [str(state) for state in Delivery.State]


class WebhooksView(ApiView):
    """Endpoints."""

    permissions = {"GET": _MANAGE, "POST": _MANAGE}

    @described("List webhook endpoints", operation="webhook_list", gives=WebhookList)
    def get(self, request: Request) -> HttpResponse:
        """Every endpoint, without its secret."""
        read_query(request, {})
        return answer(WebhookList([webhook_of(one) for one in selectors.endpoints()]))

    @described(
        "Make a webhook endpoint", operation="webhook_create", takes=WebhookRequest, gives=WebhookMade, status=201,
        example={"url": "https://hooks.example.com/vouch", "event_types": ["application.decided", "batch.completed"]},
    )
    def post(self, request: Request) -> HttpResponse:
        """An endpoint, with its secret for the only time: the same call again tells which endpoint it was."""
        raw = read_body(request)
        asked, actor = decode(raw, WebhookRequest, also=services.faults_of_endpoint), principal_of(request).actor

        def perform() -> bytes:
            made = services.create_endpoint(url=asked.url, event_types=asked.event_types, description=asked.description, actor=actor)
            return msgspec.json.encode(webhook_made(made))

        attempt = attempt_of(request, route="POST /api/v1/webhooks", actor=actor, body=raw)
        return answer_once(attempt, status=201, perform=perform, kept=_without_secret)


class WebhookView(ApiView):
    """One endpoint."""

    permissions = {"GET": _MANAGE, "PATCH": _MANAGE, "DELETE": _MANAGE}

    @described("Look at a webhook endpoint", operation="webhook_read", gives=Webhook, refuses=(404,), parameters=_ENDPOINT)
    def get(self, request: Request, webhook_id: str) -> HttpResponse:
        """The endpoint."""
        return answer(webhook_of(selectors.endpoint(identifier(webhook_id))))

    @described(
        "Change, pause or resume a webhook endpoint", operation="webhook_change", takes=WebhookChange, gives=Webhook, refuses=(404,),
        parameters=_ENDPOINT,
    )
    def patch(self, request: Request, webhook_id: str) -> HttpResponse:
        """The endpoint is as asked for."""
        asked = decode(read_body(request, may_be_empty=True), WebhookChange, also=services.faults_of_endpoint)
        one = selectors.endpoint(identifier(webhook_id))
        changed = services.change_endpoint(endpoint_id=one.id, actor=principal_of(request).actor, **msgspec.structs.asdict(asked))
        return answer(webhook_of(changed))

    @described("Delete a webhook endpoint", operation="webhook_delete", status=204, refuses=(404,), parameters=_ENDPOINT)
    def delete(self, request: Request, webhook_id: str) -> HttpResponse:
        """Nothing is sent to it any more."""
        one = selectors.endpoint(identifier(webhook_id))
        services.delete_endpoint(endpoint_id=one.id, actor=principal_of(request).actor)
        return answer_bytes(b"", status=204)


class WebhookRotationView(ApiView):
    """An endpoint's next secret."""

    permissions = {"POST": _MANAGE}

    @described(
        "Rotate a webhook's secret", operation="webhook_rotate", takes=WebhookRotation, gives=WebhookMade, status=201, refuses=(404,),
        parameters=_ENDPOINT,
    )
    def post(self, request: Request, webhook_id: str) -> HttpResponse:
        """A new secret signs; until the overlap ends each event carries both signatures."""
        raw = read_body(request, may_be_empty=True)
        asked, actor, one = decode(raw, WebhookRotation), principal_of(request).actor, selectors.endpoint(identifier(webhook_id))

        def perform() -> bytes:
            overlap = timedelta(seconds=asked.overlap_seconds)
            return msgspec.json.encode(webhook_made(services.rotate_secret(endpoint_id=one.id, overlap=overlap, actor=actor)))

        attempt = attempt_of(request, route=f"POST /api/v1/webhooks/{one.id}/rotate", actor=actor, body=raw)
        return answer_once(attempt, status=201, perform=perform, kept=_without_secret)


class WebhookTestView(ApiView):
    """An event that tells of nothing."""

    permissions = {"POST": _MANAGE}

    @described(
        "Send a test event", operation="webhook_test", takes=WebhookNothing, gives=WebhookDelivery, status=201, refuses=(404,),
        parameters=_ENDPOINT,
    )
    def post(self, request: Request, webhook_id: str) -> HttpResponse:
        """A `webhook.test` is on its way; its delivery tells what became of it, mostly within two seconds."""
        raw = read_body(request, may_be_empty=True)
        decode(raw, WebhookNothing)
        actor, one = principal_of(request).actor, selectors.endpoint(identifier(webhook_id))

        def perform() -> bytes:
            return msgspec.json.encode(delivery_of(Told(services.send_test(endpoint_id=one.id, actor=actor), None)))

        attempt = attempt_of(request, route=f"POST /api/v1/webhooks/{one.id}/test", actor=actor, body=raw)
        return answer_once(attempt, status=201, perform=perform)


class WebhookDeliveriesView(ApiView):
    """What was and is to be delivered to an endpoint."""

    permissions = {"GET": _MANAGE}

    @described(
        "List an endpoint's deliveries", operation="webhook_delivery_list", gives=WebhookDeliveryPage, refuses=(400, 404),
        parameters=(*_ENDPOINT, query("state", "Only those in this state.", type="string", enum=_STATES), *BY_ID),
    )
    def get(self, request: Request, webhook_id: str) -> HttpResponse:
        """A page of deliveries, newest first."""
        wanted = read_query(request, {"state": one_of(*_STATES), "limit": whole_number(1, 200), "cursor": as_identifier})
        one, limit = selectors.endpoint(identifier(webhook_id)), wanted.get("limit", selectors.PAGE)
        return answer(page_of(selectors.deliveries(one, state=wanted.get("state", ""), before=wanted.get("cursor"), limit=limit)))


class WebhookDeliveryView(ApiView):
    """One delivery."""

    permissions = {"GET": _MANAGE}

    @described(
        "Look at a delivery", operation="webhook_delivery_read", gives=WebhookDeliveryDetail, refuses=(404,), parameters=_DELIVERY
    )
    def get(self, request: Request, webhook_id: str, delivery_id: str) -> HttpResponse:
        """What is sent, and every attempt."""
        return answer(detail_of(*selectors.delivery(selectors.endpoint(identifier(webhook_id)), identifier(delivery_id))))


class WebhookResendView(ApiView):
    """A delivery once more."""

    permissions = {"POST": _MANAGE}

    @described(
        "Send an event again", operation="webhook_resend", takes=WebhookNothing, gives=WebhookDelivery, status=201, refuses=(404,),
        parameters=_DELIVERY,
    )
    def post(self, request: Request, webhook_id: str, delivery_id: str) -> HttpResponse:
        """The event is on its way again, under the same webhook-id."""
        raw = read_body(request, may_be_empty=True)
        decode(raw, WebhookNothing)
        actor, one, wanted = principal_of(request).actor, selectors.endpoint(identifier(webhook_id)), identifier(delivery_id)
        if wanted is None:
            raise DeliveryUnknown

        def perform() -> bytes:
            again = services.resend(endpoint_id=one.id, delivery_id=wanted, actor=actor)
            return msgspec.json.encode(delivery_of(Told(again, None)))

        attempt = attempt_of(request, route=f"POST /api/v1/webhooks/{one.id}/deliveries/{wanted}/resend", actor=actor, body=raw)
        return answer_once(attempt, status=201, perform=perform)


def _without_secret(body: bytes) -> bytes:
    """What is kept of an answer that shows a secret: a secret is stored nowhere."""
    return msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(body, type=WebhookMade), secret=None))
