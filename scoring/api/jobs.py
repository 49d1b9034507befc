"""Jobs that score a table, over HTTP: how far one is, and where its results are."""

from datetime import datetime

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.description import described, path
from partners.api.queries import read_query
from partners.api.views import ApiView, answer, identifier
from scoring import selectors
from scoring.errors import JobUnknown
from scoring.models import Job
from scoring.services import jobs


class JobRows(msgspec.Struct, frozen=True):
    """Rows of the table. `total` still grows while `is_total_known` is false; `failed` rows could not be scored, `done` have a decision."""

    total: int
    is_total_known: bool
    done: int
    failed: int


class JobResults(msgspec.Struct, frozen=True):
    """Where the decisions are: on this page of the portal, where they can be taken away for a day, or in this file beside the table, on the
    machine where `manage.py score_file` runs. One of the two is null."""

    page: str | None
    file: str | None


class ScoreJob(msgspec.Struct, frozen=True):
    """A table that is scored in the background. State: queued, running, done or failed, then `problem` says why."""

    id: str
    product: str
    state: str
    rows: JobRows
    results: JobResults
    problem: str | None
    created_at: datetime
    finished_at: datetime | None


class ScoreJobView(ApiView):
    """One job."""

    permissions = {"GET": Permission.DECISION_READ}

    @described(
        "Look at a score job", operation="score_job_read", gives=ScoreJob, refuses=(400, 404),
        parameters=(path("job_id", "The job.", type="string", format="uuid"),),
        text="A table that was brought in the browser or given to `manage.py score_file`. The decisions themselves are under /scores.",
    )  # fmt: skip
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """How far it is, and where its results are."""
        read_query(request, {})
        wanted = identifier(job_id)
        if wanted is None:
            raise JobUnknown(f"There is no job {job_id[:40]}.")
        return answer(_read(selectors.score_job(wanted)))


def _read(job: Job) -> ScoreJob:
    now, batch = jobs.progress(job), job.body.get("upload")
    file = str(job.body.get("destination", "")).rpartition("/")[2]    # where it lies on the machine is no business of a caller
    return ScoreJob(
        id=str(job.id), product=str(job.body["product"]), state=now.state, rows=JobRows(now.total, now.is_split, now.done, now.failed),
        results=JobResults(f"/batches/{batch}" if batch else None, None if batch else file or None), problem=now.problem or None,
        created_at=job.created_at, finished_at=job.finished_at,
    )  # fmt: skip
