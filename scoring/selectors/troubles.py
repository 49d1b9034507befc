"""Work that failed and what it was about, for whoever looks whether anything is wrong."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from scoring.models import Batch, Job


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that ended without doing its work; `batch` and `name` where somebody brought a table for it, else `name` is its product."""

    kind: str
    problem: str
    at: datetime | None
    batch: uuid.UUID | None
    name: str


def failed_jobs(since: datetime, *, at_most: int = 5) -> list[FailedJob]:
    """The newest jobs that failed since then."""
    jobs = list(Job.objects.filter(state=Job.State.FAILED, finished_at__gte=since).order_by("-finished_at")[:at_most])
    ids = [one.id for one in jobs]
    concerned = Batch.objects.filter(Q(checking__in=ids) | Q(working__in=ids))
    batches = list(concerned.only("id", "plain_name", "sealed_name", "checking", "working")) if ids else []
    by_job = {job: one for one in batches for job in (one.checking_id, one.working_id) if job is not None}
    return [
        FailedJob(one.kind, one.problem, one.finished_at, batch.id if (batch := by_job.get(one.id)) else None,
                  batch.name if batch else str(one.body.get("product", "")))  # fmt: skip
        for one in jobs
    ]
