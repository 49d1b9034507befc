"""Reads about calls of the API: single ones, newest first, and how often each key called what."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _

from audit.ids import first_id_at
from partners.accounts.models import ApiKey, ApiRequest, Usage
from partners.accounts.request_log import digest_of
from partners.accounts.selectors import api_keys

ANSWERS = {"answered": Q(status__lt=400), "refused": Q(status__gte=400, status__lt=500), "failed": Q(status__gte=500)}
SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
SPAN_DAYS = 30
FILTERS = ("q", "key", "answer", "span", "route", "code")    # as an address has them
_LONGEST = 120


class FilterUnreadable(Exception):
    """What is asked for cannot be looked for; says why."""


@dataclass(frozen=True, slots=True)
class RequestFilters:
    """Which calls; what is None or empty is not asked about. `answer` is one of ANSWERS."""

    request_id: str = ""
    credential_id: uuid.UUID | None = None
    answer: str = ""
    route: str = ""
    code: str = ""
    since: datetime | None = None
    until: datetime | None = None    # before this moment


@dataclass(frozen=True, slots=True)
class RequestPage:
    """Some calls, newest first; `next_before` goes on with the older ones, None at the end."""

    rows: Sequence[ApiRequest]
    next_before: uuid.UUID | None


def api_requests(filters: RequestFilters, *, before: uuid.UUID | None = None, limit: int = 25) -> RequestPage:
    """The calls that match, older than `before`."""
    found = requests_found(filters)
    if before is not None:
        found = found.filter(id__lt=before)
    rows = list(found.order_by("-id")[: limit + 1])
    return RequestPage(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def filters_of(wanted: Mapping[str, str]) -> RequestFilters:
    """What an address asks for. Raises FilterUnreadable."""
    if any(len(value) > _LONGEST or not value.isprintable() for value in wanted.values()):
        raise FilterUnreadable(_("What is looked for has at most 120 printable characters."))
    if wanted.get("answer", "answered") not in ANSWERS or wanted.get("span", "day") not in SPANS:
        raise FilterUnreadable(_("There is no such filter; choose one from the lists."))
    since = datetime.now(UTC) - SPANS[wanted["span"]] if "span" in wanted else None
    return RequestFilters(
        request_id=wanted.get("q", ""), credential_id=id_of(wanted.get("key", "")), answer=wanted.get("answer", ""),
        route=wanted.get("route", ""), code=wanted.get("code", ""), since=since,
    )  # fmt: skip


def id_of(text: str) -> uuid.UUID | None:
    """A key, or a place in the list. Raises FilterUnreadable."""
    try:
        return uuid.UUID(text) if text else None
    except ValueError as error:
        raise FilterUnreadable(_("The address names a key or a place in the list that there is not.")) from error


def requests_found(filters: RequestFilters) -> QuerySet[ApiRequest]:
    """The calls that match, in no order."""
    found = ApiRequest.objects.all()
    if filters.request_id:
        found = found.filter(request_digest=digest_of(filters.request_id))
    if filters.credential_id is not None:
        found = found.filter(credential_id=filters.credential_id)
    if filters.answer:
        found = found.filter(ANSWERS[filters.answer])
    if filters.route:
        found = found.filter(route=filters.route)
    if filters.code:
        found = found.filter(code=filters.code, status__gte=400)
    if filters.since is not None:
        found = found.filter(id__gte=first_id_at(filters.since))
    if filters.until is not None:
        found = found.filter(id__lt=first_id_at(filters.until))
    return found


@dataclass(frozen=True, slots=True)
class Calls:
    """How many calls, how they were answered, and what they took together."""

    answered: int = 0
    refused: int = 0
    failed: int = 0
    microseconds: int = 0
    NAMES: ClassVar[tuple[str, ...]] = ("answered", "refused", "failed", "microseconds")

    @property
    def total(self) -> int:
        """All of them."""
        return self.answered + self.refused + self.failed

    @property
    def mean_ms(self) -> float:
        """What one took on average, in ms."""
        return self.microseconds / self.total / 1000 if self.total else 0.0

    def __add__(self, other: "Calls") -> "Calls":
        return Calls(*(getattr(self, name) + getattr(other, name) for name in self.NAMES))


@dataclass(frozen=True, slots=True)
class KeyCalls:
    """What one key called: by day (UTC), and there by method and route."""

    key: ApiKey
    by_day: dict[date, dict[tuple[str, str], Calls]] = field(default_factory=dict)

    @property
    def total(self) -> Calls:
        """All of the span."""
        return added(calls for routes in self.by_day.values() for calls in routes.values())

    @property
    def by_route(self) -> list[tuple[tuple[str, str], Calls]]:
        """All of the span by method and route, the most called first."""
        found: defaultdict[tuple[str, str], Calls] = defaultdict(Calls)
        for routes in self.by_day.values():
            for route, calls in routes.items():
                found[route] += calls
        return sorted(found.items(), key=lambda one: (-one[1].total, one[0]))

    def on(self, day: date) -> Calls:
        """All of one day."""
        return added(self.by_day.get(day, {}).values())


def added(calls: Iterable[Calls]) -> Calls:
    """All together."""
    return sum(calls, Calls())


def span(until: date | None = None, *, days: int = SPAN_DAYS) -> tuple[date, date]:
    """The first and the last of so many days, today (UTC) unless another is the last."""
    last = until or datetime.now(UTC).date()
    return last - timedelta(days=days - 1), last


def calls_by_key(since: date, until: date, keys: Iterable[ApiKey] | None = None) -> list[KeyCalls]:
    """What these keys, or all, called from `since` up to and with `until`, in their order."""
    chosen = {key.id: KeyCalls(key) for key in (api_keys() if keys is None else keys)}
    lines = Usage.objects.filter(day__gte=since, day__lte=until, credential_id__in=chosen).order_by("day", "method", "route")
    for line in lines:
        routes = chosen[line.credential_id].by_day.setdefault(line.day, {})
        routes[line.method, line.route] = Calls(*(getattr(line, name) for name in Calls.NAMES))
    return list(chosen.values())


def calls_by_kind(since: date, until: date) -> dict[str, Calls]:
    """All calls of these days by who called: api_key, user, or empty for no credential that is valid here."""
    lines = Usage.objects.filter(day__gte=since, day__lte=until).order_by().values_list("credential_kind")
    return {kind: Calls(*map(int, sums)) for kind, *sums in lines.annotate(*(Sum(name) for name in Calls.NAMES))}
