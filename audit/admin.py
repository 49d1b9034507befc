"""The record in the admin: events, checkpoints; looked at, never changed."""

import json
import re
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from audit.admin_pages import ReadOnly, column
from audit.days import day_of, id_of
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
