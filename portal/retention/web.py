"""Pages of retention: rules, holds, runs; what a run would do; certificates."""

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from audit import holds
from audit.errors import DomainError
from audit.models import Hold, RetentionPolicy, RetentionRun
from audit.retention import services
from audit.retention.registry import holdable, record_classes
from audit.retention.rules import Removal, Trigger, Unit, Why
from audit.retention.runs import gone_of, signed_certificate
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.papers import Paper, Sheet, paper_pdf
from portal.retention.api import done_run

NEWEST = 50


class RetentionPage(Page):
    """/retention: how long what is kept, what is held, and what was let go of."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """Rules, holds and runs."""
        return self._page("", 200)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Does what the button says, and comes back."""
        if not self.user.allows(Permission.RETENTION_MANAGE):
            raise PermissionDenied
        act = self._acts().get(request.POST.get("act", ""))
        if act is None:
            return self._page(_("Press one of the buttons of this page."), 422)
        try:
            messages.success(request, act(request.POST))
        except DomainError as refusal:
            return self._page(refusal.detail, 422 if refusal.fields else 409)
        return HttpResponseRedirect(reverse("retention:retention"))

    def _acts(self) -> Mapping[str, Callable[[Mapping[str, str]], str]]:
        return {
            "policy": self._change_policy, "policy-remove": self._remove_policy, "hold": self._hold, "lift": self._lift,
            "lift-answer": self._answer_lift, "propose": self._propose, "answer": self._answer,
        }  # fmt: skip

    def _change_policy(self, said: Mapping[str, str]) -> str:
        services.change_policy(
            record_class=said.get("record_class", ""), trigger=said.get("trigger", ""), period=_number(said.get("period", "")),
            unit=said.get("unit", ""), citation=said.get("citation", ""), action=said.get("action", ""), actor=self.actor,
        )  # fmt: skip
        return _("The rule holds from now on.")

    def _remove_policy(self, said: Mapping[str, str]) -> str:
        services.remove_policy(record_class=said.get("record_class", ""), trigger=said.get("trigger", ""), actor=self.actor)
        return _("The rule is removed.")

    def _hold(self, said: Mapping[str, str]) -> str:
        holds.place_hold(
            kind=said.get("kind", ""), object_id=_identifier(said.get("object_id", "")), reason=said.get("reason", ""),
            until=_day(said.get("until", "")), actor=self.actor,
        )  # fmt: skip
        return _("The hold stands: nothing of this applicant goes.")

    def _lift(self, said: Mapping[str, str]) -> str:
        holds.ask_lift(hold_id=_identifier(said.get("hold_id", "")), reason=said.get("reason", ""), actor=self.actor)
        return _("Another person is asked; until they agree the hold stands.")

    def _answer_lift(self, said: Mapping[str, str]) -> str:
        agrees = said.get("agrees") == "yes"
        holds.answer_lift(hold_id=_identifier(said.get("hold_id", "")), agrees=agrees, actor=self.actor)
        return _("The hold is lifted.") if agrees else _("The hold stands.")

    def _propose(self, _said: Mapping[str, str]) -> str:
        run = services.propose_run(actor=self.actor)
        return _("Run %(number)s waits for a second person.") % {"number": run.number}

    def _answer(self, said: Mapping[str, str]) -> str:
        agrees = said.get("agrees") == "yes"
        run = services.answer_run(number=_number(said.get("number", "")), agrees=agrees, actor=self.actor)
        if agrees:
            return _("Run %(number)s is under way: a worker begins within seconds.") % {"number": run.number}
        return _("Run %(number)s is refused: nothing goes.") % {"number": run.number}

    def _page(self, problem: str, status: int) -> HttpResponse:
        kinds, said, person = record_classes(), self.request.POST, str(self.user.id)
        context: dict[str, Any] = {
            "problem": problem, "said": said, "may_manage": self.user.allows(Permission.RETENTION_MANAGE),
            "rules": [(one, kinds[one.record_class]) for one in RetentionPolicy.objects.all() if one.record_class in kinds],
            "removals": Removal.choices, "classes": kinds.values(), "triggers": Trigger.choices, "units": Unit.choices,
            "kinds": [(one, _KINDS[one]()) for one in holdable()],
            "holds": [(one, one.lift_asked_by_id == person) for one in holds.standing()[:NEWEST]],
            "lifted": Hold.objects.exclude(lifted_at=None)[:5],
            "runs": [(one, sum(gone_of(one).values()), _due(one), one.proposed_by_id == person) for one in RetentionRun.objects.all()[:10]],
        }  # fmt: skip
        return render(self.request, "retention/retention.html", context, status=status)


