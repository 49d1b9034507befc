"""A product is trained again on how its own decisions turned out, weekly or when somebody asks; nothing is put in force by itself."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from scoring.engine.product import Product as Definition
from scoring.engine.tables import TableError
from scoring.errors import LeaseLost, RetrainingUnderWay, TrainingRefused
from scoring.models import Job, ModelVersion, Outcome, Product, RetrainingPlan
from scoring.selectors.retrainings import KIND
from scoring.services import jobs
from scoring.services.cases import known_outcomes, read_cases, write_cases
from scoring.services.models import ranks_like_chance, store_model_version
from scoring.services.newest import compared
from scoring.services.products import locked_product
from scoring.services.training import train_bundle
from scoring.services.uploads import folder

WEEKLY, ASKED = "weekly", "asked"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LEAST, LEAST_OF_EACH = 200, 30    # outcomes that a retraining needs, and of either kind
NEWEST_SHARE, MOST_NEWEST = 0.2, 5_000    # of the outcomes, kept apart to compare by
BY_ITSELF = Actor(kind="system", label="weekly retraining")
Known = Sequence[tuple[Any, bool]]


@transaction.atomic
def plan_retraining(
    *, product_slug: str, weekday: int | None, actor: Actor, tables: Mapping[str, Any] | None = None
) -> RetrainingPlan:
    """The product is trained again every week on that day (0: Monday), or only when somebody asks (None).

    `tables`, for whoever runs the installation: the original table to join, {} to forget it; None leaves it. Raises ProductUnknown."""
    product = locked_product(product_slug)
    plan = RetrainingPlan.objects.filter(product=product).first() or RetrainingPlan(product=product)
    plan.weekday, plan.changed_by = weekday, actor.label
    plan.next_on = None if weekday is None else _next(weekday, timezone.now().date())
    if tables is not None:
        plan.tables = dict(tables)
    plan.save()
    day = "never" if weekday is None else DAYS[weekday]
    detail = {"product": product_slug, "every": day, "joins_a_table": bool(plan.tables)}
    record(action=Action.RETRAINING_PLANNED, actor=actor, object_kind="product", object_id=product.id, detail=detail)
    return plan


def _next(weekday: int, after: date) -> date:
    return after + timedelta(days=(weekday - after.weekday() - 1) % 7 + 1)


@transaction.atomic
def begin_retraining(*, product_slug: str, actor: Actor, because: str = ASKED) -> Job:
    """A job that trains the product again waits for a worker. Raises ProductUnknown, RetrainingUnderWay, and, when somebody asks, what
    check_outcomes raises; by itself it is begun, so that it can be seen why it did not run."""
    product = locked_product(product_slug)
    if Job.objects.filter(kind=KIND, body__product=product_slug, finished_at=None).exists():
        raise RetrainingUnderWay(f"'{product_slug}' is being trained again already; wait until that is over.")
    as_of = timezone.now()    # whoever goes on after a death learns from the same cases
    if because == ASKED:
        check_outcomes(known_outcomes(product.id, as_of))
    job = jobs.begin_job(kind=KIND, body={"product": product_slug, "because": because, "as_of": as_of.isoformat()}, actor=actor)
    jobs.add_chunk(job, number=0, content={}, rows=1)
    jobs.end_split(job)
    job.refresh_from_db()
    return job


def begin_due() -> None:
    """What the current partner's plans ask for today is begun; a day that nobody was there for is made up for once."""
    today = timezone.now().date()
    for plan in RetrainingPlan.objects.filter(next_on__lte=today).select_related("product"):
        assert plan.weekday is not None
        with transaction.atomic(), suppress(RetrainingUnderWay):
            if RetrainingPlan.objects.filter(id=plan.id, next_on=plan.next_on).update(next_on=_next(plan.weekday, today)):
                begin_retraining(product_slug=plan.product.slug, actor=BY_ITSELF, because=WEEKLY)


