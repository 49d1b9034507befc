"""Letters: one as a page and as a file, those that are due, and who writes them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.approvals import selectors
from portal.approvals.errors import NoticeNotDue, NoticeRefused, NoticeSent, NoticeSettingsMissing, NoticeSettingsRefused
from portal.approvals.letters import LANGUAGES, Letter, letter_of, letter_pdf, settings_in_force
from portal.approvals.models import Application, Notice, NoticeSettings
from portal.approvals.sealed import open_letter
from portal.approvals.selectors.notices import notices_due
from portal.approvals.services.notices import change_notice_settings, send_notice
from scoring.errors import ApplicantErased, CursorRefused, DecisionAltered

WAYS: Mapping[str, Any] = {
    Notice.Way.POST: gettext_lazy("By post"), Notice.Way.EMAIL: gettext_lazy("By e-mail"),
    Notice.Way.SMS: gettext_lazy("By a link in an SMS"), Notice.Way.HAND: gettext_lazy("Handed over"),
}  # fmt: skip
_LANGUAGE_NAMES = {"en": "English", "fr": "Français"}
_EMPTY_ROWS = 3
_FAULTS = (NoticeNotDue, NoticeSettingsMissing, ApplicantErased, DecisionAltered)


def _one(number: str) -> Application:
    """The application that people call by this number. Raises Http404."""
    found = selectors.applications(selectors.ApplicationFilters(number=number), limit=1).applications
    if not found:
        raise Http404
    return found[0]


def _asked_language(request: HttpRequest) -> str | None:
    found = request.POST.get("language") or request.GET.get("language")
    return found if found in LANGUAGES else None


def _as_sent(application: Application) -> tuple[Notice, Letter, bytes] | None:
    """The letter about the decision that stands, as it went out. Raises ApplicantErased, SealBroken."""
    at = application.decided_at
    found = None if at is None else application.notices.filter(decided_at=at).select_related("sent_by").first()
    if found is None:
        return None
    kept = open_letter(application, found)
    return found, Letter(**kept.letter), kept.pdf


class LetterPage(Page):
    """The letter of one application, and whether it went out."""

    permission = Permission.APPLICANT_READ

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        """The letter as it was sent, or as it would be now; or what is missing for one."""
        return self._shown(request, _one(number))

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        """Marks it as sent, and goes on to the letters that are due."""
        if not self.user.allows(Permission.APPLICATION_DECIDE):
            raise PermissionDenied
        application, way = _one(number), request.POST.get("way", "")
        try:
            send_notice(application_id=application.id, way=way, language=_asked_language(request), actor=self.actor)
        except NoticeRefused as refusal:
            return self._shown(request, application, fault=next(iter(refusal.fields.values())), status=422)
        except NoticeSent:
            return self._shown(request, _one(number), fault=_("Somebody marked it as sent already; nothing was stored twice."), status=409)
        messages.success(request, _("The letter about %(number)s is marked as sent, and kept as it is.") % {"number": number})
        return HttpResponseRedirect(reverse("approvals:notice-list"))

    def _shown(self, request: HttpRequest, application: Application, *, fault: str = "", status: int = 200) -> HttpResponse:
        context: dict[str, Any] = {"one": application, "fault": fault, "ways": WAYS.items(), "languages": _LANGUAGE_NAMES.items(),
                                   "may_send": self.user.allows(Permission.APPLICATION_DECIDE),
                                   "may_set": self.user.allows(Permission.PRODUCT_EDIT)}  # fmt: skip
        try:
            sent = _as_sent(application)
            letter = sent[1] if sent else letter_of(application, language=_asked_language(request))
        except _FAULTS as refusal:
            context |= {"missing": refusal.code, "problem": refusal.detail}
            return render(request, "approvals/letter.html", context, status=409)
        way = str(WAYS[sent[0].way]) if sent else ""
        context |= {"letter": letter, "sent": sent[0] if sent else None, "way": way}
        return render(request, "approvals/letter.html", context, status=status)


class LetterPdf(Page):
    """The same as one file."""

    permission = Permission.APPLICANT_READ

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        """The file as it was sent, or as it would be now. Raises NoticeNotDue, NoticeSettingsMissing, ApplicantErased."""
        application = _one(number)
        sent = _as_sent(application)
        made = sent[2] if sent else letter_pdf(letter_of(application, language=_asked_language(request)))
        headers = {"Content-Disposition": f'inline; filename="letter-{application.number}.pdf"'}
        return HttpResponse(made, content_type="application/pdf", headers=headers)


class NoticeListPage(Page):
    """Who waits for a letter, the most urgent first."""

    permission = Permission.APPLICANT_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """A page of them."""
        context: dict[str, Any] = {"settings": settings_in_force(), "may_set": self.user.allows(Permission.PRODUCT_EDIT)}
        try:
            page = notices_due(cursor=request.GET.get("cursor") or None)
        except CursorRefused as refusal:
            return render(request, "approvals/letter_list.html", {**context, "problem": refusal.detail}, status=422)
        rows = [(one, selectors.details(one)) for one in page.applications]
        context |= {"rows": rows, "next": urlencode({"cursor": page.next_cursor}) if page.next_cursor else ""}
        return render(request, "approvals/letter_list.html", context)


class NoticeSettingsPage(Page):
    """Who writes the letters, and own sentences for reasons."""

    permission = Permission.PRODUCT_EDIT

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form, with what is in force."""
        found = settings_in_force()
        said = {} if found is None else {name: getattr(found, name) for name in _SAID}
        return self._form(request, said, _rows_of(found), {}, found)

    def post(self, request: HttpRequest) -> HttpResponse:
        """The next version is in force, or every fault is told."""
        said = {name: request.POST.get(name, "") for name in _SAID}
        rows = list(zip(*(request.POST.getlist(f"reason_{part}") for part in ("code", "language", "text")), strict=False))
        rows = [(code.strip(), language, text.strip()) for code, language, text in rows if code.strip() or text.strip()]
        texts: dict[str, dict[str, str]] = {}
        for code, language, text in rows:
            texts.setdefault(code, {})[language] = text
        try:
            change_notice_settings(said=said, reason_texts=texts, actor=self.actor)
        except NoticeSettingsRefused as refusal:
            return self._form(request, said, rows, refusal.fields, settings_in_force(), status=422)
        messages.success(request, _("Letters are written like this from now on. What was sent stays as it was."))
        return HttpResponseRedirect(reverse("approvals:notice-settings"))

    @staticmethod
    def _form(
        request: HttpRequest, said: Mapping[str, str], rows: list[tuple[str, str, str]], faults: Mapping[str, str],
        found: NoticeSettings | None, *, status: int = 200,
    ) -> HttpResponse:  # fmt: skip
        fields = [
            {"name": name, "title": title, "help": help_text, "rows": lines, "value": said.get(name, ""), "fault": faults.get(name, "")}
            for name, (title, help_text, lines) in _SAID.items()
        ]
        context = {
            "fields": fields, "rows": [*rows, *[("", "", "")] * _EMPTY_ROWS], "faults": faults, "found": found,
            "languages": _LANGUAGE_NAMES.items(),
        }  # fmt: skip
        return render(request, "approvals/letter_settings.html", context, status=status)


_SAID: Mapping[str, tuple[Any, Any, int]] = {
    "sender": (gettext_lazy("Who writes"), gettext_lazy("Your organisation, as it signs."), 1),
    "address": (gettext_lazy("Address"), gettext_lazy("As on an envelope."), 3),
    "email": (gettext_lazy("E-mail for questions"), "", 1),
    "phone": (gettext_lazy("Telephone for questions"), gettext_lazy("May be left empty."), 1),
    "authority": (gettext_lazy("Whom to complain to"), gettext_lazy("The authority with its address, as your law names it."), 3),
}


def _rows_of(found: NoticeSettings | None) -> list[tuple[str, str, str]]:
    texts = {} if found is None else found.reason_texts
    return [(code, language, text) for code, one in sorted(texts.items()) for language, text in sorted(one.items())]

