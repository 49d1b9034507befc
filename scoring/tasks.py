"""What runs in the workers of the queue. A message names the partner and nothing that is not in the database."""

from celery import shared_task

from scoring.services.shadow import shadow_outstanding

REST = 3.0    # times what the work took: at most a quarter of one processor


@shared_task(name="scoring.shadow_decisions")  # type: ignore[untyped-decorator]
def shadow_decisions() -> None:
    """The partner's challengers have scored what was decided lately. Safe to run twice, and beside itself."""
    shadow_outstanding(rest=REST)
