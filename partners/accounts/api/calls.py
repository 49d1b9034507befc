"""What was asked of the API, over HTTP: single calls, and how often each key called what."""

from datetime import UTC, date, datetime

import msgspec
from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts import calls
from partners.accounts.models import ApiRequest as Row
from partners.accounts.roles import Permission
from partners.api.description import BY_ID, described, query
from partners.api.queries import PAGE, day, identifier, moment, one_of, read_query, text, whole_number
from partners.api.views import ApiView, answer

LONGEST_DAYS = 366


class RouteCalls(msgspec.Struct, frozen=True):
    """Calls of one route. `refused`: answered with 4xx; `failed`: with 5xx."""

    method: str
    route: str
    calls: int
    refused: int
    failed: int
    mean_ms: float


class DayCalls(msgspec.Struct, frozen=True):
    """Calls of one day of UTC."""

    day: date
    calls: int
    routes: list[RouteCalls]


class KeyStats(msgspec.Struct, frozen=True):
    """What one key called; `state`: active, ending (it has a successor and still works), expired or revoked. Days without a call are
    left out."""

    id: str
    name: str
    hint: str
    state: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    calls: int
    refused: int
    failed: int
    mean_ms: float
    by_day: list[DayCalls]


class KeyStatsList(msgspec.Struct, frozen=True):
    """Every key, newest first. What people called with their tokens, and callers without a valid credential, is only counted together."""

    since: date
    until: date
    plan: str
    requests_per_hour: int
    calls: int
    calls_by_people: int
    calls_without_credential: int
    data: list[KeyStats]


class ApiRequest(msgspec.Struct, frozen=True):
    """One call. `request_id` is whole where a machine made it up, else its beginning: ask for it to find its calls. `route` is the
    pattern of the address, empty where nothing answers; `code` is that of the problem, null where there was none."""

    id: str
    at: datetime
    request_id: str
    credential_kind: str | None
    credential_id: str | None
    method: str
    route: str
    status: int
    code: str | None
    is_replayed: bool
    duration_ms: float


class ApiRequestList(msgspec.Struct, frozen=True):
    """Calls, newest first."""

    data: list[ApiRequest]
    next_cursor: str | None
    has_more: bool


class ApiKeyStatsView(ApiView):
    """Statistics of keys."""

    permissions = {"GET": Permission.KEY_MANAGE}

    @described(
        "Count calls by API key, day and route", operation="api_key_stats", gives=KeyStatsList, refuses=(400,),
        parameters=(
            query("until", "The last day, today when not given.", type="string", format="date"),
            query("days", "How many days.", type="integer", minimum=1, maximum=LONGEST_DAYS, default=calls.SPAN_DAYS),
        ),
        text="Every call counts, whatever it was answered; a call shows within two seconds. Days are those of UTC and kept for 400 days. "
        "A worker that is killed loses what it counted in its last second.",
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """How much each key was used."""
        wanted = read_query(request, {"until": day, "days": whole_number(1, LONGEST_DAYS)})
        since, until = calls.span(wanted.get("until"), days=wanted.get("days", calls.SPAN_DAYS))
        kinds, plan = calls.calls_by_kind(since, until), str(request._request.partner.plan)  # type: ignore[attr-defined]
        return answer(
            KeyStatsList(
                since=since, until=until, plan=plan, requests_per_hour=settings.PLAN_REQUESTS_PER_HOUR[plan],
                calls=calls.added(kinds.values()).total, calls_by_people=kinds.get("user", calls.Calls()).total,
                calls_without_credential=kinds.get("", calls.Calls()).total,
                data=[stats_of(one) for one in calls.calls_by_key(since, until)],
            )
        )  # fmt: skip


class ApiRequestsView(ApiView):
    """Calls of the API."""

    permissions = {"GET": Permission.KEY_MANAGE}

    @described(
        "Look up calls", operation="request_list", gives=ApiRequestList, refuses=(400,),
        parameters=(
            query("request_id", "The X-Request-ID of the call."),
            query("key_id", "Who called: the API key.", type="string", format="uuid"),
            query("answer", "How it was answered: below 400, with 4xx or with 5xx.", type="string", enum=list(calls.ANSWERS)),
            query("route", "The pattern of the address, such as /api/v1/scores/{score_id}."),
            query("code", "The code of the problem."),
            query("created_at[gte]", "From this time on.", type="string", format="date-time"),
            query("created_at[lt]", "Before this time.", type="string", format="date-time"),
            *BY_ID,
        ),
        text="Who called which route when, and how it was answered: nothing that was sent is kept. A call shows within two seconds and is "
        "kept for 14 days unless the operator says otherwise. Of callers without a valid credential, and of calls beyond the plan's limit, "
        "at most 20 of a second and worker are listed; all are counted.",
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """The calls, newest first."""
        wanted = read_query(
            request,
            {
                "request_id": text, "key_id": identifier, "answer": one_of(*calls.ANSWERS), "route": text, "code": text,
                "created_at[gte]": moment, "created_at[lt]": moment, "limit": whole_number(1, 200), "cursor": identifier,
            },
        )  # fmt: skip
        filters = calls.RequestFilters(
            wanted.get("request_id", ""), wanted.get("key_id"), wanted.get("answer", ""), wanted.get("route", ""), wanted.get("code", ""),
            wanted.get("created_at[gte]"), wanted.get("created_at[lt]"),
        )  # fmt: skip
        page = calls.api_requests(filters, before=wanted.get("cursor"), limit=wanted.get("limit", PAGE))
        more = None if page.next_before is None else str(page.next_before)
        return answer(ApiRequestList([_request(row) for row in page.rows], more, more is not None))


def stats_of(one: calls.KeyCalls) -> KeyStats:
    """What a key called, as it is shown."""
    key, total = one.key, one.total
    return KeyStats(
        id=str(key.id), name=key.name, hint=key.hint, state=key.state(datetime.now(UTC)), scopes=[str(scope) for scope in key.scopes],
        created_at=key.created_at, expires_at=key.expires_at, last_used_at=key.last_used_at, calls=total.total, refused=total.refused,
        failed=total.failed, mean_ms=round(total.mean_ms, 3),
        by_day=[DayCalls(day, one.on(day).total, [_route(*line) for line in routes.items()]) for day, routes in one.by_day.items()],
    )  # fmt: skip


def _route(route: tuple[str, str], one: calls.Calls) -> RouteCalls:
    return RouteCalls(*route, one.total, one.refused, one.failed, round(one.mean_ms, 3))


def _request(row: Row) -> ApiRequest:
    return ApiRequest(
        id=str(row.id), at=row.at, request_id=row.request_id, credential_kind=row.credential_kind or None,
        credential_id=None if row.credential_id is None else str(row.credential_id), method=row.method, route=row.route, status=row.status,
        code=row.code or None, is_replayed=row.is_replayed, duration_ms=row.milliseconds,
    )  # fmt: skip
