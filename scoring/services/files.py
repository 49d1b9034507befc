"""Scoring a table: every good row becomes a stored decision on the one path, every bad row a line that says what to repair."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from audit.context import Actor
from scoring import registry
from scoring.decided import Decided
from scoring.engine.contract import ContractViolation
from scoring.engine.tables import Cell, ColumnKinds, Row, TableError, TableReader, TableWriter
from scoring.errors import ApplicantErased, TableRefused
from scoring.models import AnsweredBy, Channel
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants

ROWS_AT_A_TIME = 1_000
REASONS = 4
LONGEST_REFERENCE = 100
FAULTS_SHOWN = 20
ROWS_SHOWN = 5
_PROBLEMS = {
    "required": "is empty", "wrong_type": "has the wrong type", "not_in_list": "is not in the list", "out_of_range": "is out of range",
    "not_finite": "is not a finite number", "too_long": "is too long", "wrong_characters": "holds characters that no text needs",
    "formula": "is a spreadsheet formula, not a value",
}


@dataclass(frozen=True, slots=True)
class BadRow:
    """One thing to repair in the table that was scored."""

    row: int
    column: str
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in the same way in `count` rows; `rows` are the first of them."""

    column: str
    problem: str
    fix: str
    count: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """How many rows have a reference that an earlier row had, and the first of them."""

    count: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """What became of a table's rows. `by_rules` are those that no model answered."""

    scored: int
    by_rules: int
    bad_rows: int
    errors: Path | None
    faults: tuple[Fault, ...]
    repeated: Repeated


def score_file(*, product_slug: str, source: Path, destination: Path, actor: Actor, progress: Callable[[str], None]) -> ScoredFile:
    """Every row that the contract accepts has a stored decision and a line in `destination`; the others are listed beside it.

    Raises ProductUnknown, and TableRefused for a file that cannot be read or written at all."""
    if destination.exists() and source.exists() and destination.samefile(source):
        raise TableRefused("The decisions would be written over the applicants: give --out another name.")
    try:
        return _FileScoring(product_slug, source, destination, actor, progress).run()
    except TableError as refusal:
        raise TableRefused(str(refusal)) from refusal


class _FileScoring:
    def __init__(self, product_slug: str, source: Path, destination: Path, actor: Actor, progress: Callable[[str], None]) -> None:
        self.product_slug, self.source, self.destination, self.actor, self.progress = product_slug, source, destination, actor, progress
        active = registry.current(product_slug)
        self.id_column = active.definition.id_column
        self.inputs = [one.name for one in active.definition.contract.inputs]
        self.required = [one.name for one in active.definition.contract.inputs if one.required]
        self.scored = self.by_rules = 0
        self.bad: list[BadRow] = []
        # Eight bytes a row each, whatever the references are: a million rows must not stand there as a million texts.
        self.references, self.rows = array("q"), array("q")

    def run(self) -> ScoredFile:
        needed = [*([self.id_column] if self.id_column else []), *self.required]
        with TableReader(self.source, require=needed) as reader, TableWriter(self.destination, self._columns()) as writer:
            rows = iter(reader)
            while chunk := list(islice(rows, ROWS_AT_A_TIME)):
                writer.write(self._line(decided) for decided in self._score(self._items(chunk)))
                self.progress(f"{self.scored} rows scored, {len({bad.row for bad in self.bad})} bad")
        return self._report()

    def _columns(self) -> ColumnKinds:
        kinds: ColumnKinds = {self.id_column or "row": str, "probability": float, "score": int, "band": str, "outcome": str}
        kinds |= {"answered_by": str, "model_version": int, "decision_id": str}
        for place in range(1, REASONS + 1):
            kinds |= {f"reason_{place}_code": str, f"reason_{place}_text": str}
        return kinds

    def _items(self, chunk: Sequence[Row | TableError]) -> Iterator[tuple[int, ScoreItem]]:
        validator = registry.active(self.product_slug).validator
        for row in chunk:
            if isinstance(row, TableError):
                self.bad.append(BadRow(row.row or 0, row.column or "", row.problem, row.fix))
                continue
            reference = row.cells[self.id_column] if self.id_column else f"{self.source.name.partition('.')[0]} row {row.number}"
            if not 0 < len(reference) <= LONGEST_REFERENCE or not reference.isprintable():
                fix = f"give every row its own reference of at most {LONGEST_REFERENCE} printable characters"
                self.bad.append(BadRow(row.number, self.id_column or "", "cannot be a reference", fix))
                continue
            try:
                values = validator.check_text({name: row.cells[name] for name in self.inputs if name in row.cells})
            except ContractViolation as violation:
                self.bad += [
                    BadRow(row.number, _column(one.pointer), _PROBLEMS.get(one.code, one.code), one.detail) for one in violation.problems
                ]
                continue
            yield row.number, ScoreItem(ApplicantDetails(reference=reference), values)

    def _score(self, items: Iterator[tuple[int, ScoreItem]]) -> list[Decided]:
        numbered = list(items)
        while numbered:
            try:
                decided = score_applicants(
                    product_slug=self.product_slug, items=[item for _, item in numbered], actor=self.actor, channel=Channel.FILE,
                )
            except ApplicantErased as erased:
                gone = set(erased.positions)
                column, problem, fix = self.id_column or "", "this applicant was erased", "leave the row out"
                self.bad += [BadRow(numbered[place][0], column, problem, fix) for place in sorted(gone)]
                numbered = [pair for place, pair in enumerate(numbered) if place not in gone]
                continue
            self.scored += len(decided)
            self.by_rules += sum(one.answered_by == AnsweredBy.RULES for one in decided)
            self.references.extend(hash(one.reference) for one in decided)
            self.rows.extend(row for row, _ in numbered)
            return decided
        return []

    def _line(self, decided: Decided) -> list[Cell]:
        reasons = [text for reason in decided.reasons[:REASONS] for text in (reason.code, reason.text)]
        blank: list[Cell] = [None] * (2 * REASONS - len(reasons))
        answer: list[Cell] = [decided.reference, decided.probability, decided.score, decided.band, decided.outcome]
        return [*answer, decided.answered_by, decided.model_version, str(decided.id), *reasons, *blank]

    def _report(self) -> ScoredFile:
        errors = self.destination.with_name(f"{self.destination.name.partition('.')[0]}.errors.csv")
        if self.bad:
            with TableWriter(errors, {"row": int, "column": str, "problem": str, "fix": str}) as writer:
                writer.write([bad.row, bad.column, bad.problem, bad.fix] for bad in self.bad)
        else:
            errors.unlink(missing_ok=True)
        bad_rows = len({bad.row for bad in self.bad})
        return ScoredFile(self.scored, self.by_rules, bad_rows, errors if self.bad else None, self._faults(), self._repeated())

    def _faults(self) -> tuple[Fault, ...]:
        """Equal faults as one, in the order of their first rows."""
        rows: dict[tuple[str, str, str], list[int]] = {}
        for bad in self.bad:
            rows.setdefault((bad.column, bad.problem, bad.fix), []).append(bad.row)
        return tuple(Fault(*fault, len(found), tuple(found[:ROWS_SHOWN])) for fault, found in list(rows.items())[:FAULTS_SHOWN])

    def _repeated(self) -> Repeated:
        references, rows = np.frombuffer(self.references, np.int64), np.frombuffer(self.rows, np.int64)
        _, first = np.unique(references, return_index=True)
        again = np.delete(rows, first)
        return Repeated(len(again), tuple(again[:ROWS_SHOWN].tolist()))


def _column(pointer: str) -> str:
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
