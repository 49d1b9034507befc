"""A check of the record begun in the admin, on a partner's host and on the operators'."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from audit.admin import VerificationAdmin
from audit.admin_pages import deed
from audit.errors import CheckpointUnknown, VerificationRunning
from audit.verification import ask_verification, last_verification
from partners.accounts.models import User
from partners.accounts.web.access import actor_of


class CheckAdmin(VerificationAdmin):
    """Checks of the record, and beginning one: for whoever reads the record."""

    def get_urls(self) -> list[URLPattern]:
        """And beginning one."""
        return [path("ask/", self.admin_site.admin_view(deed(self.ask)), name=self.route("ask")), *super().get_urls()]

    def ask(self, request: HttpRequest) -> HttpResponse:
        """A worker is asked, unless one is at it; then to the page that shows how far it is."""
        if request.method != "POST":
            return HttpResponseRedirect(self.address)
        assert isinstance(request.user, User)
        try:
            check = ask_verification(actor=actor_of(request, request.user))
        except VerificationRunning:
            running = last_verification()
            assert running is not None
            check = running
        except CheckpointUnknown:
            messages.warning(request, _("Nothing is sealed yet, so there is nothing to check: wait a second."))
            return HttpResponseRedirect(reverse("admin:index"))
        return HttpResponseRedirect(reverse(f"admin:{self.route('change')}", args=[check.id]))
