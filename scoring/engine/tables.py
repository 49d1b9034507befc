"""Reads tables (.csv, .csv.gz, .parquet) as text cells, row by row, and says clearly what is wrong with one."""

import csv
import gzip
import importlib
import io
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self, cast

from scoring.engine.inert import LEADS, as_it_was
from scoring.engine.intake import MAX_CELL, MAX_COLUMNS, MAX_LINES_PER_ROW, Bounded
from scoring.engine.intake import TableError as TableError  # who reads tables knows it from here

SUFFIXES = (".csv", ".csv.gz", ".parquet")
BATCH_ROWS = 8_192
DELIMITERS = (",", ";", "\t", "|")
_LEADS = frozenset(LEADS)
_MAY_RUN = _LEADS | frozenset(" \t\r\n\xa0\u3000")
_EQUALS = frozenset("=＝")
_CALL = re.compile(r"[(|!]")
_UNCLOSED = "look for a quote that is not closed near this line"

@dataclass(frozen=True, slots=True)
class Row:
    """One data row: its place in the file and its cells as text, '' where nothing was written."""

    number: int
    cells: dict[str, str]


class TableReader:
    """Iterates the rows of one table; a bad row comes out as a TableError value, so that the caller decides whether to go on."""

    def __init__(self, source: Path | BinaryIO, *, name: str | None = None, require: Sequence[str] = ()) -> None:
        self.name = name or (source.name if isinstance(source, Path) else "")
        suffix = self._suffix_of(self.name)
        self._opened: list[IO[Any]] = []
        self._parquet_rows = 0
        try:
            self._binary = self._open(source)
            self._records = self._records_in(self._binary, suffix)
            self.columns = _header(next(self._records, None))
            _require(self.columns, require)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Row | TableError]:
        width = len(self.columns)
        for number, cells in enumerate(self._records, start=2):
            if not cells or (len(cells) == 1 and width > 1 and not cells[0].strip()):
                continue
            problem = self._row_problem(number, cells)
            texts = [as_it_was(cell) if cell[:1] == "'" else cell.strip() for cell in cells]
            yield problem or Row(number, dict(zip(self.columns, texts, strict=True)))

    def _suffix_of(self, name: str) -> str:
        return suffix_of(name)

    def _records_in(self, binary: BinaryIO, suffix: str) -> Iterator[list[str]]:
        """The header and then the rows, as text cells."""
        if suffix == ".parquet":
            self._parquet_rows, records = _parquet_records(binary)
            return records
        return _text_records(self._decompressed(binary, suffix))

    def share(self, rows: int) -> float:
        """How much of the file these rows were, as far as it can be told: 0 to 1, and 1 where it cannot."""
        if self._parquet_rows:
            return rows / self._parquet_rows
        status = os.fstat(self._binary.fileno()) if isinstance(self._binary, io.BufferedReader) else None
        return self._binary.tell() / status.st_size if status and stat.S_ISREG(status.st_mode) else 1.0

    def _row_problem(self, number: int, cells: list[str]) -> TableError | None:
        if len(cells) > MAX_COLUMNS:
            raise TableError(f"has {len(cells):,} cells", row=number, fix="check that this is a table, with a line break after each row")
        if len(cells) != len(self.columns):
            return TableError(
                f"has {len(cells)} cells, the header has {len(self.columns)}", row=number,
                fix="make every row as wide as the header; put double quotes around a cell that contains the separator",
            )
        if max(map(len, cells)) > MAX_CELL:
            longest = max(zip(self.columns, cells, strict=True), key=lambda pair: len(pair[1]))[0]
            return TableError(
                f"is longer than {MAX_CELL} characters", row=number, column=longest,
                fix="shorten it, or look for a quote that is not closed near this line",
            )
        for place, cell in enumerate(cells):
            if cell[:1] in _MAY_RUN and is_formula(cell):
                fix = "save the sheet as values and export it again"
                return TableError("is a spreadsheet formula, not a value", row=number, column=self.columns[place], fix=fix)
        return None

    def _open(self, source: Path | BinaryIO) -> BinaryIO:
        if not isinstance(source, Path):
            return source
        try:
            binary = source.open("rb")
        except OSError as error:
            raise TableError(f"{source} cannot be opened ({error.strerror})", fix="check the path and its permissions") from error
        self._opened.append(binary)
        return binary

    def _decompressed(self, binary: BinaryIO, suffix: str) -> IO[bytes]:
        if suffix != ".csv.gz":
            return cast(IO[bytes], Bounded(binary))
        unpacked = gzip.GzipFile(fileobj=binary, mode="rb")
        self._opened.insert(0, cast(IO[Any], unpacked))
        return cast(IO[bytes], Bounded(cast(IO[bytes], unpacked)))

    def close(self) -> None:
        while self._opened:
            self._opened.pop(0).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def suffix_of(name: str) -> str:
    """Which of the three formats a file name stands for. Raises TableError for any other."""
    for suffix in (".csv.gz", ".csv", ".parquet"):
        if name.lower().endswith(suffix):
            return suffix
    raise TableError(f"'{name}' is neither .csv, .csv.gz nor .parquet", fix="save the table as UTF-8 CSV, or as parquet")