def check_outcomes(known: Known) -> None:
    """Raises TrainingRefused when there are too few outcomes to learn from and to compare by."""
    bad = sum(is_bad for _, is_bad in known)
    if len(known) < LEAST or min(bad, len(known) - bad) < LEAST_OF_EACH:
        raise TrainingRefused(
            f"Too few outcomes: {len(known)} decisions have one, {bad} of them bad; retraining needs {LEAST}, {LEAST_OF_EACH} of each kind."
            " Record how more decisions ended: in a table on the page Batches, or by POST /api/v1/outcomes."
        )


def work_on_retraining(job: Job) -> bool:
    """The job's training is done, if nobody else is at it; False when there was nothing to take."""
    return jobs.work_on_chunk(job.id, lambda lease: _retrain(job, lease), ends_with=(TrainingRefused, TableError))


def _retrain(job: Job, lease: jobs.Lease) -> None:
    product = Product.objects.select_related("policy", "champion").get(slug=job.body["product"])
    known = known_outcomes(product.id, datetime.fromisoformat(job.body["as_of"]))
    check_outcomes(known)
    _check_news(job, product)
    place = len(known) - min(MOST_NEWEST, round(NEWEST_SHARE * len(known)))
    estimator = product.champion.estimator if product.champion else product.definition["estimator"]
    beat = _Beat(job, lease)
    with TemporaryDirectory(prefix="retraining-", dir=folder()) as scratch:
        original = RetrainingPlan.objects.filter(product=product).values_list("tables", flat=True).first()
        written = write_cases(Path(scratch), Definition.from_dict(product.definition), read_cases(known[:place]), original or {})
        bundle, result = train_bundle(
            definition=product.definition, table=written.table, estimator=estimator, events=written.events, progress=beat.said, beat=beat,
        )  # fmt: skip
    newest = compared(product, bundle, list(read_cases(known[place:])))
    told = {"because": job.body["because"], "cases": written.cases, "original_rows": written.original_rows, "newest": newest}
    _store(job, lease, estimator, bundle, {**result["metrics"], "retrained": told})


def _check_news(job: Job, product: Product) -> None:
    """Raises TrainingRefused when it would run by itself and nothing was learnt since it last did."""
    before = Job.objects.filter(kind=KIND, body__product=product.slug, state=Job.State.DONE).order_by("-created_at").first()
    if before is None or job.body["because"] != WEEKLY:
        return
    if not Outcome.objects.filter(decision__product=product, recorded_at__gt=before.body["as_of"]).exists():
        raise TrainingRefused(f"No outcome was recorded since the last retraining on {before.created_at:%Y-%m-%d}; record some first.")


class _Beat:
    """Keeps the lease while the training lasts, and what it said last in the job. Raises LeaseLost when the lease is another's."""

    def __init__(self, job: Job, lease: jobs.Lease) -> None:
        self._job, self._lease, self._due = job, lease, 0.0

    def __call__(self) -> None:
        if time.monotonic() >= self._due:
            jobs.keep_hold(self._lease)
            self._due = time.monotonic() + settings.JOB_LEASE_SECONDS / 3

    def said(self, line: str) -> None:
        """This line is what the page shows."""
        self._job.body["said"] = line[:200]
        self._job.save(update_fields=["body"])


def _store(job: Job, lease: jobs.Lease, estimator: str, bundle: bytes, metrics: dict[str, Any]) -> None:
    """The version is stored in the commit that finishes the job's work, so there is one however often it was begun. Raises LeaseLost."""
    with transaction.atomic():
        version = store_model_version(
            product_slug=job.body["product"], bundle=bundle, estimator=estimator, metrics=metrics, actor=jobs.actor_of(job),
            state=_state(metrics),
        )  # fmt: skip
        job.body |= {"version": version.version, "said": ""}
        job.save(update_fields=["body"])
        if not jobs.finish_chunk(lease.finished({}, done=1, failed=0)):
            raise LeaseLost


def _state(metrics: Mapping[str, Any]) -> ModelVersion.State:
    """A candidate, unless it ranks like chance, or no better than the champion on the newest outcomes."""
    newest = metrics["retrained"]["newest"]
    is_worse = newest["champion"] is not None and newest.get("new_auc", 0.0) <= newest.get("old_auc", 0.0)
    return ModelVersion.State.DRAFT if ranks_like_chance(metrics) or is_worse else ModelVersion.State.CANDIDATE
