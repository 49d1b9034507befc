"""The API: version 1 of every app's routes, its description, and an answer for what is not there."""

from django.urls import URLPattern, URLResolver, include, path, re_path

from portal.api.openapi import DescriptionView, DocumentationView, ReferenceView
from portal.api.views import NothingHereView, RootView
from scoring.api.urls import urlpatterns_v2

_VERSION_1: list[URLPattern | URLResolver] = [
    path("", RootView.as_view(), name="root"),
    path("", include("portal.record.api.urls")),
    path("", include("portal.approvals.api.urls")),
    path("", include("portal.exports.api.urls")),
    path("", include("portal.privacy.api.urls")),
    path("", include("scoring.api.urls")),
    path("", include("partners.accounts.api.urls")),
    path("", include("partners.webhooks.api.urls")),
]

app_name = "api"
urlpatterns = [
    path("api/v1/", include(_VERSION_1)),
    path("api/v2/", include(urlpatterns_v2)),
    re_path(r"^api/", NothingHereView.as_view(), name="nothing-here"),
    path("openapi.json", DescriptionView.as_view(), name="openapi"),
    path("redoc", ReferenceView.as_view(url_name="api:openapi"), name="redoc"),
    path("docs", DocumentationView.as_view(url_name="api:openapi"), name="docs"),
]
