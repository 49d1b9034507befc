"""Files of the record for people: exports, the examiner bundle, the verifier and the keys it needs."""

import uuid
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from audit import exporting, verify
from audit.errors import BundleTooLarge, CheckpointUnknown, EventNotSealed, PeriodEmpty
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.record.bundle import OfDecision, OfPeriod
from portal.record.files import bundle, record_lines
from portal.record.keys import keys_document
from portal.record.web.pages import since_ever
from scoring.errors import DecisionUnknown, FilterRefused
from scoring.selectors.asked import day_of


class RecordExport(Page):
    """The record as lines that verify.py checks; a table of events is an export like any list."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """The file, whole or of a period; recorded. Raises PeriodEmpty, CheckpointUnknown."""
        wanted = {name: value for name in ("since", "until") if (value := request.GET.get(name, "").strip())}
        try:
            since, until = day_of(wanted.get("since")), day_of(wanted.get("until"))
        except FilterRefused as refusal:
            return render(request, "record/event_list.html", {"wanted": wanted, "problem": refusal.detail}, status=422)
        span = exporting.period(since or since_ever(), until or timezone.now()) if since or until else exporting.whole()
        return record_lines(span, actor=self.actor)


class BundlePage(Page):
    """The examiner bundle, about a decision or a period."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return self._form(request, {name: request.GET.get(name, "") for name in ("decision", "since", "until")})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """The ZIP; recorded."""
        said = {name: request.POST.get(name, "").strip() for name in ("decision", "since", "until")}
        try:
            return bundle(self._asked(said), actor=self.actor, shows_personal=self._may_read)
        except DecisionUnknown:
            problem = _("There is no such decision. Copy its whole number from its page.")
        except (FilterRefused, PeriodEmpty, BundleTooLarge, EventNotSealed, CheckpointUnknown) as refusal:
            problem = refusal.detail
        return self._form(request, said, problem=problem, status=422)

    @property
    def _may_read(self) -> bool:
        return self.user.allows(Permission.APPLICANT_READ)

    @staticmethod
    def _asked(said: dict[str, str]) -> OfDecision | OfPeriod:
        if said["decision"]:
            try:
                return OfDecision(uuid.UUID(said["decision"]))
            except ValueError as error:
                raise DecisionUnknown from error
        since = day_of(said["since"])
        if since is None:
            raise FilterRefused(_("Say which decision, or from which day on."))
        return OfPeriod(since, day_of(said["until"]) or timezone.now())

    def _form(self, request: HttpRequest, said: dict[str, str], *, problem: str = "", status: int = 200) -> HttpResponse:
        context: dict[str, Any] = {"said": said, "problem": problem, "may_read": self._may_read}
        return render(request, "record/bundle_form.html", context, status=status)


class Verifier(Page):
    """The verifier: one file of plain Python."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The file."""
        headers = {"Content-Disposition": 'attachment; filename="verify.py"'}
        return HttpResponse(Path(verify.__file__).read_bytes(), content_type="text/x-python; charset=utf-8", headers=headers)


class PublicKeys(Page):
    """The public keys that the verifier needs."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The file."""
        headers = {"Content-Disposition": 'attachment; filename="keys.json"'}
        return HttpResponse(keys_document(), content_type="application/json", headers=headers)
