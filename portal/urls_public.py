"""What answers on the public host, the base domain itself, where operators work: includes only."""

from django.urls import URLPattern, URLResolver, include, path

from portal.admin import operators

handler400 = "portal.handlers.bad_request"
handler403 = "portal.handlers.forbidden"
handler404 = "portal.handlers.not_found"
handler500 = "portal.handlers.failed"

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", operators.urls),
    path("", include("partners.accounts.web.urls_public")),
]
