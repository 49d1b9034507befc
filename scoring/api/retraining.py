"""Retraining over HTTP: train a product again on how its decisions ended, look at what came of it, plan it for every week."""

import uuid
from datetime import date, datetime
from typing import Literal

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.bodies import decode, read_body
from partners.api.description import described, path, query
from partners.api.idempotency import answer_once, attempt_of
from partners.api.queries import read_query, text
from partners.api.views import ApiView, answer, identifier, principal_of
from scoring import selectors
from scoring.api.bodies import ProductName
from scoring.errors import JobUnknown
from scoring.selectors import Retraining
from scoring.services.retraining import DAYS, begin_retraining, plan_retraining

Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_SLUG = (path("slug", "The product."),)


class RetrainingAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The product to train again, at once."""

    product: ProductName


class RetrainingPlanned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The day of every week on which it is trained again by itself; null: only when somebody asks."""

    every: Day | None


class RetrainingPlan(msgspec.Struct, frozen=True):
    """When the product is trained again by itself. Nothing that comes of it is put in force by itself."""

    product: str
    every: str | None
    next_on: date | None


class RetrainingRun(msgspec.Struct, frozen=True):
    """One run. State: queued, running, done or failed, then `problem` says why. `version` is the draft or candidate that came of it;
    its `metrics.retrained.newest` compares it with the model in force on outcomes that it has not seen."""

    id: str
    product: str
    state: str
    because: str
    version: int | None
    problem: str | None
    began_at: datetime
    finished_at: datetime | None


class RetrainingList(msgspec.Struct, frozen=True):
    """The newest runs, newest first."""

    data: list[RetrainingRun]


class RetrainingsView(ApiView):
    """Runs of retraining."""

    permissions = {"GET": Permission.MODEL_READ, "POST": Permission.MODEL_TRAIN}

    @described(
        "List retrainings", operation="retraining_list", gives=RetrainingList, refuses=(400, 404),
        parameters=(query("product", "Only this product."),),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """The newest twenty."""
        wanted = read_query(request, {"product": text})
        return answer(RetrainingList([_run(one) for one in selectors.retrainings(wanted.get("product"))]))

    @described(
        "Train a product again", operation="retraining_create", takes=RetrainingAsked, gives=RetrainingRun, status=202,
        refuses=(404, 409), text="On its decisions whose outcomes are known. 422 `training_refused` where those are too few.",
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """202: a worker begins within seconds."""
        raw = read_body(request)
        asked, actor = decode(raw, RetrainingAsked), principal_of(request).actor

        def perform() -> bytes:
            return msgspec.json.encode(_found(begin_retraining(product_slug=asked.product, actor=actor).id))

        return answer_once(attempt_of(request, route="POST /api/v1/retrainings", actor=actor, body=raw), status=202, perform=perform)


class RetrainingView(ApiView):
    """One run."""

    permissions = {"GET": Permission.MODEL_READ}

    @described(
        "Look at one retraining", operation="retraining_read", gives=RetrainingRun, refuses=(404,),
        parameters=(path("job_id", "The run.", type="string", format="uuid"),),
    )  # fmt: skip
    def get(self, request: Request, job_id: str) -> HttpResponse:
        """How far it is, and what came of it."""
        wanted = identifier(job_id)
        if wanted is None:
            raise JobUnknown(f"There is no job {job_id[:40]}.")
        return answer(_found(wanted))


class RetrainingPlanView(ApiView):
    """When a product is trained again by itself."""

    permissions = {"GET": Permission.MODEL_READ, "PUT": Permission.MODEL_TRAIN}
    http_method_names = ["get", "put", "head"]

    @described("Look at the retraining plan", operation="retraining_plan_read", gives=RetrainingPlan, refuses=(404,), parameters=_SLUG)
    def get(self, request: Request, slug: str) -> HttpResponse:
        """The plan; without one nothing happens by itself."""
        read_query(request, {})
        return answer(_plan(slug))

    @described(
        "Plan retraining", operation="retraining_plan_change", takes=RetrainingPlanned, gives=RetrainingPlan, refuses=(404,),
        parameters=_SLUG,
    )  # fmt: skip
    def put(self, request: Request, slug: str) -> HttpResponse:
        """The plan as it is now."""
        asked = decode(read_body(request), RetrainingPlanned)
        weekday = None if asked.every is None else DAYS.index(asked.every)
        plan_retraining(product_slug=slug, weekday=weekday, actor=principal_of(request).actor)
        return answer(_plan(slug))


def _plan(slug: str) -> RetrainingPlan:
    plan = selectors.retraining_plan(slug)
    return RetrainingPlan(slug, None if plan.weekday is None else DAYS[plan.weekday], plan.next_on)


def _found(job_id: uuid.UUID) -> RetrainingRun:
    found = selectors.retraining(job_id)
    if found is None:
        raise JobUnknown(f"There is no retraining {job_id}.")
    return _run(found)


def _run(one: Retraining) -> RetrainingRun:
    return RetrainingRun(
        str(one.id), one.product, one.state, one.because, one.version, one.problem or None, one.began_at, one.finished_at
    )
