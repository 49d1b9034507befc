"""What retraining did and will do, product by product."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Q

from scoring.models import Job, Outcome, RetrainingPlan
from scoring.selectors.catalogue import product_id

KIND = "retraining"
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Retraining:
    """One run. `version` is what it made, None before and where it made nothing: then `problem` says why."""

    id: uuid.UUID
    product: str
    state: str
    because: str
    said: str
    version: int | None
    problem: str
    actor: str
    began_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanInForce:
    """When a product is trained again by itself: `weekday` 0 is Monday, None: only when somebody asks."""

    weekday: int | None
    next_on: date | None
    joins_a_table: bool
    changed_by: str


def retraining_plan(product_slug: str) -> PlanInForce:
    """The product's plan; without one nothing happens by itself. Raises ProductUnknown."""
    plan = RetrainingPlan.objects.filter(product=product_id(product_slug)).first()
    if plan is None:
        return PlanInForce(None, None, joins_a_table=False, changed_by="")
    return PlanInForce(plan.weekday, plan.next_on, bool(plan.tables), plan.changed_by)


def count_outcomes(product_slug: str) -> tuple[int, int]:
    """How many decisions have an outcome that holds, and how many of those ended badly. Raises ProductUnknown."""
    held = Outcome.objects.filter(decision__product=product_id(product_slug), superseded_by=None)
    found = held.aggregate(known=Count("id"), bad=Count("id", filter=Q(value=1)))
    return found["known"], found["bad"]


def retrainings(product_slug: str | None = None) -> list[Retraining]:
    """The newest runs of one product, or of all. Raises ProductUnknown."""
    found = Job.objects.filter(kind=KIND)
    if product_slug is not None:
        product_id(product_slug)
        found = found.filter(body__product=product_slug)
    return [_retraining(job) for job in found.order_by("-created_at")[:_SHOWN]]


def retraining(job_id: uuid.UUID) -> Retraining | None:
    """One run."""
    job = Job.objects.filter(kind=KIND, id=job_id).first()
    return None if job is None else _retraining(job)


def _retraining(job: Job) -> Retraining:
    said = job.body
    return Retraining(
        id=job.id, product=said["product"], state=job.state, because=said["because"], said=said.get("said", ""),
        version=said.get("version"), problem=job.problem, actor=said["actor"]["label"], began_at=job.created_at,
        finished_at=job.finished_at,
    )  # fmt: skip
