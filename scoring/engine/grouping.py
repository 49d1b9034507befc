"""Groups of people by one input, so that outcomes can be compared: answers as they are, ages and other numbers in bands."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.engine.contract import Input, InputKind, Value
from scoring.engine.reasons import shown_number

AGES = (25.0, 35.0, 45.0, 55.0)    # years: where bands of age begin
PARTS = 4                          # of any other number, equally wide over what the contract allows
_AGE = re.compile(r"(?:^|_)age(?:_|$)")
_MEASURED = (InputKind.NUMBER, InputKind.INTEGER)


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of one input. `edges` are where bands begin, but for the first one."""

    input: Input
    names: tuple[str, ...]
    edges: tuple[float, ...] = ()

    @classmethod
    def of(cls, one: Input) -> "Grouping | None":
        """None for an input by which nobody is compared: neither protected nor an age, or without bounds."""
        if not (one.is_protected or _is_age(one)):
            return None
        if one.kind is InputKind.CATEGORY:
            return cls(one, one.categories)
        if one.kind is InputKind.BOOLEAN:
            return cls(one, ("yes", "no"))
        if _is_age(one):
            between = (f"{low:g}\N{EN DASH}{high - 1:g}" for low, high in zip(AGES, AGES[1:], strict=False))
            return cls(one, (f"<{AGES[0]:g}", *between, f"{AGES[-1]:g}+"), AGES)
        if one.kind in _MEASURED and one.minimum is not None and one.maximum is not None and one.minimum < one.maximum:
            edges = tuple(np.linspace(one.minimum, one.maximum, PARTS + 1)[1:-1].tolist())
            return cls(one, _names(edges), edges)
        return None

    def places(self, told: Sequence[Value], days: Sequence[str]) -> NDArray[np.int64]:
        """[n] the place of each answer's group, -1 where it has none. `days` are those of the decisions, as 2026-04-30, for ages."""
        if self.edges:
            numbers = _ages(told, days) if self.input.kind is InputKind.DATE else _numbers(told)
            found: NDArray[np.int64] = np.searchsorted(self.edges, numbers, side="right").astype(np.int64)
            found[np.isnan(numbers)] = -1
            return found
        answers: Sequence[object] = (True, False) if self.input.kind is InputKind.BOOLEAN else self.names
        place_of = {answer: place for place, answer in enumerate(answers)}
        return np.fromiter((-1 if one is None or isinstance(one, list) else place_of.get(one, -1) for one in told), np.int64, len(told))


def _is_age(one: Input) -> bool:
    """Whether it tells how old somebody is."""
    if one.kind is InputKind.DATE:
        return one.is_protected or one.is_personal
    return one.kind in _MEASURED and _AGE.search(one.name) is not None


def _names(edges: Sequence[float]) -> tuple[str, ...]:
    """What bands are called in any language: from the edge on, below the next one."""
    texts = [shown_number(edge) for edge in edges]
    between = (f"{low} \N{EN DASH} <{high}" for low, high in zip(texts, texts[1:], strict=False))
    return (f"<{texts[0]}", *between, f"\N{GREATER-THAN OR EQUAL TO}{texts[-1]}")


def _numbers(told: Sequence[Value]) -> NDArray[np.float64]:
    return np.fromiter((float(one) if isinstance(one, int | float) else np.nan for one in told), np.float64, len(told))


def _ages(told: Sequence[Value], days: Sequence[str]) -> NDArray[np.float64]:
    """Whole years, as birthdays count them: the days read as numbers such as 20260430, of which the last four digits fall away."""
    born = np.fromiter((float(one.replace("-", "")) if isinstance(one, str) else np.nan for one in told), np.float64, len(told))
    asked = np.fromiter((float(one.replace("-", "")) for one in days), np.float64, len(days))
    return np.floor((asked - born) / 10_000)
