"""The page on which people change a product's policy: tried on the partner's own decisions first, each change with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
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
from scoring import selectors
from scoring.engine.contract import DefinitionRefused
from scoring.engine.policy import Policy
from scoring.engine.product import Product
from scoring.engine.what_if import Terms
from scoring.errors import PolicyChanged, ProductUnknown, ReasonMissing
from scoring.services.policies import change_policy, policy_in_force
from scoring.services.what_if import what_if
from scoring.web.policy_forms import MOST_KNOCK_OUTS, CutOffForm, KnockOutFormSet, askable, rows_of
from scoring.web.rule_forms import problems
from scoring.web.tried import tried

_ROWS = "rules-TOTAL_FORMS"
LONGEST_TRIAL = 10.0    # seconds; a page that takes longer is left, so it shows the newest decisions that it had time for


@dataclass(slots=True)
class _Shown:
    """What the person typed, or the policy in force as forms."""

    cuts: CutOffForm
    rules: Any
    reason: str = ""

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """Everything that is wrong with it."""
        found = list(problems([self.cuts, *self.rules.forms]))
        return found + [("", "", str(error)) for error in self.rules.non_form_errors()]

    def written(self, current: Policy) -> Policy | None:
        """The policy as typed, or None: then the forms' errors say what to correct."""
        if not (self.cuts.is_valid() & self.rules.is_valid()):
            return None
        said = {name: self.cuts.cleaned_data[name] for name in ("approve_from", "decline_below")}
        try:
            return Policy.from_dict({**current.to_dict(), **said, "knock_outs": self.rules.written()})
        except DefinitionRefused as refusal:
            self.cuts.add_error(None, str(refusal))
            return None


class ProductPolicyPage(Page):
    """The policy of one product, to be tried and changed."""

    permission = Permission.PRODUCT_EDIT

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """The policy in force, as a form."""
        product, policy, version = _found(slug)
        rules = KnockOutFormSet(prefix="rules", initial=rows_of(policy), form_kwargs={"inputs": askable(product)})
        return self._page(slug, _Shown(CutOffForm.of(product, policy, version=version), rules))

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        """Tries the policy, gives one more row, or puts it in force."""
        product, policy, _version = _found(slug)
        typed, act = request.POST.copy(), request.POST.get("act", "")
        rows = request.POST.get(_ROWS, "")
        if act == "row" and rows.isdecimal():
            typed[_ROWS] = str(min(int(rows[:4]) + 1, MOST_KNOCK_OUTS))
        shown = _read(product, policy, typed)
        if act == "row":
            return self._page(slug, shown)
        written = shown.written(policy)
        if written is None:
            return self._page(slug, shown, status=422)
        return self._save(slug, shown, written) if act == "save" else self._try(slug, shown, written)

    def _try(self, slug: str, shown: _Shown, written: Policy) -> HttpResponse:
        said = shown.cuts.cleaned_data
        found = what_if(
            product_slug=slug, policy=written, since=timezone.now() - timedelta(days=int(said["days"])),
            terms=Terms(said["margin"] / 100, said["loss"] / 100), amount=said["amount"] or None, group=said["group"] or None,
            at_most_seconds=LONGEST_TRIAL,
        )  # fmt: skip
        in_force, _version = policy_in_force(slug)
        is_cuts_only = written.knock_outs == in_force.knock_outs    # other rules do not fit into the address of an export
        made = tried(found, (in_force.approve_from, written.approve_from), said["minutes"])
        return self._page(slug, shown, tried={**made, "trial": said if is_cuts_only else None})

    def _save(self, slug: str, shown: _Shown, written: Policy) -> HttpResponse:
        seen = shown.cuts.cleaned_data["seen"]
        try:
            made = change_policy(product_slug=slug, policy=written, actor=self.actor, reason=shown.reason, seen=seen)
        except DomainError as refusal:
            shown.cuts.add_error(None, _told(refusal))
            return self._page(slug, shown, status=409 if isinstance(refusal, PolicyChanged) else 422)
        if made.version == seen:
            messages.info(self.request, _("This is the policy already; nothing was changed."))
        else:
            messages.success(self.request, _("Policy %(number)s is in force.") % {"number": made.version})
        return HttpResponseRedirect(reverse("scoring:product-detail", args=[slug]))

    def _page(self, slug: str, shown: _Shown, *, status: int = 200, tried: Mapping[str, Any] | None = None) -> HttpResponse:
        context: dict[str, Any] = {
            "product": selectors.product(slug), "shown": shown, "problems": shown.problems if status != 200 else [], **(tried or {}),
        }  # fmt: skip
        return render(self.request, "scoring/product_policy.html", context, status=status)


def _found(slug: str) -> tuple[Product, Policy, int]:
    try:
        return (selectors.product_definition(slug), *policy_in_force(slug))
    except ProductUnknown as error:
        raise Http404 from error


def _read(product: Product, policy: Policy, typed: QueryDict) -> _Shown:
    rules = KnockOutFormSet(typed, prefix="rules", initial=rows_of(policy), form_kwargs={"inputs": askable(product)})
    return _Shown(CutOffForm(product, typed), rules, typed.get("reason", ""))


def _told(refusal: DomainError) -> str:
    if isinstance(refusal, ReasonMissing):
        return _("Say why, in 1 to 500 characters; nothing was done yet.")
    if isinstance(refusal, PolicyChanged):
        return _("Somebody changed the policy meanwhile. Open this page again to see theirs; what you typed is still here to copy.")
    return refusal.detail