class RetentionTrialPage(Page):
    """/retention/trial: what a run would do now."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """Counts by class and the first that would go; nothing is changed."""
        found = services.preview()
        context = {
            "found": [(one, {name.value: one.counts[name] for name in Why}, _REMOVALS[one.kind.usual]) for one in found],
            "due": sum(one.counts[Why.DUE] for one in found), "may_manage": self.user.allows(Permission.RETENTION_MANAGE),
        }  # fmt: skip
        return render(request, "retention/trial.html", context)


class CertificateJson(Page):
    """The certificate as it was signed."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest, run: int) -> HttpResponse:
        """A file. Raises RunUnknown."""
        return _file(signed_certificate(done_run(run)), "application/json", f"destruction-{run}.json")


class CertificatePdf(Page):
    """The certificate for people."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest, run: int) -> HttpResponse:
        """A file. Raises RunUnknown."""
        partner = request.partner  # type: ignore[attr-defined]
        return _file(certificate_pdf(done_run(run), partner.name), "application/pdf", f"destruction-{run}.pdf")


def certificate_pdf(run: RetentionRun, partner: str) -> bytes:
    """The certificate as a PDF/A that can be read aloud; the JSON beside it is what was signed."""
    said, kinds = json.loads(run.certificate), record_classes()
    assert run.signature is not None
    assert run.finished_at is not None
    facts = [
        [_("Due as of"), said["as_of"]], [_("Proposed by"), said["proposed_by"]], [_("Confirmed by"), said["confirmed_by"]],
        [_("Finished"), said["finished_at"]], [_("SHA-256 of what went"), said["gone_sha256"]],
        [_("Key"), run.signature["key_id"]], [_("Signature (Ed25519)"), run.signature["signature"]],
    ]  # fmt: skip
    gone = [[str(kinds[name].title if name in kinds else name), str(times)] for name, times in said["gone"].items()]
    rules = [[_rule_words(one), one["citation"]] for one in said["rules"] if one["record_class"] in said["gone"]]
    sheets = [
        Sheet(_("What went"), ["", _("records")], gone), Sheet(_("By which rules"), ["", ""], rules),
        Sheet(_("Who and when"), ["", ""], facts),
    ]  # fmt: skip
    title = _("Destruction certificate %(number)s of %(partner)s") % {"number": run.number, "partner": partner}
    return paper_pdf(Paper(title, [], sheets, _("None."), (get_language() or "en")[:2], run.finished_at))


def _rule_words(rule: Mapping[str, Any]) -> str:
    kind = record_classes().get(rule["record_class"])
    what = {"period": rule["period"], "unit": Unit(rule["unit"]).label, "event": Trigger(rule["trigger"]).label}
    words = f"{kind.title if kind else rule['record_class']}: " + _("%(period)s %(unit)s after %(event)s") % what
    return f"{words}. {_REMOVALS[rule['action']]}" if rule.get("action") else words


def _due(run: RetentionRun) -> int:
    return sum(one.get(Why.DUE, 0) for one in run.counts.values())


def _file(content: bytes, media_type: str, name: str) -> HttpResponse:
    return HttpResponse(content, content_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0


def _identifier(text: str) -> uuid.UUID:
    """The id, or one that nothing has."""
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return uuid.UUID(int=0)


def _day(text: str) -> date | None:
    """The day; None where none is given. What is no day is over long ago, and refused as that."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return date.min


_REMOVALS = dict(Removal.choices)
_KINDS: Mapping[str, Callable[[], str]] = {
    "applicant": lambda: _("Applicant"), "application": lambda: _("Application"), "decision": lambda: _("Decision"),
}  # fmt: skip
