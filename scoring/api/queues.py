"""How the queues of background work stand, over HTTP."""

from datetime import UTC, date, datetime, time

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners import queues
from partners.accounts.roles import Permission
from partners.api.description import described
from partners.api.queries import read_query
from partners.api.views import ApiView, answer
from scoring import selectors


class QueueStanding(msgspec.Struct, frozen=True):
    """One queue: tasks that wait and that run now, and how many ended since the day that `since` names. Interactive work goes first."""

    name: str
    waiting: int
    active: int
    done: int
    failed: int


class JobStanding(msgspec.Struct, frozen=True):
    """Jobs of one kind. A job is done by many tasks; those that wait or are active are all counted, the others since `since`."""

    kind: str
    waiting: int
    active: int
    done: int
    failed: int


class QueueList(msgspec.Struct, frozen=True):
    """Every queue, the one that goes first first, and the jobs behind them. Only what is this partner's."""

    since: date
    data: list[QueueStanding]
    jobs: list[JobStanding]


class QueuesView(ApiView):
    """Queues."""

    permissions = {"GET": Permission.KEY_MANAGE}

    @described(
        "See how the queues stand", operation="queue_list", gives=QueueList, refuses=(400,),
        text="Ended tasks are counted for seven days of UTC and are figures only; what became of a job is in its row, and in `jobs`.",
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """Each queue with its tasks."""
        read_query(request, {})
        since = queues.first_day()
        jobs = selectors.job_counts(datetime.combine(since, time(), UTC))
        return answer(
            QueueList(
                since, [QueueStanding(one.name, one.waiting, one.active, one.done, one.failed) for one in queues.standings()],
                [JobStanding(one.kind, one.queued, one.running, one.done, one.failed) for one in jobs],
            )
        )  # fmt: skip
