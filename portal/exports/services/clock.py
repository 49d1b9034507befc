"""Exports that come again: when, and whether whoever wanted them may still see the list."""

from dataclasses import asdict

from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.services import record
from partners.accounts.standing import permissions_now
from portal.exports.lists import list_of
from portal.exports.models import Export, Schedule
from portal.exports.services import asking
from portal.exports.turns import next_time

AT_ONCE = 100


def begin_due_exports() -> int:
    """Every schedule whose time has come has a new export, or ended because the person may not see the list any more. Returns how many."""
    begun = 0
    with transaction.atomic():
        due = Schedule.objects.select_for_update(skip_locked=True).filter(stopped_at=None, next_at__lte=timezone.now())
        for one in due.order_by("next_at")[:AT_ONCE]:
            begun += _begin(one)
    return begun


def _begin(one: Schedule) -> bool:
    filters, actor = asking.filters_of(one), Actor(**one.body["actor"])
    missing = list_of(one.list).needs(filters, with_applicants=one.with_applicants) - permissions_now(one.owner_kind, one.owner_id)
    if missing:
        asking.end_schedule(one, f"needs the permission {', '.join(sorted(missing))}", SYSTEM)
        return False
    made = Export.objects.create(
        list=one.list, kind=one.kind, with_applicants=one.with_applicants, sealed_filters=one.sealed_filters, body=one.body,
        owner_kind=one.owner_kind, owner_id=one.owner_id, schedule=one,
    )  # fmt: skip
    one.next_at = next_time(one.every, timezone.now(), one.body["time_zone"])
    one.save(update_fields=["next_at"])
    by_clock = Actor(**{**asdict(actor), "request_id": "", "address": "", "token_epoch": None})
    detail = {**asking.facts(made, filters), "schedule": str(one.id)}
    record(action=Action.EXPORT_ASKED, actor=by_clock, object_kind="export", object_id=made.id, detail=detail)
    return True
