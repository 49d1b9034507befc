"""What is kept about an applicant, and when it may go: the newest of their applications, letters and accounts counts."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils.translation import gettext_lazy as _

from audit.context import Actor
from audit.models import PrivacyRequest
from audit.privacy.holders import keeper
from audit.privacy.ledger import Under, entomb
from audit.privacy.models import UNANSWERED
from audit.retention.registry import RecordClass
from audit.retention.rules import Item, Removal, Trigger
from portal.approvals.models import Application, ApplicationFile
from portal.approvals.services.files import path_of
from portal.approvals.transitions import OVER, State
from scoring.models import Applicant, Decision, OutcomeCode

TOLD_WITHIN = timedelta(days=30)    # 12 CFR 1002.9: who scores through the API alone tells applicants by then
_TRIGGERS = [Trigger.NOTICE, Trigger.CLOSURE, Trigger.APPLICATION]
_ACCOUNT = Q(application__state=State.APPROVED) | Q(application=None, outcome=OutcomeCode.APPROVE)
_THERE = Applicant.objects.exclude(wrapped_key=None)
Dates = dict[str, datetime | None]


# ---- dates


def _dates_of(applications: Iterable[Application], accounts: Iterable[datetime | None], scored: Iterable[datetime]) -> Dates:
    """The latest of each kind. `accounts`: when each was closed; `scored`: when decisions without an application were made."""
    applications, scored, accounts = list(applications), list(scored), list(accounts)
    dates: Dates = {}
    if applications or scored:
        dates[Trigger.APPLICATION] = max([*(one.created_at for one in applications), *scored])
        dates[Trigger.NOTICE] = _latest([*map(_told_at, applications), *(at + TOLD_WITHIN for at in scored)])
    if accounts:
        dates[Trigger.CLOSURE] = _latest(accounts)
    return dates


def _told_at(application: Application) -> datetime | None:
    """When the applicant was told how it ended; None while they are owed it."""
    if application.state == State.DECLINED:
        return application.notice_sent_at
    return application.decided_at or application.expires_at or application.created_at


def _latest(moments: Sequence[datetime | None]) -> datetime | None:
    known = [one for one in moments if one is not None]
    return max(known) if len(known) == len(moments) else None


def _accounts(decisions: Any) -> Iterable[tuple[uuid.UUID, uuid.UUID, datetime | None]]:
    """Applicant, decision and end of each account: the day on which the last outcome was seen, None where none was."""
    rows = decisions.filter(_ACCOUNT).order_by().annotate(ended=Max("outcomes__observed_on"))
    for applicant_id, decision_id, day in rows.values_list("applicant_id", "id", "ended"):
        yield applicant_id, decision_id, None if day is None else datetime.combine(day, time.max, UTC)


# ---- applicants


def _after(last: str, limit: int) -> Sequence[str]:
    found = _THERE.filter(id__gt=last) if last else _THERE.all()
    return [str(one) for one in found.order_by("id").values_list("id", flat=True)[:limit]]


def _look(ids: Sequence[str]) -> Sequence[Item]:
    applications, accounts, scored = defaultdict(list), defaultdict(list), defaultdict(list)
    for one in Application.objects.filter(applicant_id__in=ids).defer("sealed_request"):
        applications[one.applicant_id].append(one)
    decisions = Decision.objects.filter(applicant_id__in=ids)
    for applicant_id, _decision, ended in _accounts(decisions):
        accounts[applicant_id].append(ended)
    alone = decisions.filter(application=None).order_by().values("applicant_id").annotate(newest=Max("created_at"))
    for applicant_id, newest in alone.values_list("applicant_id", "newest"):
        scored[applicant_id].append(newest)
    asking = set(PrivacyRequest.objects.filter(applicant_id__in=ids, state__in=UNANSWERED).values_list("applicant_id", flat=True))
    there = _THERE.filter(id__in=ids).order_by("id").values_list("id", flat=True)
    return [
        Item("applicant", str(one), _dates_of(applications[one], accounts[one], scored[one]), one,
             is_open=one in asking or any(each.state not in OVER for each in applications[one]), contains=("file",))
        for one in there
    ]  # fmt: skip


def _lock(ids: Sequence[str]) -> None:
    # Against new decisions and applications too: their foreign key waits for this.
    list(Applicant.objects.select_for_update().filter(id__in=ids).order_by("id").values_list("id"))
    list(Application.objects.select_for_update().filter(applicant_id__in=ids).order_by("id").values_list("id"))


def _erase(ids: Sequence[str], run: int, actor: Actor) -> None:
    found = [keeper().subject(uuid.UUID(one)) for one in ids]
    entomb([one for one in found if one is not None], under=Under(run=run), actor=actor)


# ---- files


def _files_after(last: str, limit: int) -> Sequence[str]:
    found: list[str] = []
    while len(found) < limit:
        files = ApplicationFile.objects.filter(id__gt=last) if last else ApplicationFile.objects.all()
        ids = list(files.order_by("id").values_list("id", flat=True)[:limit])
        if not ids:
            break
        last = str(ids[-1])
        found += [str(one) for one in ids if path_of(one).exists()]
    return found


def _look_at_files(ids: Sequence[str]) -> Sequence[Item]:
    files = [one for one in ApplicationFile.objects.filter(id__in=ids).select_related("application") if path_of(one.id).exists()]
    ended = {decision: at for _a, decision, at in _accounts(Decision.objects.filter(application__files__id__in=ids).distinct())}
    return [
        Item(
            "file", str(file.id), _dates_of([one], [ended[one.decision_id]] if one.decision_id in ended else [], []), one.applicant_id,
            is_open=one.state not in OVER,
        )
        for file in files for one in [file.application]
    ]  # fmt: skip


def _lock_files(ids: Sequence[str]) -> None:
    list(Application.objects.select_for_update(of=("self",)).filter(files__id__in=ids).order_by("id").values_list("id"))


def _remove_files(ids: Sequence[str], _run: int, _actor: Actor) -> None:
    for one in ids:
        transaction.on_commit(partial(path_of(uuid.UUID(one)).unlink, missing_ok=True))


# ---- holds


def applicant_of_application(application_id: uuid.UUID) -> uuid.UUID | None:
    """Whose application it is."""
    return Application.objects.filter(id=application_id).values_list("applicant_id", flat=True).first()


def applicant_of_decision(decision_id: uuid.UUID) -> uuid.UUID | None:
    """Whom it was made about."""
    return Decision.objects.filter(id=decision_id).values_list("applicant_id", flat=True).first()


def known_applicant(applicant_id: uuid.UUID) -> uuid.UUID | None:
    """The applicant, if there is one whose content was not erased."""
    return _THERE.filter(id=applicant_id).values_list("id", flat=True).first()


APPLICANTS = RecordClass(
    "applicant", _("All that is kept about an applicant"), {Removal.ERASE: _erase}, _TRIGGERS, _after, _look, _lock
)
FILES = RecordClass(
    "file", _("Files on applications"), {Removal.DELETE: _remove_files}, _TRIGGERS, _files_after, _look_at_files, _lock_files
)
