"""Rules of retention are changed, a run is tried, proposed by one person and answered by another."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from audit.actions import Action
from audit.context import Actor
from audit.errors import RetentionConflict, RetentionRefused, RetentionRuleUnknown, RunUnknown, SecondPersonNeeded
from audit.holds import held, rules_in_force
from audit.models import RetentionPolicy, RetentionRun
from audit.retention.registry import RecordClass, record_classes
from audit.retention.rules import Held, Item, Rule, Unit, Verdict, Why, judge
from audit.retention.turns import person, take_turn
from audit.services import record

AT_ONCE = 200    # of a class, looked at together and removed in one commit
SAMPLE = 10    # of a class
_LONGEST = {Unit.DAYS: 20_000, Unit.MONTHS: 600, Unit.YEARS: 50}
_State = RetentionRun.State


@dataclass
class ClassPreview:
    """What a run would do with one class: how many stand where, and the first that would go."""

    kind: RecordClass
    counts: Counter[str] = field(default_factory=Counter)
    sample: list[tuple[Item, Verdict]] = field(default_factory=list)


# ---- rules


@transaction.atomic
def change_policy(
    *, record_class: str, trigger: str, period: int, unit: str, citation: str, actor: Actor, action: str = ""
) -> RetentionPolicy:
    """The rule holds from now on, in place of the one before about the same event. `action`: empty for the usual one of the class.

    Raises RetentionRefused, RetentionConflict."""
    take_turn()
    _refuse_while_under_way()
    citation = citation.strip()
    faults = _faults(record_class, trigger, period, unit, citation) | _faults_of_action(record_class, action)
    if faults:
        raise RetentionRefused(fields=faults)
    asked = {"period": period, "unit": unit, "citation": citation, "action": action or str(record_classes()[record_class].usual)}
    values = {**asked, "changed_by": actor.label[:200], "changed_at": datetime.now(UTC)}
    made, _is_new = RetentionPolicy.objects.update_or_create(record_class=record_class, trigger=trigger, defaults=values)
    detail = {"class": record_class, "after": trigger, **asked}
    record(action=Action.RETENTION_POLICY_CHANGED, actor=actor, object_kind="retention_policy", object_id=made.id, detail=detail)
    return made


@transaction.atomic
def remove_policy(*, record_class: str, trigger: str, actor: Actor) -> None:
    """No rule speaks of this event any more; a class without rules stays whole. Raises RetentionRuleUnknown, RetentionConflict."""
    take_turn()
    _refuse_while_under_way()
    found = RetentionPolicy.objects.filter(record_class=record_class, trigger=trigger).first()
    if found is None:
        raise RetentionRuleUnknown
    detail = {"class": record_class, "after": trigger, "period": found.period, "unit": found.unit}
    record(action=Action.RETENTION_POLICY_REMOVED, actor=actor, object_kind="retention_policy", object_id=found.id, detail=detail)
    found.delete()


def _refuse_while_under_way() -> None:
    if RetentionRun.objects.filter(state=_State.CONFIRMED).exists():
        raise RetentionConflict("A run is under way by the rules as they are; wait until it is done.")


def _faults(record_class: str, trigger: str, period: int, unit: str, citation: str) -> dict[str, str]:
    faults, kind = {}, record_classes().get(record_class)
    if kind is None:
        faults["record_class"] = f"Choose one of these: {', '.join(sorted(record_classes()))}."
    elif trigger not in kind.triggers:
        faults["trigger"] = f"For this class the period can begin with: {', '.join(kind.triggers)}."
    if unit not in Unit.values:
        faults["unit"] = f"Choose one of these: {', '.join(Unit.values)}."
    elif not 1 <= period <= _LONGEST[Unit(unit)]:
        faults["period"] = f"Give a whole number from 1 to {_LONGEST[Unit(unit)]}."
    if not citation or len(citation) > 300 or "\0" in citation:
        faults["citation"] = "Say which law or rule asks for it, in 1 to 300 characters."
    return faults


def _faults_of_action(record_class: str, action: str) -> dict[str, str]:
    kind = record_classes().get(record_class)
    if not action or kind is None or action in kind.removals:
        return {}
    return {"action": f"What is done with this class can be: {', '.join(kind.removals)}."}


# ---- runs


def preview(*, at: datetime | None = None, rules: Sequence[Rule] | None = None) -> list[ClassPreview]:
    """What a run would do now: nothing is changed."""
    moment, rules, holds = at or datetime.now(UTC), rules if rules is not None else rules_in_force(), held()
    return [_preview(kind, rules, holds, moment) for kind in record_classes().values()]


def _preview(kind: RecordClass, rules: Sequence[Rule], holds: Sequence[Held], at: datetime) -> ClassPreview:
    found = ClassPreview(kind)
    for ids in batches(kind):
        for item in kind.look(ids):
            verdict = judge(item, rules, holds, at)
            found.counts[verdict.why] += 1
            if verdict.goes and len(found.sample) < SAMPLE:
                found.sample.append((item, verdict))
    return found


def batches(kind: RecordClass) -> Iterator[Sequence[str]]:
    """The ids of all that is there, a few at a time."""
    last = ""
    while ids := kind.after(last, AT_ONCE):
        yield ids
        last = ids[-1]


@transaction.atomic
def propose_run(*, actor: Actor) -> RetentionRun:
    """What is due at this moment is to go, if another person agrees; a proposal before it is outdated.

    Raises RetentionConflict when nothing is due or a run is under way, SecondPersonNeeded for whoever is no person."""
    take_turn()
    _refuse_while_under_way()
    now, rules = datetime.now(UTC), rules_in_force()
    counts = {one.kind.name: dict(one.counts) for one in preview(at=now, rules=rules)}
    if not any(one.get(Why.DUE) for one in counts.values()):
        raise RetentionConflict("Nothing is due: there is nothing to let go of.")
    RetentionRun.objects.filter(state=_State.PROPOSED).update(state=_State.OUTDATED)
    number = (RetentionRun.objects.aggregate(highest=Max("number"))["highest"] or 0) + 1
    run = RetentionRun.objects.create(
        number=number, as_of=now, rules=[_told(rule) for rule in rules], counts=counts, proposed_by_id=person(actor),
        proposed_by=actor.label[:200],
    )  # fmt: skip
    _record(Action.RETENTION_RUN_PROPOSED, run, actor, {name: one.get(Why.DUE, 0) for name, one in counts.items()})
    return run


@transaction.atomic
def answer_run(*, number: int, agrees: bool, actor: Actor) -> RetentionRun:
    """A worker begins, or nothing happens. Raises RunUnknown, RetentionConflict, SecondPersonNeeded."""
    take_turn()
    run = RetentionRun.objects.select_for_update().filter(number=number).first()
    if run is None:
        raise RunUnknown(f"There is no run {number}.")
    if run.state != _State.PROPOSED:
        raise RetentionConflict(f"Nobody is asked about run {number} any more; load the page again.")
    if agrees and person(actor) == run.proposed_by_id:
        raise SecondPersonNeeded("You proposed this run; another person has to agree.")
    if agrees and run.rules != [_told(rule) for rule in rules_in_force()]:
        raise RetentionConflict("The rules have changed since this run was proposed: propose it again.")
    run.state = _State.CONFIRMED if agrees else _State.REFUSED
    run.answered_by_id, run.answered_by, run.answered_at = person(actor), actor.label[:200], datetime.now(UTC)
    run.save(update_fields=["state", "answered_by_id", "answered_by", "answered_at"])
    _record(Action.RETENTION_RUN_CONFIRMED if agrees else Action.RETENTION_RUN_REFUSED, run, actor, {})
    return run


def rules_of(run: RetentionRun) -> list[Rule]:
    """The rules that the run goes by."""
    return [Rule(**one) for one in run.rules]


def _told(rule: Rule) -> dict[str, Any]:
    return {name: getattr(rule, name) for name in Rule.__slots__}


def _record(action: Action, run: RetentionRun, actor: Actor, detail: Mapping[str, Any]) -> None:
    record(action=action, actor=actor, object_kind="retention_run", object_id=run.id, detail={"number": run.number, **detail})
