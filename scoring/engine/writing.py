"""The one writer of tables: CSV, XLSX, JSON and Parquet, in flat memory, into any stream. What a spreadsheet would run is inert."""

import csv
import gzip
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, BinaryIO, Protocol, Self, TypeAlias, cast
from xml.sax.saxutils import escape, quoteattr

from scoring.engine.inert import inert
from scoring.engine.tables import TableError, load_arrow, suffix_of

Cell: TypeAlias = str | int | float | None
Rows: TypeAlias = Iterable[Sequence[Cell]]
ColumnKinds: TypeAlias = dict[str, type[str] | type[int] | type[float]]
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8", "json": "application/json", "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip
ROWS_OF_A_SHEET = 1_048_576    # the header among them: the rest goes on in another sheet
_ROWS_OF_A_GROUP = 20_000
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Sink(Protocol):
    """One format: takes rows, and is closed when there are no more."""

    def write(self, rows: Rows) -> None: ...

    def close(self) -> None: ...


def sink(kind: str, file: IO[bytes], columns: ColumnKinds, *, title: str) -> Sink:
    """What writes rows of these columns into the file, as csv, xlsx, json or parquet. Closing it leaves the file open."""
    return _SINKS[kind](file, columns, title)


def write_table(kind: str, file: IO[bytes], columns: ColumnKinds, rows: Rows, *, title: str = "Table") -> None:
    """The rows are in the file, whole."""
    made = sink(kind, file, columns, title=title)
    made.write(rows)
    made.close()


