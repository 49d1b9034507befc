"""A reference table read from a file, tried, shown before it is taken in, and then taken in as it was shown."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from tablib import Dataset

from audit.context import Actor
from audit.errors import DomainError
from partners.tenancy import in_force
from portal.reference.tables import ReferenceTable
from scoring.engine.sheets import open_table
from scoring.engine.tables import TableError
from scoring.engine.writing import write_table

LARGEST = 256 * 1024    # bytes of a file
MOST_ROWS = 1_000
MOST_CHARACTERS = 512 * 1024    # in all cells: a small workbook may unpack to many
KEPT_SECONDS = 3_600
NEW, CHANGED, SAME, REFUSED = "new", "changed", "same", "refused"
_STATES = {"new": NEW, "update": CHANGED, "skip": SAME, "invalid": REFUSED}


@dataclass(frozen=True, slots=True)
class Brought:
    """What a file says: the number of each row in it and its cells, in the order of the table's columns."""

    file: str
    digest: str
    rows: Sequence[tuple[int, list[str]]]


@dataclass(frozen=True, slots=True)
class Line:
    """What would become of one row: its cells with what was there before (None: the same), and why it is refused."""

    number: int
    state: str
    cells: Sequence[tuple[str, str, str | None]]
    problems: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What would become of a file, or became of it."""

    lines: Sequence[Line]
    problem: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many rows there are of each state."""
        return {state: sum(line.state == state for line in self.lines) for state in (NEW, CHANGED, SAME, REFUSED)}

    @property
    def may_be_taken(self) -> bool:
        """Whether nothing stands against it, and something would change."""
        return not self.problem and not self.counts[REFUSED] and bool(self.counts[NEW] + self.counts[CHANGED])

    @property
    def digest(self) -> str:
        """What tells this from anything else that might be shown."""
        told = [[line.number, line.state, line.cells, line.problems] for line in self.lines]
        return hashlib.sha256(json.dumps([told, self.problem]).encode()).hexdigest()


def written(table: ReferenceTable, kind: str) -> bytes:
    """The table as csv or xlsx, by the one writer of tables."""
    file = io.BytesIO()
    write_table(kind, file, table.columns, table.cells(), title=table.name)
    return file.getvalue()


def read(table: ReferenceTable, *, name: str, content: bytes) -> Brought:
    """What the file says. Raises TableError with where, what and how to repair it."""
    rows: list[tuple[int, list[str]]] = []
    size, columns = 0, list(table.columns)
    with open_table(io.BytesIO(content), name=name, require=columns) as reader:
        if unknown := [one for one in reader.columns if one not in columns]:
            raise TableError("this table has no such column", fix=f"take it out; the columns are {', '.join(columns)}", column=unknown[0])
        for row in reader:
            if isinstance(row, TableError):
                raise row
            size += sum(map(len, row.cells.values()))
            if len(rows) == MOST_ROWS or size > MOST_CHARACTERS:
                raise TableError(f"the file has more than {MOST_ROWS:,} rows, or very long ones", fix="bring it in parts", row=row.number)
            rows.append((row.number, [row.cells[one] for one in columns]))
    if not rows:
        raise TableError("the file has a header and no rows", fix="add the rows that are to be taken in")
    return Brought(name, hashlib.sha256(content).hexdigest(), rows)


def tried(table: type[ReferenceTable], brought: Brought, *, actor: Actor) -> Shown:
    """What would become of it: every check of its services is made, and nothing is kept."""
    return _done(table, brought, actor, is_trial=True)


def taken_in(table: type[ReferenceTable], brought: Brought, *, seen: str, actor: Actor) -> Shown | None:
    """It is taken in, whole; None where something else would become of it than the person has seen."""
    if tried(table, brought, actor=actor).digest != seen:
        return None
    return _done(table, brought, actor, is_trial=False)


def sealed(table: type[ReferenceTable], brought: Brought, shown: Shown, *, actor: Actor) -> str:
    """What the person was shown, as the form carries it: nobody else's, and of no other table."""
    kept = {"file": brought.file, "digest": brought.digest, "rows": brought.rows, "seen": shown.digest}
    return signing.dumps(kept, salt=_salt(table, actor), compress=True)


def opened(table: type[ReferenceTable], form: str, *, actor: Actor) -> tuple[Brought, str]:
    """The same again, and the digest of what was shown. Raises BadSignature."""
    kept = signing.loads(form, salt=_salt(table, actor), max_age=KEPT_SECONDS)
    return Brought(kept["file"], kept["digest"], [(number, cells) for number, cells in kept["rows"]]), kept["seen"]


def _salt(table: type[ReferenceTable], actor: Actor) -> str:
    return f"vouch.reference:{in_force()}:{table.name}:{actor.id}"


def _done(table: type[ReferenceTable], brought: Brought, actor: Actor, *, is_trial: bool) -> Shown:
    dataset = Dataset(*(cells for _, cells in brought.rows), headers=list(table.columns))
    result = table().import_data(
        dataset, dry_run=is_trial, use_transactions=True, rollback_on_validation_errors=True, actor=actor, digest=brought.digest
    )
    for failed in result.error_rows:
        raise failed.errors[0].error    # no refusal of ours
    for failed in result.base_errors:
        if not isinstance(failed.error, DomainError):
            raise failed.error
    problem, columns = " ".join(str(one.error) for one in result.base_errors), list(table.columns)
    return Shown([_line(*said, row, columns) for said, row in zip(brought.rows, result.rows, strict=True)], problem)


def _line(number: int, cells: Sequence[str], row: Any, columns: Sequence[str]) -> Line:
    state, before = _STATES[row.import_type], row.original if row.import_type == "update" else None
    told = [(name, cell, _before(before, name, cell)) for name, cell in zip(columns, cells, strict=True)]
    return Line(number, state, told, _problems(row.validation_error) if state == REFUSED else ())


def _before(row: Any, name: str, now: str) -> str | None:
    """What was there, where that is something else."""
    if row is None:
        return None
    before = getattr(row, name)
    text = "" if before is None else str(before)
    return None if text == now else text


def _problems(error: Any) -> list[tuple[str, str]]:
    if hasattr(error, "error_dict"):
        return [(name if name != "__all__" else "", text) for name, texts in error.message_dict.items() for text in texts]
    return [("", text) for text in error.messages]
