"""Past decisions with what came of them, as cases: read from the partner's own record, written as a table to train on."""

import csv
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import structlog

from audit.errors import SealBroken
from audit.vault import keyring
from scoring.applicants import key_of
from scoring.engine.columns import unchanged
from scoring.engine.contract import Input, InputKind
from scoring.engine.product import Product
from scoring.engine.tables import TableError, TableReader
from scoring.models import Decision, Outcome
from scoring.sealed import open_content

MOST_CASES = 200_000
_AT_ONCE = 500
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Case:
    """One decision with its inputs as they were checked, the day that ages were counted at, and whether it ended badly."""

    id: uuid.UUID
    decided_on: date
    inputs: Mapping[str, Any]
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Written:
    """The table of cases with its files of events, and how many rows came from where."""

    table: Path
    events: Mapping[str, Path]
    cases: int
    original_rows: int


def known_outcomes(product_id: uuid.UUID, as_of: datetime) -> list[tuple[uuid.UUID, bool]]:
    """Decisions of the product with whether they ended badly, as was known at that moment: the newest MOST_CASES, oldest first."""
    held = Outcome.objects.filter(decision__product=product_id, recorded_at__lte=as_of).exclude(superseded_by__recorded_at__lte=as_of)
    newest = held.order_by("-decision__created_at", "-decision_id").values_list("decision_id", "value")[:MOST_CASES]
    return [(decision, value == 1) for decision, value in reversed(newest)]


def read_cases(known: Sequence[tuple[uuid.UUID, bool]]) -> Iterator[Case]:
    """The same decisions, opened one part after another; without those who were erased, and those that were damaged, which is logged."""
    ring = keyring()
    for start in range(0, len(known), _AT_ONCE):
        part = known[start : start + _AT_ONCE]
        rows = Decision.objects.select_related("applicant").in_bulk([decision for decision, _ in part])
        for decision, is_bad in part:
            row = rows[decision]
            try:
                key = key_of(ring, row.applicant)
                content = open_content(ring, key, row) if key else None
            except SealBroken:
                logger.exception("decision_damaged", decision_id=str(decision))
                continue
            if content is not None:
                yield Case(decision, content.decided_on, content.inputs, is_bad)


def write_cases(folder: Path, product: Product, cases: Iterable[Case], original: Mapping[str, Any]) -> Written:
    """The cases behind the rows of the original table, if one is named: {"csv": file, "events": {name: file}}. Raises TableError."""
    made = _CaseTable(folder, product)
    with made.opened("cases", made.columns) as table:
        if original:
            made.copy(Path(original["csv"]), table, product.target)
        rows = table.rows
        files = {one.name: made.opened(one.name, [one.key, *(column.name for column in one.columns)]) for one in made.events}
        for one in made.events if original else ():
            made.copy(Path(original["events"].get(one.name, "")), files[one.name], one.key)
        for case in cases:
            table.write(made.row(case))
            for one in made.events:
                for event in case.inputs.get(one.name) or ():
                    files[one.name].write({one.key: str(case.id), **event})
        for file in files.values():
            file.close()
    return Written(table.path, {name: file.path for name, file in files.items()}, table.rows - rows, rows)


class _File:
    """A CSV file that is being written, nobody else's to read: values as they are, since nobody opens it in a spreadsheet."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns, self.rows = path, columns, 0
        self._stream = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._stream)
        self._writer.writerow(columns)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def write(self, cells: Mapping[str, Any]) -> None:
        """One row; what is not told is blank."""
        self._writer.writerow([_text(cells.get(name)) for name in self.columns])
        self.rows += 1

    def close(self) -> None:
        """What was written is in the file."""
        self._stream.close()


class _CaseTable:
    def __init__(self, folder: Path, product: Product) -> None:
        self.folder, self.product = folder, product
        self.events: list[Input] = [one for one in product.contract.inputs if one.kind is InputKind.EVENTS]
        self.inputs = [one.name for one in product.contract.inputs if one.kind is not InputKind.EVENTS]
        others = [product.target, product.time_column or "", *(one.key for one in self.events)]
        self.columns = list(dict.fromkeys([*self.inputs, *filter(None, others)]))
        self.bad = product.positive or "1"
        self.good = "1" if self.bad == "0" else "0"

    def opened(self, name: str, columns: Sequence[str]) -> _File:
        return _File(self.folder / f"{name}.csv", columns)

    def copy(self, source: Path, into: _File, required: str) -> None:
        """The rows of a file that has been there before, as far as the product uses its columns. Raises TableError."""
        with unchanged(source), TableReader(source, require=[required]) as reader:
            for row in reader:
                if isinstance(row, TableError):
                    raise row
                into.write(row.cells)
                said = row.cells.get(self.product.target, "")
                if said and said.casefold() != self.bad.casefold() and required == self.product.target:
                    self.good = said    # as this table calls what did not happen

    def row(self, case: Case) -> dict[str, Any]:
        """As the table's columns say it."""
        told = {name: case.inputs.get(name) for name in self.inputs}
        keys = {one.key: str(case.id) for one in self.events}
        day = {self.product.time_column or "": case.decided_on}
        return {**day, **keys, **told, self.product.target: self.bad if case.is_bad else self.good}


def _text(value: Any) -> str:
    """As the contract reads it back to the same value."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)
