"""Signing in and out, and one's own account."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from partners.accounts.errors import LoginRefused, PasswordRefused
from partners.accounts.models import User
from partners.accounts.services import change_password, check_login, choose_language, record_logout
from partners.accounts.web.access import Page, actor_of
from partners.accounts.web.forms import PasswordForm, SignInForm

LANGUAGE_SECONDS = 365 * 24 * 60 * 60
BACKEND = "django.contrib.auth.backends.ModelBackend"


@method_decorator(never_cache, name="dispatch")
class LoginPage(View):
    """Sign in on the partner's own host."""

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The form, or the page that was wanted for who is signed in already."""
        if request.partner is None:  # type: ignore[attr-defined]
            raise Http404
        if request.user.is_authenticated:
            return HttpResponseRedirect(_wanted(request))
        return self._form(request, SignInForm())

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """Signs in and goes to the page that was wanted."""
        if request.partner is None:  # type: ignore[attr-defined]
            raise Http404
        form = SignInForm(request.POST)
        if not form.is_valid():
            return self._form(request, form, status=422)
        try:
            user = check_login(email=form.cleaned_data["email"], password=form.cleaned_data["password"], actor=actor_of(request))
        except LoginRefused:
            form.add_error(None, _("Email and password do not match, or there were too many attempts; then wait 15 minutes."))
            return self._form(request, form, status=422)
        login(request, user, backend=BACKEND)
        return HttpResponseRedirect(_wanted(request))

    def _form(self, request: HttpRequest, form: SignInForm, *, status: int = 200) -> HttpResponse:
        return render(request, "accounts/login.html", {"form": form, "next": _wanted(request)}, status=status)


def _wanted(request: HttpRequest) -> str:
    """Where to go after signing in: a page of this host, never another's."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("portal:overview")


class LogoutPage(View):
    """Sign out."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """The session has ended."""
        if isinstance(request.user, User):
            record_logout(user=request.user, actor=actor_of(request, request.user))
        logout(request)
        return HttpResponseRedirect(reverse("accounts:login"))


class LanguagePage(View):
    """The language of the pages: for who is signed in from now on, for others in this browser."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Chosen; back to where it was chosen."""
        if request.partner is None:  # type: ignore[attr-defined]
            raise Http404
        language = request.POST.get("language", "")
        if language not in dict(settings.LANGUAGES):
            raise BadRequest
        if isinstance(request.user, User):
            choose_language(user=request.user, language=language, actor=actor_of(request, request.user))
        response = HttpResponseRedirect(_wanted(request))
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, max_age=LANGUAGE_SECONDS, secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY, samesite="Lax",
        )  # fmt: skip
        return response


class AccountPage(Page):
    """One's own account: who one is here, and the password."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        return render(request, "accounts/account.html", {"form": PasswordForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Changes the password; this session goes on, all others end."""
        form = PasswordForm(request.POST)
        if form.is_valid():
            try:
                change_password(user=self.user, current=form.cleaned_data["current"], new=form.cleaned_data["new"], actor=self.actor)
            except PasswordRefused as refusal:
                form.add_error("current" if refusal.is_about_current else "new", refusal.detail)
            else:
                user = User.objects.get(id=self.user.id)
                update_session_auth_hash(request, user)
                messages.success(request, _("The password was changed. Everybody else who was signed in as you is not any more."))
                return HttpResponseRedirect(reverse("accounts:account"))
        return render(request, "accounts/account.html", {"form": form}, status=422)
