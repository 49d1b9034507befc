"""The page on which somebody says how a decision turned out."""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import selectors
from scoring.errors import DecisionUnknown, OutcomeRefused
from scoring.models import OutcomeSource
from scoring.services.outcomes import Observed, record_outcomes
from scoring.web.batch_forms import OutcomeForm


class OutcomePage(Page):
    """What is known of a decision's outcome, and a form for what was learnt since."""

    permission = Permission.DECISION_MAKE

    def get(self, request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
        """The history and the form, or 404."""
        return self._page(decision_id, OutcomeForm(), 200)

    def post(self, request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
        """Records it, and goes back to the decision."""
        form = OutcomeForm(request.POST)
        if form.is_valid():
            said = form.cleaned_data
            currency = str(request.partner.currency) if said["amount"] is not None else ""  # type: ignore[attr-defined]
            item = Observed(said["kind"], said["observed_on"], decision_id, None, None, said["amount"], currency)
            try:
                (made,) = record_outcomes(items=[item], source=OutcomeSource.FORM, actor=self.actor)
            except OutcomeRefused as refusal:
                if "0/score_id" in refusal.fields:
                    raise Http404 from refusal
                for where, detail in refusal.fields.items():
                    form.add_error(where.partition("/")[2], detail)
            else:
                messages.success(request, _("The outcome is recorded.") if made.is_new else _("That is what is known already."))
                return HttpResponseRedirect(reverse("scoring:decision-detail", args=[decision_id]))
        return self._page(decision_id, form, 422)

    def _page(self, decision_id: uuid.UUID, form: OutcomeForm, status: int) -> HttpResponse:
        try:
            known = selectors.outcomes_of(decision_id)
        except DecisionUnknown as error:
            raise Http404 from error
        context = {"decision_id": decision_id, "outcomes": known, "outcome_form": form, "form": form}
        return render(self.request, "scoring/outcome_form.html", context, status=status)
