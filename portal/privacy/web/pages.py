"""Requests of applicants for compliance officers: what is due, one request and what can be done with it, files, terms."""

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from audit import holds
from audit.alerts import close_alert, open_alerts
from audit.errors import DomainError, SealBroken
from audit.models import PrivacyRequest
from audit.privacy import requests
from audit.privacy.errors import PrivacyRequestRefused
from audit.privacy.models import RequestKind
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.privacy.documents import certificate_document, copy_document, pdf_of
from portal.privacy.web.forms import RectifyForm, RefuseForm, RequestForm, TermsForm
from scoring import selectors
from scoring.applicants import ApplicantDetails
from scoring.errors import ApplicantUnknown


class _PrivacyPage(Page):
    permission: ClassVar[Permission | None] = Permission.PRIVACY_MANAGE


class RequestListPage(_PrivacyPage):
    """Open requests, the most urgent first, or answered ones; and alerts that nobody has looked at."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The address is the state."""
        is_open = request.GET.get("show") != "answered"
        before = request.GET.get("before", "")
        found = requests.requests(is_open=is_open, before=int(before) if before.isdecimal() and len(before) < 10 else None)
        today = timezone.localdate()
        rows = [(one, (one.due_on - today).days, _details(one)) for one in found]
        older = found[-1].number if not is_open and len(found) == requests.PAGE else 0
        context = {"rows": rows, "is_open": is_open, "alerts": open_alerts(), "next": older}
        return render(request, "privacy/request_list.html", context)


class RequestNewPage(_PrivacyPage):
    """Somebody asked for something."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form, with whom the address names."""
        asked = {name: request.GET.get(name, "")[:100] for name in ("reference", "kind")}
        first = {"received_on": timezone.localdate(), **asked}
        return render(request, "privacy/request_new.html", {"form": RequestForm(initial=first)})

    def post(self, request: HttpRequest) -> HttpResponse:
        """The request has a number and a day it is due, or every fault is told."""
        form = RequestForm(request.POST)
        if form.is_valid():
            try:
                made = requests.open_request(**form.cleaned_data, actor=self.actor)
            except PrivacyRequestRefused as refusal:
                for name, fault in refusal.fields.items():
                    form.add_error(name, fault)
            else:
                messages.success(request, _("It is taken in as request %(number)s.") % {"number": made.number})
                return _to(made)
        return render(request, "privacy/request_new.html", {"form": form}, status=422)


class RequestDetailPage(_PrivacyPage):
    """One request: its steps with their evidence, and what can be done now."""

    def get(self, request: HttpRequest, request_number: int) -> HttpResponse:
        """Raises PrivacyRequestUnknown."""
        return self._page(requests.request_of(request_number), {})

    def post(self, request: HttpRequest, request_number: int) -> HttpResponse:
        """Does what `act` names, or says what stands against it."""
        found = requests.request_of(request_number)
        act, form = request.POST.get("act", ""), _FORMS.get(request.POST.get("act", ""), None)
        filled = form(request.POST) if form else None
        if act not in _ACTS:
            return self._page(found, {"fault": _("Choose what is to be done.")}, status=422)
        if filled is not None and not filled.is_valid():
            return self._page(found, {act: filled, "form": filled}, status=422)
        try:
            said = _ACTS[act](found, filled.cleaned_data if filled else {}, self.actor)
        except DomainError as refusal:
            if isinstance(refusal, SealBroken):
                raise
            return self._page(found, {"fault": refusal.detail, **({act: filled} if filled else {})}, status=422)
        messages.success(request, said)
        return _to(found)

    def _page(self, found: PrivacyRequest, more: Mapping[str, Any], status: int = 200) -> HttpResponse:
        against = holds.refusal(found.applicant_id) if found.is_open and found.kind == RequestKind.ERASURE else None
        context = {
            "one": found, "days": (found.due_on - timezone.localdate()).days, "steps": list(found.steps.order_by("id")),
            "details": _details(found), "statement": requests.statement_of(found), "against": against,
            "is_first": found.proposed_by_id == f"user:{self.user.id}", "rectify": RectifyForm(), "refuse": RefuseForm(),
            "has_copy": found.kind in {RequestKind.ACCESS, RequestKind.PORTABILITY}, **more,
        }  # fmt: skip
        return render(self.request, "privacy/request_detail.html", context, status=status)


class CopyFile(_PrivacyPage):
    """Everything that is held of the applicant, as JSON or PDF. That it was made is recorded first."""

    def get(self, request: HttpRequest, request_number: int, form: str) -> HttpResponse:
        """Raises PrivacyRequestUnknown, PrivacyStepRefused, ApplicantErased."""
        found = requests.request_of(request_number)
        content, media_type = copy_file(found, form, request.partner.name)    # type: ignore[attr-defined]
        requests.record_copy(number=request_number, form=form, content=content, actor=self.actor)
        return _file(content, media_type, f"data-{request_number}.{form}")


