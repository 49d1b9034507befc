"""What answers on a host that is neither a partner's nor the operators': nothing."""

from django.urls import URLPattern, URLResolver

handler400 = "portal.handlers.bad_request"
handler403 = "portal.handlers.forbidden"
handler404 = "portal.handlers.not_found"
handler500 = "portal.handlers.failed"

urlpatterns: list[URLPattern | URLResolver] = []
