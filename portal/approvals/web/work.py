"""What is done with one application besides deciding about it: /applications/<number>/work."""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.context import Actor
from partners.accounts.roles import Permission
from portal.approvals.errors import MoveDetailsRefused
from portal.approvals.models import Application
from portal.approvals.selectors.queue import by_number
from portal.approvals.services.queue import escalate_application, open_application, snooze_application, tag_application
from portal.approvals.services.work import assign_application, release_application, write_note
from portal.approvals.web.desk import DeskPage

Act = Callable[[Application, Actor, Mapping[str, str]], str]


def found_by(number: str) -> Application:
    """The application of this number. Raises Http404."""
    found = by_number(number) if len(number) <= 20 and "\0" not in number else None
    if found is None:
        raise Http404
    return found


def address_of(application: Application) -> str:
    """The page of one application."""
    return f"{reverse('approvals:application-list')}/{application.number}"


class ApplicationWorkPage(DeskPage):
    """One button about one application: open, release, assign, snooze, wake, escalate, note or tags."""

    permission = Permission.APPLICATION_DECIDE

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        """Does it, and goes to the application with a word on what happened; or says on it why not, with what was typed."""
        application, typed = found_by(number), {name: str(value) for name, value in request.POST.items()}

        def done() -> HttpResponse:
            act = _ACTS.get(typed.get("do", ""))
            if act is None:
                raise MoveDetailsRefused(_("Choose what to do with the application; nothing was changed."))
            if said := act(application, self.actor, typed):
                messages.success(request, said)
            return HttpResponseRedirect(address_of(application))

        return self.done_or_told(request, number, typed, done)


def _open(application: Application, actor: Actor, told: Mapping[str, str]) -> str:
    open_application(application_id=application.id, actor=actor)
    return ""


def _release(application: Application, actor: Actor, told: Mapping[str, str]) -> str:
    release_application(application_id=application.id, actor=actor, revision=_revision(told))
    return _("The application is nobody's again.")


def _assign(application: Application, actor: Actor, told: Mapping[str, str]) -> str:
    person = _person(told.get("assignee", ""), _("Choose who is to have it; nothing was changed."))
    made = assign_application(application_id=application.id, assignee_id=person, actor=actor, revision=_revision(told))
    return _("The application is with %(who)s now.") % {"who": made.assigned_to.name if made.assigned_to else ""}


def _snooze(application: Application, actor: Actor, told: Mapping[str, str]) -> str:
    snooze_application(application_id=application.id, until=_moment(told.get("until", "")), actor=actor, revision=_revision(told))
    return _("The application is put off until then.")


def _wake(application: Application, actor: Actor, told: Mapping[str, str]) -> str:
    snooze_application(application_id=application.id, until=None, actor=actor, revision=_revision(told))
    return _("The application waits again.")


def _escalate(application: Application, actor: Actor, told: Mapping[str, str]) -> str:
    to = _person(told["to"], _("Choose an approver from the list; nothing was changed.")) if told.get("to") else None
    escalate_application(application_id=application.id, actor=actor, to=to, revision=_revision(told))
    return _("The application comes before all others now.")


def _note(application: Application, actor: Actor, told: Mapping[str, str]) -> str:
    write_note(application_id=application.id, text=told.get("text", ""), actor=actor)
    return _("The note is kept.")


def _tags(application: Application, actor: Actor, told: Mapping[str, str]) -> str:
    tags = told.get("tags", "").replace(",", " ").split()
    tag_application(application_id=application.id, tags=tags, actor=actor, revision=_revision(told))
    return _("The tags are kept.")


_ACTS: Mapping[str, Act] = {
    "open": _open, "release": _release, "assign": _assign, "snooze": _snooze, "wake": _wake, "escalate": _escalate, "note": _note,
    "tags": _tags,
}  # fmt: skip


def _revision(told: Mapping[str, str]) -> int | None:
    """The revision that was seen, where the form tells it. Raises MoveDetailsRefused."""
    text = told.get("revision", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise MoveDetailsRefused(fields={"revision": _("Load the page again, then send it once more; nothing was changed.")})
    return int(text)


def _person(text: str, refusal: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise MoveDetailsRefused(fields={"person": refusal}) from error


def _moment(text: str) -> datetime:
    """A moment in the person's time zone. Raises MoveDetailsRefused."""
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else timezone.make_aware(moment)
    except (ValueError, OverflowError) as error:
        raise MoveDetailsRefused(fields={"until": _("Write day and time like 2026-11-21T09:00; nothing was changed.")}) from error