def is_formula(cell: str) -> bool:
    """True for a cell that a spreadsheet would run; signs before numbers, phone numbers and words are not formulas."""
    cell = cell.strip()
    return cell[:1] in _EQUALS or (cell[:1] in _LEADS and _CALL.search(cell) is not None and not is_number(cell))


def is_number(text: str) -> bool:
    """True for a finite decimal number as people and programs write it."""
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def text_of(value: object) -> str:
    """A typed cell of a parquet file as the text that a CSV of the same table holds."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) else str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time().isoformat() == "00:00:00" else value.isoformat()
    if isinstance(value, str | int | date | Decimal):
        return str(value)
    raise TableError(f"a cell holds a {type(value).__name__}, not a single value", fix="flatten nested columns before saving")


def _text_records(binary: IO[bytes]) -> Iterator[list[str]]:
    buffered = io.BufferedReader(cast(io.RawIOBase, binary), 1 << 18)
    start = buffered.peek(65_536)[:65_536]
    text = io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="")
    records = csv.reader(text, delimiter=_delimiter(start), strict=True)
    lines = 0
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            # The text is decoded ahead of the rows, in pieces that begin within the line that comes next.
            line = records.line_num + len((error.object[: error.start] + b".").splitlines())
            byte = f"0x{error.object[error.start]:02x}"
            problem = f"the file is not UTF-8: byte {byte} in line {line} (it may be Latin-1 or Windows-1252)"
            raise TableError(problem, fix="save it as 'CSV UTF-8'") from error
        except csv.Error as error:
            raise TableError(f"not readable as CSV after line {records.line_num} ({error})", fix=_UNCLOSED) from error
        if records.line_num - lines > MAX_LINES_PER_ROW:
            raise TableError(f"the row that begins after line {lines} runs over {records.line_num - lines} lines", fix=_UNCLOSED)
        lines = records.line_num
        yield record


def _delimiter(start: bytes) -> str:
    """The separator that cuts the first lines into the widest table of equal rows."""
    lines = start.decode("utf-8-sig", errors="replace").splitlines()[:50]

    def fit(delimiter: str) -> tuple[float, int]:
        try:
            widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells]
        except csv.Error:
            return 0.0, 0
        equal = sum(width == widths[0] for width in widths) / len(widths) if widths else 0.0
        return (equal, widths[0]) if widths and widths[0] > 1 else (0.0, 0)

    return max(DELIMITERS, key=lambda delimiter: fit(delimiter)) if lines else ","


def _parquet_records(binary: BinaryIO) -> tuple[int, Iterator[list[str]]]:
    """How many rows there are, and the header with them."""
    arrow, parquet = load_arrow()
    try:
        file = parquet.ParquetFile(binary)
    except arrow.ArrowException as error:
        raise _not_parquet(error) from error
    return file.metadata.num_rows, _parquet_rows(arrow, file)


def _not_parquet(error: Exception) -> TableError:
    return TableError(f"not readable as parquet ({str(error).splitlines()[0][:120]})", fix="export it again")


def _parquet_rows(arrow: Any, file: Any) -> Iterator[list[str]]:
    yield list(file.schema_arrow.names)
    try:
        for batch in file.iter_batches(BATCH_ROWS):
            columns = [[text_of(value) for value in column.to_pylist()] for column in batch.columns]
            yield from (list(cells) for cells in zip(*columns, strict=True))
    except arrow.ArrowException as error:
        raise _not_parquet(error) from error


def load_arrow() -> tuple[Any, Any]:
    """pyarrow costs 80 MB and belongs to files: it is loaded by the first parquet table, never by a web worker that has none."""
    load: Callable[[str], Any] = importlib.import_module
    return load("pyarrow"), load("pyarrow.parquet")


def _header(cells: list[str] | None) -> tuple[str, ...]:
    if not cells or not any(cell.strip() for cell in cells):
        raise TableError("the file is empty", fix="export it again with a header and rows")
    if len(cells) > MAX_COLUMNS:
        raise TableError(f"has {len(cells)} columns, more than {MAX_COLUMNS}", fix="keep the columns that are needed", row=1)
    names = tuple(as_it_was(cell) or f"column_{place}" for place, cell in enumerate(cells, start=1))
    for name in names:
        if names.count(name) > 1:
            raise TableError("the name is used by more than one column", fix="rename one of them", row=1, column=name)
        if any(ord(character) < 32 for character in name) or len(name) > 200:
            problem = "the name is longer than 200 characters or holds control characters"
            raise TableError(problem, fix="rename the column", row=1, column=name[:40])
    return names


def _require(columns: tuple[str, ...], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        names = ", ".join(repr(name) for name in missing)
        problem = f"misses the column{'s' if len(missing) > 1 else ''} {names}; it has {', '.join(columns[:30])}"
        raise TableError(problem, fix="add it, or check its spelling", row=1)
