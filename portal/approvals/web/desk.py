"""The desk: one application, decided without leaving the page, and the next one opens."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from audit.errors import DomainError
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from partners.accounts.web.told import told
from partners.errors import MoneyRefused
from partners.money import to_minor
from portal.approvals import selectors
from portal.approvals.errors import (
    AnotherPersonNeeded,
    ApplicationChanged,
    ApplicationLocked,
    AssigneeRefused,
    FileRefused,
    MoveDetailsRefused,
    MoveRefused,
    OwnApplication,
    PersonNeeded,
    ProposalMissing,
    ProposalOpen,
)
from portal.approvals.models import Application
from portal.approvals.services.decisions import agree_to_proposal, decide_application, refuse_proposal, retract_proposal
from portal.approvals.services.moves import Why
from portal.approvals.services.work import next_in_queue, release_application, take_next_application, write_note
from portal.approvals.transitions import MoveName, State
from portal.approvals.web.case import CHOICES, OTHER_MOVES, Case
from portal.approvals.web.words import STATE_WORDS
from scoring.errors import ApplicantErased
from scoring.services.looks import note_look

_CONFLICTS = (ApplicationChanged, ApplicationLocked, MoveRefused, ProposalOpen, ProposalMissing, AnotherPersonNeeded, ApplicantErased)
_OTHERS = (OwnApplication, PersonNeeded)    # a matter for somebody else
_UNUSABLE = (MoveDetailsRefused, AssigneeRefused, FileRefused)
_SEPARATORS = str.maketrans("", "", " ,'\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{RIGHT SINGLE QUOTATION MARK}")
Typed = Mapping[str, str]


class DeskPage(Page):
    """Something done on the page of an application."""

    def done_or_told(self, request: HttpRequest, number: str, typed: Typed, act: Callable[[], HttpResponse]) -> HttpResponse:
        """What the act answers; what stands against it is told on the application's page, beside everything that was typed."""
        try:
            return act()
        except _CONFLICTS as refusal:
            return self.shown(request, _one(number), typed, conflict=_told(refusal), status=409)
        except _OTHERS as refusal:
            return self.shown(request, _one(number), typed, conflict=told(refusal.detail), status=403)
        except _UNUSABLE as refusal:
            return self.shown(request, _one(number), typed, dict(refusal.fields) or {"choice": refusal.detail})

    def shown(
        self, request: HttpRequest, application: Application, typed: Typed | None = None, faults: Mapping[str, str] | None = None,
        *, conflict: str = "", status: int = 200,
    ) -> HttpResponse:  # fmt: skip
        """The page, with what is wrong at its fields."""
        case = Case(application, self.user)
        if case.may_read:
            note_look(case.detail, actor=self.actor)
        context: dict[str, Any] = case.context()
        said = {name: told(text) for name, text in (faults or {}).items()}
        context |= {"typed": typed or {}, "faults": said, "conflict": conflict, "queue": queue_address()}
        return render(request, "approvals/application_detail.html", context, status=422 if faults else status)


