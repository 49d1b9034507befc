"""What every answer carries (request id, security headers, metrics), and page middleware that /api/ passes by."""

import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.http.response import HttpResponseBase, ResponseHeaders
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django_htmx.middleware import HtmxMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

from audit.ids import uuid7
from partners.accounts.request_log import note
from partners.accounts.web.arriving import person_of
from portal import health, metrics

GetResponse = Callable[[HttpRequest], HttpResponseBase]
View = Callable[..., HttpResponseBase]

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


def is_api(request: HttpRequest) -> bool:
    """Whether the request goes to the API, which knows neither cookies nor pages."""
    return request.path_info.startswith("/api/")


class RequestMiddleware:
    """Gives each request an id, answers the probes on any host, and puts the fixed headers on every answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "X-Frame-Options": "DENY",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
            "Content-Security-Policy": settings.CONTENT_SECURITY_POLICY,
        }
        if settings.SECURE_HSTS_SECONDS:
            headers["Strict-Transport-Security"] = f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains"
        # As the response keeps them: checking and encoding the same seven for each answer took a fiftieth of a decision.
        self.kept = tuple(ResponseHeaders(headers)._store.items())
        self.kept_of_api = (*self.kept, *ResponseHeaders({"Cache-Control": "no-store"})._store.items())

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        offered = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = offered if _ACCEPTED_ID.fullmatch(offered) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(request_id=request_id)  # the only one that is bound: nothing of another request stays
        probe = health.PROBES.get(request.path_info)
        response = self.get_response(request) if probe is None else health.answer(probe, request)
        self._finish(request, response, request_id)
        seconds = time.perf_counter() - started
        metrics.observe(request, response.status_code, seconds)
        if is_api(request):
            note(request, response, seconds)
        return response

    def _finish(self, request: HttpRequest, response: HttpResponseBase, request_id: str) -> None:
        headers = response.headers
        headers["X-Request-ID"] = request_id
        for name, kept in self.kept_of_api if is_api(request) else self.kept:
            headers._store.setdefault(name, kept)
        if isinstance(response, HttpResponse) and response.status_code != 204 and not response.has_header("Content-Length"):
            headers["Content-Length"] = str(len(response.content))


class ForPages:
    """Lets /api/ pass by the middleware this is mixed into; portal.application leaves such out of its way altogether."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request) if is_api(request) else super().__call__(request)  # type: ignore[misc]


class PageStaticMiddleware(ForPages, WhiteNoiseMiddleware):
    """Our own static files."""


class PageSessionMiddleware(ForPages, SessionMiddleware):
    """Sessions, in the partner's schema."""


class PageCommonMiddleware(ForPages, CommonMiddleware):
    """Django's own habits of pages."""


class PageCsrfMiddleware(ForPages, CsrfViewMiddleware):
    """Forms carry a token; the API takes no cookie, so it needs none."""

    def process_view(
        self, request: HttpRequest, callback: View, callback_args: tuple[Any, ...], callback_kwargs: dict[str, Any]
    ) -> HttpResponseForbidden | None:
        """Refuses a form without its token."""
        return None if is_api(request) else super().process_view(request, callback, callback_args, callback_kwargs)


class PageAuthenticationMiddleware(ForPages, AuthenticationMiddleware):
    """The person behind the session, while it is open."""

    def process_request(self, request: HttpRequest) -> None:
        """Looked up when somebody asks."""
        request.user = SimpleLazyObject(lambda: person_of(request))  # type: ignore[assignment]


class PageLanguageMiddleware(ForPages):
    """Pages speak the language of who is signed in, else the one chosen at sign-in, else the browser's. The API speaks English, and
    writes reasons as its callers ask."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_api(request):
            return super().__call__(request)  # type: ignore[no-any-return]
        language = _language_of_person(request) or translation.get_language_from_request(request)
        request.language = language  # type: ignore[attr-defined]
        with translation.override(language):
            response: HttpResponseBase = self.get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        return response


def _language_of_person(request: HttpRequest) -> str:
    """Empty while nobody is signed in, and for a language that is ours no more."""
    user = request.user
    return user.language if user.is_authenticated and user.language in dict(settings.LANGUAGES) else ""


class PageMessageMiddleware(ForPages, MessageMiddleware):
    """One-time notes to the person."""


class PageHtmxMiddleware(ForPages, HtmxMiddleware):
    """Whether htmx asks for a part of the page."""