class CertificateFile(_PrivacyPage):
    """What was done, signed."""

    def get(self, request: HttpRequest, request_number: int, form: str) -> HttpResponse:
        """Raises PrivacyRequestUnknown, PrivacyStepRefused while it is open."""
        found = requests.answered(request_number)
        if form == "pdf":
            content = pdf_of(certificate_document(found, request.partner.name))    # type: ignore[attr-defined]
        else:
            content = json.dumps(found.certificate, ensure_ascii=False, indent=2).encode()
        return _file(content, _MEDIA[form], f"certificate-{request_number}.{form}")


class TermsPage(_PrivacyPage):
    """How many days each kind of request may take."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form, with what is in force."""
        return render(request, "privacy/terms.html", {"form": TermsForm(initial=requests.terms_in_force())})

    def post(self, request: HttpRequest) -> HttpResponse:
        """The next version is in force, or every fault is told."""
        form = TermsForm(request.POST)
        if not form.is_valid():
            return render(request, "privacy/terms.html", {"form": form}, status=422)
        requests.change_terms(days=form.cleaned_data, actor=self.actor)
        messages.success(request, _("Requests that come from now on are due like this."))
        return HttpResponseRedirect(reverse("privacy:privacy-list"))


class AlertClose(_PrivacyPage):
    """Somebody has looked at an alert."""

    def post(self, request: HttpRequest, alert_id: uuid.UUID) -> HttpResponse:
        """Back to the list."""
        close_alert(alert_id=alert_id, actor=self.actor)
        return HttpResponseRedirect(reverse("privacy:privacy-list"))


_MEDIA = {"json": "application/json", "pdf": "application/pdf"}


def copy_file(found: PrivacyRequest, form: str, partner: str) -> tuple[bytes, str]:
    """The copy as a file, and its media type."""
    copy = requests.copy_of(found)
    if form == "pdf":
        return pdf_of(copy_document(copy, found, partner)), _MEDIA[form]
    return json.dumps(copy, ensure_ascii=False, indent=2).encode(), _MEDIA[form]


def _file(content: bytes, media_type: str, name: str) -> HttpResponse:
    return HttpResponse(content, content_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _to(found: PrivacyRequest) -> HttpResponse:
    return HttpResponseRedirect(reverse("privacy:privacy-detail", args=[found.number]))


def _details(one: PrivacyRequest) -> ApplicantDetails | None:
    try:
        return selectors.applicant_by_id(one.applicant_id).details
    except (ApplicantUnknown, SealBroken):    # one damaged row hides no other
        return None


def _rectify(one: PrivacyRequest, given: Mapping[str, Any], actor: Any) -> str:
    changes = {name: str(value) for name, value in given.items() if value}
    requests.rectify(number=one.number, changes=changes, actor=actor)
    return _("It is corrected.")


def _review(one: PrivacyRequest, _given: Mapping[str, Any], actor: Any) -> str:
    number = requests.begin_review(number=one.number, actor=actor)
    return _("A person looks at it again: application %(number)s.") % {"number": number}


def _propose(one: PrivacyRequest, _given: Mapping[str, Any], actor: Any) -> str:
    requests.propose_erasure(number=one.number, actor=actor)
    return _("It waits for a second person.")


def _confirm(one: PrivacyRequest, _given: Mapping[str, Any], actor: Any) -> str:
    requests.confirm_erasure(number=one.number, actor=actor)
    return _("They are erased. The certificate says what was done.")


def _decline(one: PrivacyRequest, _given: Mapping[str, Any], actor: Any) -> str:
    requests.decline_erasure(number=one.number, actor=actor)
    return _("Nothing is erased; the request is open as before.")


def _complete(one: PrivacyRequest, _given: Mapping[str, Any], actor: Any) -> str:
    requests.complete_request(number=one.number, actor=actor)
    return _("It is answered.")


def _refuse(one: PrivacyRequest, given: Mapping[str, Any], actor: Any) -> str:
    requests.refuse_request(number=one.number, because=given["because"], actor=actor)
    return _("It is refused. Tell the applicant why.")


def _withdraw(one: PrivacyRequest, _given: Mapping[str, Any], actor: Any) -> str:
    requests.withdraw_request(number=one.number, actor=actor)
    return _("It is withdrawn.")


_FORMS: Mapping[str, type[RectifyForm] | type[RefuseForm]] = {"rectify": RectifyForm, "refuse": RefuseForm}
_ACTS: Mapping[str, Callable[[PrivacyRequest, Mapping[str, Any], Any], str]] = {
    "rectify": _rectify, "review": _review, "propose": _propose, "confirm": _confirm, "decline": _decline, "complete": _complete,
    "refuse": _refuse, "withdraw": _withdraw,
}  # fmt: skip
