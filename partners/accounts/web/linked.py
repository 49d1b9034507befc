"""Choosing a password by a link, and asking for one."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache

from partners.accounts.errors import LinkRefused, PasswordRefused
from partners.accounts.links import ask_reset, link_of, use_link
from partners.accounts.web.access import actor_of
from partners.accounts.web.forms import ChoosePasswordForm, ForgottenForm

_LINK = "link"


@method_decorator(never_cache, name="dispatch")
class ForgottenPage(View):
    """Asking for a new password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        if request.partner is None:  # type: ignore[attr-defined]
            raise Http404
        return render(request, "accounts/forgotten.html", {"form": ForgottenForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        """The same answer for every address."""
        form = ForgottenForm(request.POST)
        if not form.is_valid():
            return render(request, "accounts/forgotten.html", {"form": form}, status=422)
        ask_reset(email=form.cleaned_data["email"], origin=f"{request.scheme}://{request.get_host()}", actor=actor_of(request))
        return render(request, "accounts/forgotten.html", {"is_sent": True})


class LinkFollowedPage(View):
    """What a link opens: it leaves the address at once, so that no history or proxy keeps it beyond this."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """To the form."""
        request.session[_LINK] = token
        return HttpResponseRedirect(reverse("accounts:link"))


@method_decorator(never_cache, name="dispatch")
class LinkPage(View):
    """Choosing the password."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The form, or that the link opens nothing any more."""
        return self._form(request, ChoosePasswordForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Chosen; now they sign in, with the second factor."""
        form = ChoosePasswordForm(request.POST)
        if form.is_valid():
            try:
                use_link(token=self._token(request), password=form.cleaned_data["password"], actor=actor_of(request))
            except PasswordRefused as refusal:
                form.add_error("password", refusal.detail)
            else:
                request.session.flush()
                return HttpResponseRedirect(f"{reverse('accounts:login')}?chosen=1")
        return self._form(request, form, status=422)

    def _token(self, request: HttpRequest) -> str:
        token = request.session.get(_LINK)
        if token is None:
            raise LinkRefused
        return str(token)

    def _form(self, request: HttpRequest, form: ChoosePasswordForm, *, status: int = 200) -> HttpResponse:
        link = link_of(self._token(request))
        return render(request, "accounts/link.html", {"form": form, "link": link}, status=status)
