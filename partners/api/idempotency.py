"""Requests that are repeated: the same key and body get the first answer again, byte for byte."""

import hmac
import re
from collections.abc import Callable

from django.db import transaction
from django.http import HttpResponse
from rest_framework.request import Request

from audit.context import Actor
from audit.errors import DomainError
from audit.services import Attempt, begin_attempt, keep_answer
from audit.vault import keyring
from partners.api.errors import IdempotencyKeyRefused
from partners.api.views import answer_bytes

REPLAYED = {"Idempotency-Replayed": "true"}
_KEY = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


def attempt_of(request: Request, *, route: str, actor: Actor, body: bytes) -> Attempt | None:
    """The attempt that the Idempotency-Key names, None without one. Raises IdempotencyKeyRefused."""
    key: str | None = request._request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyRefused
    # Keyed, because bodies hold passwords and personal data that a plain digest would let others guess.
    return Attempt.of(route=route, key=key, actor=actor, body=hmac.digest(keyring().index_key, b"idempotency\0" + body, "sha256"))


def answer_once(
    attempt: Attempt | None, *, status: int, perform: Callable[[], bytes], kept: Callable[[bytes], bytes] = bytes
) -> HttpResponse:
    """What `perform` answers, or what was `kept` of its answer to this attempt before. Its refusals are raised and not kept."""
    if attempt is None:
        return answer_bytes(perform(), status=status)
    refusal: DomainError | None = None
    with transaction.atomic():
        earlier = begin_attempt(attempt)
        if earlier is not None:
            return answer_bytes(earlier.body, status=earlier.status, headers=REPLAYED)
        try:
            body = perform()
        except DomainError as error:
            # What the service wrote about its own refusal (a failed login, a stolen token) stays written.
            refusal = error
        else:
            keep_answer(attempt, status=status, body=kept(body))
    if refusal is not None:
        raise refusal
    return answer_bytes(body, status=status)
