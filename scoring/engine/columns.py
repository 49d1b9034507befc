"""A whole table, column by column: what training reads, and that the file is the same by the end as at the beginning."""

import hashlib
import stat
import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from scoring.engine.tables import TableError, TableReader

FIRST_LOOK = 500_000          # cells: how much of a table is read before whoever watches its memory is first told


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its distinct texts (in order of appearance) and one code per row."""

    name: str
    texts: tuple[str, ...]
    codes: NDArray[np.int32]

    def counts(self) -> NDArray[np.int64]:
        return np.bincount(self.codes, minlength=len(self.texts)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Columns:
    """A whole table, column by column."""

    rows: int
    columns: dict[str, Column]
    blank_before: tuple[int, ...] = ()    # for each blank line of the file, how many rows came before it
    rest: NDArray[np.int64] | None = None    # one number per row for what its other columns say, where only some were kept

    def number(self, row: int) -> int:
        """Where the row, counted from 0, stands in the file; the header is row 1."""
        return row + 2 + bisect_right(self.blank_before, row)


@dataclass(frozen=True, slots=True)
class Filling:
    """How far a table is read: its rows and kept columns, their distinct texts and the bytes that those take, and the share of the file."""

    rows: int
    columns: int
    texts: int
    text_bytes: int
    share: float
    is_first: bool = False    # the first look at this file

    @property
    def rows_in_all(self) -> int:
        """About how many rows the file has."""
        return round(self.rows / max(self.share, 1e-9))


def read_columns(
    source: Path | BinaryIO, *, name: str | None = None, require: Sequence[str] = (), only: Container[str] | None = None,
    watch: Callable[[Filling], None] | None = None,
) -> Columns:
    """The whole table, or `only` these of its columns, dictionary-encoded; `watch` is told of its growth at every doubling and may raise.

    Raises TableError at the first bad row, when there is no data row, and when the file is another one by the end than at the beginning."""
    if not isinstance(source, Path):
        return _read_columns(TableReader(source, name=name, require=require), only, watch)
    with unchanged(source):
        return _read_columns(TableReader(source, name=name, require=require), only, watch)


def _read_columns(opened: TableReader, only: Container[str] | None, watch: Callable[[Filling], None] | None) -> Columns:
    with opened as reader:
        kept = [name for name in reader.columns if only is None or name in only]
        others = [name for name in reader.columns if name not in kept]
        known: list[dict[str, int]] = [{} for _ in kept]
        codes, rest = [array("i") for _ in kept], array("q")
        rows, blanks, look = 0, list[int](), FIRST_LOOK
        for row in reader:
            if isinstance(row, TableError):
                raise row
            blanks += [rows] * (row.number - 2 - rows - len(blanks))
            rows += 1
            cells = row.cells
            for texts, code, cell in zip(known, codes, cells.values() if not others else [cells[name] for name in kept], strict=True):
                code.append(texts.setdefault(cell, len(texts)))
            if others:
                rest.append(hash(tuple([cells[name] for name in others])))
            if watch and rows * len(codes) >= look:
                watch(_filling(reader, rows, known, is_first=look == FIRST_LOOK))
                look *= 2
        if not rows:
            raise TableError("the table has a header and no rows", fix="export it again with its rows")
        return Columns(rows, {
            column: Column(column, tuple(texts), np.frombuffer(code, np.int32))
            for column, texts, code in zip(kept, known, codes, strict=True)
        }, tuple(blanks), np.frombuffer(rest, np.int64) if others else None)


def _filling(reader: TableReader, rows: int, known: Sequence[dict[str, int]], *, is_first: bool) -> Filling:
    text_bytes = sum(sum(map(sys.getsizeof, texts)) for texts in known)
    return Filling(rows, len(known), sum(map(len, known)), text_bytes, reader.share(rows), is_first)


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Raises TableError instead of whatever else is wrong when the file was written to meanwhile. A pipe can be read once only."""
    before = _state(path)
    try:
        yield
    except (TableError, OSError) as fault:
        if _state(path) != before:
            raise _changed(path) from fault
        raise
    if _state(path) != before:
        raise _changed(path)


def _changed(path: Path) -> TableError:
    return TableError(f"{path.name} changed while it was read", fix="wait until whoever writes it is done, then run this again")


def _state(path: Path) -> tuple[object, ...]:
    """Content, size and time: a clock may be too coarse for a quick writer, or set back."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return ()
        with path.open("rb") as file:
            return status.st_size, status.st_mtime_ns, hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return ("gone",)    # who reads it tells why
