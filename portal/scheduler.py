"""What happens by the clock: each duty runs for every active partner, in that partner's schema."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from django.db import Error, close_old_connections

from audit import sealer
from audit.errors import DomainError
from audit.models import Event
from audit.privacy.ledger import publish_erasures
from audit.retention import runs
from audit.services import forget_old_answers
from audit.vault import ensure_keyring
from audit.verification import verifications_left, work_on_verification
from partners.accounts.links import has_unsent
from partners.accounts.request_log import forget_requests
from partners.accounts.sign_in import forget_old_sessions
from partners.models import Partner
from partners.postgres.roles import PUBLIC
from partners.tenancy import tenant_context
from partners.webhooks.courier import COURIER
from partners.webhooks.delivering import forget_deliveries
from portal.approvals.services.applications import has_left_applications
from portal.approvals.services.figures import months_due
from portal.approvals.services.sweeps import expire_applications, lapse_proposals
from portal.backups.copies import begin_due_backup
from portal.celery import app
from portal.exports.services import writing
from portal.exports.services.clock import begin_due_exports
from portal.exports.services.opening import forget_old_exports
from portal.logs import said_of
from scoring import selectors
from scoring.services.figures import roll_up_hours
from scoring.services.jobs import forget_old_results, unattended
from scoring.services.replay import is_nightly_due
from scoring.services.retraining import begin_due
from scoring.services.uploads import forget_old_uploads

PARTNERS_SECONDS = 5.0
RING_EXPIRES_SECONDS = 30
FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 60.0
LIST = "list-partners"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Duty:
    """Something to do for each partner, every so many seconds. Safe to run twice, and beside itself on another machine."""

    name: str
    seconds: float
    run: Callable[[], object]


def ring_for_challengers() -> None:
    """Where a challenger has decisions to score, a worker is called. What is not heard in time is rung again."""
    now = datetime.now(UTC)
    if any(selectors.has_outstanding(version, now) for version in selectors.challengers()):
        app.send_task("scoring.shadow_decisions", retry=False, expires=RING_EXPIRES_SECONDS)


def ring_for_jobs() -> None:
    """Every job that nobody works on is in the queue: new ones, and those whose workers died."""
    for job_id in unattended():
        app.send_task("scoring.work_on_job", [str(job_id)], retry=False)


def ring_for_exports() -> None:
    """Every export that nobody writes is in the queue. What is not heard in time is rung again."""
    for export_id in writing.unattended():
        app.send_task("exports.write_export", [str(export_id)], retry=False, expires=RING_EXPIRES_SECONDS)


def ring_for_applications() -> None:
    """Where an application was left without a decision, a worker is called."""
    if has_left_applications():
        app.send_task("approvals.finish_left_applications", retry=False, expires=RING_EXPIRES_SECONDS)


def ring_for_verifications() -> None:
    """Where a check of the record waits, a worker is called."""
    if verifications_left():
        app.send_task("audit.work_on_verification", retry=False, expires=RING_EXPIRES_SECONDS)


def ring_for_months() -> None:
    """Where figures of a month are to be counted, a worker is called."""
    if months_due():
        app.send_task("approvals.count_months", retry=False, expires=RING_EXPIRES_SECONDS)


def ring_for_retention() -> None:
    """Where a run of retention was confirmed and nobody is at it, a worker is called."""
    if runs.is_waiting():
        app.send_task("audit.work_on_retention", retry=False, expires=RING_EXPIRES_SECONDS)


def ring_for_mail() -> None:
    """Where somebody asked for a new password, a worker is called."""
    if has_unsent():
        app.send_task("accounts.send_resets", retry=False, expires=RING_EXPIRES_SECONDS)


def ring_for_replay() -> None:
    """Where tonight's sample was not replayed yet, a worker is called."""
    if is_nightly_due():
        app.send_task("scoring.replay_nightly", retry=False, expires=RING_EXPIRES_SECONDS)