class ApplicationDetailPage(DeskPage):
    """One application: four plain reasons first, and the panel to decide."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        """The application, or 404; `offer` in the address fills a counter-offer in."""
        offer = request.GET.get("offer", "")
        typed = {"choice": "counter", "offer": offer} if offer.isascii() and offer.isdigit() else {}
        return self.shown(request, _one(number), typed)

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        """What `act` says is done, and the next application opens; what stands against it is told with everything that was typed."""
        if not self.user.allows(Permission.APPLICATION_DECIDE):
            raise PermissionDenied
        application, typed = _one(number), {name: str(value).strip() for name, value in request.POST.items()}
        act = getattr(self, f"_{typed.get('act')}", None) if typed.get("act") in _ACTS else None
        if act is None:
            return self.shown(request, application, typed, {"choice": _("Choose one of the answers first.")})
        return self.done_or_told(request, number, typed, lambda: act(request, application, typed))

    def _decide(self, request: HttpRequest, application: Application, typed: Typed) -> HttpResponse:
        choice = typed.get("choice", "")
        if choice not in CHOICES:
            raise MoveDetailsRefused(fields={"choice": _("Choose one of the answers first.")})
        offered = _offer(typed.get("offer", ""), application.currency) if choice == "counter" else None
        code = typed.get(f"{choice}_reason", "")
        if not code:
            raise MoveDetailsRefused(fields={f"{choice}_reason": _("This decides otherwise than the policy: choose why.")})
        done = decide_application(
            application_id=application.id, move=CHOICES[choice], why=Why(code, typed.get("note", "")), actor=self.actor,
            revision=_revision(typed), offered_minor=offered,
        )  # fmt: skip
        return self._next(request, done)

    def _answer(self, request: HttpRequest, application: Application, typed: Typed) -> HttpResponse:
        given = {"application_id": application.id, "actor": self.actor, "revision": _revision(typed)}
        if typed.get("choice") == "approve":
            done = agree_to_proposal(note=typed.get("note", ""), **given)  # type: ignore[arg-type]
        elif typed.get("choice") == "decline":
            if not typed.get("refusal"):
                raise MoveDetailsRefused(fields={"refusal": _("Say why not: it goes back with your words.")})
            done = refuse_proposal(why=Why(typed["refusal"], typed.get("note", "")), **given)  # type: ignore[arg-type]
        else:
            raise MoveDetailsRefused(fields={"choice": _("Choose one of the answers first.")})
        return self._next(request, done)

    def _retract(self, request: HttpRequest, application: Application, typed: Typed) -> HttpResponse:
        retract_proposal(application_id=application.id, actor=self.actor, revision=_revision(typed))
        messages.success(request, _("You took the proposal back. Nothing was decided."))
        return _back(application)

    def _move(self, request: HttpRequest, application: Application, typed: Typed) -> HttpResponse:
        move = typed.get("move", "")
        if move not in OTHER_MOVES:
            raise MoveDetailsRefused(fields={"move": _("Choose what happened.")})
        code = "asked_by_applicant" if move in {MoveName.WITHDRAW, MoveName.ACCEPT_OFFER} else "reopened"
        why = Why(code, typed.get("move_note", ""))
        done = decide_application(
            application_id=application.id, move=MoveName(move), why=why, actor=self.actor, revision=_revision(typed)
        )
        messages.success(request, _("%(number)s: %(state)s.") % {"number": done.number, "state": STATE_WORDS[done.state]})
        return _back(application)

    def _note(self, _request: HttpRequest, application: Application, typed: Typed) -> HttpResponse:
        write_note(application_id=application.id, text=typed.get("note_text", ""), actor=self.actor)
        return HttpResponseRedirect(f"{_address(application)}#time")

    def _release(self, request: HttpRequest, application: Application, _typed: Typed) -> HttpResponse:
        release_application(application_id=application.id, actor=self.actor)
        messages.success(request, _("%(number)s was given back. Somebody else can take it.") % {"number": application.number})
        return HttpResponseRedirect(queue_address())

    def _skip(self, _request: HttpRequest, application: Application, _typed: Typed) -> HttpResponse:
        """Let go without a word; the next one in the queue opens."""
        if application.locked_by_id == self.user.id:
            release_application(application_id=application.id, actor=self.actor)
        following = next_in_queue(application, self.user)
        return HttpResponseRedirect(queue_address() if following is None else _address(following))

    def _next(self, request: HttpRequest, done: Application) -> HttpResponse:
        """The next application is open, with one line about the one before."""
        following = take_next_application(actor=self.actor, after=done)
        said = _said(done)
        if following is None:
            said = f"{said} {_('Nothing else waits for you.')}"
        messages.success(request, format_html('{} <a href="{}">{}</a>', said, _address(done), _("Look at it again")))
        return HttpResponseRedirect(queue_address() if following is None else _address(following))


_ACTS = frozenset({"decide", "answer", "retract", "move", "note", "release", "skip"})


def queue_address() -> str:
    """Where the applications are listed."""
    try:
        return reverse("approvals:application-list")
    except NoReverseMatch:    # a portal without the list
        return reverse("portal:overview")


def _one(number: str) -> Application:
    """The application that people call by this number. Raises Http404."""
    found = selectors.applications(selectors.ApplicationFilters(number=number), limit=1).applications
    if not found:
        raise Http404
    return found[0]


def _address(application: Application) -> str:
    return reverse("approvals:application-detail", args=[application.number])


def _back(application: Application) -> HttpResponse:
    return HttpResponseRedirect(_address(application))


def _revision(typed: Typed) -> int:
    """The revision that the person saw. Raises MoveDetailsRefused."""
    text = typed.get("revision", "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MoveDetailsRefused(fields={"choice": _("Load the page again: we cannot tell which state of the application you saw.")})
    return int(text)


def _offer(text: str, currency: str) -> int:
    """The amount as people write it. Raises MoveDetailsRefused."""
    try:
        return to_minor(text.translate(_SEPARATORS), currency)
    except MoneyRefused as refusal:
        detail = _("Write the amount you offer in figures, such as 85000.") if not text else next(iter(refusal.fields.values()))
        raise MoveDetailsRefused(fields={"offer": detail}) from refusal


def _told(refusal: DomainError) -> str:
    """What stands against it, in the person's own time."""
    if isinstance(refusal, ApplicationLocked):
        return _("%(who)s has it open until %(time)s at the latest.") % {"who": refusal.by, "time": f"{localtime(refusal.at):%H:%M}"}
    if isinstance(refusal, ApplicationChanged):
        said = {"who": refusal.by, "time": f"{localtime(refusal.at):%H:%M:%S}", "state": STATE_WORDS[refusal.state]}
        return _("%(who)s was first, at %(time)s. The application is now: %(state)s.") % said
    return told(refusal.detail)


def _said(done: Application) -> str:
    """One line about what was decided."""
    if done.is_waiting and done.state != State.NEEDS_INFORMATION and selectors.open_proposal(done) is not None:
        return _("%(number)s waits for a second person now.") % {"number": done.number}
    return _("%(number)s: %(state)s.") % {"number": done.number, "state": STATE_WORDS[done.state]}
