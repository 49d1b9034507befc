"""The probes: alive, ready, healthy, in detail, and metrics. They answer on every host, without a partner."""

import hmac
import ipaddress
import time
from collections.abc import Callable

import psutil
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST
from redis import Redis, RedisError

from partners.tenancy import public_context
from portal import metrics

Probe = Callable[[HttpRequest], HttpResponse]
_started = time.monotonic()


def live(_request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "alive"})


def health(_request: HttpRequest) -> HttpResponse:
    """This process answers, with its version and age."""
    return JsonResponse({"status": "healthy", "version": settings.VERSION, "uptime_seconds": round(time.monotonic() - _started, 1)})


def ready(_request: HttpRequest) -> HttpResponse:
    """Decisions can be stored: the database answers. Redis is not needed for a decision."""
    fault = _database_fault()
    return JsonResponse({"status": "unready" if fault else "ready", "database": fault or "ok"}, status=503 if fault else 200)


def detailed(request: HttpRequest) -> HttpResponse:
    """Each part's state."""
    if not _may_look(request):
        return _refusal()
    started = time.perf_counter()
    database = _database_fault()
    after_database = time.perf_counter()
    redis = _redis_fault()
    after_redis = time.perf_counter()
    body = {
        "status": "unhealthy" if database else "degraded" if redis else "healthy",
        "version": settings.VERSION,
        "components": {
            "database": {"status": database or "ok", "milliseconds": round((after_database - started) * 1000, 2)},
            "redis": {"status": redis or "ok", "milliseconds": round((after_redis - after_database) * 1000, 2)},
        },
        "worker": {"memory_bytes": psutil.Process().memory_info().rss, "uptime_seconds": round(time.monotonic() - _started, 1)},
        "disk_free_share": round(1 - psutil.disk_usage(_state_folder()).percent / 100, 3),
    }
    return JsonResponse(body, status=503 if database else 200)


def metrics_text(request: HttpRequest) -> HttpResponse:
    """The Prometheus text."""
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST) if _may_look(request) else _refusal()


PROBES: dict[str, Probe] = {"/live": live, "/health": health, "/ready": ready, "/health/detailed": detailed, "/metrics": metrics_text}


def answer(probe: Probe, request: HttpRequest) -> HttpResponse:
    """What the probe says; it is only ever asked."""
    return probe(request) if request.method in {"GET", "HEAD"} else HttpResponseNotAllowed(["GET", "HEAD"])


def _may_look(request: HttpRequest) -> bool:
    """Whoever brings the token; without one set, this machine itself, and nobody in production: figures are those of all partners."""
    expected = settings.METRICS_TOKEN
    if not expected:
        return not settings.PRODUCTION and _is_from_here(request)
    offered = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    return hmac.compare_digest(offered.encode(), expected.encode())


def _is_from_here(request: HttpRequest) -> bool:
    """Whether the caller is on this machine and no proxy came between."""
    try:
        is_local = ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
    return is_local and not any(name in request.META for name in ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP"))


def _refusal() -> HttpResponse:
    return JsonResponse({"status": "token needed"}, status=401, headers={"WWW-Authenticate": "Bearer"})


def _state_folder() -> str:
    return str(settings.VOUCH_HOME if settings.VOUCH_HOME.exists() else settings.BASE_DIR)


def _database_fault() -> str | None:
    try:
        with public_context(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        connection.close()
        return type(error).__name__
    return None


def _redis_fault() -> str | None:
    timeout = settings.REDIS_TIMEOUT_SECONDS
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout) as client:
            client.ping()
    except RedisError as error:
        return type(error).__name__
    return None
