"""The API's own addresses: what it is, and what is not there."""

import msgspec
from django.conf import settings
from django.http import Http404, HttpResponse
from rest_framework.request import Request

from partners.api.description import described
from partners.api.views import OpenView, answer


class Root(msgspec.Struct, frozen=True):
    """What answers here, and where to read on."""

    name: str
    version: str
    partner: str
    documentation: str
    openapi: str
    health: str
    routes: dict[str, str]


class RootView(OpenView):
    """Where to begin."""

    @described("What answers here", operation="root", gives=Root, is_open=True)
    def get(self, request: Request) -> HttpResponse:
        """Names, versions and the main routes."""
        names = ("scores", "score-batches", "applications", "products", "models", "promotions", "users", "api-keys", "auth/token")
        return answer(
            Root(
                name="Vouch",
                version=settings.VERSION,
                partner=request._request.partner.slug,  # type: ignore[attr-defined]
                documentation="/docs",
                openapi="/openapi.json",
                health="/health",
                routes={name: f"/api/v1/{name}" for name in names},
            )
        )


class NothingHereView(OpenView):
    """Every address under /api/ that no other route has."""

    schema = None

    def initial(self, request: Request, *arguments: object, **named: object) -> None:
        """Raises Http404, whatever the method."""
        raise Http404
