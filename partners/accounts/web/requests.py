"""Calls of the API for people: found by request id, key or what became of them."""

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy

from partners.accounts import calls, selectors
from partners.accounts.models import ApiRequest, User
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page

ANSWERS = {"answered": gettext_lazy("Answered"), "refused": gettext_lazy("Refused (4xx)"), "failed": gettext_lazy("Failed (5xx)")}
SPAN_TITLES = {"hour": gettext_lazy("Last hour"), "day": gettext_lazy("Last 24 hours"), "week": gettext_lazy("Last 7 days")}


class RequestListPage(Page):
    """Calls, newest first; the address is the state, and `open` the one that is looked at."""

    permission = Permission.KEY_MANAGE

    def get(self, request: HttpRequest) -> HttpResponse:
        """The calls that the address asks for."""
        wanted = {name: value for name in calls.FILTERS if (value := request.GET.get(name, "").strip())}
        keys = selectors.api_keys()
        context: dict[str, Any] = {
            "wanted": wanted, "keys": keys, "answers": ANSWERS, "spans": SPAN_TITLES, "kept_days": settings.REQUEST_LOG_DAYS, "problem": "",
        }  # fmt: skip
        try:
            page = calls.api_requests(calls.filters_of(wanted), before=calls.id_of(request.GET.get("before", "")))
            context |= {
                "rows": page.rows, "here": urlencode({**wanted, "before": before} if (before := request.GET.get("before", "")) else wanted),
                "next": urlencode({**wanted, "before": str(page.next_before)}) if page.next_before else "",
                "shown": _opened(page.rows, request.GET.get("open", "")),
            }
        except calls.FilterUnreadable as refusal:
            return render(request, "accounts/request_list.html", {**context, "problem": str(refusal)}, status=422)
        context["callers"] = _callers(page.rows, {key.id: key.name for key in keys})
        return render(request, "accounts/request_list.html", context)


def _opened(rows: Any, wanted: str) -> ApiRequest | None:
    """The call that is looked at; without one, the only one that was found."""
    return next((row for row in rows if str(row.id) == wanted), rows[0] if len(rows) == 1 else None)


def _callers(rows: Any, names: Mapping[uuid.UUID, str]) -> dict[uuid.UUID, str]:
    """What the callers of these rows are called, by credential."""
    people = {row.credential_id for row in rows if row.credential_kind == "user"}
    return {**names, **dict(User.objects.filter(id__in=people).values_list("id", "name"))}
