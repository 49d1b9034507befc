"""The queue: /applications, and what its buttons send."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from audit.errors import DomainError
from partners.accounts.models import User
from partners.accounts.roles import ROLE_PERMISSIONS, Permission
from partners.accounts.web.access import Page
from partners.accounts.web.told import told
from portal.approvals.errors import AssigneeRefused, MoveDetailsRefused, ViewRefused
from portal.approvals.models import SavedView
from portal.approvals.selectors import waiting_counts
from portal.approvals.selectors.queue import Order, Tab, queue
from portal.approvals.services.queue import Given, Seen, assign_applications, release_applications
from portal.approvals.services.views import remove_view, save_view
from portal.approvals.services.work import take_next_application
from portal.approvals.web.filters import DUE, FOLDED, Wanted, filters_of, orders_of, safe_query, states_of, wanted
from portal.approvals.web.queue_words import clock_words
from scoring import selectors
from scoring.errors import CursorRefused, FilterRefused
from scoring.models import BandCode
from scoring.web.written import language_of_page


class ApplicationListPage(Page):
    """Every application, in tabs; the address is the state."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The applications that the address asks for."""
        problem, status, found = "", 200, None
        state = Wanted(Tab.WAITING, Order.DUE, {})
        may_read = self.user.allows(Permission.APPLICANT_READ)
        try:
            state = wanted(request.GET)
            filters = filters_of(state, currency=request.partner.currency, person_id=self.user.id)  # type: ignore[attr-defined]
            if filters.search is not None and not may_read:
                problem, status = _("Your role does not see who applied, so it cannot search for them."), 403
            else:
                cursor = request.GET.get("cursor") or None
                found = queue(
                    tab=state.tab, person_id=self.user.id, filters=filters, order=state.order, cursor=cursor, opens=may_read,
                    language=language_of_page(),
                )  # fmt: skip
        except (FilterRefused, CursorRefused) as refusal:
            problem, status = refusal.detail, 422
        context = {
            **self._frame(state), "problem": problem, "page": found, "now": timezone.now(),
            "next": state.changed(cursor=found.next_cursor) if found and found.next_cursor else "",
            "is_later_page": "cursor" in request.GET,
        }  # fmt: skip
        return render(request, "approvals/application_list.html", context, status=status)

    def _frame(self, state: Wanted) -> dict[str, Any]:
        """What stands around the rows."""
        waits = waiting_counts(self.user.id)
        counts = {Tab.WAITING: waits.everybody, Tab.MINE: waits.mine, Tab.SECOND: waits.second}
        may_work = self.user.allows(Permission.APPLICATION_DECIDE)
        people = deciding_people() if may_work else []
        titles = {
            Tab.WAITING: _("To decide"), Tab.MINE: _("Mine"), Tab.SECOND: _("Second person"),
            Tab.DECIDED: pgettext("applications", "Decided"), Tab.ALL: _("All"),
        }  # fmt: skip
        plain = replace(state, given={name: text for name, text in state.given.items() if name not in {"q", "state", "due"}})
        return {
            "state": state, "wanted": state.given, "is_narrowed": bool(state.given), "tab": state.tab, "order": state.order,
            "tabs": [
                {"title": titles[tab], "count": counts.get(tab), "is_here": tab is state.tab,
                 "query": plain.changed(tab="" if tab is Tab.WAITING else tab, sort="")}
                for tab in Tab if tab is not Tab.MINE or may_work
            ],
            "products": selectors.products(), "bands": BandCode.values, "states": states_of(state.tab),
            "dues": [(name, _due_words(name)) for name in DUE],
            "orders": [(one, _order_words(one)) for one in orders_of(state.tab, state.given)],
            "is_unfolded": any(name in state.given for name in FOLDED) or not state.is_usual_order,
            "people": people, "may_work": may_work, "may_choose": may_work and state.tab is not Tab.DECIDED,
            "clock": clock_words(), "by_amount": self._by_amount(state),
            "by_due": state.changed(sort=""),
            "views": SavedView.objects.filter(user=self.user), "user_id": self.user.id,
            "can_be_kept": "q" not in state.given and (bool(state.given) or not state.is_usual_order),
        }  # fmt: skip

    @staticmethod
    def _by_amount(state: Wanted) -> str:
        """Where the head of the amounts leads: largest first, then smallest first."""
        return state.changed(sort=Order.SMALLEST if state.order is Order.LARGEST else Order.LARGEST)


class TakeNextPage(Page):
    """The most urgent application is this person's."""

    permission = Permission.APPLICATION_DECIDE

    def post(self, request: HttpRequest) -> HttpResponse:
        """Goes to the application, or back when none waits."""
        taken = take_next_application(actor=self.actor, product_slug=request.POST.get("product") or None)
        if taken is None:
            messages.info(request, _("Nothing waits for you: what is left is with somebody else, put off, or your own."))
            return _back(request)
        return HttpResponseRedirect(f"{reverse('approvals:application-list')}/{taken.number}")


