"""What answers on a partner's host: includes only, one line per app."""

from django.urls import URLPattern, URLResolver, include, path

from portal.admin import officers

handler400 = "portal.handlers.bad_request"
handler403 = "portal.handlers.forbidden"
handler404 = "portal.handlers.not_found"
handler500 = "portal.handlers.failed"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("portal.api.urls")),
    path("", include("portal.web.urls")),
    path("", include("portal.record.web.urls")),
    path("", include("portal.retention.urls")),
    path("", include("portal.approvals.web.urls")),
    path("", include("portal.exports.web.urls")),
    path("", include("portal.privacy.web.urls")),
    path("", include("scoring.web.urls")),
    path("", include("partners.accounts.web.urls")),
    path("", include("partners.webhooks.web.urls")),
    path("admin/", officers.urls),
]
