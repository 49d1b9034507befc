"""Legal holds: whose records stay whatever the rules say, and why something of an applicant may not go yet."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from audit.actions import Action
from audit.context import Actor
from audit.errors import HoldRefused, HoldUnknown, RetentionConflict, SecondPersonNeeded
from audit.models import Hold, RetentionPolicy
from audit.retention.registry import applicant_of, holdable, record_classes
from audit.retention.rules import Held, Rule, Why, judge
from audit.retention.turns import person, take_turn
from audit.services import record

_LONGEST = 500
APPLICANT = "applicant"    # the class of what an erasure ends


@dataclass(frozen=True, slots=True)
class Refusal:
    """What forbids an erasure: the hold's reason or the rule's citation, and the last moment it does (None: not known yet)."""

    why: Why
    rule: str
    until: datetime | date | None

    @property
    def last_day(self) -> date | None:
        """The last day on which it stands."""
        return self.until.date() if isinstance(self.until, datetime) else self.until


@transaction.atomic
def place_hold(*, kind: str, object_id: uuid.UUID, reason: str, until: date | None, actor: Actor) -> Hold:
    """From now on nothing of the thing's applicant goes. Raises HoldRefused with every fault."""
    take_turn()
    applicant_id, reason = applicant_of(kind, object_id), reason.strip()
    faults = {"reason": _fault_of_text(reason)}
    if kind not in holdable():
        faults["kind"] = f"Hold one of these: {', '.join(sorted(holdable()))}."
    elif applicant_id is None:
        faults["object_id"] = f"There is no {kind} of this id."
    if until is not None and until < datetime.now(UTC).date():
        faults["until"] = "Give a day that is not over, or none: then it stands until two people lift it."
    _refuse(faults)
    assert applicant_id is not None
    made = Hold.objects.create(
        kind=kind, object_id=object_id, applicant_id=applicant_id, reason=reason, until=until, placed_by=actor.label[:200]
    )
    record(action=Action.HOLD_PLACED, actor=actor, object_kind="hold", object_id=made.id, detail=_told(made, until=str(until or "")))
    return made


@transaction.atomic
def ask_lift(*, hold_id: uuid.UUID, reason: str, actor: Actor) -> Hold:
    """A second person is asked to lift the hold; until then it stands. Raises HoldUnknown, HoldRefused, RetentionConflict."""
    hold = _standing(hold_id)
    _refuse({"reason": _fault_of_text(reason.strip())})
    if hold.lift_asked_by_id:
        raise RetentionConflict(f"{hold.lift_asked_by} has asked to lift this hold already; another person has to answer.")
    hold.lift_reason, hold.lift_asked_by_id, hold.lift_asked_by = reason.strip(), person(actor), actor.label[:200]
    hold.save(update_fields=["lift_reason", "lift_asked_by_id", "lift_asked_by"])
    record(action=Action.HOLD_LIFT_ASKED, actor=actor, object_kind="hold", object_id=hold.id, detail=_told(hold))
    return hold


@transaction.atomic
def answer_lift(*, hold_id: uuid.UUID, agrees: bool, actor: Actor) -> Hold:
    """The hold is lifted, or stands as if nobody had asked. Raises HoldUnknown, RetentionConflict, SecondPersonNeeded."""
    hold = _standing(hold_id)
    if not hold.lift_asked_by_id:
        raise RetentionConflict("Nobody has asked to lift this hold.")
    if agrees:
        if person(actor) == hold.lift_asked_by_id:
            raise SecondPersonNeeded("You asked to lift this hold; another person has to agree.")
        hold.lifted_at, hold.lifted_by_id, hold.lifted_by = datetime.now(UTC), person(actor), actor.label[:200]
    else:
        hold.lift_reason = hold.lift_asked_by_id = hold.lift_asked_by = ""
    hold.save()
    action = Action.HOLD_LIFTED if agrees else Action.HOLD_LIFT_REFUSED
    record(action=action, actor=actor, object_kind="hold", object_id=hold.id, detail=_told(hold))
    return hold


def standing(on: date | None = None) -> QuerySet[Hold]:
    """Holds that stand on that day (None: today)."""
    return Hold.objects.filter(Q(until=None) | Q(until__gte=on or datetime.now(UTC).date()), lifted_at=None)


def held() -> list[Held]:
    """Whose records stay, as the rules judge it."""
    return [Held(one.applicant_id, one.until) for one in Hold.objects.filter(lifted_at=None)]


def rules_in_force() -> list[Rule]:
    """The current rules, in one order."""
    return [Rule(one.record_class, one.trigger, one.period, one.unit, one.citation, one.action) for one in RetentionPolicy.objects.all()]


def refusal(applicant_id: uuid.UUID, *, at: datetime | None = None) -> Refusal | None:
    """What forbids an erasure of this applicant, or None. Whoever erases asks in its transaction, after `take_turn` and locking them."""
    moment = at or datetime.now(UTC)
    hold = standing(moment.date()).filter(applicant_id=applicant_id).first()
    if hold is not None:
        return Refusal(Why.HELD, f"Legal hold: {hold.reason}", hold.until)
    for item in record_classes()[APPLICANT].look([str(applicant_id)]):
        verdict = judge(item, rules_in_force(), (), moment)
        if verdict.why in {Why.INSIDE, Why.WAITING} and verdict.rule is not None:
            return Refusal(verdict.why, verdict.rule.citation, verdict.until)
    return None


def _standing(hold_id: uuid.UUID) -> Hold:
    take_turn()
    hold = Hold.objects.select_for_update().filter(id=hold_id).first()
    if hold is None:
        raise HoldUnknown
    if hold.lifted_at is not None:
        raise RetentionConflict("This hold was lifted.")
    return hold


def _fault_of_text(text: str) -> str:
    return "" if 0 < len(text) <= _LONGEST and "\0" not in text else f"Say why, in 1 to {_LONGEST} characters."


def _refuse(faults: dict[str, str]) -> None:
    if any(faults.values()):
        raise HoldRefused(fields={name: fault for name, fault in faults.items() if fault})


def _told(hold: Hold, **more: str) -> dict[str, str]:
    return {"on": hold.kind, "object_id": str(hold.object_id), **more}
