"""The list of what was recorded."""

from collections.abc import Mapping

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from audit.models import Event
from audit.selectors import EventFilters, events_found
from partners.accounts.roles import Permission
from portal.exports.lists import Asker, ExportList, declare, free, moment, name, word
from scoring.errors import FilterRefused
from scoring.selectors.asked import day_of

FILTERS = ("action", "actor_id", "object_kind", "object_id", "since", "until")


def _events(given: Mapping[str, str], _asker: Asker) -> QuerySet[Event]:
    if given.get("action", Action.PARTNER_CREATED) not in set(Action):
        raise FilterRefused("There is no such action.")
    action = Action(given["action"]) if "action" in given else None
    filters = EventFilters(
        action=action, actor_id=given.get("actor_id"), object_kind=given.get("object_kind"), object_id=given.get("object_id"),
        since=day_of(given.get("since")), until=day_of(given.get("until")),
    )  # fmt: skip
    return events_found(filters).order_by("recorded_at", "id")


def declare_lists() -> None:
    """It can be taken away from now on."""
    declare(ExportList(
        name="events", title=_("The record"), permission=Permission.RECORD_READ, page="exports:export-list", read=_events, filters=FILTERS,
        columns={
            "id": name("id"), "recorded_at": moment("recorded_at"), "action": word("action"), "actor_kind": word("actor_kind"),
            "actor_id": word("actor_id"), "actor": free("actor_label"), "address": word("address"), "request_id": free("request_id"),
            "object_kind": word("object_kind"), "object_id": free("object_id"), "detail": name("detail"),
        },
    ))  # fmt: skip
