"""Where the time of one decision goes: the product's own functions timed in place, each without those named below it."""

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import wraps
from typing import Any

from bench.in_process import BLOCK, WARMING, Client, measured, postgres
from bench.site import made_partners, processor_seconds, row, state_folder

DECISIONS = 1_500
NAMED_NOWHERE = 20_000    # empty calls by which the timing's own cost is found
DATABASE = "PostgreSQL"


class Steps:
    """Times the functions while it is entered. What timing itself costs is found by empty calls and taken off."""

    def __init__(self, named: Mapping[str, Sequence[tuple[Any, str]]]) -> None:
        self._places = [(step, owner, name) for step, places in named.items() for owner, name in places]
        self._plain: list[tuple[Any, str, Any]] = []
        self._above: list[list[Any]] = []    # of each call that is going on: its step, processor time and wall clock below it
        self.spent: defaultdict[str, float] = defaultdict(float)
        self.wall: defaultdict[str, float] = defaultdict(float)
        self._inside, self._outside = 0.0, 0.0
        self._calibrate()

    def __enter__(self) -> "Steps":
        for step, owner, name in self._places:
            plain = vars(owner)[name]
            self._plain.append((owner, name, plain))
            getter = plain.fget if isinstance(plain, property) else None
            setattr(owner, name, property(self._timed(step, getter)) if getter else self._timed(step, plain))
        return self

    def __exit__(self, *_: object) -> None:
        while self._plain:
            setattr(*self._plain.pop())

    def _calibrate(self) -> None:
        """How much of the timing falls inside what is timed, and how much on whoever calls it."""
        empty = self._timed("empty", lambda: None)
        began = time.thread_time_ns()
        for _ in range(NAMED_NOWHERE):
            empty()
        whole = (time.thread_time_ns() - began) / NAMED_NOWHERE
        self._inside = self.spent.pop("empty") / NAMED_NOWHERE
        self._outside = whole - self._inside
        self.wall.clear()

    def _timed(self, step: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def timed(*arguments: Any, **named: Any) -> Any:
            self._above.append([step, 0, 0])
            wall, spent = time.perf_counter_ns(), time.thread_time_ns()
            try:
                return call(*arguments, **named)
            finally:
                spent, wall = time.thread_time_ns() - spent, time.perf_counter_ns() - wall
                _, spent_below, wall_below = self._above.pop()
                self.spent[step] += spent - spent_below - self._inside
                self.wall[step] += wall - wall_below
                if self._above:
                    self._above[-1][1] += spent + self._outside
                    self._above[-1][2] += wall

        return timed


def named() -> dict[str, list[tuple[Any, str]]]:
    """The steps, and the functions that do each. What a request does outside of them belongs to the first."""
    from django.core.handlers.base import BaseHandler
    from django.core.handlers.wsgi import WSGIHandler
    from django_tenants.postgresql_backend import base as tenants
    from rest_framework.views import APIView

    import partners.middleware
    import scoring.api.scores as api
    import scoring.engine.pipeline as pipeline
    import scoring.services.score as service
    from audit.vault import Keyring
    from partners.accounts.authentication import KeyAuthentication
    from partners.api.views import ApiView, PlanLimit
    from partners.postgres.base import DatabaseWrapper
    from portal.application import Application
    from portal.middleware import RequestMiddleware
    from scoring.decided import Decided
    from scoring.engine.features import FeaturePlan
    from scoring.wire import Statement

    return {
        "Django: request object, signals": [(WSGIHandler, "__call__")],
        "request id, fixed headers, metrics": [(RequestMiddleware, "__call__")],
        "partner by host": [(partners.middleware, "_partner"), (partners.middleware, "_host")],
        "partner of the connection": [(partners.middleware.TenantMiddleware, "__call__"), (tenants.DatabaseWrapper, "set_tenant")],
        "Django: view": [(BaseHandler, "_get_response")],
        "Django: URL": [(Application, "resolve_request")],
        "tenant switch: schema and role in one message": [(DatabaseWrapper, "_handle_search_path")],
        "DRF: dispatch": [(APIView, "dispatch")],
        "key": [(KeyAuthentication, "authenticate")],
        "limit": [(PlanLimit, "allow_request")],
        "body: decode and validate": [(api, "read_body"), (api, "read_score")],
        "features": [(FeaturePlan, "matrix")],
        "score and explain: the kernel": [(pipeline, "explain")],
        "contributions by name, calibration": [(pipeline.ServingModel, "weigh")],
        "policy, band": [(service, "score")],
        "reasons": [(pipeline.ServingModel, "reasons")],
        "keys, packing, encryption": [
            *((Keyring, name) for name in ("seal", "wrap", "new_data_key", "applicant_id")),
            *((service, name) for name in ("open_applicants", "told_about", "content_of", "seal_content", "remember")),
        ],
        "event and digests": [(service, "new_event"), (service, "decision_digest")],
        "receipt: Ed25519": [(Decided, "receipt")],
        "idempotency key": [(api, "attempt_of")],
        "ids, rows, the service itself": [(api, "score_once")],
        "statement: parameters and verdict": [(service, "store")],
        "statement: the driver": [(Statement, "run")],
        "answer: JSON and headers": [(api, "score_of"), (api.ScoresView, "post"), (ApiView, "finalize_response")],
    }  # fmt: skip


def shares(client: Client, decisions: int) -> dict[str, Any]:
    """Each step's us of processor time and wall clock, of decisions in turns with such that nobody times; medians of whole decisions."""
    client.block()
    steps = Steps(named())
    for _ in range(WARMING):
        client.block()
    before = processor_seconds(postgres())
    spent = client.interleaved({"plain": nullcontext(), "timed": steps}, decisions)
    count = len(spent["timed"])
    database = 1e6 * (processor_seconds(postgres()) - before) / (2 * (count + WARMING * BLOCK))
    return {
        "steps": {name: [value / count / 1000, steps.wall[name] / count / 1000] for name, value in steps.spent.items()},
        "plain": statistics.fmean(spent["plain"]), "timed": statistics.fmean(spent["timed"]), "postgres": database,
    }    # fmt: skip


def run() -> list[dict[str, Any]]:
    """One row, and the table on stderr."""
    with state_folder() as (folder, environment):
        found = measured("steps", environment, folder, made_partners(environment, folder), DECISIONS)
    print(table(found), file=sys.stderr)
    whole = _whole(found)
    rows = [row(f"step, {name}", 100 * spent / whole, "% of CPU") for name, (spent, _) in _ordered(found)]
    return [
        row("decision 300 x 31 in process, everything on", found["plain"], "us CPU"),
        row("decision 300 x 31 in process, PostgreSQL", found["postgres"], "us CPU"), *rows,
    ]    # fmt: skip


def _ordered(found: Mapping[str, Any]) -> list[tuple[str, list[float]]]:
    return sorted(found["steps"].items(), key=lambda one: -one[1][0])


def _whole(found: Mapping[str, Any]) -> float:
    """What shares are shares of: the steps as they were timed, which costs something itself, and PostgreSQL."""
    return float(sum(spent for spent, _ in found["steps"].values()) + found["postgres"])


def table(found: Mapping[str, Any]) -> str:
    """The steps as Markdown, the dearest first."""
    whole = _whole(found)
    lines = ["| step | us CPU | share | us wall clock |", "|---|---|---|---|"]
    lines += [f"| {name} | {spent:,.0f} | {spent / whole:.1%} | {wall:,.0f} |" for name, (spent, wall) in _ordered(found)]
    total = sum(spent for spent, _ in found["steps"].values())
    lines += [
        f"| {DATABASE}: the statement, its log, its background | {found['postgres']:,.0f} | {found['postgres'] / whole:.1%} | |",
        f"| sum of the steps, against {found['plain']:,.0f} when nobody times | {total:,.0f} | {total / whole:.1%} | |",
    ]
    return "\n".join(lines)
