"""How the scores of two versions differ, as a chart: x in per cent of the width, y in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.selectors import GapBin

FLOOR, TALLEST, HEIGHT = 110, 80, 132
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Bar:
    """How many scores differ by so much."""

    x: str
    width: str
    y: str
    height: str
    kind: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word under the chart."""

    x: str
    y: str
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class GapChart:
    """One column per bin; lower scores than the champion's are orange, higher ones blue, the same ones grey."""

    bars: tuple[Bar, ...]
    ends: tuple[Word, ...]
    marks: tuple[Word, ...] = ()
    height: int = HEIGHT
    floor: int = FLOOR


def gap_chart(gaps: Sequence[GapBin]) -> GapChart:
    """The chart of these bins, of which the middle one holds no difference."""
    most, step, middle = max(1, *(one.count for one in gaps)), 100 / len(gaps), len(gaps) // 2
    bars = []
    for place, one in enumerate(gaps):
        tall = one.count / most * TALLEST
        kind = "c-quiet" if place == middle else "c-against" if place < middle else "c-for"
        bars.append(Bar(f"{place * step:.2f}%", f"{step * 0.9:.2f}%", f"{FLOOR - tall:.1f}", f"{max(tall, 0.5):.1f}", kind))
    ends = (
        Word("0%", "126", f"… {_MINUS}{-gaps[0].high}", "start"),
        Word("50%", "126", "0", "middle"),
        Word("100%", "126", f"+{gaps[-1].low} …", "end"),
    )
    return GapChart(tuple(bars), ends)
