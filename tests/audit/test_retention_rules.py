"""What goes and what stays, over random histories, against a plain reading of the rules; and killed or run twice is the same as once."""

import random
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest

from audit.retention.rules import Held, Item, Rule, Trigger, Unit, Why, due, judge

BEGIN = datetime(2018, 1, 31, 12, tzinfo=UTC)
HISTORIES = 10_000
KINDS = ("applicant", "file", "batch")


@dataclass
class History:
    """A world at one moment: its things, rules and holds."""

    items: list[Item]
    rules: list[Rule]
    holds: list[Held]
    at: datetime


def a_history(draw: random.Random) -> History:
    at = BEGIN + timedelta(days=draw.randrange(4_000), seconds=draw.randrange(86_400))
    people = [uuid.UUID(int=draw.getrandbits(128)) for _ in range(draw.randint(1, 4))]
    pairs = [(kind, trigger) for kind in KINDS for trigger in Trigger.values if draw.random() < 0.5]
    rules = [a_rule(draw, kind, trigger) for kind, trigger in pairs]
    items = [an_item(draw, number, people, rules, at) for number in range(draw.randint(1, 8))]
    ends = [None, *(at.date() + timedelta(days=days) for days in range(-2, 3))]
    holds = [Held(draw.choice(people), draw.choice(ends)) for _ in range(draw.randrange(3))]
    return History(items, rules, holds, at)


def a_rule(draw: random.Random, kind: str, trigger: str) -> Rule:
    unit, most = draw.choice([(Unit.DAYS, 400), (Unit.MONTHS, 30), (Unit.YEARS, 7)])
    return Rule(kind, trigger, draw.randint(1, most), unit, "the law")


def an_item(draw: random.Random, number: int, people: Sequence[uuid.UUID], rules: Sequence[Rule], at: datetime) -> Item:
    kind = draw.choice(KINDS)
    dates: dict[str, datetime | None] = {}
    for trigger in Trigger.values:
        if draw.random() < 0.5:
            dates[trigger] = None if draw.random() < 0.1 else a_date(draw, [one for one in rules if one.record_class == kind], at)
    return Item(kind, str(number), dates, draw.choice([*people, None]), draw.random() < 0.1, draw.choice([(), ("file",)]))


def a_date(draw: random.Random, rules: Sequence[Rule], at: datetime) -> datetime:
    """Some day; often one whose period ends within a second of the moment, where mistakes are made."""
    if rules and draw.random() < 0.3:
        rule = draw.choice(rules)
        days = {Unit.DAYS: 1, Unit.MONTHS: 30, Unit.YEARS: 365}[Unit(rule.unit)] * rule.period
        rough = at - timedelta(days=days)
        return rough + (at - plain_end(rule, rough)) + timedelta(seconds=draw.choice([-1, 0, 1]))
    return at - timedelta(days=draw.randrange(4_000), seconds=draw.randrange(86_400))


def plain_end(rule: Rule, since: datetime) -> datetime:
    """The end of a period, counted month by month and day by day."""
    if rule.unit == Unit.DAYS:
        return since + timedelta(days=rule.period)
    year, month, day = since.year, since.month, since.day
    for _ in range(rule.period * {Unit.MONTHS: 1, Unit.YEARS: 12}[Unit(rule.unit)]):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    while True:
        try:
            return since.replace(year=year, month=month, day=day)
        except ValueError:
            day -= 1


def must_stay(item: Item, world: History) -> bool:
    """A plain reading of the rules, written apart from the code under test."""
    for hold in world.holds:
        if hold.applicant_id == item.applicant_id and (hold.until is None or world.at.date() <= hold.until):
            return True
    concerned = False
    for rule in world.rules:
        if (rule.record_class == item.record_class or rule.record_class in item.contains) and rule.trigger in item.dates:
            concerned, since = True, item.dates[rule.trigger]
            if since is None or plain_end(rule, since) > world.at:
                return True
    return item.is_open or not concerned


def test_nothing_inside_its_period_or_under_hold_goes_and_all_that_is_due_does() -> None:
    draw, gone, stayed = random.Random(20), 0, 0

    for number in range(HISTORIES):
        world = a_history(draw)
        found = set(due(world.items, world.rules, world.holds, as_of=world.at, now=world.at))
        expected = {item.id for item in world.items if not must_stay(item, world)}
        assert found == expected, f"history {number}: {world}"
        gone, stayed = gone + len(found), stayed + len(world.items) - len(found)

    assert min(gone, stayed) > HISTORIES / 2    # the histories are about something


def sweep(there: dict[str, Item], world: History, as_of: datetime, *, at_once: int, dies_after: int | None) -> Iterable[str]:
    """A run in commits of a few, as the worker does it; the process dies after so many commits."""
    ids = iter(sorted(there))
    commits = 0
    while some := list(islice(ids, at_once)):
        if commits == dies_after:
            return
        yield from due([there[each] for each in some], world.rules, world.holds, as_of=as_of, now=world.at)
        commits += 1


def test_killed_and_begun_again_or_run_twice_is_the_same_as_once() -> None:
    draw = random.Random(21)

    for number in range(HISTORIES):
        world = a_history(draw)
        whole = {item.id: item for item in world.items}
        once = set(sweep(whole, world, world.at, at_once=100, dies_after=None))
        left, gone = dict(whole), []
        for dies_after in (draw.randrange(4), draw.randrange(4), None, None):
            later = replace(world, at=world.at + timedelta(days=draw.randrange(100)))
            later.holds = [one for one in world.holds if stands(one, world.at.date())]    # what stood then still stands
            seen = later if draw.random() < 0.5 else world
            for one in list(sweep(left, seen, world.at, at_once=draw.randint(1, 3), dies_after=dies_after)):
                gone.append(one)
                del left[one]
        assert len(gone) == len(set(gone)), f"history {number}: something went twice"
        assert set(gone) == once, f"history {number}: {world}"


def stands(hold: Held, on: date) -> bool:
    return hold.until is None or hold.until >= on


@pytest.mark.parametrize(
    ("period", "unit", "since", "end"),
    [
        (25, Unit.MONTHS, datetime(2024, 1, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)),
        (1, Unit.YEARS, datetime(2024, 2, 29, tzinfo=UTC), datetime(2025, 2, 28, tzinfo=UTC)),
        (7, Unit.YEARS, datetime(2019, 11, 21, 8, tzinfo=UTC), datetime(2026, 11, 21, 8, tzinfo=UTC)),
        (11, Unit.MONTHS, datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 11, 1, tzinfo=UTC)),
        (30, Unit.DAYS, datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 2, tzinfo=UTC)),
    ],
)
def test_a_period_ends_on_the_day_the_calendar_says(period: int, unit: Unit, since: datetime, end: datetime) -> None:
    assert Rule("applicant", Trigger.NOTICE, period, unit).end(since) == end


def test_the_period_that_ends_last_is_the_one_that_is_named() -> None:
    short, long = Rule("applicant", Trigger.NOTICE, 25, Unit.MONTHS), Rule("applicant", Trigger.APPLICATION, 7, Unit.YEARS)
    item = Item("applicant", "a", {Trigger.NOTICE: BEGIN, Trigger.APPLICATION: BEGIN})

    verdict = judge(item, [short, long], (), BEGIN + timedelta(days=1_000))

    assert (verdict.why, verdict.rule, verdict.until) == (Why.INSIDE, long, BEGIN.replace(year=2025))
