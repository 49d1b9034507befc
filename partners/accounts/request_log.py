"""Every call of the API is noted in its process, and written by a thread of its own: no call waits for it or sends a statement more.

A process that is killed loses what it noted in its last second (`WRITE_SECONDS`, and the write under way); one that ends writes it first.
What the database cannot take is tried again, the newest 20,000 calls of a partner."""

import atexit
import hmac
import logging
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.db import Error, close_old_connections, connection, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from audit.context import Actor
from audit.ids import first_id_at, id_at, uuid7
from audit.vault import keyring
from partners.accounts.models import ApiRequest, Usage
from partners.tenancy import tenant_context

WRITE_SECONDS = 1.0
MOST_WAITING = 20_000
MOST_UNASKED = 20    # lines of one write about callers without a credential or beyond their limit, of whom there may be any number
USAGE_KEPT = timedelta(days=400)
NULL = "\\N"
NOBODY = "00000000-0000-0000-0000-000000000000"
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))    # a caller may invent others
_MADE_UP = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[0-9a-f]{64}", re.IGNORECASE)
_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([a-z_]+)>")
_DAY_NANOSECONDS = 86_400_000_000_000
_EPOCH = date(1970, 1, 1).toordinal()
_COPY = (
    "COPY accounts_apirequest (id, at, request_id, request_digest, credential_kind, credential_id, method, route, status, code,"
    " is_replayed, microseconds) FROM STDIN"
)
_COUNT = """
INSERT INTO accounts_usage AS u (id, day, credential_kind, credential_id, method, route, answered, refused, failed, microseconds)
SELECT * FROM unnest(%s::uuid[], %s::date[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::int8[], %s::int8[], %s::int8[], %s::int8[])
ON CONFLICT (day, credential_id, method, route) DO UPDATE SET answered = u.answered + EXCLUDED.answered,
    refused = u.refused + EXCLUDED.refused, failed = u.failed + EXCLUDED.failed, microseconds = u.microseconds + EXCLUDED.microseconds
"""
log = logging.getLogger(__name__)


class Noted(NamedTuple):
    """One call as its process remembers it."""

    schema: str
    nanoseconds: int    # since 1970
    request_id: str
    actor: Actor | None
    method: str
    route: str
    status: int
    code: str
    is_replayed: bool
    seconds: float


_noted: deque[Noted] = deque(maxlen=MOST_WAITING)
_waiting: dict[str, deque[Noted]] = {}    # by schema; whoever writes holds the lock
_writing = threading.Lock()
_stopping = threading.Event()


def note(request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
    """The call will be written, if it was to a partner. Nothing is kept of its body, its query, its headers or its path's parameters."""
    partner = getattr(request, "partner", None)
    if partner is None:
        return
    match = request.resolver_match
    _noted.append(
        Noted(
            partner.schema_name, time.time_ns(), request.request_id,  # type: ignore[attr-defined] # by RequestMiddleware
            getattr(getattr(request, "user", None), "actor", None), request.method or "", match.route if match else "",
            response.status_code, getattr(request, "problem_code", ""), "Idempotency-Replayed" in response.headers, seconds,
        )
    )  # fmt: skip


def start() -> None:
    """This process writes what it notes, every second and once more when it ends. For web servers; others note in vain."""
    threading.Thread(target=_write_on, name="request-log", daemon=True).start()
    atexit.register(_finish)


def write_noted() -> None:
    """What was noted so far is in the tables of its partners; what the database cannot take now waits for the next time."""
    with _writing:
        while _noted:
            one = _noted.popleft()
            _waiting.setdefault(one.schema, deque(maxlen=MOST_WAITING)).append(one)
        for schema in list(_waiting):
            try:
                with tenant_context(schema), transaction.atomic():
                    _write(_waiting[schema])
            except Error as error:
                log.warning("calls wait to be written down: %s", type(error).__name__, extra={"schema": schema})
                close_old_connections()
            else:
                del _waiting[schema]


def forget_requests() -> int:
    """Calls older than REQUEST_LOG_DAYS are gone, and days of usage older than 400 days. Returns how many calls were."""
    now = datetime.now(UTC)
    Usage.objects.filter(day__lt=(now - USAGE_KEPT).date()).delete()
    return ApiRequest.objects.filter(id__lt=first_id_at(now - timedelta(days=settings.REQUEST_LOG_DAYS))).delete()[0]


def digest_of(request_id: str) -> bytes:
    """By which calls with this request id are found; it tells nothing without the partner's key."""
    return hmac.digest(keyring().index_key, f"request\0{request_id}".encode(), "sha256")[:16]


def shown(request_id: str) -> str:
    """The id, if a machine made it up; else its beginning, since callers choose it and may have chosen a telephone number."""
    return request_id if _MADE_UP.fullmatch(request_id) else f"{request_id[:2] if len(request_id) > 8 else ''}…"


def _write_on() -> None:
    while not _stopping.wait(WRITE_SECONDS):
        try:
            write_noted()
        except Exception:
            log.exception("calls could not be written down")


def _finish() -> None:
    _stopping.set()
    write_noted()


def _write(calls: Iterable[Noted]) -> None:
    counted: defaultdict[tuple[date, str, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in calls:
        count = counted[_line_of(one)]
        count[0 if one.status < 400 else 1 if one.status < 500 else 2] += 1
        count[3] += int(one.seconds * 1e6)
    ordered = sorted(counted.items())    # two processes that lock the same lines do it in one order
    columns = zip(*((uuid7(), *line, *count) for line, count in ordered), strict=True)
    lines = "".join(_lines(calls))    # first of all: it may ask for the partner's keys, and during COPY a connection answers nothing else
    with connection.cursor() as cursor:
        with cursor.copy(_COPY) as copy:
            copy.write(lines)
        cursor.execute(_COUNT, [list(column) for column in columns])


def _line_of(one: Noted) -> tuple[date, str, str, str, str]:
    day = date.fromordinal(_EPOCH + one.nanoseconds // _DAY_NANOSECONDS)
    kind, credential = (one.actor.kind, one.actor.id) if one.actor else ("", NOBODY)
    return day, kind, credential, _method(one.method), _route(one.route)


def _lines(calls: Iterable[Noted]) -> Iterator[str]:
    """The calls as COPY reads them. No value can hold a tab, a line's end or a backslash."""
    unasked = 0
    for one in calls:
        if one.actor is None or one.status == 429:
            unasked += 1
            if unasked > MOST_UNASKED:
                continue
        at = datetime.fromtimestamp(one.nanoseconds / 1e9, UTC)
        yield (
            f"{id_at(one.nanoseconds)}\t{at.isoformat()}\t{shown(one.request_id)}\t\\\\x{digest_of(one.request_id).hex()}\t"
            f"{one.actor.kind if one.actor else ''}\t{one.actor.id if one.actor else NULL}\t{_method(one.method)}\t{_route(one.route)}\t"
            f"{one.status}\t{one.code}\t{one.is_replayed}\t{int(one.seconds * 1e6)}\n"
        )


def _method(method: str) -> str:
    return method if method in _METHODS else "OTHER"


@lru_cache(maxsize=1024)
def _route(pattern: str) -> str:
    """As OpenAPI writes it; empty for an address that nothing answers to."""
    return "" if pattern.startswith("^") or not pattern else "/" + _PARAMETER.sub(r"{\1}", pattern)
