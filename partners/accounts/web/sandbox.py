"""The sandbox: into it and back, its products brought up to date from here, everything in it removed there."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from partners.accounts.models import Session
from partners.accounts.roles import Permission
from partners.accounts.tickets import ticket_for, use_ticket
from partners.accounts.web.access import Page, actor_of
from partners.accounts.web.arriving import come_in, session_id_of
from partners.models import Partner
from partners.sandboxes import refresh_sandbox, reset_sandbox
from partners.selectors import other_side


class SandboxPage(Page):
    """What the sandbox is; from the partner's own pages the way in, in the sandbox the way back."""

    permission = Permission.KEY_MANAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        partner = _partner(request)
        other = other_side(partner)
        leads_to = _address(request, other) if partner.is_sandbox and other else ""
        return render(request, "accounts/sandbox.html", {"other": other, "leads_to": leads_to})

    def post(self, request: HttpRequest) -> HttpResponse:
        """In the sandbox it is emptied; elsewhere its products are brought up to date."""
        partner = _partner(request)
        if partner.is_sandbox:
            reset_sandbox(actor=self.actor)
            messages.success(request, _("The sandbox is empty. Its products, keys and endpoints stayed."))
        elif other_side(partner) is None:
            raise Http404
        else:
            refresh_sandbox(partner, actor=self.actor)
            messages.success(request, _("The sandbox has your products as they are now."))
        return HttpResponseRedirect(reverse("accounts:sandbox"))


class SandboxOpenPage(Page):
    """The way into the sandbox, for who is signed in here."""

    permission = Permission.KEY_MANAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        """To the sandbox's host, with a ticket that works once."""
        partner = _partner(request)
        sandbox = None if partner.is_sandbox else other_side(partner)
        if sandbox is None:
            raise Http404
        session = Session.objects.select_related("user").get(id=session_id_of(request))
        ticket = urlencode({"ticket": ticket_for(session, sandbox=sandbox.schema_name)})
        return HttpResponseRedirect(f"{_address(request, sandbox)}{reverse('accounts:sandbox-enter')}?{ticket}")


@method_decorator(never_cache, name="dispatch")
class SandboxEnterPage(View):
    """Where the ticket is shown: a session of the sandbox's own begins, which the partner's host knows nothing of."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """In."""
        if request.partner is None:  # type: ignore[attr-defined]
            raise Http404
        user, factor = use_ticket(ticket=request.GET.get("ticket", ""), actor=actor_of(request))
        return come_in(request, user, factor)


def _partner(request: HttpRequest) -> Partner:
    partner: Partner = request.partner  # type: ignore[attr-defined]
    return partner


def _address(request: HttpRequest, partner: Partner) -> str:
    """The pages of the other side: the same scheme and port, its own host."""
    _host, colon, port = request.get_host().partition(":")
    return f"{request.scheme}://{partner.host}{colon}{port}"
