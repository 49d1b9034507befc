"""What each API key asked for, over HTTP: the figures a partner plans with and an installation charges by."""

from datetime import UTC, datetime, timedelta

from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.description import described, query
from partners.api.errors import Fault, QueryRefused
from partners.api.queries import moment, read_query
from partners.api.views import ApiView, answer
from scoring import selectors
from scoring.api.answers import UsageList, usage_listed

_SPAN = timedelta(days=30)
_LONGEST = timedelta(days=366)


class UsageView(ApiView):
    """Decisions by API key and day."""

    permissions = {"GET": Permission.KEY_MANAGE}

    @described(
        "Count decisions by API key and day", operation="usage_list", gives=UsageList, refuses=(400,),
        parameters=(
            query("created_at[gte]", "From this time on; 30 days before the end when not given.", type="string", format="date-time"),
            query("created_at[lt]", "Before this time; now when not given.", type="string", format="date-time"),
        ),
        text="Days are those of UTC. Decisions that people made in the portal belong to no key.",
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """How much each key was used."""
        wanted = read_query(request, {"created_at[gte]": moment, "created_at[lt]": moment})
        until = wanted.get("created_at[lt]") or datetime.now(UTC)
        since = wanted.get("created_at[gte]") or until - _SPAN
        if not timedelta(0) < until - since <= _LONGEST:
            detail = "Give a time before the end, and at most 366 days before it."
            raise QueryRefused([Fault("created_at[gte]", "invalid_value", detail, is_parameter=True)])
        return answer(usage_listed(selectors.usage_by_key(since, until), since, until))
