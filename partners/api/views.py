"""What every view of the API is made of: one way to answer, who may ask for what, and how often."""

import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, cast

import msgspec
from django.http import HttpResponse
from rest_framework import status as http
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from partners.accounts.authentication import Principal
from partners.accounts.roles import Permission
from partners.api.errors import AnswerTypeRefused, LimitReached, PermissionMissing
from partners.limits import Grant, take

_JSON = "application/json"
_TAKES_JSON = ("*/*", "application/*", _JSON, "application/problem+json")


@cache
def _one_of(kind: Any) -> Any:
    return kind()


class OneRenderer(BaseContentNegotiation):
    """Answers are JSON; whoever accepts nothing of the kind is refused."""

    def select_parser(self, request: Request, parsers: Any) -> None:
        """Bodies are read by partners.api.bodies."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        """The one renderer. Raises AnswerTypeRefused."""
        accepted = request._request.META.get("HTTP_ACCEPT", "*/*") or "*/*"
        if accepted not in _TAKES_JSON and not any(kind.partition(";")[0].strip() in _TAKES_JSON for kind in accepted.lower().split(",")):
            raise AnswerTypeRefused
        return renderers[0], _JSON


class Allowed(BasePermission):
    """Whether the caller holds the permission that the view names for this method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """True, or raises PermissionMissing with the name of what is missing."""
        principal = _principal(request)
        if principal is None:
            return False
        method = "GET" if request.method == "HEAD" else str(request.method)
        permissions: Mapping[str, Permission | None] = view.permissions  # type: ignore[attr-defined]
        if method not in permissions:
            # Nothing answers to it: 405. A method that somebody forgot to name is closed.
            if method.lower() in view.http_method_names and hasattr(view, method.lower()):
                raise PermissionMissing
            return True
        needed = permissions[method]
        if needed is not None and not principal.allows(needed):
            raise PermissionMissing(f"This needs the permission {needed}.")
        return True


class PlanLimit(BaseThrottle):
    """The caller's requests of this hour, as the partner's plan allows them."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """True, or raises LimitReached with the time to wait."""
        principal = _principal(request)
        if principal is None:
            return True
        grant = take(principal.actor.id, plan=request._request.partner.plan)  # type: ignore[attr-defined]
        view.grant = grant  # type: ignore[attr-defined]
        if not grant.is_allowed:
            raise LimitReached(wait_seconds=grant.retry_after)
        return True


class ApiView(APIView):
    """A view that says for each method what permission it needs, and answers with bytes of JSON."""

    permissions: ClassVar[Mapping[str, Permission | None]] = {}
    http_method_names = ["get", "post", "patch", "delete", "head"]
    content_negotiation_class = OneRenderer
    renderer_classes = (JSONRenderer,)
    parser_classes = ()
    permission_classes: Sequence[type[BasePermission]] = (Allowed,)
    throttle_classes: Sequence[type[BaseThrottle]] = (PlanLimit,)
    metadata_class = None
    grant: Grant | None = None
    # Set by the routes that earlier systems knew: the route to use instead.
    successor: str = ""

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: what is allowed is said where something is not."""
        return {}

    def get_authenticators(self) -> list[BaseAuthentication]:
        """They keep nothing of a request, so one of each serves all."""
        return [_one_of(kind) for kind in self.authentication_classes]  # type: ignore[arg-type]

    def get_permissions(self) -> list[Any]:
        """As above."""
        return [_one_of(kind) for kind in self.permission_classes]

    def get_throttles(self) -> list[BaseThrottle]:
        """As above."""
        return [_one_of(kind) for kind in self.throttle_classes]  # type: ignore[arg-type]

    def check_permissions(self, request: Request) -> None:
        """The limit counts first: what is refused counts too, and is told what is left."""
        super().check_throttles(request)
        super().check_permissions(request)

    def check_throttles(self, request: Request) -> None:
        """Done with the permissions."""

    def finalize_response(self, request: Request, response: Any, *arguments: Any, **named: Any) -> Any:  # bytes pass DRF's renderers by
        """Adds what every answer says: what is left of the limit, and whether the route goes away."""
        answer: HttpResponse = (
            super().finalize_response(request, response, *arguments, **named) if isinstance(response, Response) else response
        )
        headers = answer.headers
        if answer.status_code == 405:
            headers["Allow"] = ", ".join(method for method in self.allowed_methods if method != "OPTIONS")
        if self.grant is not None:
            for name, value in self.grant.headers.items():
                headers[name] = value
        if self.successor:
            headers["Deprecation"] = "@1795132800"
            headers["Link"] = f'<{self.successor}>; rel="successor-version"'
        return answer


class OpenView(ApiView):
    """A view for callers who have no credential yet."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


def principal_of(request: Request) -> Principal:
    """Who asks, and what they may do. For views that let nobody in without a credential."""
    principal = _principal(request)
    if principal is None:
        raise NotAuthenticated
    return principal


def _principal(request: Request) -> Principal | None:
    principal: Principal | None = cast("Any", request).user
    return principal


def answer(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """The struct as a JSON answer."""
    return answer_bytes(msgspec.json.encode(body), status=status, headers=headers)


def answer_bytes(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """The bytes as a JSON answer of known length."""
    response = HttpResponse(body, status=status, content_type=_JSON)
    if status == http.HTTP_204_NO_CONTENT:
        del response.headers["Content-Type"]    # there is nothing whose type it could be
    else:
        response.headers["Content-Length"] = str(len(body))
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def identifier(text: str) -> uuid.UUID | None:
    """The id in a path, or None where it cannot be one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
