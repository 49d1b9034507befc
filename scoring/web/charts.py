"""Charts of scores as columns: x in per cent of the width, y in pixels, so that text keeps its size and nothing needs a script."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from scoring.selectors import GapBin, ScoreBin

FLOOR, TALLEST, HEIGHT = 110, 80, 132
_WORDS = "126"
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle; with an address it leads to what it counts, and says what that is."""

    x: str
    width: str
    y: str
    height: str
    kind: str
    leads_to: str = ""
    says: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """A word under or beside the chart."""

    x: str
    y: str
    text: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Columns:
    """One column per bin, with words under both ends and at marks between them."""

    bars: tuple[Bar, ...]
    ends: tuple[Label, ...]
    marks: tuple[Label, ...] = ()
    height: int = HEIGHT
    floor: int = FLOOR


def score_chart(
    bins: Sequence[ScoreBin], *, cut_offs: Sequence[int] = (), chosen: int | None = None, links: Sequence[tuple[str, str]] = ()
) -> Columns:
    """How scores spread, with the cut-offs; where one score is `chosen` its column stands out. `links`: for each bin where it leads to
    and what that is called."""
    low, high = bins[0].low, bins[-1].high
    rest = "c-mid" if chosen is None else "c-quiet"
    holds = [chosen is not None and one.low <= chosen < one.high + (one.high == high) for one in bins]
    bars = _bars([one.count for one in bins], ["c-accent" if one else rest for one in holds])
    if links:
        named = zip(bars, links, bins, strict=True)
        bars = tuple(replace(bar, leads_to=link, says=says) if one.count else bar for bar, (link, says), one in named)
    marks = tuple(Label(f"{(cut - low) / (high - low) * 100:.2f}%", _WORDS, str(cut)) for cut in cut_offs if low < cut < high)
    return Columns(bars, (_at_left(str(low)), _at_right(str(high))), marks)


def gap_chart(gaps: Sequence[GapBin]) -> Columns:
    """How the scores of two versions differ: lower ones than the champion's are orange, higher ones blue, the same, in the middle, grey."""
    middle = len(gaps) // 2
    kinds = ("c-quiet" if place == middle else "c-against" if place < middle else "c-for" for place in range(len(gaps)))
    ends = (_at_left(f"… {_MINUS}{-gaps[0].high}"), Label("50%", _WORDS, "0"), _at_right(f"+{gaps[-1].low} …"))
    return Columns(_bars([one.count for one in gaps], kinds), ends)


def _bars(counts: Sequence[int], kinds: Iterable[str]) -> tuple[Bar, ...]:
    most, step = max(1, *counts), 100 / len(counts)
    bars = []
    for place, (count, kind) in enumerate(zip(counts, kinds, strict=True)):
        tall = count / most * TALLEST
        bars.append(Bar(f"{place * step:.2f}%", f"{step * 0.9:.2f}%", f"{FLOOR - tall:.1f}", f"{max(tall, 0.5):.1f}", kind))
    return tuple(bars)


def _at_left(text: str) -> Label:
    return Label("0%", _WORDS, text, "start")


def _at_right(text: str) -> Label:
    return Label("100%", _WORDS, text, "end")
