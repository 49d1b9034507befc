"""Outcomes are attached to the decisions they are about; what is learnt later supersedes what was said before and hides nothing of it."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby

from django.db import connection, transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from audit.vault import keyring
from partners.codes import CURRENCIES
from scoring.errors import OutcomeRefused
from scoring.models import TARGET_OF, Decision, Outcome, OutcomeKind, OutcomeSource
from scoring.selectors.catalogue import product_id

LARGEST_AMOUNT = Decimal(10) ** 14
# Writers of one partner's outcomes wait for one another: each reads what holds before it supersedes it.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ':outcomes', 0))"


@dataclass(frozen=True, slots=True)
class Observed:
    """What was learnt. The decision is named by its id, or by the applicant's reference: then their newest one by that day is meant."""

    kind: str
    observed_on: date
    decision_id: uuid.UUID | None = None
    reference: str | None = None
    value: int | None = None
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why one of several cannot be recorded."""

    position: int
    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outcome that holds, and whether it was new or had been said before."""

    outcome: Outcome
    is_new: bool


def record_outcomes(
    *, items: Sequence[Observed], source: OutcomeSource, actor: Actor, product_slug: str | None = None
) -> list[Recorded]:
    """Each item holds for its decision from now on; one that says what holds already changes nothing. All of them, or none.

    Raises ProductUnknown, and OutcomeRefused, whose fields name the positions of what cannot be recorded."""
    found, wrong = _found(items, product_slug)
    if wrong:
        raise OutcomeRefused(fields={f"{one.position}/{one.field}": one.detail for one in wrong})
    return _store([(decision, item) for decision, item in zip(found, items, strict=True) if decision], source, actor)


def record_good_outcomes(
    *, items: Sequence[Observed], source: OutcomeSource, actor: Actor, product_slug: str | None = None
) -> tuple[list[Recorded], list[Wrong]]:
    """The same for a table, where what is wrong with one row keeps no other back. Raises ProductUnknown."""
    found, wrong = _found(items, product_slug)
    return _store([(decision, item) for decision, item in zip(found, items, strict=True) if decision], source, actor), wrong


def wrong_outcomes(*, items: Sequence[Observed], product_slug: str | None = None) -> list[Wrong]:
    """What could not be recorded, and why. Nothing is stored. Raises ProductUnknown."""
    return _found(items, product_slug)[1]


@dataclass(frozen=True, slots=True)
class _Decided:
    id: uuid.UUID
    applicant_id: uuid.UUID
    decided_on: date


def _found(items: Sequence[Observed], product_slug: str | None) -> tuple[list[_Decided | None], list[Wrong]]:
    by_id, by_applicant = _decisions_of(items, product_slug)
    ring, today = keyring(), datetime.now(UTC).date()
    found: list[_Decided | None] = []
    wrong: list[Wrong] = []
    for position, item in enumerate(items):
        problem = _problem(item, today)
        decision = None
        if problem is None and item.decision_id is not None:
            decision = by_id.get(item.decision_id)
            problem = None if decision else ("score_id", "There is no such decision; give the id that the score was answered with.")
        elif problem is None:
            made = by_applicant.get(ring.applicant_id(item.reference or ""), [])
            decision = next((one for one in made if one.decided_on <= item.observed_on), made[0] if made else None)
            problem = None if decision else ("reference", "Nobody was scored under this reference; check its spelling and the product.")
        if decision and item.observed_on < decision.decided_on:
            problem = ("observed_on", f"The decision was made on {decision.decided_on}; what came of it is observed on that day or later.")
        found.append(None if problem else decision)
        if problem:
            wrong.append(Wrong(position, *problem))
    return found, wrong


def _problem(item: Observed, today: date) -> tuple[str, str] | None:
    """What is wrong with the item by itself: the field and what to do."""
    if (item.decision_id is None) == (not item.reference):
        return "reference", "Name the decision either by score_id or by reference."
    if item.kind not in OutcomeKind.values:
        return "kind", f"It is one of {', '.join(OutcomeKind.values)}."
    if item.value not in {None, 0, 1}:
        return "value", "It is 0, or 1 for the bad outcome."
    if item.observed_on > today:
        return "observed_on", f"This day is still to come; today is {today}."
    return _problem_of_amount(item)