def _inert(rows: Rows) -> Iterable[list[Cell]]:
    return ([inert(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


class CsvSink:
    """UTF-8. The mark at the beginning is for spreadsheets, which would otherwise take it for an older encoding."""

    def __init__(self, file: IO[bytes], columns: ColumnKinds, _title: str = "", *, marks: bool = True) -> None:
        self._text = io.TextIOWrapper(cast(BinaryIO, file), encoding="utf-8-sig" if marks else "utf-8", newline="", write_through=True)
        self._writer = csv.writer(self._text, lineterminator="\r\n")    # else a lone CR in a cell would not be quoted
        self.write([list(columns)])

    def write(self, rows: Rows) -> None:
        """These rows more."""
        self._writer.writerows(_inert(rows))

    def close(self) -> None:
        """Everything is in the file."""
        self._text.flush()
        self._text.detach()


class JsonSink:
    """An object whose `data` is a list of objects, one on each line. Texts stay as they are: nothing runs JSON."""

    def __init__(self, file: IO[bytes], columns: ColumnKinds, _title: str = "") -> None:
        self._file, self._columns, self._before = file, list(columns), b"\n"
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
        file.write(b'{"data":[')

    def write(self, rows: Rows) -> None:
        """These rows more."""
        for row in rows:
            self._file.write(self._before + self._encode(dict(zip(self._columns, row, strict=True))).encode(errors="replace"))
            self._before = b",\n"

    def close(self) -> None:
        """The list ends."""
        self._file.write(b"]}\n")


class ParquetSink:
    """Typed columns, in groups of rows."""

    def __init__(self, file: IO[bytes] | Path, columns: ColumnKinds, _title: str = "") -> None:
        self._arrow, parquet = load_arrow()
        kinds = {str: self._arrow.string(), int: self._arrow.int64(), float: self._arrow.float64()}
        self._schema = self._arrow.schema([(inert(name), kinds[kind]) for name, kind in columns.items()])
        self._writer = parquet.ParquetWriter(file, self._schema)
        self._rows: list[list[Cell]] = []

    def write(self, rows: Rows) -> None:
        """These rows more."""
        for row in _inert(rows):
            self._rows.append(row)
            if len(self._rows) == _ROWS_OF_A_GROUP:
                self._end_group()

    def _end_group(self) -> None:
        if self._rows:
            parts = zip(zip(*self._rows, strict=True), self._schema, strict=True)
            arrays = [self._arrow.array(column, field.type) for column, field in parts]
            self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))
            self._rows = []

    def close(self) -> None:
        """The footer is written."""
        self._end_group()
        self._writer.close()


class SheetWriter:
    """A workbook, sheet by sheet and row by row; it goes straight into the file, and nothing of it lies anywhere else meanwhile."""

    def __init__(self, file: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._titles: list[str] = []
        self._text: io.TextIOWrapper | None = None

    def sheet(self, title: str, rows: Rows) -> None:
        """One more sheet with these rows; the first is its header."""
        self.begin(title)
        self.write(rows)

    def begin(self, title: str) -> None:
        """What is written from now on stands in a sheet of its own."""
        self._end_sheet()
        self._titles.append(title)
        part = self._archive.open(f"xl/worksheets/sheet{len(self._titles)}.xml", "w", force_zip64=True)
        self._text = io.TextIOWrapper(part, encoding="utf-8", newline="")
        self._text.write(f"{_XML}<worksheet {_MAIN}><sheetData>")

    def write(self, rows: Rows) -> None:
        """These rows more."""
        assert self._text is not None
        self._text.writelines(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)

    def close(self) -> None:
        """The workbook is whole."""
        self._end_sheet()
        for name, content in _parts(self._titles).items():
            self._archive.writestr(name, content)
        self._archive.close()

    def _end_sheet(self) -> None:
        if self._text is not None:
            self._text.write("</sheetData></worksheet>")
            self._text.close()
            self._text = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class SheetSink:
    """A workbook of one table; where a sheet is full, the next one goes on, with the header again."""

    def __init__(self, file: IO[bytes], columns: ColumnKinds, title: str) -> None:
        self._book, self._header, self._title, self._sheets, self._room = SheetWriter(file), list(columns), title, 0, 0
        self._begin()

    def _begin(self) -> None:
        self._sheets += 1
        self._book.begin(self._title if self._sheets == 1 else f"{self._title} {self._sheets}")
        self._book.write([self._header])
        self._room = ROWS_OF_A_SHEET - 1

    def write(self, rows: Rows) -> None:
        """These rows more."""
        block = list(rows)
        while len(block) > self._room:
            now, block = block[: self._room], block[self._room :]
            self._book.write(now)
            self._begin()
        self._book.write(block)
        self._room -= len(block)

    def close(self) -> None:
        """The workbook is whole."""
        self._book.close()


_SINKS: Mapping[str, Callable[[IO[bytes], ColumnKinds, str], Sink]] = {
    "csv": CsvSink, "xlsx": SheetSink, "json": JsonSink, "parquet": ParquetSink,
}  # fmt: skip
KINDS = tuple(_SINKS)


class TableWriter:
    """Writes a table in the format of its suffix; the file appears under its name only when it is complete."""

    def __init__(self, path: Path, columns: ColumnKinds) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        suffix = suffix_of(path.name)
        try:
            self._file: BinaryIO = self._part.open("wb")
        except OSError as error:
            fix = "check that the folder exists and may be written"
            raise TableError(f"{path} cannot be written ({error.strerror})", fix=fix) from error
        # No name and no time inside the .gz: the same rows give the same bytes.
        packed = gzip.GzipFile(filename="", mode="wb", fileobj=self._file, mtime=0) if suffix == ".csv.gz" else None
        self._packed = packed
        into = cast(IO[bytes], packed or self._file)
        self._sink: Sink = ParquetSink(into, columns) if suffix == ".parquet" else CsvSink(into, columns, marks=False)

    def write(self, rows: Rows) -> None:
        """These rows more."""
        self._sink.write(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sink.close()
        if self._packed is not None:
            self._packed.close()
        self._file.close()
        if kind is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)


# ---- what a workbook is made of

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_CONTENT = (
    f"{_XML}"
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    "{sheets}</Types>"
)
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = (
    f"{_XML}"
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{relations}</Relationships>'
)
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"


def _parts(titles: Sequence[str]) -> dict[str, str]:
    """Everything but the sheets, by its place in the archive."""
    numbers = range(1, len(titles) + 1)
    override = '<Override PartName="/xl/worksheets/sheet{}.xml" ContentType="' + _SHEET + '"/>'
    relation = f'<Relationship Id="r{{0}}" Type="{_RELATION}/worksheet" Target="worksheets/sheet{{0}}.xml"/>'
    sheets = "".join(f'<sheet name={quoteattr(title)} sheetId="{at}" r:id="r{at}"/>' for at, title in enumerate(titles, start=1))
    root = f'<Relationship Id="r1" Type="{_RELATION}/officeDocument" Target="xl/workbook.xml"/>'
    return {
        "[Content_Types].xml": _CONTENT.format(sheets="".join(map(override.format, numbers))),
        "_rels/.rels": _RELATIONS.format(relations=root),
        "xl/_rels/workbook.xml.rels": _RELATIONS.format(relations="".join(map(relation.format, numbers))),
        "xl/workbook.xml": f'{_XML}<workbook {_MAIN} xmlns:r="{_RELATION}"><sheets>{sheets}</sheets></workbook>',
    }


_RETURN = {"\r": "&#13;"}    # which a reader of XML takes for a line's end otherwise


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, str):
        text = inert(value)
        text = _UNWRITABLE.sub("", text) if _UNWRITABLE.search(text) else text
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(text, _RETURN)}</t></is></c>'
    return f"<c><v>{value!r}</v></c>"
