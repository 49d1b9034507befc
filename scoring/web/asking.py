"""Pages on which one applicant is entered: choose the product, answer what its contract asks; what is sent twice is stored once."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from audit.errors import IdempotencyMismatch
from audit.services import Attempt
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import registry, selectors
from scoring.engine.product import Product
from scoring.engine.texts import LANGUAGES
from scoring.errors import ApplicantErased, ProductUnknown
from scoring.web.forms import ScoreForm

Form = TypeVar("Form", bound=ScoreForm)


class AskingPage(Page, Generic[Form], ABC):
    """`route` names it for what is sent twice; the texts are lazy. `form` makes the form, `store` stores what it was told."""

    permission = Permission.DECISION_MAKE
    route: ClassVar[str]
    texts: ClassVar[dict[str, Any]]    # heading, button, after
    sent_before: ClassVar[Any]

    def get(self, request: HttpRequest) -> HttpResponse:
        """The choice of products, or the form of the chosen or only one."""
        products = selectors.products()
        slug = request.GET.get("product") or (products[0].slug if len(products) == 1 else "")
        if not slug:
            return render(request, "scoring/decision_choose.html", {"products": products, **self.texts})
        return self._shown(_active(slug), None)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stores it once, and goes to it."""
        active = _active(request.POST.get("product", ""))
        form = self.form(active.definition, request.POST)
        try:
            address = self.store(form, active)
        except IdempotencyMismatch:
            form.ask_again(self.sent_before)
            address = None
        except ApplicantErased as refusal:
            form.add_error("reference", refusal.detail)
            return self._shown(active, form, status=409)
        return self._shown(active, form) if address is None else HttpResponseRedirect(address)

    @abstractmethod
    def form(self, product: Product, *told: Any) -> Form:
        """The form, empty or with what was told."""

    @abstractmethod
    def store(self, form: Form, active: registry.Active) -> str | None:
        """Where it is now; None when the form's errors say what to correct. Raises IdempotencyMismatch, ApplicantErased."""

    def attempt(self, form: Form) -> Attempt:
        """The form as it was sent: the same one again stores nothing more."""
        return Attempt.of(route=f"page:{self.route}", key=str(form.cleaned_data["token"]), actor=self.actor, body=form.said)

    @property
    def language(self) -> str:
        """In which the reasons are written down."""
        return self.user.language if self.user.language in LANGUAGES else "en"

    def _shown(self, active: registry.Active, form: Form | None, *, status: int = 422) -> HttpResponse:
        definition = active.definition
        context = {"form": form or self.form(definition), "product": definition.slug, "title": definition.title, **self.texts}
        return render(self.request, "scoring/decision_new.html", context, status=status if form else 200)


def _active(slug: str) -> registry.Active:
    try:
        return registry.current(slug)
    except ProductUnknown as error:
        raise Http404 from error