def _problem_of_amount(item: Observed) -> tuple[str, str] | None:
    if item.amount is None:
        return None
    exponent = item.amount.as_tuple().exponent
    if not item.amount.is_finite() or not 0 <= item.amount < LARGEST_AMOUNT or not isinstance(exponent, int) or exponent < -4:
        return "amount", "It is a number from 0 with at most four decimals, such as 12500.50."
    return None if item.currency in CURRENCIES else ("currency", "It is a code of three letters, such as KES or XOF.")


def _decisions_of(
    items: Sequence[Observed], product_slug: str | None
) -> tuple[Mapping[uuid.UUID, _Decided], Mapping[uuid.UUID, list[_Decided]]]:
    """By id, and by applicant with the newest first."""
    ring, found = keyring(), Decision.objects.all()
    if product_slug is not None:
        found = found.filter(product_id=product_id(product_slug))
    columns = ("id", "applicant_id", "created_at")
    ids = {item.decision_id for item in items if item.decision_id is not None}
    applicants = {ring.applicant_id(item.reference) for item in items if item.reference}
    by_id = [_Decided(one, who, at.date()) for one, who, at in found.filter(id__in=ids).values_list(*columns)] if ids else []
    rows = found.filter(applicant_id__in=applicants).order_by("applicant_id", "-created_at", "-id").values_list(*columns)
    made = [_Decided(one, who, at.date()) for one, who, at in rows] if applicants else []
    return {one.id: one for one in by_id}, {who: list(them) for who, them in groupby(made, key=lambda one: one.applicant_id)}


@transaction.atomic
def _store(items: Sequence[tuple[_Decided, Observed]], source: OutcomeSource, actor: Actor) -> list[Recorded]:
    with connection.cursor() as cursor:
        cursor.execute(_ALONE)
    holding = {one.decision_id: one for one in Outcome.objects.filter(decision_id__in={one.id for one, _ in items}, superseded_by=None)}
    recorded: list[Recorded] = []
    for decision, item in items:
        before = holding.get(decision.id)
        if before is not None and _says(before) == _meant(item):
            recorded.append(Recorded(before, is_new=False))
            continue
        made = _outcome(decision, item, before, source, actor)
        holding[decision.id] = made
        recorded.append(Recorded(made, is_new=True))
    new = [one.outcome for one in recorded if one.is_new]
    Outcome.objects.bulk_create(new)
    for outcome in new:
        _record(outcome, actor)
    return recorded


def _meant(item: Observed) -> tuple[str, int, Decimal | None, str, date]:
    value = TARGET_OF[OutcomeKind(item.kind)] if item.value is None else item.value
    return item.kind, value, item.amount, item.currency if item.amount is not None else "", item.observed_on


def _says(outcome: Outcome) -> tuple[str, int, Decimal | None, str, date]:
    return outcome.kind, outcome.value, outcome.amount, outcome.currency, outcome.observed_on


def _outcome(decision: _Decided, item: Observed, before: Outcome | None, source: OutcomeSource, actor: Actor) -> Outcome:
    kind, value, amount, currency, observed_on = _meant(item)
    return Outcome(
        decision_id=decision.id, kind=kind, value=value, amount=amount, currency=currency, observed_on=observed_on,
        recorded_at=datetime.now(UTC), source=source, supersedes=before, actor_kind=actor.kind, actor_id=actor.id, actor_label=actor.label,
    )  # fmt: skip


def _record(outcome: Outcome, actor: Actor) -> None:
    detail = {
        "outcome": str(outcome.id), "kind": outcome.kind, "value": outcome.value, "observed_on": str(outcome.observed_on),
        "amount": "" if outcome.amount is None else f"{outcome.amount} {outcome.currency}", "source": str(outcome.source),
        "supersedes": "" if outcome.supersedes_id is None else str(outcome.supersedes_id),
    }  # fmt: skip
    record(action=Action.OUTCOME_RECORDED, actor=actor, object_kind="decision", object_id=outcome.decision_id, detail=detail)
