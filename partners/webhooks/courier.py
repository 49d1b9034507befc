"""Who carries events: threads that only talk to endpoints, and a turn for each partner that gives them work and stores what came of it."""

import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from django.conf import settings

from partners.tenancy import current_schema
from partners.webhooks import delivering
from partners.webhooks.delivering import Taken
from partners.webhooks.models import Endpoint
from partners.webhooks.sender import Letter, Outcome, send

THREADS = 32
LANES = 4    # runs of one endpoint at a time; one that is slow or failing has one, so that it cannot hold all threads
RUN = 16    # deliveries of one run, one after the other
SLOW_MILLISECONDS = 1_000
HAND_OUT_SECONDS = 0.3    # of one turn: the clock has other duties


@dataclass(slots=True)
class Run:
    """Deliveries that one thread sends one after the other, until one fails."""

    endpoint_id: uuid.UUID
    deliveries: list[Taken] = field(default_factory=list)
    tried: list[tuple[Taken, Outcome]] = field(default_factory=list)
    future: "Future[None] | None" = None

    def work(self, send: Callable[[Letter], Outcome], until: float) -> None:
        """Each is sent, unless it became too late: then somebody else may have taken it over."""
        for taken in self.deliveries:
            if time.monotonic() > until:
                return
            outcome = send(taken.letter)
            self.tried.append((taken, outcome))
            if not outcome.is_delivered:
                return

    @property
    def untried(self) -> list[Taken]:
        return self.deliveries[len(self.tried) :]

    @property
    def is_slow(self) -> bool:
        return any(not outcome.is_delivered or outcome.milliseconds > SLOW_MILLISECONDS for _taken, outcome in self.tried)


class Courier:
    """Carries the events of all partners of one process. Its threads know no database."""

    def __init__(self, send: Callable[[Letter], Outcome] = send) -> None:
        self._send = send
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[str, list[Run]] = {}
        self._slow: set[uuid.UUID] = set()

    def turn(self) -> None:
        """What came back is stored, what happened is handed out, what is due is on its way. Returns at once; safe beside other couriers."""
        schema = current_schema()
        self._settle(schema)
        if not delivering.has_news():
            return
        until = time.monotonic() + HAND_OUT_SECONDS
        while delivering.hand_out() and time.monotonic() < until:
            pass
        for endpoint in delivering.endpoints_due():
            self._begin(schema, endpoint)

    def is_idle(self) -> bool:
        """Whether nothing of the current partner is on its way."""
        return not self._running.get(current_schema())

    def _settle(self, schema: str) -> None:
        running = self._running.pop(schema, [])
        going = [run for run in running if run.future and not run.future.done()]
        if going:
            self._running[schema] = going
        for run in running:
            if run not in going:
                self._store(run)

    def _store(self, run: Run) -> None:
        if run.tried:
            delivering.settle(run.endpoint_id, run.tried)
        delivering.give_back(run.untried)
        (self._slow.add if run.is_slow else self._slow.discard)(run.endpoint_id)
        if run.future and (error := run.future.exception()):
            raise error

    def _begin(self, schema: str, endpoint: Endpoint) -> None:
        running = self._running.setdefault(schema, [])
        lanes = 1 if endpoint.failing_since or endpoint.id in self._slow else LANES
        lanes -= sum(run.endpoint_id == endpoint.id for run in running)
        if lanes < 1:
            return
        pool = self._pool = self._pool or ThreadPoolExecutor(THREADS, thread_name_prefix="courier")
        until = time.monotonic() + settings.JOB_LEASE_SECONDS / 3
        for run in _runs(endpoint, delivering.take(endpoint, lanes * RUN), lanes):
            run.future = pool.submit(run.work, self._send, until)
            running.append(run)


def _runs(endpoint: Endpoint, taken: Iterable[Taken], lanes: int) -> list[Run]:
    """The deliveries in so many runs, those about one object in the same one and in their order."""
    runs = [Run(endpoint.id) for _ in range(lanes)]
    for one in taken:
        runs[hash(one.object_id) % lanes].deliveries.append(one)
    return [run for run in runs if run.deliveries]


COURIER = Courier()
