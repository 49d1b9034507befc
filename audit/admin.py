"""The record in the admin: events, checkpoints and checks, retention, requests, alerts; looked at, never changed."""

import json
import re
from typing import Any, ClassVar

from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as said
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audit.actions import Action
from audit.admin_pages import MOMENT, Button, ReadOnly, column
from audit.days import day_of, id_of
from audit.holds import standing
from audit.models import PrivacyRequest, RetentionPolicy, RetentionRun, Verification
from audit.retention.registry import record_classes
from audit.retention.rules import Why
from audit.retention.runs import gone_of
from audit.services import is_untouched

_OBJECT = re.compile(r"([a-z_]{1,40})[ :]([A-Za-z0-9._-]{1,64})")


class EventAdmin(ReadOnly):
    """Everything that was recorded."""

    permission = "record.read"
    title = _("Events")
    about = _("Everything that was recorded. Nothing here can be changed, by anybody.")
    list_display = (
        column(_("Action"), lambda event: event.action),
        column(_("Time"), lambda event: event.recorded_at),
        column(_("By"), lambda event: event.actor_label or event.actor_kind),
        column(_("About"), lambda event: f"{event.object_kind} {event.object_id}"),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Kind of actor"), lambda event: event.actor_kind),
        column(_("Id of the actor"), lambda event: event.actor_id),
        column(_("Address"), lambda event: event.address),
        column(_("Request"), lambda event: event.request_id),
        column(_("Detail"), lambda event: json.dumps(event.detail, ensure_ascii=False, sort_keys=True)),
        column(_("Leaf hash"), lambda event: bytes(event.leaf_hash).hex()),
        column(_("Place in the tree"), lambda event: event.leaf.position if hasattr(event, "leaf") else _("not sealed yet")),
    )
    ordering = ("-id",)
    list_select_related: ClassVar[Any] = ("leaf",)
    search_fields = ("id",)
    search_help_text = _("An action (user.logged_in), a thing and its id (decision 0192…), the id of an event, or a day (2026-11-21).")

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        """With their places in the tree."""
        return super().get_queryset(request).select_related("leaf")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By action, thing, id or day, each with its index."""
        if term in set(Action):
            return found.filter(action=term)
        if (day := day_of(term)) is not None:
            return found.filter(recorded_at__gte=day[0], recorded_at__lt=day[1]).order_by("-recorded_at", "-id")
        if (event_id := id_of(term)) is not None:
            return found.filter(id=event_id)
        if (thing := _OBJECT.fullmatch(term)) is not None:
            return found.filter(object_kind=thing[1], object_id=thing[2])
        return found.none()

    def buttons(self, request: Any) -> list[Button]:
        """Checking all of it."""
        return [check_button()]

    def told(self, row: Any) -> tuple[bool, Any]:
        """Whether it is as it was recorded."""
        if is_untouched(row):
            return True, _("Its columns still give the hash that was recorded with it.")
        return False, _("This event was changed after it was recorded: its columns do not give its hash any more.")


class CheckpointAdmin(ReadOnly):
    """The signed heads of the tree."""

    permission = "record.read"
    title = _("Checkpoints")
    about = _("Each is the signed head of the tree over all events up to then.")
    list_display = (
        column(_("Events counted"), lambda checkpoint: checkpoint.size),
        column(_("Time"), lambda checkpoint: checkpoint.created_at),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Root"), lambda checkpoint: bytes(checkpoint.root).hex()),
        column(_("Signed note"), lambda checkpoint: checkpoint.signed_note),
    )
    ordering = ("-size",)
    search_fields = ("size",)
    search_help_text = _("How many events it counts.")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By size."""
        return found.filter(size=int(term)) if re.fullmatch(r"[0-9]{1,18}", term) else found.none()


def check_button() -> Button:
    """What begins a check of the whole record."""
    return Button(reverse("admin:audit_verification_ask"), _("Check it now"), does=True)


