"""A model's two curves as its page draws them: x in per cent of the width, y in pixels, so that text keeps its size without a script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEIGHT, TOP, FLOOR = 240, 20, 215
WIDTH = 92    # per cent; the rest is for the values of the grid lines
_CEILINGS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_GOOD_REFUSED = 0.2


@dataclass(frozen=True, slots=True)
class Dot:
    """A point of the curve that is told by itself."""

    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A value on both axes: where its line and its words stand."""

    value: float
    x: str
    y: str
    text_y: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A line over a square from 0 to `ceiling`, with the diagonal to compare it with. `path` is in hundredths of the square."""

    path: str
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    height: int = HEIGHT
    top: int = TOP
    floor: int = FLOOR
    width: str = f"{WIDTH}%"
    depth: int = FLOOR - TOP


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ROC curve, and in words: of the bad, how many are found when this share of the good is refused."""

    curve: Curve
    points: tuple[tuple[float, float], ...]
    good_refused: float
    bad_found: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was predicted for tenths of the applicants and what happened, and the widest difference."""

    curve: Curve
    rows: tuple[Mapping[str, Any], ...]
    widest: Mapping[str, Any]


def ranking(roc: Sequence[Sequence[float]]) -> Ranking | None:
    """The curve of a model's [false-alarm share, hit share] points; None when none are stored."""
    if len(roc) < 2:
        return None
    points = tuple((float(false), float(hit)) for false, hit in roc)
    false, hit = min(points, key=lambda point: abs(point[0] - _GOOD_REFUSED))
    return Ranking(_curve(points, 1.0, has_dots=False), points, false, hit)


def reliability(table: Sequence[Mapping[str, Any]]) -> Reliability | None:
    """The curve of a model's calibration table; None when none is stored."""
    if len(table) < 2:
        return None
    points = tuple((float(row["predicted"]), float(row["observed"])) for row in table)
    most = max(max(point) for point in points)
    ceiling = next(one for one in _CEILINGS if most <= one)
    widest = max(table, key=lambda row: abs(row["predicted"] - row["observed"]))
    return Reliability(_curve(points, ceiling, has_dots=True), tuple(table), widest)


def _curve(points: Sequence[tuple[float, float]], ceiling: float, *, has_dots: bool) -> Curve:
    placed = [(x / ceiling, y / ceiling) for x, y in points]
    path = " ".join(f"{'L' if place else 'M'}{100 * x:.2f} {100 - 100 * y:.2f}" for place, (x, y) in enumerate(placed))
    dots = tuple(Dot(f"{x * WIDTH:.2f}%", f"{_down(y):.1f}") for x, y in placed) if has_dots else ()
    ticks = tuple(
        Tick(part * ceiling, f"{part * WIDTH:.1f}%", f"{_down(part):.1f}", f"{_down(part) - 4:.1f}", anchor)
        for part, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    )
    return Curve(path, dots, ticks)


def _down(part: float) -> float:
    return FLOOR - part * (FLOOR - TOP)
