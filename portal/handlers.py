"""What Django answers when no view could: a problem under /api/, a page elsewhere."""

import sys

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views import defaults

from portal.api.problems import problem
from portal.middleware import is_api


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400."""
    return problem(request, exception) if is_api(request) else defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """403."""
    return problem(request, exception) if is_api(request) else defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404."""
    return problem(request, exception) if is_api(request) else defaults.page_not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponseBase:
    """500, or 503 when the database is away."""
    error = sys.exc_info()[1] or RuntimeError()
    return problem(request, error) if is_api(request) else defaults.server_error(request)
