"""The lists of who answers for the data: requests of applicants, rules of retention, holds, runs."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from audit.models import Alert, Hold, PrivacyRequest, RetentionPolicy, RetentionRun
from audit.privacy.models import UNANSWERED
from audit.retention.rules import Why
from audit.retention.runs import gone_of
from audit.retention.services import preview
from partners.accounts.roles import Permission
from portal.exports.lists import TEXT, WHOLE, Asker, ExportList, Told, at, day, declare, free, moment, name, number, one_of, word


def _requests(given: Mapping[str, str], _asker: Asker) -> QuerySet[PrivacyRequest]:
    if one_of(given, "show", ("answered",), "") == "answered":
        return PrivacyRequest.objects.exclude(state__in=UNANSWERED).order_by("-number")
    return PrivacyRequest.objects.filter(state__in=UNANSWERED).order_by("due_on", "number")


def _alerts(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Alert]:
    return Alert.objects.order_by("-id")


def _rules(_given: Mapping[str, str], _asker: Asker) -> QuerySet[RetentionPolicy]:
    return RetentionPolicy.objects.order_by("record_class", "trigger")


def _holds(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Hold]:
    return Hold.objects.order_by("-id")


def _runs(_given: Mapping[str, str], _asker: Asker) -> Told:
    return lambda: (
        (one.number, one.state, at(one.as_of), one.proposed_by, one.answered_by, at(one.answered_at), at(one.finished_at),
         sum(gone_of(one).values()))
        for one in RetentionRun.objects.defer("certificate").order_by("-number")
    )  # fmt: skip


def _trial(_given: Mapping[str, str], _asker: Asker) -> Told:
    return lambda: ((one.kind.name, *(one.counts[why] for why in Why)) for one in preview())


def declare_lists() -> None:
    """They can be taken away from now on."""
    retention: dict[str, Any] = {"permission": Permission.RECORD_READ, "page": "retention:retention"}
    declare(
        ExportList(
            name="privacy-requests", title=_("Requests of applicants"), permission=Permission.PRIVACY_MANAGE, page="privacy:privacy-list",
            read=_requests, filters=("show",),
            columns={
                "number": number("number"), "kind": word("kind"), "applicant_id": name("applicant_id"),
                "decision_id": name("decision_id"), "received_on": day("received_on"), "due_on": day("due_on"), "state": word("state"),
                "proposed_by": free("proposed_by"), "created_at": moment("created_at"), "created_by": free("created_by"),
                "closed_at": moment("closed_at"), "closed_by": free("closed_by"), "because": free("because"),
            },
        ),
        ExportList(
            name="alerts", title=_("Alerts"), permission=Permission.PRIVACY_MANAGE, page="privacy:privacy-list", read=_alerts,
            columns={
                "id": name("id"), "kind": word("kind"), "object_kind": word("object_kind"), "object_id": free("object_id"),
                "times": number("times"), "raised_at": moment("raised_at"), "last_at": moment("last_at"), "closed_at": moment("closed_at"),
                "closed_by": free("closed_by"),
            },
        ),
        ExportList(
            name="retention-rules", title=_("Rules of retention"), read=_rules, **retention,
            columns={
                "record_class": word("record_class"), "after": word("trigger"), "period": number("period"), "unit": word("unit"),
                "citation": free("citation"), "changed_at": moment("changed_at"), "changed_by": free("changed_by"),
            },
        ),
        ExportList(
            name="holds", title=_("Legal holds"), read=_holds, **retention,
            columns={
                "id": name("id"), "kind": word("kind"), "object_id": name("object_id"), "applicant_id": name("applicant_id"),
                "reason": free("reason"), "until": day("until"), "placed_at": moment("placed_at"), "placed_by": free("placed_by"),
                "lift_reason": free("lift_reason"), "lift_asked_by": free("lift_asked_by"), "lifted_at": moment("lifted_at"),
                "lifted_by": free("lifted_by"),
            },
        ),
        ExportList(
            name="retention-runs", title=_("Runs of retention"), read=_runs, **retention,
            columns={"number": WHOLE, **dict.fromkeys(("state", "as_of", "proposed_by", "answered_by", "answered_at", "finished_at"), TEXT),
                     "gone": WHOLE},
        ),
        ExportList(
            name="retention-trial", title=_("What would go now"), permission=Permission.RECORD_READ, page="retention:retention-trial",
            read=_trial, columns={"record_class": TEXT, **dict.fromkeys((str(why) for why in Why), WHOLE)},
        ),
    )  # fmt: skip