class ChosenPage(Page):
    """What is done with the chosen rows."""

    permission = Permission.APPLICATION_DECIDE

    def post(self, request: HttpRequest) -> HttpResponse:
        """Assigns or releases them, each for itself, and goes back with a word on what was done, what not, and why."""
        try:
            self._give(request)
        except (MoveDetailsRefused, AssigneeRefused) as refusal:
            _warn(request, refusal)
        return _back(request)

    def _give(self, request: HttpRequest) -> None:
        chosen = _chosen(request.POST.getlist("chosen"))
        if request.POST.get("do") == "release":
            given = release_applications(chosen=chosen, actor=self.actor)
            done = ngettext("%(n)s application is nobody's again.", "%(n)s applications are nobody's again.", given.done)
        else:
            assignee = _person(request.POST.get("assignee", ""))
            given = assign_applications(chosen=chosen, assignee_id=assignee.id, actor=self.actor)
            done = ngettext("%(n)s application is with %(who)s now.", "%(n)s applications are with %(who)s now.", given.done)
            done = done.replace("%(who)s", assignee.name.replace("%", "%%"))
        _tell(request, given, done)


class ViewSavePage(Page):
    """A state of the queue is kept under a name."""

    permission = Permission.DECISION_READ

    def post(self, request: HttpRequest) -> HttpResponse:
        """Goes back to the queue in that state."""
        query = safe_query(request.POST.get("back", ""), without={"q"})
        try:
            save_view(person=self.user, name=request.POST.get("name", ""), query=query)
        except ViewRefused as refusal:
            _warn(request, refusal)
        return _back(request)


class ViewRemovePage(Page):
    """A saved view is not needed any more."""

    permission = Permission.DECISION_READ

    def post(self, request: HttpRequest, view_id: uuid.UUID) -> HttpResponse:
        """Goes back to the queue."""
        remove_view(person=self.user, view_id=view_id)
        return _back(request)


def deciding_people(permission: Permission = Permission.APPLICATION_DECIDE) -> list[User]:
    """Who decides about applications, by name."""
    roles = [role for role, allowed in ROLE_PERMISSIONS.items() if permission in allowed]
    return list(User.objects.filter(is_active=True, role__in=roles).only("id", "name", "role").order_by("name", "id"))


def _chosen(sent: Sequence[str]) -> list[Seen]:
    seen = []
    for one in sent:
        name, _colon, revision = one.partition(":")
        try:
            seen.append(Seen(uuid.UUID(name), int(revision[:9])))
        except ValueError as error:
            raise MoveDetailsRefused(fields={"chosen": _("Choose rows of the list, then send it again.")}) from error
    if not seen:
        raise MoveDetailsRefused(fields={"chosen": _("Choose at least one row first; nothing was changed.")})
    return seen


def _person(sent: str) -> User:
    try:
        found = User.objects.filter(id=uuid.UUID(sent)).first()
    except ValueError:
        found = None
    if found is None:
        raise AssigneeRefused(fields={"assignee": _("Choose who is to have them; nothing was changed.")})
    return found


def _tell(request: HttpRequest, given: Given, done: str) -> None:
    if given.done:
        messages.success(request, done % {"n": given.done})
    if given.refused:
        left = ngettext("%(n)s stays as it was: %(why)s", "%(n)s stay as they were: %(why)s", len(given.refused))
        why = " ".join(dict.fromkeys(told(one.detail) for _seen, one in given.refused))
        messages.warning(request, left % {"n": len(given.refused), "why": why})


def _warn(request: HttpRequest, refusal: DomainError) -> None:
    messages.warning(request, told(next(iter(refusal.fields.values()), refusal.detail)))


def _back(request: HttpRequest) -> HttpResponseRedirect:
    query = safe_query(request.POST.get("back", ""))
    return HttpResponseRedirect(f"{reverse('approvals:application-list')}{'?' if query else ''}{query}")


def _due_words(name: str) -> str:
    words = {
        "late": _("Late"), "soon": _("Within 90 minutes"), "today": _("Due today"), "week": _("Due in 7 days"), "snoozed": _("Put off"),
    }  # fmt: skip
    return words[name]


def _order_words(order: Order) -> str:
    words = {
        Order.DUE: _("Due first"), Order.ENDED: _("Decided last first"), Order.NEWEST: _("Newest first"), Order.OLDEST: _("Oldest first"),
        Order.LARGEST: _("Largest amount first"), Order.SMALLEST: _("Smallest amount first"),
    }  # fmt: skip
    return words[order]