class VerificationAdmin(ReadOnly):
    """Checks of the whole record; who may begin one is said where the view is (`portal/record/admin.py`)."""

    permission = "record.read"
    title = _("Checks of the record")
    about = _("Every event, decision and checkpoint, against what was signed and what was published outside the database.")
    list_display = (
        column(_("Asked"), lambda check: check.created_at),
        column(_("State"), lambda check: check.get_state_display()),
        column(_("Events checked"), lambda check: f"{check.checked} / {check.total}"),
        column(_("Asked by"), lambda check: check.asked_by.get("label", "")),
        column(_("Ended"), lambda check: check.finished_at),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Decisions"), lambda check: check.decisions),
        column(_("Place of the first fault"), lambda check: check.position),
        column(_("Problem"), lambda check: check.problem),
    )
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = _("A day (2026-11-21).")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By day."""
        day = day_of(term)
        return found.none() if day is None else found.filter(created_at__gte=day[0], created_at__lt=day[1])

    def buttons(self, request: Any) -> list[Button]:
        """Another one."""
        return [check_button()]

    def named(self, row: Any) -> str:
        """When it was asked for."""
        return said("Check of %(at)s") % {"at": date_format(timezone.localtime(row.created_at), MOMENT)}

    def is_live(self, row: Any) -> bool:
        """Until it has ended."""
        return row.finished_at is None

    def told(self, row: Any) -> tuple[bool, Any]:
        """How far it is, or what came of it."""
        counts = {"checked": row.checked, "total": row.total}
        if row.finished_at is None:
            return True, said("%(checked)s of %(total)s events are checked.") % counts
        if row.state == Verification.State.FAILED:
            return False, row.problem
        return True, said("All %(total)s events are as they were recorded, signed and published.") % counts


class RetentionPolicyAdmin(ReadOnly):
    """The rules of retention."""

    permission = "record.read"
    title = _("Retention rules")
    about = _("How long records of a class stay after something happened. Of several rules about one class, the one that ends last counts.")
    list_display = (
        column(_("Records"), lambda rule: _class(rule.record_class)),
        column(_("Period"), lambda rule: f"{rule.period} {rule.get_unit_display()}"),
        column(_("after"), lambda rule: rule.get_trigger_display()),
        column(_("Then"), lambda rule: rule.get_action_display()),
        column(_("Because of"), lambda rule: rule.citation),
        column(_("Changed"), lambda rule: rule.changed_at),
    )
    fields: ClassVar[Any] = (*list_display, column(_("By"), lambda rule: rule.changed_by))
    ordering = ("record_class", "trigger")
    search_fields = ("record_class",)
    search_help_text = _("A class of records (applicant, file).")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[RetentionPolicy]:
        """By class."""
        return found.filter(record_class=term)


class RetentionRunAdmin(ReadOnly):
    """What was let go of, and what waits for a second person."""

    permission = "record.read"
    title = _("Retention runs")
    about = _("What one person proposed to let go of, and another agreed to. They do so on the portal's own page.")
    list_display = (
        column(_("Number"), lambda run: str(run.number)),
        column(_("State"), lambda run: run.get_state_display()),
        column(_("Due"), lambda run: sum(counts.get(Why.DUE, 0) for counts in run.counts.values())),
        column(_("Proposed by"), lambda run: run.proposed_by),
        column(_("Answered by"), lambda run: run.answered_by),
        column(_("Ended"), lambda run: run.finished_at),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("As of"), lambda run: run.as_of),
        column(_("Answered"), lambda run: run.answered_at),
        column(_("Gone"), lambda run: ", ".join(f"{_class(name)}: {times}" for name, times in gone_of(run).items())),
        column(_("Certificate"), lambda run: run.certificate),
    )
    ordering = ("-number",)
    search_fields = ("number",)
    search_help_text = _("The number of a run, or a state (proposed, confirmed, done, refused, outdated).")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By number or state."""
        if term in RetentionRun.State.values:
            return found.filter(state=term)
        return found.filter(number=int(term)) if re.fullmatch(r"[0-9]{1,9}", term) else found.none()