DUTIES = (
    Duty("seal", 1.0, sealer.seal),
    Duty("forget-answers", 600.0, forget_old_answers),
    Duty("ring-for-challengers", 5.0, ring_for_challengers),
    Duty("ring-for-jobs", 5.0, ring_for_jobs),
    Duty("forget-results", 600.0, forget_old_results),
    Duty("ring-for-applications", 30.0, ring_for_applications),
    Duty("lapse-proposals", 60.0, lapse_proposals),
    Duty("expire-applications", 600.0, expire_applications),
    Duty("forget-uploads", 600.0, forget_old_uploads),
    Duty("roll-up-hours", 60.0, roll_up_hours),
    Duty("ring-for-verifications", 5.0, ring_for_verifications),
    Duty("forget-requests", 600.0, forget_requests),
    Duty("begin-retraining", 600.0, begin_due),
    Duty("ring-for-months", 30.0, ring_for_months),
    Duty("deliver-events", 1.0, COURIER.turn),
    Duty("forget-deliveries", 600.0, forget_deliveries),
    Duty("ring-for-mail", 5.0, ring_for_mail),
    Duty("forget-sessions", 3600.0, forget_old_sessions),
    Duty("ring-for-exports", 5.0, ring_for_exports),
    Duty("begin-exports", 60.0, begin_due_exports),
    Duty("forget-exports", 600.0, forget_old_exports),
    Duty("back-up", 600.0, begin_due_backup),
    Duty("publish-erasures", 60.0, publish_erasures),
    Duty("ring-for-replay", 600.0, ring_for_replay),
    Duty("ring-for-retention", 5.0, ring_for_retention),
)


OPERATORS = "operators"


def seal_operators() -> None:
    """What operators did is sealed; where nobody ever was one there are no keys, and nothing to seal."""
    if Event.objects.exists():
        ensure_keyring()
        sealer.seal()


# In the shared schema, whose record is the operators'. It is short, and messages are partners' only: it is checked here.
OPERATORS_DUTIES = (
    Duty("seal-operators", 5.0, seal_operators),
    Duty("check-operators", 5.0, work_on_verification),
    Duty("forget-sessions-of-operators", 3600.0, forget_old_sessions),
)


@dataclass(frozen=True)
class Rest:
    """Until when something that failed is left alone, and how long that was to be."""

    until: float
    seconds: float


@dataclass
class Scheduler:
    """Runs the duties until it is told to stop."""

    duties: Sequence[Duty] = DUTIES
    operators_duties: Sequence[Duty] = OPERATORS_DUTIES
    stopping: threading.Event = field(default_factory=threading.Event)
    _due: dict[str, float] = field(default_factory=dict)
    _partners: list[Partner] = field(default_factory=list)
    _partners_until: float = 0.0
    _rests: dict[tuple[str, str], "Rest"] = field(default_factory=dict)

    def run(self) -> None:
        """Returns when `stopping` is set."""
        while not self.stopping.wait(self._pause()):
            self.run_due()

    def run_due(self) -> None:
        """Every duty whose time has come has run once for each active partner."""
        now = time.monotonic()
        due = self._now_due(self.duties, now)
        if not self._attempt(LIST, "", self._read_partners):
            return
        for partner in self._partners:
            for duty in due:
                if self.stopping.is_set():
                    return
                has_failed = not self._attempt(duty.name, partner.slug, partial(_run, duty, partner))
                if has_failed and not self._attempt(LIST, "", self._read_partners):
                    return  # it is the database, and not this partner
        for duty in self._now_due(self.operators_duties, now):
            self._attempt(duty.name, OPERATORS, partial(_run, duty, PUBLIC))

    def _now_due(self, duties: Sequence[Duty], now: float) -> list[Duty]:
        due = [duty for duty in duties if self._due.get(duty.name, 0.0) <= now]
        for duty in due:
            self._due[duty.name] = now + duty.seconds
        return due

    def _attempt(self, duty: str, partner: str, run: Callable[[], object]) -> bool:
        """Whether it has not failed. What failed rests for a second, then for twice as long each time; one line tells of each failure."""
        rest = self._rests.get((duty, partner))
        if rest is not None and time.monotonic() < rest.until:
            return duty != LIST
        try:
            run()
        except Exception as error:
            longest = PARTNERS_SECONDS if duty == LIST else LONGEST_REST_SECONDS
            seconds = min(2 * rest.seconds, longest) if rest else FIRST_REST_SECONDS
            self._rests[duty, partner] = Rest(time.monotonic() + seconds, seconds)
            is_news = rest is None and not isinstance(error, Error | DomainError)
            told, where = said_of(error), {"duty": duty, "partner": partner}
            log.error("duty failed: %s; it is tried again in %g s", told, seconds, extra=where, exc_info=error if is_news else None)
            if isinstance(error, Error):
                self._partners_until = 0.0
                close_old_connections()
            return False
        self._rests.pop((duty, partner), None)
        return True

    def _read_partners(self) -> None:
        now = time.monotonic()
        if now >= self._partners_until:
            self._partners = list(Partner.objects.filter(is_active=True).exclude(schema_name="public").order_by("schema_name"))
            self._partners_until = now + PARTNERS_SECONDS

    def _pause(self) -> float:
        if len(self._due) < len(self.duties) + len(self.operators_duties):
            return 0.0
        return max(0.0, min(self._due.values()) - time.monotonic())


def _run(duty: Duty, partner: Partner | str) -> None:
    with tenant_context(partner):
        duty.run()
