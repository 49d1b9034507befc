"""The lists of people and systems that work with the partner: the team, keys, calls of the API, webhooks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from partners.accounts import calls
from partners.accounts.models import ApiRequest, Usage
from partners.accounts.roles import Permission
from partners.accounts.selectors import api_keys, team
from partners.webhooks.models import Delivery, Endpoint
from portal.exports.lists import (
    DECIMAL,
    TEXT,
    WHOLE,
    Asker,
    ExportList,
    Told,
    at,
    day,
    declare,
    free,
    moment,
    name,
    number,
    one_of,
    truth,
    word,
)
from scoring.errors import FilterRefused


def _people(_given: Mapping[str, str], _asker: Asker) -> Told:
    return lambda: [
        (str(one.user.id), one.user.name, one.user.email, one.user.role, _truth(one.user.is_active), at(one.user.created_at),
         at(one.seen_at), _truth(one.has_factor), one.keys)
        for one in team()
    ]  # fmt: skip


def _keys(given: Mapping[str, str], _asker: Asker) -> Told:
    shows_all = one_of(given, "all", ("1",), "") == "1"

    def told() -> list[tuple[str | int | float | None, ...]]:
        now = datetime.now(UTC)
        chosen = [one for one in api_keys() if shows_all or one.state(now) not in {"revoked", "expired"}]
        return [
            (str(one.key.id), one.key.name, one.key.kind, one.key.hint, " ".join(one.key.scopes), one.key.state(now), one.key.created_by,
             at(one.key.created_at), at(one.key.expires_at), at(one.key.revoked_at), at(one.key.last_used_at), one.total.answered,
             one.total.refused, one.total.failed, one.total.mean_ms)
            for one in calls.calls_by_key(*calls.span(), keys=chosen)
        ]  # fmt: skip

    return told


def _usage(given: Mapping[str, str], _asker: Asker) -> QuerySet[Usage]:
    found = Usage.objects.order_by("-day", "credential_id", "method", "route")
    return found.filter(credential_id=_id(given["key"])) if "key" in given else found


def _requests(given: Mapping[str, str], _asker: Asker) -> QuerySet[ApiRequest]:
    try:
        return calls.requests_found(calls.filters_of(given)).order_by("-id")
    except calls.FilterUnreadable as refusal:
        raise FilterRefused(str(refusal)) from refusal


def _endpoints(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(deleted_at=None).order_by("created_at", "id")


def _deliveries(given: Mapping[str, str], _asker: Asker) -> QuerySet[Delivery]:
    found = Delivery.objects.order_by("-id")
    if "endpoint" in given:
        found = found.filter(endpoint=_id(given["endpoint"]))
    state = one_of(given, "state", Delivery.State.values, "")
    return found.filter(state=state) if state else found


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise FilterRefused(gettext("There is no such filter; choose one from the lists.")) from error


def _truth(value: object) -> str:
    return "true" if value else "false"


def declare_lists() -> None:
    """They can be taken away from now on."""
    declare(
        ExportList(
            name="people", title=_("Team"), permission=Permission.USER_READ, page="accounts:team", read=_people,
            columns=dict.fromkeys(("id", "name", "email", "role", "is_active", "created_at", "seen_at", "has_second_factor"), TEXT)
            | {"keys": WHOLE},
        ),
        ExportList(
            name="keys", title=_("API keys"), permission=Permission.KEY_MANAGE, page="accounts:key-list", read=_keys, filters=("all",),
            columns=dict.fromkeys(("id", "name", "kind", "hint", "scopes", "state", "created_by", "created_at", "expires_at", "revoked_at",
                                   "last_used_at"), TEXT)
            | dict.fromkeys(("answered", "refused", "failed"), WHOLE) | {"mean_ms": DECIMAL},
        ),
        ExportList(
            name="usage", title=_("Use of the API"), permission=Permission.KEY_MANAGE, page="accounts:key-detail", read=_usage,
            filters=("key",), of={"key_id": "key"},
            columns={
                "day": day("day"), "credential_kind": word("credential_kind"), "credential_id": name("credential_id"),
                "method": word("method"), "route": word("route"), "answered": number("answered"), "refused": number("refused"),
                "failed": number("failed"), "microseconds": number("microseconds"),
            },
        ),
        ExportList(
            name="requests", title=_("Request log"), permission=Permission.KEY_MANAGE, page="accounts:request-list", read=_requests,
            filters=calls.FILTERS,
            columns={
                "id": name("id"), "at": moment("at"), "request_id": free("request_id"), "credential_kind": word("credential_kind"),
                "credential_id": name("credential_id"), "method": free("method"), "route": word("route"), "status": number("status"),
                "code": word("code"), "is_replayed": truth("is_replayed"), "microseconds": number("microseconds"),
            },
        ),
        ExportList(
            name="endpoints", title=_("Webhooks"), permission=Permission.WEBHOOK_MANAGE, page="webhooks:endpoint-list", read=_endpoints,
            columns={
                "id": name("id"), "url": free("url"), "description": free("description"), "event_types": name("event_types"),
                "paused_because": word("paused_because"), "paused_at": moment("paused_at"), "failing_since": moment("failing_since"),
                "created_by": free("created_by"), "created_at": moment("created_at"),
            },
        ),
        ExportList(
            name="deliveries", title=_("Deliveries"), permission=Permission.WEBHOOK_MANAGE, page="webhooks:endpoint-detail",
            read=_deliveries, filters=("endpoint", "state"), of={"webhook_id": "endpoint"},
            columns={
                "event_id": name("event_id"), "event_type": word("event_type"), "object_id": free("object_id"),
                "url": free("endpoint__url"), "state": word("state"), "created_at": moment("created_at"),
                "attempts": number("attempts"), "next_at": moment("next_at"), "finished_at": moment("finished_at"),
            },
        ),
    )  # fmt: skip
