"""What happens by the clock: each duty runs for every active partner, in that partner's schema."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import Error, close_old_connections

from audit import sealer
from audit.services import forget_old_answers
from partners.models import Partner
from partners.tenancy import tenant_context
from portal.celery import app
from scoring.services.jobs import forget_old_results, unattended

PARTNERS_SECONDS = 5.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Duty:
    """Something to do for each partner, every so many seconds. Safe to run twice, and beside itself on another machine."""

    name: str
    seconds: float
    run: Callable[[], object]


def ring_for_jobs() -> None:
    """Every job that nobody works on is in the queue: new ones, and those whose workers died."""
    for job_id in unattended():
        app.send_task("scoring.work_on_job", [str(job_id)], retry=False)


DUTIES = (
    Duty("seal", 1.0, sealer.seal),
    Duty("forget-answers", 600.0, forget_old_answers),
    Duty("ring-for-jobs", 5.0, ring_for_jobs),
    Duty("forget-results", 600.0, forget_old_results),
)


@dataclass
class Scheduler:
    """Runs the duties until it is told to stop."""

    duties: Sequence[Duty] = DUTIES
    stopping: threading.Event = field(default_factory=threading.Event)
    _due: dict[str, float] = field(default_factory=dict)
    _partners: list[Partner] = field(default_factory=list)
    _partners_until: float = 0.0

    def run(self) -> None:
        """Returns when `stopping` is set."""
        while not self.stopping.wait(self._pause()):
            self.run_due()

    def run_due(self) -> None:
        """Every duty whose time has come has run once for each active partner."""
        now = time.monotonic()
        due = [duty for duty in self.duties if self._due.get(duty.name, 0.0) <= now]
        for duty in due:
            self._due[duty.name] = now + duty.seconds
        try:
            partners = self._active_partners(now)
        except Error:
            log.exception("the list of partners cannot be read")
            close_old_connections()
            return
        for partner in partners:
            for duty in due:
                if self.stopping.is_set():
                    return
                _run(duty, partner)

    def _active_partners(self, now: float) -> list[Partner]:
        if now >= self._partners_until:
            self._partners = list(Partner.objects.filter(is_active=True).exclude(schema_name="public").order_by("schema_name"))
            self._partners_until = now + PARTNERS_SECONDS
        return self._partners

    def _pause(self) -> float:
        if len(self._due) < len(self.duties):
            return 0.0
        return max(0.0, min(self._due.values()) - time.monotonic())


def _run(duty: Duty, partner: Partner) -> None:
    """One partner's trouble is logged and never keeps the others waiting."""
    try:
        with tenant_context(partner):
            duty.run()
    except Exception:
        log.exception("duty failed", extra={"duty": duty.name, "partner": partner.slug})
        close_old_connections()
