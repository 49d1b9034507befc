"""One's own account: language and time zone, password, second factor, and where one is signed in."""

import uuid
from typing import Any
from zoneinfo import available_timezones

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from partners.accounts.errors import PasswordRefused
from partners.accounts.second_factor import factors_of, is_required
from partners.accounts.services import change_password, choose_time_zone
from partners.accounts.sign_in import end_session, open_sessions
from partners.accounts.web.access import Page
from partners.accounts.web.arriving import session_id_of
from partners.accounts.web.forms import PasswordForm


class AccountPage(Page):
    """Who one is here."""

    is_for_operators = True

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        return self._page(request, PasswordForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Changes the password; this session goes on, all others end."""
        form = PasswordForm(request.POST)
        if form.is_valid():
            current, new = form.cleaned_data["current"], form.cleaned_data["new"]
            try:
                change_password(user=self.user, current=current, new=new, actor=self.actor, kept=session_id_of(request))
            except PasswordRefused as refusal:
                form.add_error("current" if refusal.is_about_current else "new", refusal.detail)
            else:
                request.session.cycle_key()
                messages.success(request, _("The password was changed. Everybody else who was signed in as you is not any more."))
                return HttpResponseRedirect(reverse("accounts:account"))
        return self._page(request, form, status=422)

    def _page(self, request: HttpRequest, form: PasswordForm, *, status: int = 200) -> HttpResponse:
        context = {
            "form": form, "zones": sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"),
            "factors": factors_of(self.user), "is_required": is_required(self.user),
            "sessions": open_sessions(self.user), "this_session": session_id_of(request),
        }  # fmt: skip
        return render(request, "accounts/account.html", context, status=status)


class TimeZonePage(Page):
    """The zone of the times that pages tell."""

    is_for_operators = True

    def post(self, request: HttpRequest) -> HttpResponse:
        """Chosen."""
        choose_time_zone(user=self.user, time_zone=request.POST.get("time_zone", ""), actor=self.actor)
        return HttpResponseRedirect(reverse("accounts:account"))


class SessionEndPage(Page):
    """One of one's own sessions."""

    is_for_operators = True

    def post(self, request: HttpRequest, **about: Any) -> HttpResponse:
        """It has ended, with its tokens."""
        session_id: uuid.UUID = about["session_id"]
        end_session(user=self.user, session_id=session_id, actor=self.actor)
        return HttpResponseRedirect(reverse("accounts:account"))
