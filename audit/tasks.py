"""What the queue's workers do for the record. A message names the partner and nothing else."""

from celery import shared_task

from audit import verification


@shared_task(name="audit.work_on_verification")  # type: ignore[untyped-decorator]
def work_on_verification() -> None:
    """The check that waits is done. Safe to run twice, and beside itself."""
    verification.work_on_verification()
