"""Scoring a table: every good row becomes a stored decision on the one path, every bad row a line that says what to repair."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from audit.context import Actor
from scoring import registry
from scoring.decided import Decided
from scoring.engine.contract import ContractViolation
from scoring.engine.tables import Cell, ColumnKinds, Row, TableError, TableReader, TableWriter
from scoring.errors import ApplicantErased, TableRefused
from scoring.models import Channel
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants

ROWS_AT_A_TIME = 1_000
REASONS = 4
LONGEST_REFERENCE = 100
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
class ScoredFile:
    """What became of a table's rows."""

    scored: int
    bad_rows: int
    errors: Path | None
    shown: tuple[BadRow, ...]


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
        self.scored = 0
        self.bad: list[BadRow] = []

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
            return decided
        return []

    def _line(self, decided: Decided) -> list[Cell]:
        reasons = [text for reason in decided.reasons[:REASONS] for text in (reason.code, reason.text)]
        blank: list[Cell] = [None] * (2 * REASONS - len(reasons))
        return [decided.reference, decided.probability, decided.score, decided.band, decided.outcome, *reasons, *blank]

    def _report(self) -> ScoredFile:
        errors = self.destination.with_name(f"{self.destination.name.partition('.')[0]}.errors.csv")
        if not self.bad:
            errors.unlink(missing_ok=True)
            return ScoredFile(self.scored, 0, None, ())
        with TableWriter(errors, {"row": int, "column": str, "problem": str, "fix": str}) as writer:
            writer.write([bad.row, bad.column, bad.problem, bad.fix] for bad in self.bad)
        return ScoredFile(self.scored, len({bad.row for bad in self.bad}), errors, tuple(self.bad[:20]))


def _column(pointer: str) -> str:
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
