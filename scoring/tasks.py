"""What runs in the workers of the queue. A message names the partner and nothing that is not in the database."""

import time
import uuid

from celery import shared_task

from partners.queues import somebody_waits
from scoring.models import Job
from scoring.selectors.retrainings import KIND
from scoring.services import jobs
from scoring.services.replay import is_nightly_due, replay_nightly
from scoring.services.retraining import work_on_retraining
from scoring.services.shadow import shadow_outstanding
from scoring.services.work import end, work_on

REST = 3.0               # times what the work took: at most a quarter of one processor
LONGEST_TRAINING_SECONDS = 4 * 3600
LONGEST_SECONDS = 30.0    # then the next message has its turn


@shared_task(name="scoring.work_on_job")  # type: ignore[untyped-decorator]
def work_on_job(job_id: str) -> None:
    """Chunks of the job are decided until none is left or others have their turn, interactive work after each chunk. Safe to run twice,
    and beside itself."""
    job = Job.objects.filter(id=uuid.UUID(job_id)).first()
    if job is not None and job.kind == KIND:
        retrain.delay(job_id)
        return
    until, is_called = time.monotonic() + LONGEST_SECONDS, False
    while job is not None and work_on(job):
        if not is_called and jobs.waiting_chunks(job):
            work_on_job.delay(job_id)    # one more process, or this one again after what others want from it
            is_called = True
        if time.monotonic() > until or (is_called and somebody_waits()):
            return
    if job is not None:
        end(job)


@shared_task(name="scoring.retrain", time_limit=LONGEST_TRAINING_SECONDS, soft_time_limit=LONGEST_TRAINING_SECONDS - 60)  # type: ignore[untyped-decorator]
def retrain(job_id: str) -> None:
    """The job's training is done, however long it takes. Safe to run twice, and beside itself: one holds the lease."""
    job = Job.objects.filter(id=uuid.UUID(job_id)).first()
    if job is not None:
        work_on_retraining(job)
        end(job)


@shared_task(name="scoring.shadow_decisions")  # type: ignore[untyped-decorator]
def shadow_decisions() -> None:
    """The partner's challengers have scored what was decided lately. Safe to run twice, and beside itself."""
    shadow_outstanding(rest=REST)


@shared_task(name="scoring.replay_nightly")  # type: ignore[untyped-decorator]
def nightly_replay() -> None:
    """A sample of today's partner is replayed. Run twice, the second finds it done."""
    if is_nightly_due():
        replay_nightly()
