"""A new application, entered by a person: the same service as the API's."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from audit.errors import IdempotencyMismatch
from audit.services import Attempt
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.approvals.models import Application
from portal.approvals.services.applications import Asked, receive_application
from portal.approvals.web.forms import ApplicationForm
from scoring import registry, selectors
from scoring.engine.texts import LANGUAGES
from scoring.errors import ApplicantErased, ProductUnknown
from scoring.models import Channel


class ApplicationNewPage(Page):
    """Somebody asks for money: choose the product, then answer what its contract asks."""

    permission = Permission.DECISION_MAKE

    def get(self, request: HttpRequest) -> HttpResponse:
        """The choice of products, or the form of the chosen or only one."""
        products = selectors.products()
        slug = request.GET.get("product") or (products[0].slug if len(products) == 1 else "")
        if not slug:
            return render(request, "scoring/decision_choose.html", {"products": products})
        return self._shown(request, slug, None)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Takes the application in once, and goes to it."""
        slug = request.POST.get("product", "")
        active = _active(slug)
        form = ApplicationForm(active.definition, request.POST, currency=self._currency)
        language = self.user.language if self.user.language in LANGUAGES else "en"
        asked = form.request_of(active.validator, slug, language)
        return self._shown(request, slug, form) if asked is None else self._received(request, slug, form, asked)

    def _received(self, request: HttpRequest, slug: str, form: ApplicationForm, asked: Asked) -> HttpResponse:
        attempt = Attempt.of(route="page:application-new", key=str(form.cleaned_data["token"]), actor=self.actor, body=form.said)
        try:
            answer = receive_application(asked=asked, actor=self.actor, channel=Channel.PORTAL, render=_number, attempt=attempt)
        except IdempotencyMismatch:
            form.ask_again(_("This form was sent before with other answers, and that application stands. Send it again for another one."))
            return self._shown(request, slug, form)
        except ApplicantErased as refusal:
            form.add_error("reference", refusal.detail)
            return self._shown(request, slug, form, status=409)
        return HttpResponseRedirect(f"{reverse('approvals:application-list')}/{answer.body.decode()}")

    def _shown(self, request: HttpRequest, slug: str, form: ApplicationForm | None, *, status: int = 422) -> HttpResponse:
        definition = _active(slug).definition
        shown = form or ApplicationForm(definition, currency=self._currency)
        context = {"form": shown, "product": slug, "title": definition.title}
        return render(request, "approvals/application_new.html", context, status=status if form else 200)

    @property
    def _currency(self) -> str:
        return str(self.request.partner.currency)  # type: ignore[attr-defined]


def _active(slug: str) -> registry.Active:
    try:
        return registry.current(slug)
    except ProductUnknown as error:
        raise Http404 from error


def _number(made: Application) -> bytes:
    return made.number.encode()
