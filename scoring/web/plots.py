"""Pictures of a model card as places between 0 and 1, so that a page and a PDF draw the same: lines over two axes, and swarms of points."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from partners.accounts.web.told import localised
from scoring.engine.card import Parting
from scoring.engine.policy import ScoreScale

HEIGHT, TOP, FLOOR, WIDTH = 240, 20, 215, 85     # px and per cent of a plot on a page
MOST_POINTS = 120                                # of a line; more cannot be seen
_CEILINGS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_STEPS_OF_POINTS = (5, 10, 20, 25, 40, 50, 75, 100, 150, 200, 300, 500, 1000)
SWARM_BINS, SWARM_LAYERS = 90, 5                 # places along the axis; points above and below one another before they overlap
TONES = ("low", "middle", "high", "unknown")
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a kind that the style sheet draws."""

    kind: str
    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        """In hundredths of the square, from its top left."""
        return " ".join(f"{'L' if place else 'M'}{100 * x:.2f} {100 - 100 * y:.2f}" for place, (x, y) in enumerate(self.points))


@dataclass(frozen=True, slots=True)
class Tick:
    """A value of an axis, and where it stands."""

    text: str
    at: float

    @property
    def x(self) -> str:
        return f"{self.at * WIDTH:.1f}%"

    @property
    def y(self) -> str:
        return f"{FLOOR - self.at * (FLOOR - TOP):.1f}"

    @property
    def text_y(self) -> str:
        return f"{FLOOR - self.at * (FLOOR - TOP) - 4:.1f}"

    @property
    def anchor(self) -> str:
        return "start" if self.at < 0.02 else "end" if self.at > 0.98 else "middle"


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines and dots over a square; `label` is what somebody hears who does not see it."""

    label: str
    lines: tuple[Line, ...]
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    dots: tuple[Point, ...] = ()
    height: int = HEIGHT
    top: int = TOP
    floor: int = FLOOR
    depth: int = FLOOR - TOP
    width: str = f"{WIDTH}%"

    @property
    def circles(self) -> list[tuple[str, str]]:
        return [(f"{x * WIDTH:.2f}%", f"{FLOOR - y * (FLOOR - TOP):.1f}") for x, y in self.dots]


@dataclass(frozen=True, slots=True)
class Swarm:
    """One feature's points: x from -1 to 1 of the widest, how far off the middle line from -1 to 1, by tone of the value.
    `means` are the mean points of score at low, middle, high and unknown values, None without any."""

    label: str
    tones: Mapping[str, tuple[Point, ...]]
    means: tuple[float | None, ...]

    @property
    def paths(self) -> list[tuple[str, str]]:
        """For each tone dots as subpaths without length, in a square of 100 by 24."""
        return [
            (tone, "".join(f"M{50 + 49 * x:.1f} {12 + 10 * y:.1f}h0" for x, y in self.tones[tone])) for tone in TONES if self.tones[tone]
        ]


@dataclass(frozen=True, slots=True)
class Swarms:
    """Features, the heaviest first, over one axis from `-widest` to `widest` points of score."""

    widest: int
    rows: tuple[Swarm, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a feature: its words, and mean, low and high in points of score; its span along the axis, its heights from 0 to 1."""

    words: str
    rows: int
    mean: float
    low: float
    high: float
    span: Point
    places: tuple[float, float, float]

    @property
    def box(self) -> tuple[str, str, str, str]:
        """x, y, width and height of the middle 80 % in a square of 100."""
        low, _mean, high = self.places
        return tuple(f"{100 * one:.2f}" for one in (self.span[0], 1 - high, self.span[1] - self.span[0], max(high - low, 0.004)))  # type: ignore[return-value]

    @property
    def line(self) -> str:
        return f"M{100 * self.span[0]:.2f} {100 - 100 * self.places[1]:.2f}L{100 * self.span[1]:.2f} {100 - 100 * self.places[1]:.2f}"


