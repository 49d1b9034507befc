"""Jobs as others may ask about them."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from scoring.errors import JobUnknown
from scoring.models import Job

_SCORES = "score_file"


def score_job(job_id: uuid.UUID) -> Job:
    """The job, if it is one that scores a table. Raises JobUnknown."""
    found = Job.objects.filter(id=job_id, kind=_SCORES).first()
    if found is None:
        raise JobUnknown(f"There is no job {job_id}.")
    return found


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How the jobs of one kind stand: those that are open, and those that ended since a moment."""

    kind: str
    queued: int
    running: int
    done: int
    failed: int


def job_counts(since: datetime) -> list[JobCounts]:
    """Jobs that are open, and those that ended since then, by kind."""
    found = Job.objects.filter(Q(finished_at=None) | Q(finished_at__gte=since)).order_by("kind").values_list("kind")
    states = ("queued", "running", "done", "failed")
    rows: Any = found.annotate(**{state: Count("id", filter=Q(state=state)) for state in states})
    return [JobCounts(*row) for row in rows]
