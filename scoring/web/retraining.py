"""The page on which a product is trained again, or planned to be."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from audit.errors import DomainError
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import selectors
from scoring.errors import ProductUnknown
from scoring.services.retraining import LEAST, LEAST_OF_EACH, begin_retraining, plan_retraining

NEVER = "never"


class ModelRetrainingPage(Page):
    """When a product was and will be trained again, what came of it, and why a run made nothing."""

    permission = Permission.MODEL_READ

    def get(self, request: HttpRequest, product: str) -> HttpResponse:
        """The plan and the runs."""
        return self._page(product, "", 200)

    def post(self, request: HttpRequest, product: str) -> HttpResponse:
        """Plans it, or begins it at once."""
        if not self.user.allows(Permission.MODEL_TRAIN):
            raise PermissionDenied
        act, day = request.POST.get("act", ""), request.POST.get("weekday", "")
        try:
            if act == "begin":
                begin_retraining(product_slug=product, actor=self.actor)
                messages.success(request, _("A worker begins within seconds; this page says what came of it."))
            elif act == "plan" and (day == NEVER or day in map(str, WEEKDAYS)):
                plan_retraining(product_slug=product, weekday=None if day == NEVER else int(day), actor=self.actor)
                messages.success(request, _("The plan is kept."))
            else:
                return self._page(product, _("Press one of the buttons of this page."), 422)
        except ProductUnknown as error:
            raise Http404 from error
        except DomainError as refusal:
            return self._page(product, refusal.detail, 409)
        return HttpResponseRedirect(reverse("scoring:model-retraining", args=[product]))

    def _page(self, product: str, problem: str, status: int) -> HttpResponse:
        try:
            summary, plan = selectors.product(product), selectors.retraining_plan(product)
        except ProductUnknown as error:
            raise Http404 from error
        runs, (known, bad) = selectors.retrainings(product), selectors.count_outcomes(product)
        context: dict[str, Any] = {
            "product": summary, "plan": plan, "runs": runs, "problem": problem, "known": known, "bad": bad,
            "least": LEAST, "least_of_each": LEAST_OF_EACH, "days": WEEKDAYS.items(), "last": runs[0] if runs else None,
            "may_train": self.user.allows(Permission.MODEL_TRAIN),
            "is_under_way": any(one.state in {"queued", "running"} for one in runs),
        }  # fmt: skip
        return render(self.request, "scoring/model_retraining.html", context, status=status)
