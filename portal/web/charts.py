"""The chart of days: x in per cent of the width, y in pixels, so that text keeps its size and nothing needs a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from scoring.selectors import DayVolume
from scoring.web.charts import Bar

HEIGHT, TOP, FLOOR = 170, 10, 150
LABELS = 5
COLUMNS = 94    # per cent of the width; the rest is for the values of the grid lines


@dataclass(frozen=True, slots=True)
class Day:
    """One column of the chart of days."""

    day: date
    bars: tuple[Bar, ...]
    middle: str
    is_labelled: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A grid line with its value."""

    y: str
    text_y: str
    value: int | str


@dataclass(frozen=True, slots=True)
class DayChart:
    """Decisions by day: approved at the bottom, then what a person decides, then declined."""

    days: tuple[Day, ...]
    lines: tuple[Line, ...]
    height: int = HEIGHT


def day_chart(volume: Sequence[DayVolume]) -> DayChart:
    """One column per day."""
    ceiling = nice_ceiling(max((day.total for day in volume), default=0))
    step, pixels = COLUMNS / max(1, len(volume)), (FLOOR - TOP) / ceiling
    every = max(1, round(len(volume) / LABELS))
    days = []
    for place, day in enumerate(volume):
        bars, low = [], float(FLOOR)
        for count, kind in ((day.approve, "c-accent"), (day.refer, "c-mid"), (day.decline, "c-quiet")):
            tall = count * pixels
            if count:
                bars.append(Bar(f"{place * step:.3f}%", f"{step * 0.74:.3f}%", f"{low - tall:.1f}", f"{max(tall - 1, 0.5):.1f}", kind))
            low -= tall
        days.append(Day(day.day, tuple(bars), f"{place * step + step * 0.37:.3f}%", place % every == every // 2))
    lines = tuple(Line(f"{FLOOR - value * pixels:.1f}", f"{FLOOR - value * pixels - 4:.1f}", value) for value in (ceiling // 2, ceiling))
    return DayChart(tuple(days), lines)


def nice_ceiling(most: int) -> int:
    """The next even number that people count by: 2, 4, 10, 20, 50, 100 and so on."""
    for power in range(12):
        for step in (2, 4, 10):
            if most <= step * 10**power:
                return int(step * 10**power)
    return most
