"""What goes and what stays: a pure function of dates, rules, holds and a moment. No database, no clock."""

import calendar
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Trigger(TextChoices):
    """What starts a period."""

    APPLICATION = "application", _("the day of the last application or decision")
    NOTICE = "notice", _("the day the applicant was told the decision")
    CLOSURE = "closure", _("the day the account was closed")
    MADE = "made", _("the day it was made")


class Unit(TextChoices):
    """What a period is counted in."""

    DAYS = "days", _("days")
    MONTHS = "months", _("months")
    YEARS = "years", _("years")


class Removal(TextChoices):
    """How something goes."""

    ERASE = "erase", _("Erase: the key of its content is destroyed, the record stays provable")
    ANONYMISE = "anonymise", _("Anonymise: what names somebody goes, figures stay")
    DELETE = "delete", _("Delete")


@dataclass(frozen=True, slots=True)
class Rule:
    """Records of this class stay so long after this happened, because the citation says so; then this is done with them."""

    record_class: str
    trigger: str
    period: int
    unit: str
    citation: str = ""
    action: str = ""    # as Removal; empty: the usual one of the class

    def end(self, since: datetime) -> datetime:
        """When the period ends that began then; a day that its month lacks is the month's last."""
        if self.unit == Unit.DAYS:
            return since + timedelta(days=self.period)
        months = since.year * 12 + since.month - 1 + self.period * (12 if self.unit == Unit.YEARS else 1)
        year, month = months // 12, months % 12 + 1
        return since.replace(year=year, month=month, day=min(since.day, calendar.monthrange(year, month)[1]))


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing of this applicant goes, through that day (None: until people lift it)."""

    applicant_id: uuid.UUID
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that goes whole. `dates`: the latest of each kind; None where it is still to come. `is_open`: somebody works on it.

    `contains`: classes of what would go with it; their rules keep it too."""

    record_class: str
    id: str
    dates: Mapping[str, datetime | None] = field(default_factory=dict)
    applicant_id: uuid.UUID | None = None
    is_open: bool = False
    contains: tuple[str, ...] = ()


class Why(StrEnum):
    """Where a thing stands."""

    DUE = "due"
    HELD = "held"    # a legal hold
    INSIDE = "inside"    # a period has not ended
    WAITING = "waiting"    # what starts a period has not happened
    NO_RULE = "no_rule"    # no rule speaks of it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a thing, and the rule and end of the period that decided."""

    why: Why
    rule: Rule | None = None
    until: datetime | None = None
    action: str = ""    # what is done with what goes: as the one of its own class's rules says whose period ends last

    @property
    def goes(self) -> bool:
        """Whether it is to go."""
        return self.why is Why.DUE


def judge(item: Item, rules: Collection[Rule], holds: Collection[Held], at: datetime) -> Verdict:
    """Every rule of its class, or of what it contains, whose event concerns it must have ended, and no hold may stand."""
    today = at.astimezone(UTC).date()
    if item.applicant_id is not None and any(
        one.applicant_id == item.applicant_id and (one.until is None or one.until >= today) for one in holds
    ):
        return Verdict(Why.HELD)
    classes = (item.record_class, *item.contains)
    speaking = [one for one in rules if one.record_class in classes and one.trigger in item.dates]
    if not speaking:
        return Verdict(Why.NO_RULE)
    ends = [(one, None if (since := item.dates[one.trigger]) is None else one.end(since)) for one in speaking]
    for rule, end in ends:
        if end is None:
            return Verdict(Why.WAITING, rule)
    rule, last = max(((one, end) for one, end in ends if end is not None), key=lambda pair: pair[1])
    if item.is_open:
        return Verdict(Why.WAITING, rule)
    own = [(one, end) for one, end in ends if end is not None and one.record_class == item.record_class]
    action = max(own, key=lambda pair: pair[1])[0].action if own else ""
    return Verdict(Why.DUE if last <= at else Why.INSIDE, rule, last, action)


def due(items: Collection[Item], rules: Collection[Rule], holds: Collection[Held], *, as_of: datetime, now: datetime) -> dict[str, str]:
    """The ids that go, and how: due when people agreed to it, and still. What came due only since then waits for another run."""
    still = [one for one in items if judge(one, rules, holds, as_of).goes]
    verdicts = {one.id: judge(one, rules, holds, now) for one in still}
    return {one: verdict.action for one, verdict in verdicts.items() if verdict.goes}
