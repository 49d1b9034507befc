"""Spreadsheets: what is dangerous is refused before it is parsed, what is right is read, what is written does nothing by itself."""

import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from scoring.engine.sheets import open_table
from scoring.engine.tables import Row, TableError
from scoring.engine.writing import Cell, SheetWriter


def sheet(path: Path, *rows: Sequence[Cell]) -> Path:
    with path.open("wb") as file, SheetWriter(file) as book:
        book.sheet("Table", rows)
    return path


def changed(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The same workbook with other parts."""
    with zipfile.ZipFile(path) as archive:
        parts = {one: archive.read(one) for one in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path, name: str = "table.xlsx") -> str:
    with pytest.raises(TableError) as error, open_table(path, name=name) as reader:
        list(reader)
    assert "openpyxl" not in str(error.value)
    return str(error.value)


def test_a_sheet_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = sheet(tmp_path / "t.xlsx", ["id", "amount", "note"], ["A-1", 60_000, "a & b <c>"], ["A-2", 0.1, None], [None, None, None])

    with open_table(path, name="t.xlsx") as reader:
        rows = [row for row in reader if isinstance(row, Row)]

    assert reader.columns == ("id", "amount", "note")
    assert [(row.number, list(row.cells.values())) for row in rows] == [(2, ["A-1", "60000", "a & b <c>"]), (3, ["A-2", "0.1", ""])]


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@SUM(1)", "\tx", "\rx"])
def test_what_a_spreadsheet_would_run_is_written_as_text(tmp_path: Path, text: str) -> None:
    path = sheet(tmp_path / "t.xlsx", ["note"], [text], [-5.5])

    with zipfile.ZipFile(path) as archive:
        content = archive.read("xl/worksheets/sheet1.xml").decode()
        assert "<f" not in content
        assert f'<t xml:space="preserve">\'{text[0]}'.replace("\r", "&#13;") in content    # else a reader gives back a line's end
        assert "<v>-5.5</v>" in content


def test_a_bomb_is_refused_by_what_it_unpacks_to(tmp_path: Path) -> None:
    path = sheet(tmp_path / "t.xlsx", ["id"], ["A-1"])

    changed(path, lambda parts: parts.update({"xl/media/a.bin": bytes(300 * 1024**2)}))

    assert path.stat().st_size < 1024**2
    assert "unpacks to 300 MiB" in refusal(path)


def test_a_workbook_of_very_many_parts_is_refused(tmp_path: Path) -> None:
    path = changed(sheet(tmp_path / "t.xlsx", ["id"], ["A-1"]), lambda parts: parts.update({f"x/{at}": b"" for at in range(2_001)}))

    assert "parts, which no table" in refusal(path)


@pytest.mark.parametrize(
    ("part", "content", "told"),
    [
        ("xl/vbaProject.bin", b"x", "holds macros"),
        ("xl/macrosheets/sheet1.xml", b"<a/>", "holds macros"),
        ("[Content_Types].xml", b'<a ContentType="application/vnd.ms-excel.sheet.macroEnabled.main+xml"/>', "holds macros"),
        ("xl/worksheets/sheet1.xml", b"<worksheet><c><f>1+1</f></c></worksheet>", "holds formulas"),
        ("xl/worksheets/sheet1.xml", b'<x:worksheet><x:c><x:f t="shared"/></x:c></x:worksheet>', "holds formulas"),
        ("xl/worksheets/sheet1.xml", b"<w>" + b" " * 262_139 + b"<f>1+1</f></w>", "holds formulas"),
        ("xl/sharedStrings.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a/>', "declares entities"),
        ("xl/sharedStrings.xml", '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"), "not written as spreadsheets"),
        ("xl/sharedStrings.xml", b'<?xml version="1.0" encoding="UTF-7"?><a/>', "not written as spreadsheets"),
    ],
)
def test_what_is_dangerous_is_refused_before_it_is_parsed(tmp_path: Path, part: str, content: bytes, told: str) -> None:
    path = changed(sheet(tmp_path / "t.xlsx", ["id"], ["A-1"]), lambda parts: parts.update({part: content}))

    assert told in refusal(path)
    assert "Fix: " in refusal(path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("t.xls", b"x", "old .xls format"),
        ("t.xlsm", b"PK\x03\x04", "holds macros"),
        ("t.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old .xls format or has a password"),
        ("t.xlsx", b"id,amount\nA-1,5\n", "no .xlsx workbook"),
        ("t.xlsx", b"PK\x03\x04" + bytes(100), "damaged"),
        ("t.csv", b"PK\x03\x04" + bytes(100), "spreadsheet or a zip"),
        ("t.csv", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "binary"),
        ("t.csv", b"\xff\xd8\xff\xe0 not text", "not UTF-8"),
        ("t.pdf", b"%PDF", "neither .csv nor .xlsx"),
        ("t.parquet", b"PAR1", "neither .csv nor .xlsx"),
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)

    assert told in refusal(path, name)


def test_an_encrypted_part_is_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path / "t.xlsx", ["id"], ["A-1"])
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    path.write_bytes(content)

    assert "password or is damaged" in refusal(path)


def test_a_size_or_a_row_number_that_is_made_up_costs_nothing(tmp_path: Path) -> None:
    rows = '<row r="1"><c t="inlineStr"><is><t>id</t></is></c></row><row r="900000000"><c><v>1</v></c></row>'
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    text = f'<worksheet {main}><dimension ref="A1:XFD1048576"/><sheetData>{rows}</sheetData></worksheet>'
    path = changed(sheet(tmp_path / "t.xlsx", ["id"]), lambda parts: parts.update({"xl/worksheets/sheet1.xml": text.encode()}))

    assert "more than 1,048,576 rows" in refusal(path)


def test_what_xml_cannot_hold_is_left_out() -> None:
    file = io.BytesIO()
    with SheetWriter(file) as book:
        book.sheet('A & "B"', [["x\x00\ufffe"]])

    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert b"name='A &amp; \"B\"'" in archive.read("xl/workbook.xml")
        assert b">x</t>" in archive.read("xl/worksheets/sheet1.xml")
