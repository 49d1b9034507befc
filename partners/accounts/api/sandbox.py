"""The sandbox over HTTP: emptied by whoever may make decisions in it, a test key among them, so that a suite of tests begins clean."""

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.bodies import decode, read_body
from partners.api.description import described
from partners.api.idempotency import attempt_of
from partners.api.views import ApiView, answer, principal_of
from partners.sandboxes import reset_sandbox


class SandboxNothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is asked."""


class SandboxEmpty(msgspec.Struct, frozen=True):
    """The sandbox holds nothing any more but products, keys, people and endpoints."""

    is_empty: bool


class SandboxResetView(ApiView):
    """Beginning again."""

    permissions = {"POST": Permission.DECISION_MAKE}

    @described("Empty the sandbox", operation="sandbox_reset", takes=SandboxNothing, gives=SandboxEmpty, status=200, refuses=(404,))
    def post(self, request: Request) -> HttpResponse:
        """Every applicant, decision, application, job and delivery of the sandbox is gone. Anywhere else nothing is done: 404."""
        raw = read_body(request, may_be_empty=True)
        decode(raw, SandboxNothing)
        actor = principal_of(request).actor
        attempt_of(request, route="POST /api/v1/sandbox/reset", actor=actor, body=raw)    # refuses a wrong key
        reset_sandbox(actor=actor)    # kept answers go too, and emptying twice is emptying once
        return answer(SandboxEmpty(is_empty=True))
