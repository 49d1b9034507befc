"""What the process counts about itself, and the Prometheus text over all its workers."""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
from django.http import HttpRequest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from portal import metric_files
from scoring.observers import Told

metric_files.install()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))    # a caller may invent others; each would be kept
requests_total = Counter("api_requests", "Requests answered.", ["method", "route", "status"])
request_seconds = Histogram("api_request_duration_seconds", "Time from the request's arrival to its answer.", ["route"], buckets=_SECONDS)
predictions_total = Counter("predictions", "Decisions stored, by outcome and by who answered (model or rules).", ["outcome", "answered_by"])
prediction_seconds = Histogram("prediction_latency_seconds", "Time from the body's arrival to the stored decision.", buckets=_SECONDS)
prediction_probability = Histogram("prediction_probability", "Predicted probability.", buckets=[step / 10 for step in range(1, 11)])
prediction_errors_total = Counter("model_prediction_errors", "Decisions that failed for a reason of ours.")
rate_limited_total = Counter("rate_limit_exceeded", "Requests refused by a rate limit, by plan.", ["plan"])
model_refused_total = Counter("model_bundles_refused", "Bundles in force that could not be opened: once each, until they were good again.")
model_loaded = Gauge("model_loaded", "Bundles held in memory by the workers.", multiprocess_mode="livesum")


def observe(request: HttpRequest, status: int, seconds: float) -> None:
    """One request is counted under its route's pattern: ids and partners never become labels."""
    match = getattr(request, "resolver_match", None)
    route = f"/{match.route}" if match is not None else "unmatched"
    _labelled(requests_total, request.method if request.method in _METHODS else "OTHER", route, str(status)).inc()
    _labelled(request_seconds, route).observe(seconds)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        rate_limited_total.labels(getattr(getattr(request, "partner", None), "plan", "none")).inc()
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR and request.method == "POST" and "score" in route:
        prediction_errors_total.inc()


@cache
def _labelled(metric: Any, *labels: str | None) -> Any:
    """The metric's child, which the library looks for under a lock. Labels are few: routes, methods, statuses, outcomes."""
    return metric.labels(*labels)


def count_decisions(decided: Sequence[Told]) -> None:
    """Stored decisions are counted, whoever asked for them."""
    for one in decided:
        _labelled(predictions_total, one.outcome, one.answered_by).inc()
        prediction_seconds.observe(one.processing_ms / 1000)
        prediction_probability.observe(one.probability)


def exposition() -> bytes:
    """The Prometheus text of all workers, with memory and processor of this machine."""
    registry = CollectorRegistry()
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        Path(folder).mkdir(mode=0o700, exist_ok=True)  # somebody may have cleaned up below it
        _forget_the_dead(Path(folder))
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    else:
        for metric in (requests_total, request_seconds, predictions_total, prediction_seconds, prediction_probability,
                       prediction_errors_total, rate_limited_total, model_refused_total, model_loaded):  # fmt: skip
            registry.register(metric)
    registry.register(_Machine())  # type: ignore[arg-type,unused-ignore]
    return generate_latest(registry)


def _forget_the_dead(folder: Path) -> None:
    """Gauges of workers that have ended no longer count."""
    for path in folder.glob("gauge_live*_*.db"):
        process_id = path.stem.rpartition("_")[2]
        if process_id.isdigit() and not psutil.pid_exists(int(process_id)):
            mark_process_dead(int(process_id), path=str(folder))  # type: ignore[no-untyped-call]


class _Machine:
    """Read when asked for: a gauge of prometheus_client would leave a file per worker instead."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Memory and processor, now."""
        yield GaugeMetricFamily("process_resident_memory_bytes", "Memory held by the answering worker.", psutil.Process().memory_info().rss)
        yield GaugeMetricFamily("system_memory_usage_bytes", "Memory in use on this machine.", psutil.virtual_memory().used)
        yield GaugeMetricFamily("system_cpu_usage_percent", "Processor in use since the last question.", psutil.cpu_percent(interval=None))
