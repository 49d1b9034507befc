"""The API's description: OpenAPI 3.1 from the views and their structs, as a file and as a page."""

import threading
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request

from partners.api.description import STRUCTS
from partners.api.views import OpenView, answer_bytes
from portal.api.problems import Problem
from scoring.api.urls import EARLIER, EARLIER_V2

_EARLIER = {f"v1/{name}": successor for name, successor in EARLIER.items()}
_EARLIER |= {f"v2/{name}": successor for name, successor in EARLIER_V2.items()}
_EARLIER |= {"v1/audit/logs": "audit/events", "v1/audit/cleanup": "retention/runs"}
_EARLIER |= {f"v1/audit/export/{kind}": "audit/export" for kind in ("csv", "json")}
_EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"    # of no text at all
_LIMIT_HEADERS = {
    "X-Request-ID": "The request's id: yours, if it was 1 to 64 letters, digits and ._:-",
    "RateLimit": "What is left of the plan, and in how many seconds all of it is back.",
    "RateLimit-Policy": "What the plan allows.",
    "X-RateLimit-Limit": "Requests per hour.",
    "X-RateLimit-Remaining": "Requests left.",
    "X-RateLimit-Reset": "Seconds until all are back.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key", "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$"},
    "description": "Repeat a request safely: the same key and body get the first answer again, byte for byte, for 24 hours.",
}    # fmt: skip


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """X-API-Key in the description."""

    target_class = "partners.accounts.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """As OpenAPI writes it."""
        return {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A machine's key: vk_live_..."}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Bearer tokens in the description."""

    target_class = "partners.accounts.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """As OpenAPI writes it."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A person's token: POST /api/v1/auth/token."}


def without_earlier(endpoints: list[Any]) -> list[Any]:
    """The routes without those of earlier systems, which `complete` copies from their successors. A hook of drf-spectacular."""
    return [endpoint for endpoint in endpoints if endpoint[0].removeprefix("/api/") not in _EARLIER]


def complete(result: dict[str, Any], **_generation: Any) -> dict[str, Any]:
    """The description with every struct, the headers of every answer and the routes of earlier systems. A hook of drf-spectacular."""
    kinds = [*STRUCTS.values(), Problem]
    _, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    result["components"].setdefault("schemas", {}).update(components)
    result["components"]["headers"] = {
        name.lower(): {"description": text, "schema": {"type": "string"}} for name, text in _LIMIT_HEADERS.items()
    }
    for methods in result["paths"].values():
        for method, operation in methods.items():
            if method == "post":
                operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                name = content["schema"]["$ref"].rpartition("/")[2]
                operation["requestBody"]["required"] = bool(result["components"]["schemas"][name].get("required"))
            for response in operation.get("responses", {}).values():
                response["headers"] = {name: {"$ref": f"#/components/headers/{name.lower()}"} for name in _LIMIT_HEADERS}
    for name, successor in _EARLIER.items():
        result["paths"][f"/api/{name}"] = _as_earlier(result["paths"][f"/api/v1/{successor}"], name.removeprefix("v1/"))
    return result


def _as_earlier(methods: dict[str, Any], name: str) -> dict[str, Any]:
    method = "post" if "post" in methods else "get"  # what earlier systems scored with a route, they did not list with it
    operation = {**methods[method], "operationId": f"earlier_{name.replace('/', '_').replace('-', '_')}", "deprecated": True}
    if name.startswith("audit/export/"):    # the address says it
        operation["parameters"] = [one for one in operation["parameters"] if one["name"] != "format"]
    return {method: operation}


_description: bytes | None = None
_lock = threading.Lock()


def description() -> bytes:
    """The description as JSON, made once per process: it is the same for every partner."""
    global _description
    with _lock:
        if _description is None:
            generator = SchemaGenerator(urlconf=settings.ROOT_URLCONF)  # type: ignore[no-untyped-call]
            _description = msgspec.json.encode(generator.get_schema(request=None, public=True))  # type: ignore[no-untyped-call]
    return _description


class DescriptionView(OpenView):
    """/openapi.json."""

    schema = None

    def get(self, request: Request) -> HttpResponse:
        """The description."""
        return answer_bytes(description())


class DocumentationView(SpectacularSwaggerSplitView):
    """/docs: the description as a page, from our own files alone."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = [TemplateHTMLRenderer]
    template_name = "api/docs.html"
    title = "Vouch"


class ReferenceView(SpectacularRedocView):
    """/redoc: the same description as one long page to read, from our own files alone."""

    authentication_classes = ()
    permission_classes = ()
    renderer_classes = [TemplateHTMLRenderer]
    template_name = "api/redoc.html"
    title = "Vouch"

    def finalize_response(self, *arguments: Any, **named: Any) -> Any:
        """It writes its rules by script into a style element, which may be there as long as it is empty; no other style is let in."""
        response = super().finalize_response(*arguments, **named)
        response["Content-Security-Policy"] = settings.CONTENT_SECURITY_POLICY.replace("style-src 'self'", f"style-src 'self' {_EMPTY}")
        return response
