"""What runs in the workers of the queue. A message names partner and job and nothing else; the job's rows say what there is to do."""

import time
import uuid

from celery import shared_task

from scoring.models import Job
from scoring.services import jobs
from scoring.services.files import work_on_chunk

LONGEST_SECONDS = 30.0    # then the next message has its turn


@shared_task(name="scoring.work_on_job")  # type: ignore[untyped-decorator]
def work_on_job(job_id: str) -> None:
    """Chunks of the job are decided until none is left or others have their turn. Safe to run twice, and beside itself."""
    job = Job.objects.filter(id=uuid.UUID(job_id)).first()
    until, is_called = time.monotonic() + LONGEST_SECONDS, False
    while job is not None and work_on_chunk(job):
        if not is_called and jobs.waiting_chunks(job):
            work_on_job.delay(job_id)    # one more process, or this one again after what others want from it
            is_called = True
        if time.monotonic() > until:
            return
    if job is not None:
        jobs.finish_job(job.id)
