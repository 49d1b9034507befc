"""Groups of people by the protected columns of the table: to be compared on the card, and read by no model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from scoring.engine.columns import Column, Columns
from scoring.engine.contract import Contract, Input, InputKind, Validator, Value
from scoring.engine.fairness import SMALLEST_GROUP
from scoring.engine.reasons import shown_number
from scoring.engine.training.metrics import Flags, Floats, auc

PARTS = 4                # of a number or a day, equally filled
UNKNOWN, OTHER = "not known", "another answer"
_MEASURED = (InputKind.NUMBER, InputKind.INTEGER, InputKind.DATE)
_YES_NO = {True: "yes", False: "no"}


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of one protected input, and the place of each sample's among them."""

    name: str
    label: str
    groups: tuple[str, ...]
    places: NDArray[np.int64]

    def figures(self, held: NDArray[np.int64], target: Flags, probability: Floats, score: NDArray[np.int64]) -> list[dict[str, object]]:
        """What the card keeps of each group, of the samples that were held out: counts by score, so that any cut-offs can be judged."""
        places = self.places[held]
        found: list[dict[str, object]] = []
        for place, group in enumerate(self.groups):
            rows = np.flatnonzero(places == place)
            if len(rows):
                found.append({"group": group, "rows": len(rows), **_told(target[rows], probability[rows], score[rows])})
        return found


def groupings(table: Columns, contract: Contract, rows: Sequence[int]) -> tuple[Grouping, ...]:
    """One for each protected input that the table has; `rows` are those of the samples, which the contract accepted."""
    asked = [one for one in contract.inputs if one.is_protected and one.kind is not InputKind.EVENTS and one.name in table.columns]
    return tuple(_grouping(one, table.columns[one.name], np.array(rows, np.int64)) for one in asked)


def _grouping(one: Input, column: Column, rows: NDArray[np.int64]) -> Grouping:
    codes, cases = np.unique(column.codes[rows], return_inverse=True)
    reader = Validator(Contract((replace(one, required=False),)))
    said = [reader.check_text({one.name: column.texts[code]})[one.name] for code in codes.tolist()]
    names, place_of = _parts(one, said, cases) if one.kind in _MEASURED else _words(one, said)
    return Grouping(one.name, one.title, names, place_of[cases])


def _words(one: Input, said: Sequence[Value]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Groups of answers, and the place of each distinct text."""
    names = (*(one.categories or _YES_NO.values()), OTHER, UNKNOWN)
    words = [UNKNOWN if value is None else _YES_NO[value] if isinstance(value, bool) else str(value) for value in said]
    return names, np.array([names.index(word if word in names else OTHER) for word in words], np.int64)


def _parts(one: Input, said: Sequence[Value], cases: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Equally filled parts of the known values, called by what they hold, and the place of each distinct text."""
    numbers = np.array([np.nan if value is None else _number(value) for value in said])
    known = numbers[cases][~np.isnan(numbers[cases])]
    edges = np.unique(np.quantile(known, np.arange(1, PARTS) / PARTS, method="lower")) if len(known) else np.empty(0)
    places = np.searchsorted(edges, numbers).astype(np.int64)
    names = []
    for place in range(len(edges) + 1):
        held = numbers[(places == place) & ~np.isnan(numbers)]
        names.append(_span(one, held.min(), held.max()) if len(held) else "")
    places[np.isnan(numbers)] = len(names)
    return (*names, UNKNOWN), places


def _number(value: Value) -> float:
    return date.fromisoformat(value).toordinal() if isinstance(value, str) else float(value)  # type: ignore[arg-type]    # no events


def _span(one: Input, low: float, high: float) -> str:
    if one.kind is InputKind.DATE:
        first, last = date.fromordinal(int(low)).isoformat(), date.fromordinal(int(high)).isoformat()
    else:
        first, last = shown_number(float(low)), shown_number(float(high))
    return first if first == last else f"{first} to {last}"


def _told(target: Flags, probability: Floats, score: NDArray[np.int64]) -> dict[str, object]:
    if len(target) < SMALLEST_GROUP:
        return {}
    bad, scores = int(target.sum()), np.unique(score, return_counts=True)
    ranked = round(auc(target, probability), 6) if 0 < bad < len(target) else None
    counts = [list(pair) for pair in zip(*(part.tolist() for part in scores), strict=True)]
    return {"bad": bad, "auc": ranked, "mean": round(float(probability.mean()), 6), "scores": counts}