@dataclass(frozen=True, slots=True)
class Dependence:
    """How one feature's value moves the score. With `is_ordered` steps stand beside one another along a share of the cases; else they
    are words. `zero` is where no points stand; `heights` are told beside it, `edges` under it."""

    label: str
    is_ordered: bool
    steps: tuple[Step, ...]
    missing: Step | None
    zero: float
    heights: tuple[tuple[str, float], ...]
    edges: tuple[Tick, ...]

    @property
    def zero_y(self) -> str:
        return f"{100 - 100 * self.zero:.2f}"

    @property
    def shown(self) -> list[tuple[str, str]]:
        """What stands under the axis: x and text."""
        return [(f"{WIDTH * one.at:.1f}%", one.text) for one in self.edges]

    @property
    def beside(self) -> list[tuple[str, str]]:
        """What stands beside it: y in px and text."""
        return [(f"{10 + 110 * (1 - at):.1f}", words) for words, at in self.heights]

    @property
    def table(self) -> list[tuple[str, str, str, str]]:
        """Every step in words: its cases, its mean and the middle 80 % in points."""
        steps = (*self.steps, *([self.missing] if self.missing else []))
        between = _("%(low)s to %(high)s")
        return [
            (one.words, str(one.rows), signed(one.mean), between % {"low": signed(one.low), "high": signed(one.high)}) for one in steps
        ]


def roc_plot(points: Sequence[Sequence[float]]) -> Plot:
    """The ROC curve and chance."""
    line = Line("accent", tuple((float(x), float(y)) for x, y in points))
    return Plot(_("Share of the bad found, by share of the good refused."), (_chance(), line), _shares(1.0), _shares(1.0))


def calibration_plot(table: Sequence[Mapping[str, Any]]) -> Plot:
    """What was predicted against what happened, and where both are the same."""
    most = max((max(row["predicted"], row["observed"]) for row in table), default=1.0)
    ceiling = next((one for one in _CEILINGS if most <= one), 1.0)
    points = tuple((row["predicted"] / ceiling, row["observed"] / ceiling) for row in table)
    return Plot(_("What happened, by what was predicted."), (_chance(), Line("accent", points)), _shares(ceiling), _shares(ceiling), points)


