"""Applicants: found by what somebody knows of them, listed without anything personal, and one of them with all that happened."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import structlog
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from audit.actions import Action
from audit.errors import SealBroken
from audit.services import record
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.approvals.selectors import applications_of
from scoring import selectors
from scoring.errors import ApplicantErased, ApplicantUnknown, ConsentRefused, CursorRefused
from scoring.models import ConsentKind, ConsentWay
from scoring.selectors import ApplicantSummary, DecisionFilters, DecisionSummary
from scoring.services.consents import record_consent
from scoring.web.plots import Line, Plot, Tick

MOST = 50    # decisions and applications on a profile
LOWEST, HIGHEST = 300, 850
_LONGEST = 200
logger = structlog.get_logger(__name__)


class ApplicantListPage(Page):
    """Everybody who was scored, newest first; the address is the state."""

    permission = Permission.APPLICANT_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """Those who are looked for, or the newest without anything personal."""
        text = request.GET.get("q", "").strip()
        context: dict[str, Any] = {"text": text, "problem": "", "page": None, "next": ""}
        if len(text) > _LONGEST or "\0" in text:
            context["problem"] = _("What is looked for has at most 200 characters.")
            return render(request, "portal/applicant_list.html", context, status=422)
        try:
            page = selectors.search_applicants(text) if text else selectors.newest_applicants(cursor=request.GET.get("cursor") or None)
        except CursorRefused as refusal:
            return render(request, "portal/applicant_list.html", {**context, "problem": refusal.detail}, status=422)
        context |= {"page": page, "next": urlencode({"cursor": page.next_cursor}) if page.next_cursor else ""}
        return render(request, "portal/applicant_list.html", context)


class ConsentForm(forms.Form):
    """What an applicant allowed or took back."""

    optional: tuple[str, ...] = ()
    kind = forms.ChoiceField(label=gettext_lazy("What it is about"), choices=ConsentKind.choices)
    answer = forms.ChoiceField(
        label=gettext_lazy("What they said"),
        choices=[("given", gettext_lazy("They allow it")), ("withdrawn", gettext_lazy("They take it back"))],
    )
    how = forms.ChoiceField(label=gettext_lazy("How they said it"), choices=ConsentWay.choices)
    at = forms.DateTimeField(
        label=gettext_lazy("When they said it"), help_text=gettext_lazy("Such as 2026-11-21 09:30; leave it empty for now."),
        required=False, input_formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"],
        error_messages={"invalid": gettext_lazy("A moment is written like 2026-11-21 09:30.")},
    )  # fmt: skip

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for name, one in self.fields.items():
            one.widget.attrs["class"] = "form-control" if name == "at" else "form-select"
        self.optional = ("at",)


class ApplicantDetailPage(Page):
    """One applicant: who they are, what was decided about them, what they allowed. That somebody opened it is recorded."""

    permission = Permission.APPLICANT_READ

    def get(self, request: HttpRequest, applicant_id: uuid.UUID) -> HttpResponse:
        """The applicant, or 404."""
        found = _one(applicant_id)
        record(action=Action.APPLICANT_VIEWED, actor=self.actor, object_kind="applicant", object_id=applicant_id, detail={})
        return self._page(found, ConsentForm(), 200)

    def post(self, request: HttpRequest, applicant_id: uuid.UUID) -> HttpResponse:
        """Records what the applicant allowed or took back, and comes back."""
        found = _one(applicant_id)
        if not self.user.allows(Permission.DECISION_MAKE):
            raise PermissionDenied
        form = ConsentForm(request.POST)
        if form.is_valid():
            said = form.cleaned_data
            try:
                record_consent(
                    applicant_id=applicant_id, kind=said["kind"], is_given=said["answer"] == "given", at=said["at"] or timezone.now(),
                    how=said["how"], actor=self.actor,
                )  # fmt: skip
            except ApplicantErased as refusal:
                form.add_error(None, refusal.detail)
            except ConsentRefused as refusal:
                for name, detail in refusal.fields.items():
                    form.add_error(name, detail)
            else:
                messages.success(request, _("It is recorded."))
                return HttpResponseRedirect(reverse("portal:applicant-detail", args=[applicant_id]))
        return self._page(found, form, 422)

    def _page(self, found: ApplicantSummary, form: ConsentForm, status: int) -> HttpResponse:
        decisions = selectors.decisions(DecisionFilters(applicant_id=found.id), limit=MOST)
        context = {
            "applicant": found, "details": found.details, "decisions": decisions.decisions, "has_more": decisions.has_more,
            "history": score_history(decisions.decisions), "applications": applications_of(found.id, at_most=MOST),
            "outcomes": selectors.outcomes_about([one.id for one in decisions.decisions]),
            "consents": selectors.consents_of(found.id),
            "form": form, "may_record": self.user.allows(Permission.DECISION_MAKE) and found.details is not None,
        }  # fmt: skip
        return render(self.request, "portal/applicant_detail.html", context, status=status)


def _one(applicant_id: uuid.UUID) -> ApplicantSummary:
    try:
        return selectors.applicant_by_id(applicant_id)
    except ApplicantUnknown as error:
        raise Http404 from error
    except SealBroken:
        logger.exception("applicant_damaged", applicant_id=str(applicant_id))
        raise


def score_history(decisions: Sequence[DecisionSummary]) -> Plot | None:
    """Scores over time, the oldest left; None for less than two."""
    if len(decisions) < 2:
        return None
    ordered = sorted(decisions, key=lambda one: one.created_at)
    first, last = ordered[0].created_at, ordered[-1].created_at
    width = (last - first).total_seconds() or 1.0
    points = tuple(((one.created_at - first).total_seconds() / width, _height(one.score)) for one in ordered)
    label = _("Scores over time, from %(first)s to %(last)s; the table of decisions says the same.") % {
        "first": ordered[0].score, "last": ordered[-1].score,
    }  # fmt: skip
    days = (Tick(_day(first), 0.0), Tick(_day(last), 1.0)) if first.date() != last.date() else (Tick(_day(first), 0.0),)
    return Plot(label, (Line("accent", points),), days, tuple(Tick(str(one), _height(one)) for one in (300, 575, 850)), points)


def _height(score: int) -> float:
    return (score - LOWEST) / (HIGHEST - LOWEST)


def _day(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), pgettext("day", "j M Y"))
