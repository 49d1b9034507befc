"""What a compliance report says of a period: one row for each thing, with its figures. The page, PDF, CSV and JSON are made of these."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from audit import holds
from audit.actions import Action
from audit.context import Actor
from audit.errors import PeriodRefused, SealBroken
from audit.models import Alert, Event, PrivacyRequest, RetentionRun
from audit.privacy.models import UNANSWERED, RequestState
from audit.selectors import newest_checkpoint
from audit.services import record
from audit.vault import keyring
from audit.verification import last_result
from portal.approvals.models import Application, Review
from portal.approvals.selectors.months import Month, month_of_applications
from portal.approvals.transitions import TOLD, MoveName, State
from scoring.applicants import key_of
from scoring.models import Decision, Job, ProductRevision
from scoring.sealed import open_content

LONGEST_DAYS = 366
OPENED_AT_MOST = 5_000    # decisions whose reasons are counted, the newest
_DECIDE = (MoveName.APPROVE, MoveName.DECLINE, MoveName.COUNTER_OFFER)
Figures = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing (a product, a reason, a run) and its figures by name."""

    item: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day through the last, in UTC."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        """The first moment."""
        return datetime.combine(self.first, time.min, UTC)

    @property
    def until(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last, time.min, UTC) + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Report:
    """The sections by their codes, in their order."""

    period: Period
    made_at: datetime
    made_by: str
    sections: Mapping[str, list[Row]]


def period_of(first: date, last: date) -> Period:
    """The period. Raises PeriodRefused when it ends before it begins or is longer than a year."""
    if last < first:
        raise PeriodRefused(fields={"until": "Give a last day that is not before the first one."})
    if (last - first).days >= LONGEST_DAYS:
        raise PeriodRefused(fields={"until": f"Give a period of at most {LONGEST_DAYS} days."})
    return Period(first, last)


def last_month(today: date) -> Period:
    """The month that is over."""
    last = today.replace(day=1) - timedelta(days=1)
    return Period(last.replace(day=1), last)


def compliance_report(period: Period, *, actor: Actor) -> Report:
    """The report, recorded: who had it made, of which days."""
    sections = {name: list(section(period)) for name, section in SECTIONS.items()}
    detail = {"first": str(period.first), "last": str(period.last)}
    record(action=Action.COMPLIANCE_REPORT_MADE, actor=actor, object_kind="compliance_report", object_id=period.first, detail=detail)
    return Report(period, datetime.now(UTC), actor.label, sections)


def _decisions(period: Period) -> Iterator[Row]:
    """Volumes and outcomes of each product."""
    made = Decision.objects.filter(created_at__gte=period.since, created_at__lt=period.until).order_by()
    counts = {name: Count("id", filter=Q(outcome=name)) for name in ("approve", "refer", "decline")}
    groups = made.values(slug=F("product__slug")).annotate(
        decisions=Count("id"), by_rules=Count("id", filter=Q(answered_by="rules")), **counts
    )
    for one in groups.order_by("slug"):
        yield _row(one, "slug")


def _applications(period: Period) -> Iterator[Row]:
    """Applications that came, as they stand now, and what people decided against the model."""
    month: Month = month_of_applications(period.since, period.until)
    states: dict[str, int | str] = {state.value: month.by_state.get(state, 0) for state in State}
    yield Row("all", {"received": month.received, **states, "by_people": month.by_people, "overrides": month.overrides})


def _reasons(period: Period) -> Iterator[Row]:
    """Why applicants were declined or referred: codes of the reasons, over the newest decisions that can be opened."""
    made = Decision.objects.filter(created_at__gte=period.since, created_at__lt=period.until).exclude(outcome="approve")
    ring, found, opened = keyring(), Counter[str](), 0
    for one in made.select_related("applicant").order_by("-created_at")[:OPENED_AT_MOST].iterator(chunk_size=500):
        key = key_of(ring, one.applicant)
        if key is None:
            continue
        try:
            found.update({reason.code for reason in open_content(ring, key, one).reasons})
        except SealBroken:
            found["seal_broken"] += 1
        opened += 1
    left_out = made.count() - opened
    for code, times in found.most_common():
        yield Row(code, {"times": times, "of": opened, "left_out": left_out})


def _people(period: Period) -> Iterator[Row]:
    """Why people decided as they did."""
    moves = Review.objects.filter(at__gte=period.since, at__lt=period.until, move__in=_DECIDE, actor_kind="user").order_by()
    counts = {name.value: Count("id", filter=Q(move=name)) for name in _DECIDE}
    for one in moves.values("reason_code").annotate(times=Count("id"), **counts).order_by("-times", "reason_code"):
        yield _row(one, "reason_code")


def _row(group: Mapping[str, Any], name: str) -> Row:
    return Row(group[name], {figure: value for figure, value in group.items() if figure != name})


def _models(period: Period) -> Iterator[Row]:
    """Which versions and policies were in force, from when to when, and how many decisions each pair made."""
    made = Decision.objects.filter(created_at__gte=period.since, created_at__lt=period.until).order_by()
    groups = made.values_list("product__slug", "model_version__version", "policy__version").annotate(Count("id"))
    counts = {group[:3]: group[3] for group in groups}
    after = ProductRevision.objects.filter(product=OuterRef("product"), revision=OuterRef("revision") + 1)
    ruled = ProductRevision.objects.filter(began_at__lt=period.until).annotate(ended_at=Subquery(after.values("began_at")[:1]))
    ruled = ruled.filter(Q(ended_at=None) | Q(ended_at__gt=period.since)).order_by("product__slug", "revision")
    terms: dict[tuple[Any, ...], list[tuple[datetime, datetime | None]]] = {}
    for *pair, began, ended in ruled.values_list("product__slug", "champion__version", "policy__version", "began_at", "ended_at"):
        terms.setdefault(tuple(pair), []).append((began, ended))
    for more in sorted(counts.keys() - terms.keys(), key=str):
        terms[more] = []    # rules that answered for a model that could not be read
    for (slug, version, rule), times in terms.items():
        told = {"in_force_from": _day(times[0][0]), "in_force_until": _day(times[-1][1])} if times else {}
        named = "rules" if version is None else str(version)
        yield Row(slug, {"model_version": named, "policy_version": rule, **told, "decisions": counts.get((slug, version, rule), 0)})


def _day(moment: datetime | None) -> str:
    """The day, in UTC; nothing for what has not ended."""
    return "" if moment is None else str(moment.astimezone(UTC).date())


def _notices(period: Period) -> Iterator[Row]:
    """Whether applicants were told in time."""
    owed = Application.objects.filter(decided_at__gte=period.since, decided_at__lt=period.until, state__in=sorted(TOLD))
    late = Q(notice_sent_at__gt=F("notice_due_at"))
    counted = owed.aggregate(
        on_time=Count("id", filter=Q(notice_sent_at__isnull=False) & ~late), late=Count("id", filter=late),
        not_due_yet=Count("id", filter=Q(notice_sent_at=None, notice_due_at__gt=Now())),
        overdue=Count("id", filter=Q(notice_sent_at=None, notice_due_at__lte=Now())),
    )  # fmt: skip
    yield Row("all", counted)


def _privacy(period: Period) -> Iterator[Row]:
    """Requests of applicants that came in the period, by kind, as they stand now; and what was done for their rights."""
    came = PrivacyRequest.objects.filter(received_on__gte=period.first, received_on__lte=period.last).order_by()
    is_open, today = Q(state__in=sorted(UNANSWERED)), datetime.now(UTC).date()
    counts = {
        "received": Count("id"), "done": Count("id", filter=Q(state=RequestState.DONE)),
        "refused": Count("id", filter=Q(state=RequestState.REFUSED)), "withdrawn": Count("id", filter=Q(state=RequestState.WITHDRAWN)),
        "not_due_yet": Count("id", filter=is_open & Q(due_on__gte=today)), "overdue": Count("id", filter=is_open & Q(due_on__lt=today)),
    }  # fmt: skip
    for one in came.values("kind").annotate(**counts).order_by("kind"):
        yield _row(one, "kind")
    told = Q(action__in=[Action.APPLICANT_ERASED, Action.APPLICANT_EXPORTED, Action.APPLICANT_RECTIFIED, Action.CONSENT_RECORDED])
    for action, times in _events(period).filter(told).values_list("action").annotate(times=Count("id")).order_by("action"):
        yield Row(action, {"times": times})


def _retention(period: Period) -> Iterator[Row]:
    """Runs that ended, with what they let go of; and holds that stand."""
    for run in RetentionRun.objects.filter(finished_at__gte=period.since, finished_at__lt=period.until).order_by("number"):
        yield Row(f"run_{run.number}", {"records": run.gone.count()})
    yield Row("legal_holds", {"records": holds.standing().count()})


def _record(period: Period) -> Iterator[Row]:
    """What the last check of the whole record found, when, and how many events of the period it reached; and how far the tree reaches."""
    events, last, newest = _events(period), last_result(), newest_checkpoint()
    told: dict[str, int | str] = {"verification": "none"}
    if last is not None:
        checked, at = last.detail.get("events", 0), last.recorded_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
        reached = events.filter(leaf__position__lt=checked).count()
        told = {"verification": "in_order" if last.detail["holds"] else "not_in_order", "verified_at": at, "verified_events": checked,
                "verified_of_period": reached}  # fmt: skip
        told |= {} if last.detail["holds"] else {"problem": str(last.detail["problem"])}
    sealed: dict[str, int | str] = {"tree_size": newest.size, "root": bytes(newest.root).hex()} if newest else {"tree_size": 0}
    yield Row("events", {"events": events.count(), **told, **sealed})


def _findings(period: Period) -> Iterator[Row]:
    """What is open at this moment."""
    now = datetime.now(UTC)
    waiting = Application.objects.filter(state__in=sorted(TOLD), notice_sent_at=None, notice_due_at__lte=now)
    record_now = next(_record(period)).figures
    overdue = PrivacyRequest.objects.filter(state__in=sorted(UNANSWERED), due_on__lt=now.date())
    found = {
        "notices_overdue": waiting.count(),
        "requests_overdue": overdue.count(),
        "alerts_open": Alert.objects.filter(closed_at=None).count(),
        "events_not_sealed": Event.objects.filter(leaf=None, recorded_at__lt=now - timedelta(minutes=5)).count(),
        "record_not_in_order": int(record_now["verification"] == "not_in_order"),
        "events_not_verified": int(record_now["events"]) - int(record_now.get("verified_of_period", 0)),
        "jobs_failed": Job.objects.filter(state="failed", finished_at__gte=period.since, finished_at__lt=period.until).count(),
        "runs_proposed": RetentionRun.objects.filter(state=RetentionRun.State.PROPOSED).count(),
        "lifts_asked": holds.standing().exclude(lift_asked_by_id="").count(),
    }
    for name, times in found.items():
        if times:
            yield Row(name, {"times": times})


def _events(period: Period) -> QuerySet[Event]:
    return Event.objects.filter(recorded_at__gte=period.since, recorded_at__lt=period.until).order_by()


SECTIONS: Mapping[str, Callable[[Period], Iterator[Row]]] = {
    "decisions": _decisions, "applications": _applications, "reasons": _reasons, "people": _people, "models": _models,
    "notices": _notices, "privacy": _privacy, "retention": _retention, "record": _record, "findings": _findings,
}  # fmt: skip
