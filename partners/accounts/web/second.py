"""The second factor: asked for at sign-in, set up, and given up."""

from typing import Any

import qrcode
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache

from audit.errors import DomainError
from partners.accounts import passkeys, second_factor
from partners.accounts.errors import CodeRefused, LoginRefused, PasswordRefused, SecondFactorRefused
from partners.accounts.models import Session, User
from partners.accounts.passwords import guesses_left
from partners.accounts.web.access import Page, actor_of
from partners.accounts.web.arriving import come_in, expected
from partners.accounts.web.forms import CodeForm, ConfirmForm

_SECRET = "new_secret"  # noqa: S105 - where the session keeps one
_REFUSALS = (CodeRefused, SecondFactorRefused, PasswordRefused, LoginRefused)
_EDGE = 2    # squares of white around the picture


@method_decorator(never_cache, name="dispatch")
class CodePage(View):
    """Six digits, a recovery code or a passkey, after the password."""

    def dispatch(self, request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        """Whoever is not expected begins with the password."""
        person = expected(request)
        if person is None:
            return HttpResponseRedirect(reverse("accounts:login"))
        self.person = person
        return super().dispatch(request, *arguments, **named)

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return self._form(request, CodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Signs in, or says that it was not right and how many tries are left."""
        if "credential" in request.POST:
            return self._by_passkey(request)
        form = CodeForm(request.POST)
        if form.is_valid():
            try:
                factor = second_factor.check_code(user=self.person, code=form.cleaned_data["code"], actor=actor_of(request))
                return come_in(request, self.person, factor)
            except (CodeRefused, LoginRefused) as refusal:
                form.add_error("code", refusal.detail)
        return self._form(request, form, status=422)

    def _by_passkey(self, request: HttpRequest) -> HttpResponse:
        try:
            passkeys.shown_by(request, request.POST["credential"], self.person)
            return come_in(request, self.person, Session.Factor.PASSKEY)
        except (CodeRefused, LoginRefused) as refusal:
            form = CodeForm({"code": ""})
            form.errors.clear()
            form.add_error("code", refusal.detail)
            return self._form(request, form, status=422)

    def _form(self, request: HttpRequest, form: CodeForm, *, status: int = 200) -> HttpResponse:
        factors = second_factor.factors_of(self.person)
        context = {"form": form, "person": self.person, "factors": factors, "left": guesses_left(self.person)}
        return render(request, "accounts/code.html", context, status=status)


@method_decorator(never_cache, name="dispatch")
class FactorNewPage(View):
    """Setting up an app or a passkey: at the first sign-in of a role that needs one, later with the password."""

    def dispatch(self, request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        """Whoever is neither signed in nor expected without a factor begins at the sign-in."""
        person = request.user if isinstance(request.user, User) else expected(request)
        self.is_arriving = not isinstance(request.user, User)
        if person is None or (self.is_arriving and second_factor.factors_of(person).is_set_up):
            return HttpResponseRedirect(reverse("accounts:login"))
        self.person = person
        return super().dispatch(request, *arguments, **named)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Both ways, with a secret made for this browser."""
        return self._form(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        """It is set up; with the first factor come recovery codes, shown once, and who was arriving is in."""
        actor = actor_of(request, self.person)
        is_first = not second_factor.factors_of(self.person).is_set_up
        try:
            if not self.is_arriving:
                second_factor.confirm_password(user=self.person, password=request.POST.get("current", ""), actor=actor)
            factor = self._add(request)
            codes = second_factor.make_recovery_codes(user=self.person, actor=actor) if is_first else []
            onward = come_in(request, self.person, factor) if self.is_arriving else HttpResponseRedirect(reverse("accounts:account"))
        except _REFUSALS as refusal:
            return self._form(request, refusal=refusal)
        request.session.pop(_SECRET, None)
        return shown_codes(request, codes, onward.url) if codes else onward

    def _add(self, request: HttpRequest) -> Session.Factor:
        actor = actor_of(request, self.person)
        if credential := request.POST.get("credential"):
            name = request.POST.get("name", "").strip() or _("Passkey")
            made = passkeys.created(request, credential)
            second_factor.add_passkey(user=self.person, name=name, credential=made, actor=actor)
            return Session.Factor.PASSKEY
        secret = str(request.session.get(_SECRET, ""))
        second_factor.add_totp(user=self.person, secret=secret, code=request.POST.get("code", ""), actor=actor)
        return Session.Factor.TOTP

    def _form(self, request: HttpRequest, *, refusal: DomainError | None = None) -> HttpResponse:
        secret = request.session.setdefault(_SECRET, second_factor.new_secret())
        issuer = f"Vouch {getattr(request.partner, 'name', 'operators')}"  # type: ignore[attr-defined]
        context = {
            **({"base": "base_plain.html"} if self.is_arriving else {}), "is_arriving": self.is_arriving, "person": self.person,
            "factors": second_factor.factors_of(self.person), "refusal": refusal, "fields": [] if self.is_arriving else list(ConfirmForm()),
            "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            **picture(second_factor.address_of(self.person, secret, issuer=issuer)),
        }  # fmt: skip
        return render(request, "accounts/factor_new.html", context, status=422 if refusal else 200)


def picture(text: str) -> dict[str, Any]:
    """A QR code as the path of an SVG and its size in squares."""
    code = qrcode.QRCode(border=_EDGE)
    code.add_data(text)
    rows = code.get_matrix()
    squares = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return {"qr_path": "".join(squares), "qr_size": len(rows)}


def shown_codes(request: HttpRequest, codes: list[str], onward: str) -> HttpResponse:
    """Recovery codes, for the only time."""
    return render(request, "accounts/recovery_codes.html", {"codes": codes, "onward": onward})


@method_decorator(never_cache, name="dispatch")
class PasskeyPage(View):
    """What the browser needs for a passkey, as JSON: to make one for who is signed in or setting up, to show one for everybody else."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """The options; their challenge is kept in the session."""
        person = request.user if isinstance(request.user, User) else expected(request)
        is_making = person is not None and (isinstance(request.user, User) or not second_factor.factors_of(person).is_set_up)
        if person is not None and is_making:
            return JsonResponse(passkeys.creation_options(request, person))
        return JsonResponse(passkeys.request_options(request, person))


class ConfirmedPage(Page):
    """Something done after the password was given again."""

    is_for_operators = True

    def get(self, request: HttpRequest, **about: Any) -> HttpResponse:
        """What will happen, and the field."""
        return self._ask(request, ConfirmForm())

    def post(self, request: HttpRequest, **about: Any) -> HttpResponse:
        """Done, or what stands against it."""
        form = ConfirmForm(request.POST)
        if form.is_valid():
            try:
                second_factor.confirm_password(user=self.user, password=form.cleaned_data["current"], actor=self.actor)
                return self.perform(request, **about)
            except (PasswordRefused, SecondFactorRefused) as refusal:
                form.add_error("current", refusal.detail)
        return self._ask(request, form, status=422)

    def perform(self, request: HttpRequest, **about: Any) -> HttpResponse:
        """Does it."""
        raise PermissionDenied

    def words(self) -> dict[str, str]:
        """Title, text and button."""
        raise PermissionDenied

    def _ask(self, request: HttpRequest, form: ConfirmForm, *, status: int = 200) -> HttpResponse:
        return render(request, "accounts/confirm.html", {"form": form, **self.words()}, status=status)


class FactorRemovePage(ConfirmedPage):
    """Giving up an app or a passkey."""

    def get(self, request: HttpRequest, **about: Any) -> HttpResponse:
        """What will happen, for a factor of one's own."""
        self._own(about["factor_id"])
        return super().get(request, **about)

    def post(self, request: HttpRequest, **about: Any) -> HttpResponse:
        """Removed, or what stands against it."""
        self._own(about["factor_id"])
        return super().post(request, **about)

    def _own(self, factor_id: int) -> None:
        factors = second_factor.factors_of(self.user)
        if factor_id not in {one.id for one in (factors.totp, *factors.passkeys) if one is not None}:
            raise Http404

    def words(self) -> dict[str, str]:
        """Title, text and button."""
        return {
            "title": _("Remove a second factor"), "button": _("Remove it"),
            "text": _("It will not open your account any more. If it was lost, also look at where you are signed in."),
        }  # fmt: skip

    def perform(self, request: HttpRequest, **about: Any) -> HttpResponse:
        """Removed."""
        second_factor.remove_factor(user=self.user, factor_id=about["factor_id"], actor=self.actor)
        return HttpResponseRedirect(reverse("accounts:account"))


class RecoveryCodesPage(ConfirmedPage):
    """Ten new recovery codes."""

    def words(self) -> dict[str, str]:
        """Title, text and button."""
        return {
            "title": _("New recovery codes"), "button": _("Show ten new codes"),
            "text": _("Each signs you in once when your app or passkey is not at hand. The codes you have now will stop working."),
        }  # fmt: skip

    def perform(self, request: HttpRequest, **about: Any) -> HttpResponse:
        """Shown once."""
        codes = second_factor.make_recovery_codes(user=self.user, actor=self.actor)
        return shown_codes(request, codes, reverse("accounts:account"))
