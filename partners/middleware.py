"""Which partner a request is for: its host decides, and the connection is that partner's until the answer is ready."""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import connections
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from audit.alerts import tell_of_broken_seals
from partners.models import Domain, Partner
from partners.postgres.roles import PUBLIC

CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000


class TenantMiddleware:
    """Sets `request.partner` and the connection's state. The base domain has the operators' pages; a host that belongs to no active
    partner has none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        wrapper: Any = connections["default"]
        if wrapper.schema_name != PUBLIC:
            wrapper.set_schema_to_public()
        host = _host(request)
        partner = _partner(host)
        request.partner = partner    # type: ignore[attr-defined]
        if partner is None:
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF if host == settings.BASE_DOMAIN else settings.NOBODYS_URLCONF
            return self.get_response(request)
        wrapper.set_tenant(partner)
        try:
            return self.get_response(request)
        finally:
            tell_of_broken_seals()
            wrapper.set_schema_to_public()


def _host(request: HttpRequest) -> str:
    try:
        return request.get_host().partition(":")[0].lower().rstrip(".")
    except DisallowedHost as error:
        raise Http404 from error


_known: dict[str, tuple[float, Partner | None]] = {}
_lock = threading.Lock()


def _partner(host: str) -> Partner | None:
    """The active partner of a host, as it was at most 5 seconds ago."""
    until, partner = _known.get(host, (0.0, None))
    if until > time.monotonic():
        return partner
    domain = Domain.objects.select_related("tenant").filter(domain=host, tenant__is_active=True).exclude(tenant__schema_name=PUBLIC).first()
    found: Partner | None = domain.tenant if domain else None
    with _lock:
        if len(_known) >= CACHE_SIZE:
            _known.clear()
        _known[host] = (time.monotonic() + CACHE_SECONDS, found)
    return found
