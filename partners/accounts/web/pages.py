"""Signing in and out, and the language."""

from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from partners.accounts.errors import CodeRefused, LoginRefused
from partners.accounts.models import Session, User
from partners.accounts.passkeys import shown_by
from partners.accounts.services import check_login, choose_language, record_logout
from partners.accounts.tokens import end_session
from partners.accounts.web.access import actor_of
from partners.accounts.web.arriving import come_in, go_on, session_id_of, wanted_of
from partners.accounts.web.forms import SignInForm

LANGUAGE_SECONDS = 365 * 24 * 60 * 60


@method_decorator(never_cache, name="dispatch")
class LoginPage(View):
    """Sign in on the partner's own host."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The form, or the page that was wanted for who is signed in already."""
        if request.user.is_authenticated:
            return HttpResponseRedirect(wanted_of(request))
        return self._form(request, SignInForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Signs in and goes to the page that was wanted."""
        form = SignInForm(request.POST)
        if "credential" in request.POST:
            return self._by_passkey(request, form)
        if not form.is_valid():
            return self._form(request, form, status=422)
        try:
            user = check_login(email=form.cleaned_data["email"], password=form.cleaned_data["password"], actor=actor_of(request))
        except LoginRefused:
            form.add_error(None, _("Email and password do not match, or there were too many attempts; then wait 15 minutes."))
            return self._form(request, form, status=422)
        return go_on(request, user)

    def _by_passkey(self, request: HttpRequest, form: SignInForm) -> HttpResponse:
        try:
            return come_in(request, shown_by(request, request.POST["credential"]), Session.Factor.PASSKEY)
        except (CodeRefused, LoginRefused) as refusal:
            form.full_clean()
            form.errors.clear()
            form.add_error(None, refusal.detail)
            return self._form(request, form, status=422)

    def _form(self, request: HttpRequest, form: SignInForm, *, status: int = 200) -> HttpResponse:
        return render(request, "accounts/login.html", {"form": form, "next": wanted_of(request)}, status=status)


class OperatorsHomePage(View):
    """Where an operator arrives on the public host. Others looked for a partner's: the page of a 404 says where that is."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """To the admin."""
        if not request.user.is_authenticated:
            raise Http404
        return HttpResponseRedirect(reverse("admin:index"))


class LogoutPage(View):
    """Sign out."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """The session has ended."""
        if isinstance(request.user, User):
            end_session(session_id_of(request), request.user)
            record_logout(user=request.user, actor=actor_of(request, request.user))
        logout(request)
        return HttpResponseRedirect(reverse("accounts:login"))


class LanguagePage(View):
    """The language of the pages: for who is signed in from now on, for others in this browser."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Chosen; back to where it was chosen."""
        language = request.POST.get("language", "")
        if language not in dict(settings.LANGUAGES):
            raise BadRequest
        if isinstance(request.user, User):
            choose_language(user=request.user, language=language, actor=actor_of(request, request.user))
        response = HttpResponseRedirect(wanted_of(request))
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=LANGUAGE_SECONDS, secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY, samesite="Lax",
        )  # fmt: skip
        return response
