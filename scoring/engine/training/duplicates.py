"""Rows that come twice: exact copies, the same inputs with different outcomes, and references that more than one row has."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scoring.engine.columns import Column, Columns
from scoring.engine.product import Product
from scoring.engine.training.profile import ColumnProfile
from scoring.engine.training.target import Target

EXAMPLES = 5
_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Repeats:
    """How many rows repeat an earlier one, and the first pairs: numbers of rows in the file, the earlier one first."""

    rows: int = 0
    examples: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{first} and {second}" for first, second in self.examples[:3])


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What comes twice: `copies` in every column, `contradictions` in every input but with the other outcome, `references` in the id."""

    copies: Repeats = field(default_factory=Repeats)
    contradictions: Repeats = field(default_factory=Repeats)
    references: Repeats = field(default_factory=Repeats)

    def to_dict(self) -> dict[str, dict[str, object]]:
        found = {"copies": self.copies, "contradictions": self.contradictions, "references": self.references}
        return {name: {"rows": one.rows, "examples": [list(pair) for pair in one.examples]} for name, one in found.items()}

    def told(self) -> list[str]:
        """One sentence for each kind that there is."""
        found = []
        if self.copies.rows:
            tail = "a copy in another fold makes the figures too good"
            found.append(f"{_rows(self.copies, 'is an exact copy', 'are exact copies')} of another (rows {self.copies}): {tail}")
        if self.contradictions.rows:
            rows, tail = _rows(self.contradictions, "has the inputs", "have the inputs"), "no model can tell them apart"
            found.append(f"{rows} of another but the other outcome (rows {self.contradictions}): {tail}")
        if self.references.rows:
            tail = "applicants who come more than once are known from one fold to another"
            found.append(f"{_rows(self.references, 'repeats', 'repeat')} the reference of another (rows {self.references}): {tail}")
        return found


def _rows(found: Repeats, one: str, many: str) -> str:
    return f"1 row {one}" if found.rows == 1 else f"{found.rows} rows {many}"


def duplicates_of(table: Columns, product: Product, target: Target) -> Duplicates:
    """Counted before anything is fitted, over the rows whose outcome is known."""
    known = np.flatnonzero(target.is_known)
    inputs = [table.columns[one.name] for one in product.contract.inputs if one.name in table.columns]
    keyed = {one.key for one in product.contract.inputs if one.key}    # whose events they are
    asked = [*inputs, *(table.columns[name] for name in sorted(keyed) if name in table.columns)]
    return Duplicates(
        copies=_repeats(table, _whole_rows(table, known), known),
        contradictions=_contradictions(table, row_keys(asked, known), known, target) if asked else Repeats(),
        references=_references(table, product.id_column, known),
    )


def _whole_rows(table: Columns, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """One number per row for all of its columns, those that are not kept too."""
    keys = row_keys(table.columns.values(), rows)
    return keys if table.rest is None else (keys ^ table.rest[rows].view(np.uint64)) * _ODD


def row_keys(columns: Iterable[Column], rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """One number per row, equal for rows that say the same in these columns; that two others meet is less likely than a broken disk."""
    keys = np.zeros(len(rows), np.uint64)
    for column in columns:
        keys = (keys ^ (column.codes[rows].astype(np.uint64) + np.uint64(1))) * _ODD
        keys ^= keys >> np.uint64(29)
    return keys


def _repeats(table: Columns, keys: NDArray[np.uint64], rows: NDArray[np.int64]) -> Repeats:
    """Rows whose key an earlier row has."""
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    later = np.flatnonzero(first[back] != np.arange(len(keys)))
    return Repeats(len(later), _pairs(table, rows[first[back[later]]], rows[later]))


def _contradictions(table: Columns, keys: NDArray[np.uint64], rows: NDArray[np.int64], target: Target) -> Repeats:
    """Rows that differ from the first row of the same inputs in their outcome."""
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    earlier, outcome = first[back], target.values[rows]
    other = np.flatnonzero(outcome != outcome[earlier])
    return Repeats(len(other), _pairs(table, rows[earlier[other]], rows[other]))


def _references(table: Columns, id_column: str | None, known: NDArray[np.int64]) -> Repeats:
    column = table.columns.get(id_column or "")
    if column is None:
        return Repeats()
    named = known[~ColumnProfile(column).is_blank[column.codes[known]]]
    return _repeats(table, row_keys([column], named), named)


def _pairs(table: Columns, earlier: NDArray[np.int64], later: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    shown = zip(earlier[:EXAMPLES].tolist(), later[:EXAMPLES].tolist(), strict=True)
    return tuple((table.number(one), table.number(other)) for one, other in shown)
