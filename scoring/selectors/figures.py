"""The last days in figures."""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from django.db.models import Aggregate, Count, ExpressionWrapper, F, FloatField, IntegerField
from django.db.models.functions import TruncDate, TruncHour

from scoring.models import AnsweredBy, BandCode, Decision, HourFigures, OutcomeCode

_LOWEST, _BIN, _BINS = 300, 50, 11
_NARROW, _NARROW_BINS = 25, 22
_NEWEST = 1_000    # decisions tell how long one takes
_BY = (
    "product__slug", ExpressionWrapper((F("score") - _LOWEST) / _BIN, output_field=IntegerField()), "outcome", "band", "answered_by",
)  # fmt: skip


class Percentile(Aggregate):
    """The value below which such a `share` lies."""

    function = "PERCENTILE_CONT"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


@dataclass(frozen=True, slots=True)
class DayVolume:
    """How many decisions one day had, by outcome."""

    day: date
    approve: int = 0
    refer: int = 0
    decline: int = 0

    @property
    def total(self) -> int:
        return self.approve + self.refer + self.decline

    @property
    def by_outcome(self) -> tuple[tuple[str, int], ...]:
        return (("approve", self.approve), ("refer", self.refer), ("decline", self.decline))


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """How many decisions have a score from `low` to below `high`; the last bin holds the highest score too."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The last days in figures. Shares are of `total`; the median is of the newest thousand, None without a decision."""

    days: int
    since: datetime
    total: int
    volume: tuple[DayVolume, ...]
    histogram: tuple[ScoreBin, ...]
    by_outcome: Mapping[str, int]
    by_band: Mapping[str, int]
    by_answer: Mapping[str, int]
    by_product: Mapping[str, int]
    waiting: int
    median_processing_ms: float | None


def overview(days: int = 30, *, zone: tzinfo = UTC) -> Overview:
    """The last `days` calendar days of the zone, today included: the hours that were counted already, and a count of what came since."""
    today = datetime.now(zone).date()
    first = today - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=zone)
    volume: dict[date, Counter[str]] = {first + timedelta(days=day): Counter() for day in range(days)}
    bins, outcomes, bands, answers, products = Counter[int](), Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for day, product, at, outcome, band, answer, count in _groups(since, zone):
        volume.setdefault(day, Counter())[outcome] += count  # midnight may have passed since `today`
        bins[min(at, _BINS - 1)] += count
        for counter, value in ((outcomes, outcome), (bands, band), (answers, answer), (products, product)):
            counter[value] += count
    newest = Decision.objects.filter(created_at__gte=since).order_by("-created_at", "-id").values("processing_microseconds")[:_NEWEST]
    median = newest.aggregate(median=Percentile("processing_microseconds", share=0.5))["median"]
    return Overview(
        days=days,
        since=since,
        total=outcomes.total(),
        volume=tuple(DayVolume(day, *(counted[outcome] for outcome in OutcomeCode.values)) for day, counted in volume.items()),
        histogram=tuple(ScoreBin(_LOWEST + at * _BIN, _LOWEST + (at + 1) * _BIN, bins[at]) for at in range(_BINS)),
        by_outcome={outcome: outcomes[outcome] for outcome in OutcomeCode.values},
        by_band={band: bands[band] for band in BandCode.values},
        by_answer={answer: answers[answer] for answer in AnsweredBy.values},
        by_product=dict(sorted(products.items())),
        waiting=outcomes[OutcomeCode.REFER],
        median_processing_ms=None if median is None else median / 1000,
    )


@dataclass(frozen=True, slots=True)
class ScoreSpread:
    """How the latest scores of one product spread, and how many of them are lower than one of them."""

    bins: tuple[ScoreBin, ...]
    total: int
    lower: int


def score_spread(product_id: uuid.UUID, score: int, *, latest: int = 3_000) -> ScoreSpread:
    """The spread among those of the `latest` decisions that are this product's and were answered by a model. Never reads more."""
    newest = Decision.objects.order_by("-created_at", "-id").values_list("product_id", "answered_by", "score")[:latest]
    found = [one for product, answered_by, one in newest if product == product_id and answered_by == AnsweredBy.MODEL]
    counted = Counter(min((one - _LOWEST) // _NARROW, _NARROW_BINS - 1) for one in found)
    bins = tuple(ScoreBin(_LOWEST + at * _NARROW, _LOWEST + (at + 1) * _NARROW, counted[at]) for at in range(_NARROW_BINS))
    return ScoreSpread(bins, len(found), sum(one < score for one in found))


def counted_by_hour(begin: datetime, end: datetime) -> dict[datetime, list[tuple[str, int, str, str, str, int]]]:
    """The decisions of these hours (UTC) as `HourFigures` keeps them."""
    found: dict[datetime, list[tuple[str, int, str, str, str, int]]] = {}
    made = Decision.objects.filter(created_at__gte=begin, created_at__lt=end).order_by()
    for hour, *counted in made.values_list(TruncHour("created_at", tzinfo=UTC), *_BY).annotate(decisions=Count("id")):
        found.setdefault(hour, []).append(tuple(counted))
    return found


def _groups(since: datetime, zone: tzinfo) -> Iterator[tuple[date, str, int, str, str, str, int]]:
    """Day, product, bin, outcome, band, who answered, and how many, from `since` on. All is counted where days begin within an hour."""
    counted_until = since
    if not since.astimezone(UTC).minute and not datetime.now(zone).replace(minute=0).astimezone(UTC).minute:
        added = Counter[tuple[date, str, int, str, str, str]]()
        for hour, counts in HourFigures.objects.filter(hour__gte=since).order_by("hour").values_list("hour", "counts"):
            counted_until = hour + timedelta(hours=1)
            day = hour.astimezone(zone).date()
            for slug, at, outcome, band, answer, count in counts:
                added[day, slug, at, outcome, band, answer] += count
        yield from ((*group, count) for group, count in added.items())
    made = Decision.objects.filter(created_at__gte=counted_until).order_by()
    yield from made.values_list(TruncDate("created_at", tzinfo=zone), *_BY).annotate(decisions=Count("id"))
