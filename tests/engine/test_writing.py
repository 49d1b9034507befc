"""What is written for people is run by no spreadsheet, keeps its numbers, and comes back through our reader as it was."""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from openpyxl import load_workbook  # type: ignore[import-untyped]

from scoring.engine import writing
from scoring.engine.inert import LEADS, as_it_was, inert, is_risky
from scoring.engine.sheets import SheetReader
from scoring.engine.tables import Row, TableReader, is_number
from scoring.engine.writing import KINDS, Cell, ColumnKinds, write_table

COLUMNS: ColumnKinds = {"id": int, "text": str}
SHEETS = ("csv", "xlsx")    # what a spreadsheet opens
LEADING = [*LEADS, "\t", "\r", "\n", " ", "  ", "'", "''", "\xa0", "\u3000", "\u200b", "\ufeff"]
# No surrogates and no NUL, which no text of the database holds; nothing that XML cannot hold.
LETTERS = some.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
TEXTS = some.tuples(some.lists(some.sampled_from(LEADING), max_size=3).map("".join), some.text(LETTERS, max_size=20)).map("".join)


def written(kind: str, rows: Sequence[Sequence[Cell]], columns: ColumnKinds = COLUMNS) -> bytes:
    file = io.BytesIO()
    write_table(kind, file, columns, rows)
    return file.getvalue()


def read_again(kind: str, content: bytes) -> list[str]:
    if kind == "json":
        return [one["text"] for one in json.loads(content)["data"]]
    reader = SheetReader if kind == "xlsx" else TableReader
    with reader(io.BytesIO(content), name=f"t.{kind}") as table:
        return [row.cells["text"] for row in table if isinstance(row, Row)]


def in_a_spreadsheet(kind: str, content: bytes) -> Sequence[tuple[object, str]]:
    """The cells of the second column with their kinds, as somebody else's library sees them."""
    if kind == "csv":
        return [(row[1], "s") for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))][1:]
    sheet = load_workbook(io.BytesIO(content)).active
    return [(sheet.cell(place, 2).value, sheet.cell(place, 2).data_type) for place in range(2, sheet.max_row + 1)]


@settings(deadline=None)
@given(text=TEXTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_text_comes_back_as_it_was(kind: str, text: str) -> None:
    assert read_again(kind, written(kind, [[1, text], [2, "last"]])) == [text, "last"]


ROWS = some.lists(some.tuples(
    some.none() | some.text(LETTERS | some.sampled_from("\r\n\t"), max_size=20) | TEXTS,
    some.none() | some.integers(-(2**53), 2**53),
    some.none() | some.floats(allow_nan=False, allow_infinity=False),
    some.none() | some.dates().map(str),
    some.none() | some.booleans().map(lambda one: str(one).lower()),
), min_size=1, max_size=5)    # fmt: skip


@settings(deadline=None)
@given(rows=ROWS)
@pytest.mark.parametrize("kind", SHEETS)
def test_every_kind_of_cell_comes_back_as_it_was(kind: str, rows: list[tuple[Cell, ...]]) -> None:
    columns: ColumnKinds = {"id": int, "text": str, "whole": int, "decimal": float, "day": str, "truth": str}

    content = written(kind, [[at, *row] for at, row in enumerate(rows)], columns)
    with (SheetReader if kind == "xlsx" else TableReader)(io.BytesIO(content), name=f"t.{kind}") as table:
        again = [row.cells for row in table if isinstance(row, Row)]

    read = {"whole": int, "decimal": float}
    names = list(columns)[1:]
    found = [tuple(read.get(name, str)(cells[name]) if cells[name] else None for name in names) for cells in again]
    assert found == [tuple(cell if cell != "" else None for cell in row) for row in rows]


@pytest.mark.parametrize("kind", SHEETS)
@pytest.mark.parametrize("lead", LEADING)
@pytest.mark.parametrize("rest", ["1+1", "cmd|' /C calc'!A0", "SUM(A1)", "HYPERLINK(1)", "x"])
def test_no_cell_of_a_spreadsheet_begins_with_what_it_would_run(kind: str, lead: str, rest: str) -> None:
    text = lead + rest

    (cell, data_type), *_ = in_a_spreadsheet(kind, written(kind, [[1, text]]))

    assert data_type == "s"
    assert not is_risky(text) or str(cell).startswith("'")
    assert str(cell).strip()[:1] not in LEADS or is_number(text)


@settings(deadline=None)
@given(text=TEXTS)
def test_what_is_made_inert_is_told_from_what_was_so_already(text: str) -> None:
    assert as_it_was(inert(text)) == text
    assert not is_risky(inert(text)) or inert(text)[0] == "'"


@settings(deadline=None)
@given(numbers=some.lists(some.integers(-(2**53), 2**53) | some.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
@pytest.mark.parametrize("kind", SHEETS)
def test_numbers_stay_numbers_below_nothing_too(kind: str, numbers: list[int | float]) -> None:
    content = written(kind, [[1, number] for number in numbers], {"id": int, "number": float})

    seen = [cell for cell, _ in in_a_spreadsheet(kind, content)]

    assert [float(one) for one in seen] == [float(number) for number in numbers]    # type: ignore[arg-type]
    assert kind == "csv" or {data_type for _, data_type in in_a_spreadsheet(kind, content)} == {"n"}
    assert not any(str(one).startswith("'") for one in seen)


@pytest.mark.parametrize("text", ["-5", "+254711", "-1e3", "-.5"])
def test_a_number_that_is_a_text_is_left_alone(text: str) -> None:
    assert [cell for cell, _ in in_a_spreadsheet("csv", written("csv", [[1, text]]))] == [text]


def test_where_a_sheet_is_full_the_next_goes_on_under_the_header(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(writing, "ROWS_OF_A_SHEET", 3)

    content = written("xlsx", [[number, "x"] for number in range(5)])

    book = load_workbook(io.BytesIO(content))
    assert [[[cell.value for cell in row] for row in sheet.rows] for sheet in book.worksheets] == [
        [["id", "text"], [0, "x"], [1, "x"]], [["id", "text"], [2, "x"], [3, "x"]], [["id", "text"], [4, "x"]],
    ]  # fmt: skip
    assert [sheet.title for sheet in book.worksheets] == ["Table", "Table 2", "Table 3"]


def test_a_workbook_goes_into_a_stream_that_cannot_go_back() -> None:
    class Stream(io.RawIOBase):
        kept = b""

        def writable(self) -> bool:
            return True

        def write(self, block: object) -> int:
            self.kept += bytes(block)  # type: ignore[call-overload]
            return len(block)  # type: ignore[arg-type]

    stream = Stream()

    write_table("xlsx", stream, COLUMNS, [[1, "x"]])  # type: ignore[arg-type]

    assert zipfile.ZipFile(io.BytesIO(stream.kept)).testzip() is None
    assert read_again("xlsx", stream.kept) == ["x"]
