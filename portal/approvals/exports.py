"""The lists of applications that can be taken away: the queue as it is filtered, and the letters that are due."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import Case, F, FloatField, QuerySet, Value, When
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from partners.accounts.roles import Permission
from partners.codes import CURRENCIES
from partners.money import decimals
from portal.approvals.models import Application
from portal.approvals.selectors.notices import applications_owing
from portal.approvals.selectors.queue import applications_found
from portal.approvals.web.filters import NAMES, filters_of, wanted
from portal.exports.lists import Asker, Column, ExportList, declare, free, moment, name, word

_NOBODY = uuid.UUID(int=0)


def _applications(given: Mapping[str, str], asker: Asker) -> QuerySet[Application]:
    state, person = wanted(given), asker.person_id or _NOBODY
    filters = filters_of(state, currency=asker.currency, person_id=person)
    return applications_found(tab=state.tab, person_id=person, filters=filters, order=state.order)


def _owing(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Application]:
    return applications_owing().order_by("notice_due_at", "id")


def money(minor: str, currency: str) -> Column:
    """An amount as a number, with the decimals of its currency."""
    powers = {places: [one for one in CURRENCIES if decimals(one) == places] for places in (0, 3)}
    power = Case(*(When(**{f"{currency}__in": named}, then=Value(10.0**places)) for places, named in powers.items()), default=Value(100.0))
    return Column(Cast(F(minor), FloatField()) / power, float)


_COLUMNS: dict[str, Column] = {
    "id": name("id"), "number": word("number"), "created_at": moment("created_at"), "product": word("product__slug"),
    "amount": money("amount_minor", "currency"), "currency": word("currency"), "state": word("state"), "outcome": word("outcome"),
    "band": word("band"),
}  # fmt: skip
_QUEUE: dict[str, Column] = {
    "offered": money("offered_minor", "currency"), "score": Column(F("decision__score"), int),
    "because": word("because"), "channel": word("channel"), "tags": name("tags"), "assigned_to": free("assigned_to__name"),
    "due_at": moment("due_at"), "decided_at": moment("decided_at"), "decision_id": name("decision_id"),
    "created_by": free("created_by"), "request_id": free("request_id"),
}  # fmt: skip


def declare_lists() -> None:
    """They can be taken away from now on."""
    applications: dict[str, Any] = {"permission": Permission.DECISION_READ, "applicants": "applicant__"}
    declare(
        ExportList(
            name="applications", title=_("Applications"), page="approvals:application-list", read=_applications,
            filters=(*NAMES, "tab", "sort"), personal=frozenset({"q"}), columns=_COLUMNS | _QUEUE, **applications,
        ),
        ExportList(
            name="letters", title=_("Letters that are due"), page="approvals:notice-list", read=_owing,
            columns={**_COLUMNS, "decided_at": moment("decided_at"), "letter_due_at": moment("notice_due_at")},
            **{**applications, "permission": Permission.APPLICANT_READ},
        ),
    )  # fmt: skip