def parting_plot(parting: Parting) -> Plot:
    """How the bad and the good gather along the score, and where they are furthest apart."""
    low, high = parting.points[0][0], max(parting.points[-1][0], parting.points[0][0] + 1)

    def at(score: int) -> float:
        return (score - low) / (high - low)

    every = max(1, len(parting.points) // MOST_POINTS)
    kept = [*parting.points[:: every], parting.points[-1]]
    bad, good = (Line(kind, tuple((at(one[0]), one[place]) for one in kept)) for kind, place in (("against", 1), ("for", 2)))
    score, most, least = parting.widest
    gap = Line("mark", ((at(score), least), (at(score), most)))
    return Plot(
        _("Share of the bad and of the good at or below each score."), (bad, good, gap),
        (Tick(str(low), 0.0), Tick(str(high), 1.0), *([Tick(str(score), at(score))] if 0.12 < at(score) < 0.88 else [])), _shares(1.0),
    )


def swarms(found: Sequence[Mapping[str, Any]], labels: Mapping[str, str], scale: ScoreScale) -> Swarms:
    """Every swarm over the same axis, in points of score."""
    told = [(one["feature"], [(scale.points(part / 1000), quantile) for part, quantile in one["points"]]) for one in found]
    most = max((abs(points) for _name, one in told for points, _quantile in one), default=1.0)
    widest = _ceiling(most)
    return Swarms(widest, tuple(_swarm(labels.get(name, name), one, widest) for name, one in told))


def _ceiling(most: float) -> int:
    return next((one for one in _STEPS_OF_POINTS if most <= one), round(most) + 1)


def _swarm(label: str, points: Sequence[tuple[float, int]], widest: int) -> Swarm:
    tones: dict[str, list[Point]] = {tone: [] for tone in TONES}
    values: defaultdict[str, list[float]] = defaultdict(list)
    taken: defaultdict[int, int] = defaultdict(int)
    for moved, quantile in points:
        place = round(moved / widest * SWARM_BINS)
        count, taken[place] = taken[place], taken[place] + 1
        side = (count + 1) // 2 * (1 if count % 2 else -1)
        tone = _tone(quantile)
        tones[tone].append((moved / widest, max(-1.0, min(1.0, side / SWARM_LAYERS))))
        values[tone].append(moved)
    means = tuple(sum(values[tone]) / len(values[tone]) if values[tone] else None for tone in TONES)
    return Swarm(label, {tone: tuple(one) for tone, one in tones.items()}, means)


def _tone(quantile: int) -> str:
    return "unknown" if quantile < 0 else "low" if quantile < 34 else "middle" if quantile < 67 else "high"


def dependence(found: Mapping[str, Any], label: str, scale: ScoreScale) -> Dependence | None:
    """The picture of one feature; None without a step of enough cases."""
    known, missing = ([one for one in found["steps"] if one.get("missing", False) is is_missing] for is_missing in (False, True))
    if not known:
        return None
    told = [scale.points(one[name]) for one in found["steps"] for name in ("low", "high")]
    low, high = min(0.0, *told), max(0.0, *told)
    size = (high - low) or 1.0
    total, before, steps, edges = sum(one["rows"] for one in known), 0, [], []
    for one in known:
        span = before / total, (before + one["rows"]) / total
        steps.append(_step(one, span, scale, low, size))
        before += one["rows"]
        if one.get("upto") is not None:
            edges.append(Tick(number(one["upto"]), span[1]))
    apart = _step(missing[0], (0.0, 1.0), scale, low, size) if missing else None
    is_ordered = "is" not in known[0]
    under = _few(edges) if is_ordered else _short(steps)
    return Dependence(label, is_ordered, tuple(steps), apart, -low / size, _heights(low, high), under)


def _step(one: Mapping[str, Any], span: Point, scale: ScoreScale, low: float, size: float) -> Step:
    mean, first, second = (scale.points(one[name]) for name in ("mean", "low", "high"))
    least, most = min(first, second), max(first, second)
    places = tuple((value - low) / size for value in (least, mean, most))
    return Step(step_words(one), one["rows"], mean, least, most, span, places)  # type: ignore[arg-type]


def step_words(one: Mapping[str, Any]) -> str:
    """Which values a step or a bin holds."""
    if one.get("missing"):
        return _("not known")
    if "are" in one and len(one["are"]) != 1:
        return ", ".join(one["are"])
    if "are" in one:
        return step_words({"is": one["are"][0]})
    if "is" in one:
        return {"yes": _("yes"), "no": _("no")}.get(str(one["is"]), str(one["is"]))
    above, upto = one["above"], one["upto"]
    if above is None and upto is None:
        return _("any value")
    if above is None:
        return _("up to %(upto)s") % {"upto": number(upto)}
    if upto is None:
        return _("above %(above)s") % {"above": number(above)}
    return _("above %(above)s up to %(upto)s") % {"above": number(above), "upto": number(upto)}


def number(value: float) -> str:
    """Short, grouped like every number of a page, with a true minus sign."""
    text = localised(f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}")
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value: float | None) -> str:
    """Whole points with their sign; nothing where there are none."""
    if value is None:
        return ""
    whole = round(value)
    return f"\N{MINUS SIGN}{-whole}" if whole < 0 else f"+{whole}" if whole else "0"


def _few(edges: Sequence[Tick]) -> tuple[Tick, ...]:
    """The edges nearest to a quarter, the middle and three quarters, where they have room."""
    if not edges:
        return ()
    kept: list[Tick] = []
    for wanted in (0.2, 0.5, 0.8):
        nearest = min(edges, key=lambda one: abs(one.at - wanted))
        if all(abs(nearest.at - one.at) > 0.2 for one in kept):
            kept.append(nearest)
    return tuple(kept)


def _heights(low: float, high: float) -> tuple[tuple[str, float], ...]:
    """The lowest and the highest in points, and none where they have room."""
    size = (high - low) or 1.0
    zero = -low / size
    ends = ((signed(low), 0.0), (signed(high), 1.0))
    return ((ends[0],) if zero > 0.2 else ()) + (("0", zero),) + ((ends[1],) if zero < 0.8 else ())


def _short(steps: Sequence[Step]) -> tuple[Tick, ...]:
    """Words in the middle of their step, where they have room."""
    return tuple(
        Tick(one.words, (one.span[0] + one.span[1]) / 2) for one in steps if len(one.words) <= 45 * (one.span[1] - one.span[0])
    )


def _chance() -> Line:
    return Line("dash", ((0.0, 0.0), (1.0, 1.0)))


def _shares(ceiling: float) -> tuple[Tick, ...]:
    digits = 1 if round(ceiling * 50) != ceiling * 50 else 0
    return tuple(Tick(f"{100 * part * ceiling:.{digits}f}%", part) for part in (0.0, 0.5, 1.0))
