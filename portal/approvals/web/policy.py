"""The page on which people change when two of them have to agree, the reasons of an override, and how long things may take."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from audit.errors import DomainError
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.approvals.errors import ApprovalPolicyChanged
from portal.approvals.models import ApprovalPolicy
from portal.approvals.selectors import approval_policies
from portal.approvals.services.policies import TIMES, change_approval_policy, policy_in_force
from portal.approvals.web.policy_forms import LimitFormSet, PolicyForm, ReasonFormSet, limit_rows, reason_rows
from scoring import selectors as scores
from scoring.errors import ProductUnknown, ReasonMissing
from scoring.selectors import ProductSummary

_MORE = {"limit": "limits-TOTAL_FORMS", "reason": "reasons-TOTAL_FORMS"}


@dataclass(slots=True)
class _Shown:
    """What the person typed, or the policy in force as forms."""

    common: PolicyForm
    limits: Any
    reasons: Any
    reason: str = ""

    @classmethod
    def of(cls, policy: ApprovalPolicy, currency: str) -> "_Shown":
        """As the policy is in force."""
        limits = LimitFormSet(prefix="limits", initial=limit_rows(policy, currency))
        return cls(PolicyForm.of(policy), limits, ReasonFormSet(prefix="reasons", initial=reason_rows(policy)))

    @classmethod
    def read(cls, typed: QueryDict, policy: ApprovalPolicy, currency: str) -> "_Shown":
        """As typed."""
        limits = LimitFormSet(typed, prefix="limits", initial=limit_rows(policy, currency))
        reasons = ReasonFormSet(typed, prefix="reasons", initial=reason_rows(policy))
        return cls(PolicyForm(typed), limits, reasons, typed.get("reason", ""))

    def is_valid(self) -> bool:
        """Whether it can be tried to be put in force; else the forms' errors say what to correct."""
        found = self.common.is_valid() & self.limits.is_valid() & self.reasons.is_valid()
        return found and self._are_single(self.limits, "currency") & self._are_single(self.reasons, "code")

    def _are_single(self, rows: Any, name: str) -> bool:
        """Marks what is there twice."""
        seen: set[str] = set()
        for form in rows:
            said = form.cleaned_data
            value = "" if said.get("remove") or (name == "currency" and "minor" not in said) else said.get(name, "")
            if value and value in seen:
                form.add_error(name, _("This is there already; write each once."))
            seen.add(value)
        return all(not form.errors for form in rows)

    def written(self) -> dict[str, Any]:
        """What the service takes."""
        said = self.common.cleaned_data
        limits = {one["currency"]: one["minor"] for form in self.limits if "minor" in (one := form.cleaned_data)}
        reasons = dict(one for form in self.reasons if (one := form.written()))
        times = {name: said[name] for name in TIMES}
        return {"four_eyes": said["four_eyes"], "limits": limits, "override_reasons": reasons, "times": times, "seen": said["seen"]}

    @property
    def problems(self) -> list[tuple[str, str, str]]:
        """Where, what it is called there, and what is wrong."""
        return [one for form in (self.common, *self.limits, *self.reasons) for one in _problems(form)]


class ApprovalPolicyPage(Page):
    """The approval policy of one product."""

    permission = Permission.PRODUCT_EDIT

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """The policy in force, as a form."""
        product, policy = _found(slug)
        return self._page(product, policy, _Shown.of(policy, self._currency))

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        """Gives one more row, or puts the policy in force."""
        product, policy = _found(slug)
        typed, act = request.POST.copy(), request.POST.get("act", "")
        rows = typed.get(_MORE.get(act, ""), "")
        if rows.isdecimal():
            typed[_MORE[act]] = str(int(rows[:4]) + 1)
        shown = _Shown.read(typed, policy, self._currency)
        if act in _MORE:
            return self._page(product, policy, shown)
        if not shown.is_valid():
            return self._page(product, policy, shown, status=422)
        return self._save(product, policy, shown)

    @property
    def _currency(self) -> str:
        return str(self.request.partner.currency)  # type: ignore[attr-defined]

    def _save(self, product: ProductSummary, policy: ApprovalPolicy, shown: _Shown) -> HttpResponse:
        try:
            made = change_approval_policy(product_slug=product.slug, actor=self.actor, reason=shown.reason, **shown.written())
        except DomainError as refusal:
            shown.common.add_error(None, _told(refusal))
            return self._page(product, policy, shown, status=409 if isinstance(refusal, ApprovalPolicyChanged) else 422)
        if made.version == shown.common.cleaned_data["seen"]:
            messages.info(self.request, _("These are the rules already; nothing was changed."))
        else:
            messages.success(self.request, _("Approval rules %(number)s are in force.") % {"number": made.version})
        return HttpResponseRedirect(reverse("approvals:policy", args=[product.slug]))

    def _page(self, product: ProductSummary, policy: ApprovalPolicy, shown: _Shown, *, status: int = 200) -> HttpResponse:
        context = {
            "product": product, "policy": policy, "shown": shown, "problems": shown.problems if status != 200 else [],
            "versions": approval_policies(product.id),
        }  # fmt: skip
        return render(self.request, "approvals/policy_form.html", context, status=status)


def _found(slug: str) -> tuple[ProductSummary, ApprovalPolicy]:
    try:
        product = scores.product(slug)
    except ProductUnknown as error:
        raise Http404 from error
    return product, policy_in_force(product.id)


def _told(refusal: DomainError) -> str:
    if isinstance(refusal, ReasonMissing):
        return _("Say why, in 1 to 500 characters; nothing was done yet.")
    if isinstance(refusal, ApprovalPolicyChanged):
        return _("Somebody changed the rules meanwhile. Open this page again to see theirs; what you typed is still here to copy.")
    return refusal.detail


def _problems(form: forms.BaseForm) -> Iterator[tuple[str, str, str]]:
    for error in form.non_field_errors():
        yield "", "", str(error)
    for field in form:
        for error in field.errors:
            yield field.id_for_label, str(field.label), str(error)
