"""The list of what was recorded, to be taken away as the page of the record is filtered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db.models import Func, QuerySet, TextField
from django.utils.translation import gettext_lazy as _

from audit.models import Event
from audit.selectors import events_found
from partners.accounts.roles import Permission
from portal.exports.lists import Asker, Column, ExportList, declare, free, moment, name, number, word
from portal.record.web.pages import FILTERS, filters_of

_DIRECT = ("actor_id", "object_kind", "object_id")


def _events(given: Mapping[str, str], _asker: Asker) -> QuerySet[Event]:
    filters = filters_of({one: given[one] for one in FILTERS if one in given})
    direct: dict[str, Any] = {one: given[one] for one in _DIRECT if one in given}
    return events_found(replace(filters, **direct)).order_by("id")


EVENTS = ExportList(
    name="events", title=_("The record"), permission=Permission.RECORD_READ, page="record:event-list", read=_events,
    filters=(*FILTERS, *_DIRECT), personal=frozenset({"applicant"}),
    columns={
        "position": number("leaf__position"), "id": name("id"), "recorded_at": moment("recorded_at"), "action": word("action"),
        "actor_kind": word("actor_kind"), "actor_id": word("actor_id"), "actor_label": free("actor_label"), "address": word("address"),
        "request_id": free("request_id"), "object_kind": word("object_kind"), "object_id": free("object_id"), "detail": name("detail"),
        "leaf_hash": Column(Func("leaf_hash", template="encode(%(expressions)s, 'hex')", output_field=TextField())),
    },
)  # fmt: skip


def declare_lists() -> None:
    """It can be taken away from now on."""
    declare(EVENTS)