class HoldAdmin(ReadOnly):
    """Legal holds."""

    permission = "record.read"
    title = _("Legal holds")
    about = _("Whose records stay whatever the rules say. One person places a hold, two lift it.")
    list_display = (
        column(_("On"), lambda hold: f"{hold.kind} {hold.object_id}"),
        column(_("Reason"), lambda hold: hold.reason),
        column(_("Until"), lambda hold: hold.until or _("two people lift it")),
        column(_("Placed by"), lambda hold: hold.placed_by),
        column(_("State"), lambda hold: _state_of(hold)),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Placed"), lambda hold: hold.placed_at),
        column(_("Why it is to be lifted"), lambda hold: hold.lift_reason),
        column(_("Asked by"), lambda hold: hold.lift_asked_by),
        column(_("Lifted"), lambda hold: hold.lifted_at),
        column(_("Lifted by"), lambda hold: hold.lifted_by),
    )
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = _("The id of a hold, or of the thing that is held; or: standing.")

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By id, of the hold or of what is held; or those that stand."""
        if term == "standing":
            return found.filter(id__in=standing().values("id"))
        wanted = id_of(term)
        return found.none() if wanted is None else found.filter(Q(id=wanted) | Q(object_id=wanted))


class PrivacyRequestAdmin(ReadOnly):
    """Requests of applicants, the next one due first."""

    permission = "privacy.manage"
    title = _("Requests of applicants")
    about = _("What applicants asked for, the open ones first, and of these the next one due. They are answered on the portal's own page.")
    list_display = (
        column(_("Number"), lambda request: str(request.number)),
        column(_("Kind"), lambda request: request.get_kind_display()),
        column(_("State"), lambda request: request.get_state_display()),
        column(_("Received"), lambda request: request.received_on),
        column(_("Due"), lambda request: request.due_on),
        column(_("Days left"), lambda request: days_left(request) if request.is_open else None),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("Taken in by"), lambda request: request.created_by),
        column(_("Answered"), lambda request: request.closed_at),
        column(_("Answered by"), lambda request: request.closed_by),
    )
    ordering = ("closed_at", "due_on", "-number")
    search_fields = ("number",)
    search_help_text = _("The number of a request.")

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        """Without what is sealed."""
        return super().get_queryset(request).defer("sealed_statement")

    def get_ordering(self, request: Any) -> Any:
        """Open ones first, then the newest answered."""
        return [F("closed_at").desc(nulls_first=True), "due_on", "-number"]

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By number."""
        return found.filter(number=int(term)) if re.fullmatch(r"[0-9]{1,9}", term) else found.none()


class AlertAdmin(ReadOnly):
    """What should not have happened."""

    permission = "record.read"
    title = _("Alerts")
    about = _("What should not have happened, the open ones first. Each stays open until a person has looked at it.")
    list_display = (
        column(_("Kind"), lambda alert: alert.kind.replace("_", " ")),
        column(_("About"), lambda alert: f"{alert.object_kind} {alert.object_id}"),
        column(_("Times"), lambda alert: alert.times),
        column(_("Last seen"), lambda alert: alert.last_at),
        column(_("State"), lambda alert: _("open") if alert.closed_at is None else _("looked at")),
    )
    fields: ClassVar[Any] = (
        *list_display,
        column(_("First seen"), lambda alert: alert.raised_at),
        column(_("Detail"), lambda alert: json.dumps(alert.detail, ensure_ascii=False, sort_keys=True)),
        column(_("Looked at"), lambda alert: alert.closed_at),
        column(_("By"), lambda alert: alert.closed_by),
    )
    ordering = ("-id",)
    search_fields = ("id",)
    search_help_text = _("The id of an alert, or of the thing that it is about.")

    def get_ordering(self, request: Any) -> Any:
        """Open ones first."""
        return [F("closed_at").desc(nulls_first=True), "-id"]

    def search(self, found: QuerySet[Any], term: str) -> QuerySet[Any]:
        """By id, of the alert or of the thing."""
        wanted = id_of(term)
        return found.filter(Q(object_id=term) if wanted is None else Q(id=wanted) | Q(object_id=term))


def days_left(request: PrivacyRequest) -> str:
    """Until it is due, in words."""
    days = (request.due_on - timezone.localdate()).days
    if days < 0:
        return ngettext("%(days)s day late", "%(days)s days late", -days) % {"days": -days}
    return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}


def _class(name: str) -> Any:
    kind = record_classes().get(name)
    return kind.title if kind else name


def _state_of(hold: Any) -> Any:
    if hold.lifted_at is not None:
        return _("lifted")
    if hold.until is not None and hold.until < timezone.now().date():
        return _("over")
    return _("a second person is asked to lift it") if hold.lift_asked_by_id else _("stands")
