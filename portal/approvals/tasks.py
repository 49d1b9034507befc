"""What the queue's workers do for approvals. A message names the partner and nothing else."""

from celery import shared_task

from portal.approvals.services import applications, figures


@shared_task(name="approvals.finish_left_applications")  # type: ignore[untyped-decorator]
def finish_left_applications() -> None:
    """Applications that a crash left have a decision. Safe to run twice, and beside itself."""
    applications.finish_left_applications()


@shared_task(name="approvals.count_months")  # type: ignore[untyped-decorator]
def count_months() -> None:
    """The figures of months are fresh. Safe to run twice, and beside itself."""
    figures.count_months()
