"""What is answered when a view refuses or fails: a problem under /api/, a page in our look elsewhere; both by the one table."""

import sys
from collections.abc import Callable, Mapping

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.middleware.csrf import REASON_BAD_ORIGIN, get_token
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from rest_framework.exceptions import MethodNotAllowed

from audit.errors import DomainError
from partners.accounts.errors import SignedOut
from partners.accounts.web.told import told
from partners.errors import HostUnknown
from portal.api.problems import problem
from portal.errors import FormOutdated, OriginForeign, log_fault, outcome_of
from portal.middleware import ForPages, is_api
from scoring.engine.contract import ContractViolation

_ORIGIN_REFUSED = REASON_BAD_ORIGIN.partition("%s")[0]
_CSRF_FIELD = "csrfmiddlewaretoken"


def page(request: HttpRequest, error: BaseException, **more: object) -> HttpResponse:
    """The error as a page, in the language that is in force. It asks nothing of the database and of nobody's session, so that it can
    always be shown; where no middleware came so far as to choose a language, the browser does."""
    if hasattr(request, "language"):
        return _page(request, error, more)
    with translation.override(translation.get_language_from_request(request)):
        return _page(request, error, more)


def _page(request: HttpRequest, error: BaseException, more: Mapping[str, object]) -> HttpResponse:
    outcome = outcome_of(error)
    context = {
        "title": _(outcome.title),
        "advice": _(outcome.at_page) if outcome.at_page else " ".join((*_said(error, outcome.status), told(outcome.advice))),
        "status": outcome.status,
        "request_id": getattr(request, "request_id", ""),
        "partner": getattr(request, "partner", None),
        **more,
    }
    response = HttpResponse(render_to_string("error.html", context), status=outcome.status)
    response.headers["Cache-Control"] = "no-store"
    if outcome.retry_after is not None:
        response.headers["Retry-After"] = str(outcome.retry_after)
    return response


def _said(error: BaseException, status: int) -> tuple[str, ...]:
    """What the refusal itself says, where it is about what was asked and not about us."""
    return (told(error.detail),) if isinstance(error, DomainError) and status < 500 and status != 404 else ()


class PageErrorMiddleware(ForPages):
    """A refusal in the view of a page becomes a page. What nobody foresaw goes on to handler500."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)
        if response.status_code == 405 and not is_api(request):
            told = page(request, MethodNotAllowed(request.method or ""))
            told.headers["Allow"] = response.headers.get("Allow", "")
            return told
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page of the refusal; our own faults are logged with their trace."""
        if is_api(request) or not isinstance(error, DomainError | ContractViolation):
            return None
        log_fault(request, error)
        if isinstance(error, SignedOut):
            return _again(request, error, _typed(request))
        return page(request, error)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400."""
    return problem(request, exception) if is_api(request) else page(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """403."""
    return problem(request, exception) if is_api(request) else page(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404. Where no partner is, nothing can be there: the answer says which address to open, and names nobody."""
    error = exception if getattr(request, "partner", None) is not None else HostUnknown()
    return problem(request, error) if is_api(request) else page(request, error)


def failed(request: HttpRequest) -> HttpResponseBase:
    """500, or 503 when the database is away."""
    error = sys.exc_info()[1] or RuntimeError()
    if is_api(request):
        return problem(request, error)
    log_fault(request, error)
    return page(request, error)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose token is not the session's. What was typed can be sent again where that is safe."""
    if reason.startswith(_ORIGIN_REFUSED):
        return page(request, OriginForeign(), typed=[], path=request.get_full_path())
    is_known = getattr(request, "user", AnonymousUser()).is_authenticated
    return _again(request, FormOutdated(), _typed(request) if is_known else [])


def _again(request: HttpRequest, error: DomainError, typed: list[tuple[str, str]]) -> HttpResponse:
    return page(request, error, typed=typed, token=get_token(request) if typed else "", path=request.get_full_path())


def _typed(request: HttpRequest) -> list[tuple[str, str]]:
    """What the form held, if it surely came from a page of this host and holds no password.

    A browser sends a true Origin, and the form had our token, or a cookie of who is signed in: nobody else can put words into it."""
    origin = f"{request.scheme}://{request.get_host()}"
    match = request.resolver_match
    if request.META.get("HTTP_ORIGIN") != origin or match is None or "accounts" in match.namespaces:
        return []
    try:
        return [(name, value) for name, values in request.POST.lists() if name != _CSRF_FIELD for value in values]
    except (SuspiciousOperation, UnreadablePostError):
        return []
