"""What requests about one application have in common: its id, and that a repeat is answered as before."""

import uuid
from collections.abc import Callable
from typing import TypeVar

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from audit.context import Actor
from partners.api.bodies import decode, is_bare, read_body
from partners.api.description import path
from partners.api.idempotency import answer_once, attempt_of
from partners.api.views import identifier, principal_of
from portal.approvals.errors import ApplicationUnknown

ROUTE = "POST /api/v1/applications"
ID = (path("application_id", "The application.", type="string", format="uuid"),)
B = TypeVar("B", bound=msgspec.Struct)


def once(
    request: Request, route: str, kind: type[B], perform: Callable[[B, Actor], msgspec.Struct], *, status: int = 200
) -> HttpResponse:
    """What `perform` makes of the body; under an Idempotency-Key once."""
    raw = read_body(request, may_be_empty=is_bare(kind))
    asked, actor = decode(raw, kind), principal_of(request).actor
    attempt = attempt_of(request, route=f"{ROUTE}/{route}", actor=actor, body=raw)
    return answer_once(attempt, status=status, perform=lambda: msgspec.json.encode(perform(asked, actor)))


def wanted_id(text: str) -> uuid.UUID:
    """The id in the address. Raises ApplicationUnknown."""
    application_id = identifier(text)
    if application_id is None:
        raise ApplicationUnknown
    return application_id
