"""Calls of the API for people: found by request id, key or what became of them."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from partners.accounts import calls, selectors
from partners.accounts.models import ApiRequest, User
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page

ANSWERS = {"answered": gettext_lazy("Answered"), "refused": gettext_lazy("Refused (4xx)"), "failed": gettext_lazy("Failed (5xx)")}
SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
SPAN_TITLES = {"hour": gettext_lazy("Last hour"), "day": gettext_lazy("Last 24 hours"), "week": gettext_lazy("Last 7 days")}
_NAMES = ("q", "key", "answer", "span", "route", "code")
_LONGEST = 120


class FilterUnreadable(Exception):
    """The address asks for what cannot be looked for; says why."""


class RequestListPage(Page):
    """Calls, newest first; the address is the state, and `open` the one that is looked at."""

    permission = Permission.KEY_MANAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        """The calls that the address asks for."""
        wanted = {name: value for name in _NAMES if (value := request.GET.get(name, "").strip())}
        keys = selectors.api_keys()
        context: dict[str, Any] = {
            "wanted": wanted, "keys": keys, "answers": ANSWERS, "spans": SPAN_TITLES, "kept_days": settings.REQUEST_LOG_DAYS, "problem": "",
        }  # fmt: skip
        try:
            page = calls.api_requests(_filters(wanted), before=_uuid(request.GET.get("before", "")))
            context |= {
                "rows": page.rows, "here": urlencode({**wanted, "before": before} if (before := request.GET.get("before", "")) else wanted),
                "next": urlencode({**wanted, "before": str(page.next_before)}) if page.next_before else "",
                "shown": _opened(page.rows, request.GET.get("open", "")),
            }
        except FilterUnreadable as refusal:
            return render(request, "accounts/request_list.html", {**context, "problem": str(refusal)}, status=422)
        context["callers"] = _callers(page.rows, {key.id: key.name for key in keys})
        return render(request, "accounts/request_list.html", context)


def _filters(wanted: Mapping[str, str]) -> calls.RequestFilters:
    """What the address asks for. Raises FilterUnreadable."""
    if any(len(value) > _LONGEST or not value.isprintable() for value in wanted.values()):
        raise FilterUnreadable(_("What is looked for has at most 120 printable characters."))
    if wanted.get("answer", "answered") not in ANSWERS or wanted.get("span", "day") not in SPANS:
        raise FilterUnreadable(_("There is no such filter; choose one from the lists."))
    since = datetime.now(UTC) - SPANS[wanted["span"]] if "span" in wanted else None
    return calls.RequestFilters(
        request_id=wanted.get("q", ""), credential_id=_uuid(wanted.get("key", "")), answer=wanted.get("answer", ""),
        route=wanted.get("route", ""), code=wanted.get("code", ""), since=since,
    )  # fmt: skip


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError as error:
        raise FilterUnreadable(_("The address names a key or a place in the list that there is not.")) from error


def _opened(rows: Any, wanted: str) -> ApiRequest | None:
    """The call that is looked at; without one, the only one that was found."""
    return next((row for row in rows if str(row.id) == wanted), rows[0] if len(rows) == 1 else None)


def _callers(rows: Any, names: Mapping[uuid.UUID, str]) -> dict[uuid.UUID, str]:
    """What the callers of these rows are called, by credential."""
    people = {row.credential_id for row in rows if row.credential_kind == "user"}
    return {**names, **dict(User.objects.filter(id__in=people).values_list("id", "name"))}
