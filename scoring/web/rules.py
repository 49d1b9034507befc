"""The page on which people edit a product's rules: tried on an example before they are in force, versioned, each change with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.errors import DomainError
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import registry, selectors
from scoring.engine.contract import DefinitionRefused, Values
from scoring.engine.pipeline import Result, ServingModel, score
from scoring.engine.product import Product
from scoring.engine.rules import MOST_RULES
from scoring.engine.texts import LANGUAGES
from scoring.errors import ProductUnknown, ReasonMissing, RulesChanged
from scoring.services.definitions import change_rules, digest_of_rules
from scoring.web.rule_forms import CommonForm, RuleFormSet, TryForm, choosable, problems, rows_of

_ROWS = "rules-TOTAL_FORMS"


@dataclass(slots=True)
class _Shown:
    """What the person typed, or the rules in force as forms."""

    common: CommonForm
    rules: Any
    example: TryForm
    reason: str = ""

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """Everything that is wrong with it."""
        found = list(problems([self.common, *self.rules.forms, self.example]))
        return found + [("", "", str(error)) for error in self.rules.non_form_errors()]

    def written(self) -> dict[str, Any] | None:
        """The rules as the definition writes them, or None: then the forms' errors say what to correct."""
        if not (self.common.is_valid() & self.rules.is_valid()):
            return None
        said = self.common.cleaned_data
        return {"base_probability": said["base_probability"] / 100, "may_approve": said["may_approve"], "rules": self.rules.written()}


class ProductRulesPage(Page):
    """The rules of one product, to be edited."""

    permission = Permission.PRODUCT_EDIT

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """The rules in force, as a form."""
        product = _product(slug)
        rules = RuleFormSet(prefix="rules", initial=rows_of(product), form_kwargs={"inputs": choosable(product)})
        asked = {rule.condition.input for rule in product.rules.rules}
        common = CommonForm.of(product, seen=digest_of_rules(product))
        return self._page(slug, _Shown(common, rules, _example(slug, product, asked, None)))

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        """Tries the rules, gives one more row, or puts the rules in force."""
        product, typed, act = _product(slug), request.POST.copy(), request.POST.get("act", "")
        rows = request.POST.get(_ROWS, "")
        if act == "row" and rows.isdecimal():
            typed[_ROWS] = str(min(int(rows[:4]) + 1, MOST_RULES))
        shown = _read(slug, product, typed)
        if act == "row":
            return self._page(slug, shown)
        written = shown.written()
        if written is None:
            return self._page(slug, shown, status=422)
        try:
            edited = Product.from_dict({**product.to_dict(), "rules": written})
        except DefinitionRefused as refusal:
            shown.common.add_error(None, str(refusal))
            return self._page(slug, shown, status=422)
        return self._save(slug, product, shown, written) if act == "save" else self._try(slug, product, shown, edited)

    def _try(self, slug: str, product: Product, shown: _Shown, edited: Product) -> HttpResponse:
        values = shown.example.read()
        if values is None:
            return self._page(slug, shown, status=422)
        return self._page(slug, shown, answers=self._answers(slug, product, edited, values))

    def _answers(self, slug: str, product: Product, edited: Product, values: Values) -> list[Result]:
        """What the rules in force say about the example, and what the typed ones would."""
        policy = registry.current(slug).policy
        language = self.user.language if self.user.language in LANGUAGES else "en"
        known = {one.name: values.get(one.name) for one in product.contract.inputs}
        today = timezone.localdate()
        return [
            score(ServingModel.of_rules(one), policy, [known], decided_on=today, language=language)[0] for one in (product, edited)
        ]  # fmt: skip

    def _save(self, slug: str, product: Product, shown: _Shown, written: dict[str, Any]) -> HttpResponse:
        seen, before = shown.common.cleaned_data["seen"], digest_of_rules(product)
        try:
            changed = change_rules(product_slug=slug, rules=written, actor=self.actor, reason=shown.reason, seen=seen)
        except DomainError as refusal:
            shown.common.add_error(None, _told(refusal))
            return self._page(slug, shown, status=409 if isinstance(refusal, RulesChanged) else 422)
        is_new = digest_of_rules(Product.from_dict(changed.definition)) != before
        if is_new:
            number = selectors.newest_rules(slug).version
            messages.success(self.request, _("Version %(number)s of the rules is in force.") % {"number": number})
        else:
            messages.info(self.request, _("These are the rules already; nothing was changed."))
        return HttpResponseRedirect(reverse("scoring:product-detail", args=[slug]))

    def _page(self, slug: str, shown: _Shown, *, status: int = 200, answers: Sequence[Result] = ()) -> HttpResponse:
        context = {
            "product": selectors.product(slug), "shown": shown, "problems": shown.problems if status != 200 else [],
            "version": selectors.newest_rules(slug).version,
            "answers": list(zip((_("In force"), _("As typed")), answers, strict=False)),
        }  # fmt: skip
        return render(self.request, "scoring/product_rules.html", context, status=status)


def _product(slug: str) -> Product:
    try:
        return selectors.product_definition(slug)
    except ProductUnknown as error:
        raise Http404 from error


def _read(slug: str, product: Product, typed: QueryDict) -> _Shown:
    inputs = choosable(product)
    rules = RuleFormSet(typed, prefix="rules", initial=rows_of(product), form_kwargs={"inputs": inputs})
    asked = {value for name, value in typed.items() if name.endswith("-input") and value in inputs}
    return _Shown(CommonForm(typed), rules, _example(slug, product, asked, typed), typed.get("reason", ""))


def _example(slug: str, product: Product, asked: set[str], typed: QueryDict | None) -> TryForm:
    knocked = {rule.condition.input for rule in registry.current(slug).policy.knock_outs}
    return TryForm(product, asked | knocked, typed)


def _told(refusal: DomainError) -> str:
    if isinstance(refusal, ReasonMissing):
        return _("Say why, in 1 to 500 characters; nothing was done yet.")
    if isinstance(refusal, RulesChanged):
        return _("Somebody changed the rules meanwhile. Open this page again to see theirs; what you typed is still here to copy.")
    return refusal.detail
