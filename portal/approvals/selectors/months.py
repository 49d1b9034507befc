"""One month of applications in figures: how many, who decided, how fast, how much money, and whether the model was right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

import msgspec
from django.db.models import Avg, Count, DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, Sum
from django.db.models.functions import Coalesce, Extract

from portal.approvals.models import Application, MonthFigures, Review
from portal.approvals.transitions import MOVES, State
from scoring.models import Outcome
from scoring.selectors.figures import Percentile

_DECISIVE = sorted(name.value for name, move in MOVES.items() if move.decides)
_AGAINST = Q(state=State.APPROVED, outcome="decline") | Q(state=State.DECLINED, outcome="approve")


@dataclass(frozen=True, slots=True)
class Money:
    """What was asked for and what was granted in one currency, in its smallest unit."""

    currency: str
    asked_minor: int
    granted_minor: int


@dataclass(frozen=True, slots=True)
class Month:
    """The applications that came from `since` to before `until`, as they stand now. Times are None where no person decided; the shares of
    defaults are over what is known of decisions of this month, None where nothing is known yet."""

    since: datetime
    until: datetime
    received: int
    by_state: Mapping[str, int]
    by_model: int
    by_people: int
    overrides: int
    half_within: timedelta | None
    most_within: timedelta | None    # nine of ten
    money: tuple[Money, ...]
    known_outcomes: int
    expected_defaults: float | None
    observed_defaults: float | None

    @property
    def approved(self) -> int:
        return self.by_state.get(State.APPROVED, 0)

    @property
    def declined(self) -> int:
        return self.by_state.get(State.DECLINED, 0)

    @property
    def decided(self) -> int:
        return self.by_model + self.by_people

    @property
    def approval_ratio(self) -> float | None:
        """Of what is decided."""
        return self.approved / self.decided if self.decided else None

    @property
    def override_share(self) -> float | None:
        """Of what people decided."""
        return self.overrides / self.by_people if self.by_people else None


Span = tuple[datetime, datetime]


def last_months(count: int, zone: tzinfo) -> list[Span]:
    """The month that runs in this zone and those before it, the oldest first: where each begins and where it ends."""
    first = datetime.now(zone).date().replace(day=1)
    edges = [(first + timedelta(days=32)).replace(day=1)]
    while len(edges) <= count:
        edges.append(first)
        first = (first - timedelta(days=1)).replace(day=1)
    begins = [datetime(one.year, one.month, 1, tzinfo=zone) for one in reversed(edges)]
    return list(pairwise(begins))


def months_of_applications(spans: Sequence[Span]) -> list[tuple[Month, datetime]]:
    """Each month with when it was counted: as the scheduler counted it, or now where it has not."""
    kept = {one.begins_at: one for one in MonthFigures.objects.filter(begins_at__in=[since for since, _until in spans])}
    found = []
    for since, until in spans:
        one = kept.get(since)
        if one is not None and one.ends_at == until:
            month = replace(msgspec.convert(one.figures, Month), since=since, until=until)    # in the zone that asks
            found.append((month, one.counted_at))
        else:
            found.append((month_of_applications(since, until), datetime.now(UTC)))
    return found


def month_of_applications(since: datetime, until: datetime) -> Month:
    """One month in figures, by two passes over its applications and one over what is known of them."""
    came = Application.objects.filter(decision__isnull=False, created_at__gte=since, created_at__lt=until).order_by()
    by_person = Exists(Review.objects.filter(application=OuterRef("id"), move__in=_DECISIVE, actor_kind="user"))
    states, people = Counter[str](), Counter[bool]()
    money: dict[str, list[int]] = {}
    granted = Sum(Coalesce("offered_minor", "amount_minor"), filter=Q(state=State.APPROVED))
    groups = came.annotate(is_by_person=by_person).values("state", "is_by_person", "currency").annotate(
        count=Count("id"), asked=Sum("amount_minor"), granted=granted, against=Count("id", filter=_AGAINST)
    )
    overrides = 0
    for row in groups:
        state, is_by_person, count = row["state"], row["is_by_person"], row["count"]
        states[state] += count
        if state in {State.APPROVED, State.DECLINED, State.COUNTER_OFFERED}:
            people[is_by_person] += count
            overrides += row["against"] if is_by_person else 0
        sums = money.setdefault(row["currency"], [0, 0])
        sums[0], sums[1] = sums[0] + row["asked"], sums[1] + (row["granted"] or 0)
    half, most = _times(since, until)
    known, expected, observed = _defaults(since, until)
    return Month(
        since=since, until=until, received=states.total(), by_state=dict(states), by_model=people[False], by_people=people[True],
        overrides=overrides, half_within=half, most_within=most,
        money=tuple(Money(currency, *sums) for currency, sums in sorted(money.items())),
        known_outcomes=known, expected_defaults=expected, observed_defaults=observed,
    )  # fmt: skip


def _times(since: datetime, until: datetime) -> tuple[timedelta | None, timedelta | None]:
    """Within what half and nine of ten of those that waited for a person were decided."""
    came = Application.objects.filter(created_at__gte=since, created_at__lt=until, decided_at__isnull=False)
    waited = came.exclude(because="").order_by()
    took = ExpressionWrapper(F("decided_at") - F("created_at"), output_field=DurationField())
    found = waited.annotate(took=Extract(took, "epoch")).aggregate(half=Percentile("took", share=0.5), most=Percentile("took", share=0.9))
    half, most = (None if found[name] is None else timedelta(seconds=found[name]) for name in ("half", "most"))
    return half, most


def _defaults(since: datetime, until: datetime) -> tuple[int, float | None, float | None]:
    """How many outcomes of the month's decisions are known, and the expected and the observed share of defaults among them."""
    later = Outcome.objects.filter(supersedes=OuterRef("id"))
    theirs = Outcome.objects.filter(~Exists(later), decision__created_at__gte=since, decision__created_at__lt=until).order_by()
    found = theirs.aggregate(known=Count("id"), expected=Avg("decision__probability"), observed=Avg("value"))
    return found["known"], found["expected"], found["observed"]
