"""The lists of applications that can be taken away: the queue as it is filtered, and the letters that are due."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Case, F, FloatField, QuerySet, Value, When
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partners.accounts.roles import Permission
from partners.codes import CURRENCIES
from partners.money import decimals
from portal.approvals.models import Application
from portal.approvals.selectors import last_months, months_of_applications
from portal.approvals.selectors.notices import applications_owing
from portal.approvals.selectors.queue import applications_found
from portal.approvals.web.filters import NAMES, filters_of, wanted
from portal.exports.lists import DECIMAL, TEXT, WHOLE, Asker, Column, ExportList, Told, at, declare, free, moment, name, one_of, word

_NOBODY = uuid.UUID(int=0)


def _applications(given: Mapping[str, str], asker: Asker) -> QuerySet[Application]:
    state, person = wanted(given), asker.person_id or _NOBODY
    filters = filters_of(state, currency=asker.currency, person_id=person)
    return applications_found(tab=state.tab, person_id=person, filters=filters, order=state.order)


def _owing(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Application]:
    return applications_owing().order_by("notice_due_at", "id")


def _months(given: Mapping[str, str], _asker: Asker) -> Told:
    wanted = one_of(given, "months", ("3", "6", "12"), "6")
    spans = last_months(int(wanted), timezone.get_current_timezone())
    return lambda: (
        (at(one.since), at(one.until), one.received, one.approved, one.declined, one.by_model, one.by_people, one.overrides,
         _seconds(one.half_within), _seconds(one.most_within), one.known_outcomes, one.expected_defaults, one.observed_defaults)
        for one, _at in months_of_applications(spans)
    )  # fmt: skip


def _amounts(given: Mapping[str, str], _asker: Asker) -> Told:
    wanted = one_of(given, "months", ("3", "6", "12"), "6")
    spans = last_months(int(wanted), timezone.get_current_timezone())
    return lambda: (
        (at(month.since), one.currency, *(minor / 10 ** decimals(one.currency) for minor in (one.asked_minor, one.granted_minor)))
        for month, _at in months_of_applications(spans) for one in month.money
    )  # fmt: skip


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


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
        ExportList(
            name="months", title=_("Month by month"), permission=Permission.DECISION_READ, page="portal:summary", read=_months,
            filters=("months",),
            columns={
                "since": TEXT, "until": TEXT,
                **dict.fromkeys(("received", "approved", "declined", "by_model", "by_people", "overrides"), WHOLE),
                "half_within_seconds": DECIMAL, "nine_of_ten_within_seconds": DECIMAL, "known_outcomes": WHOLE,
                "expected_defaults": DECIMAL, "observed_defaults": DECIMAL,
            },
        ),
        ExportList(
            name="amounts", title=_("Amounts"), permission=Permission.DECISION_READ, page="portal:summary", read=_amounts,
            filters=("months",), columns={"since": TEXT, "currency": TEXT, "asked": DECIMAL, "granted": DECIMAL},
        ),
    )  # fmt: skip
