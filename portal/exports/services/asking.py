"""Asking for an export, once or again and again; what was asked for is read from its sealed row in one place."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.actions import Action
from audit.context import Actor
from audit.ids import uuid7
from audit.services import record
from audit.vault import keyring
from partners.accounts.standing import permissions_now
from portal.exports.errors import ExportRefused, ExportUnknown, ListNotYours
from portal.exports.lists import Asker, ExportList, Told, list_of
from portal.exports.models import Export, Schedule, Wish
from portal.exports.turns import next_time
from scoring.engine.writing import KINDS

MOST_OPEN = 20    # of one person or key, so that nobody fills the disk by pressing a button
LONGEST_FILTER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants. `filters` are texts as the list's address has them."""

    list_name: str
    kind: str
    filters: Mapping[str, str]
    with_applicants: bool = False
    time_zone: str = "UTC"
    currency: str = ""


def ask_export(*, asked: Asked, actor: Actor) -> Export:
    """The export waits for a worker, recorded. Raises ListUnknown, ListNotYours, ExportRefused, and what the list's filters raise."""
    check(asked, actor)
    if Export.objects.filter(owner_id=actor.id, finished_at=None).count() >= MOST_OPEN:
        raise ExportRefused(f"{MOST_OPEN} exports of yours are not finished yet; wait for them.")
    with transaction.atomic():
        made = Export.objects.create(**_row(asked, actor))
        record(action=Action.EXPORT_ASKED, actor=actor, object_kind="export", object_id=made.id, detail=facts(made, asked.filters))
    return made


def schedule_export(*, asked: Asked, every: str, actor: Actor) -> Schedule:
    """The export is made again and again, recorded. Raises what `ask_export` raises; only people have schedules."""
    check(asked, actor)
    if actor.kind != "user":
        raise ListNotYours("Only a person can have an export made again and again.")
    with transaction.atomic():
        made = Schedule.objects.create(**_row(asked, actor), every=every, next_at=next_time(every, timezone.now(), asked.time_zone))
        detail = {**facts(made, asked.filters), "every": every}
        record(action=Action.EXPORT_SCHEDULED, actor=actor, object_kind="export_schedule", object_id=made.id, detail=detail)
    return made


def stop_schedule(*, schedule_id: uuid.UUID, actor: Actor) -> None:
    """It is not made again. Raises ExportUnknown."""
    with transaction.atomic():
        found = Schedule.objects.select_for_update().filter(id=schedule_id, owner_kind=actor.kind, owner_id=actor.id).first()
        if found is None:
            raise ExportUnknown
        if found.stopped_at is None:
            end_schedule(found, "", actor)


def end_schedule(found: Schedule, because: str, actor: Actor) -> None:
    """Written in the caller's transaction."""
    found.stopped_at, found.because, found.sealed_filters = timezone.now(), because, b""
    found.save(update_fields=["stopped_at", "because", "sealed_filters"])
    detail = {"list": found.list, "because": because}
    record(action=Action.EXPORT_SCHEDULE_STOPPED, actor=actor, object_kind="export_schedule", object_id=found.id, detail=detail)


def check(asked: Asked, actor: Actor) -> ExportList:
    """The list, which this actor may read like this now. Raises ListUnknown, ListNotYours, ExportRefused, and what its filters raise."""
    one = list_of(asked.list_name)
    if missing := one.needs(asked.filters, with_applicants=asked.with_applicants) - permissions_now(actor.kind, actor.id):
        raise ListNotYours(f"This needs the permission {', '.join(sorted(missing))}.")
    wrong: dict[str, str] = {}
    if asked.kind not in KINDS:
        wrong["format"] = f"Choose one of {', '.join(KINDS)}."
    if asked.with_applicants and one.applicants is None:
        wrong["with_applicants"] = "This list is not about applicants."
    for name, text in asked.filters.items():
        if name not in one.filters:
            wrong["filters"] = f"This list has no filter {name[:40]!r}; it has {', '.join(one.filters) or 'none'}."
        elif len(text) > LONGEST_FILTER or not text.isprintable():
            wrong["filters"] = f"What is looked for has at most {LONGEST_FILTER} characters, all of them printable."
    if wrong:
        raise ExportRefused(fields=wrong)
    found(one, asked.filters, actor.kind, actor.id, asked.currency)
    return one


def found(one: ExportList, filters: Mapping[str, str], owner_kind: str, owner_id: str, currency: str) -> QuerySet[Any] | Told:
    """The rows, in the time zone that is in force. Raises what the list's filters raise."""
    person = uuid.UUID(owner_id) if owner_kind == "user" else None
    return one.read(filters, Asker(person, currency))


def facts(wish: Wish, filters: Mapping[str, str]) -> dict[str, Any]:
    """What the record is told: which filters, but not what they look for, since that may be a person."""
    return {"list": wish.list, "format": wish.kind, "with_applicants": wish.with_applicants, "filters": sorted(filters)}


def filters_of(wish: Wish) -> dict[str, str]:
    """What was looked for; nothing once the file is gone."""
    ring, sealed = keyring(), bytes(wish.sealed_filters)
    if not sealed:
        return {}
    packed = ring.unseal(ring.partner_key, sealed, table="exports", column="sealed_filters", owner=wish.body["seal"])
    return msgspec.json.decode(packed, type=dict[str, str])


def _row(asked: Asked, actor: Actor) -> dict[str, Any]:
    ring, seal = keyring(), str(uuid7())    # an export of a schedule opens what was sealed for the schedule
    packed = msgspec.json.encode(dict(asked.filters))
    return {
        "list": asked.list_name, "kind": asked.kind, "with_applicants": asked.with_applicants, "owner_kind": actor.kind,
        "owner_id": actor.id, "sealed_filters": ring.seal(ring.partner_key, packed, table="exports", column="sealed_filters", owner=seal),
        "body": {"actor": asdict(actor), "time_zone": asked.time_zone, "currency": asked.currency, "seal": seal},
    }  # fmt: skip
