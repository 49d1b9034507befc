"""The list of what was recorded."""

from collections.abc import Mapping

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.models import Event
from partners.accounts.roles import Permission
from portal.exports.lists import Asker, ExportList, declare, free, moment, name, word


def _events(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Event]:
    return Event.objects.order_by("recorded_at", "id")


def declare_lists() -> None:
    """It can be taken away from now on."""
    declare(ExportList(
        name="events", title=_("The record"), permission=Permission.RECORD_READ, page="portal:overview", read=_events,
        columns={
            "id": name("id"), "recorded_at": moment("recorded_at"), "action": word("action"), "actor_kind": word("actor_kind"),
            "actor_id": word("actor_id"), "actor": free("actor_label"), "address": word("address"), "request_id": free("request_id"),
            "object_kind": word("object_kind"), "object_id": free("object_id"), "detail": name("detail"),
        },
    ))  # fmt: skip
