"""What exports hold of applicants for their three days: files with their details, and filters that look for somebody."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import F
from django.utils import timezone

from audit.context import SYSTEM
from audit.privacy.holders import Holder, Subject, hold
from portal.exports import storage
from portal.exports.lists import list_of
from portal.exports.models import Export, Schedule
from portal.exports.services.asking import end_schedule, filters_of
from portal.exports.services.opening import FORGOTTEN


def register() -> None:
    """Called in AppConfig.ready()."""
    hold(Holder("exports", _nothing, erase, forget))


def erase(subjects: Sequence[Subject]) -> dict[str, int]:
    """Files that hold applicants' details, or were made by looking for one, open no more, whoever is in them: that can be told of no
    format without reading it whole. One that is being written is begun again. Schedules that look for one of these people end."""
    kept = Export.objects.select_for_update().filter(forgotten_at=None).order_by("id")
    holding = [one.id for one in kept if one.with_applicants or _looks_for_somebody(one)]
    gone = Export.objects.filter(id__in=holding).exclude(finished_at=None).update(forgotten_at=timezone.now(), **FORGOTTEN)
    Export.objects.filter(id__in=holding, finished_at=None).update(state=Export.State.QUEUED, lease=None, lease_until=F("created_at"))
    told = [one.lower() for subject in subjects for one in (subject.reference, *subject.details) if one]
    for schedule in Schedule.objects.select_for_update().filter(stopped_at=None).order_by("id"):
        sought = " ".join(_looks_for_somebody(schedule)).lower()
        if any(one in sought or sought in one for one in told if sought):
            end_schedule(schedule, "whom it looked for was erased", SYSTEM)
    return {"exports": gone}


def _looks_for_somebody(wish: Export | Schedule) -> list[str]:
    """What the filters say that may name a person."""
    personal = list_of(wish.list).personal
    return [text for name, text in filters_of(wish).items() if name in personal]


def forget(_subjects: Sequence[Subject]) -> None:
    """No file is on the disk that no export has."""
    there = storage.leases()    # first: whoever begins a file afterwards has said so before
    kept = Export.objects.filter(lease__in=there, forgotten_at=None).values_list("lease", flat=True)
    for lease in there.difference(one for one in kept if one):
        storage.forget(lease)


def _nothing(_applicant_id: uuid.UUID, _language: str) -> Mapping[str, Any]:
    """They are copies of what others tell."""
    return {}
