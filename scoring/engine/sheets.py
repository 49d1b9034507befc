"""Spreadsheets (.xlsx): looked through before anything parses them, and read row by row like any table."""

import importlib
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from scoring.engine.tables import TableError, TableReader, text_of

SUFFIX = ".xlsx"
MOST_PARTS = 2_000
MOST_UNPACKED = 512 * 1024**2       # bytes: what the parts of a sheet may come to
MOST_SHARED = 64 * 1024**2          # bytes: texts that a reader holds in memory
MOST_RATIO = 200                    # a sheet of numbers packs to a tenth; a bomb to a thousandth
MOST_ROWS = 1_048_576               # what a spreadsheet can hold: a row number beyond is made up
SMALL = 1024**2                     # bytes: below this a ratio says nothing
_OLE, _ZIP = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04"
_BLOCK = 1 << 18
_FORMULA, _MAYBE_FORMULA = re.compile(rb"<(?:\w{1,20}:)?f[\s>/]"), re.compile(rb"[<:]f[\s>/]")    # the second is quick
_TYPES = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_OVERLAP = 64
_SAVE_AS = "open it in a spreadsheet and save it as .xlsx without a password, or as 'CSV UTF-8'"


def look_through(binary: BinaryIO) -> None:
    """Nothing in the file is dangerous to read: no bomb, macro, password, formula or entity. Raises TableError."""
    start = binary.read(8)
    binary.seek(0)
    if start == _OLE:
        raise TableError("the workbook is in the old .xls format or has a password", fix=_SAVE_AS)
    if not start.startswith(_ZIP):
        raise TableError("the file is no .xlsx workbook, whatever its name says", fix=_SAVE_AS)
    try:
        with zipfile.ZipFile(binary) as archive:
            _look_at(archive)
    except TableError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:    # as zipfile says of damage
        raise TableError("the workbook is damaged", fix="open it in a spreadsheet, save it again, or save it as 'CSV UTF-8'") from error
    binary.seek(0)


def _look_at(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    unpacked, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED or (unpacked > SMALL and unpacked > MOST_RATIO * max(packed, 1)):
        problem = f"the workbook unpacks to {unpacked // SMALL:,} MiB in {len(parts):,} parts, which no table of applicants does"
        raise TableError(problem, fix="save the rows as 'CSV UTF-8', and empty cells that only have a format")
    names = [part.filename.lower() for part in parts]
    if len(set(names)) < len(names) or any(part.flag_bits & 1 for part in parts):
        raise TableError("the workbook has a password or is damaged", fix=_SAVE_AS)
    if any("vbaproject" in name or "/macrosheets/" in name for name in names):
        raise TableError("the workbook holds macros", fix="save it as .xlsx, which holds none")
    for part in parts:
        if part.filename.endswith("sharedStrings.xml") and part.file_size > MOST_SHARED:
            raise TableError("the workbook holds too much text to be read as a sheet", fix="save it as 'CSV UTF-8'")
        if part.filename.lower().endswith((".xml", ".rels")):
            _look_into(archive, part)


def _look_into(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    is_sheet, before = part.filename.startswith("xl/worksheets/"), b""
    with archive.open(part) as content:
        while block := content.read(_BLOCK):
            if not before and not _is_plain(block):
                raise TableError("the workbook is not written as spreadsheets write it", fix=_SAVE_AS)
            seen = before + block
            if b"<!" in seen and _TYPES.search(seen):
                raise TableError("the workbook declares entities, which no spreadsheet does", fix=_SAVE_AS)
            if b"macroEnabled" in seen:
                raise TableError("the workbook holds macros", fix="save it as .xlsx, which holds none")
            if is_sheet and _MAYBE_FORMULA.search(seen) and _FORMULA.search(seen):
                raise TableError(
                    "the sheet holds formulas, and a formula is not a value", fix="copy the cells, paste them as values, and save it again"
                )
            before = block[-_OVERLAP:]


def _is_plain(start: bytes) -> bool:
    """UTF-8, in which a search for bytes finds what a parser would."""
    head = start.removeprefix(b"\xef\xbb\xbf")[:200].lower()
    declared = re.search(rb"encoding\s*=\s*[\"']([^\"']*)", head.partition(b"?>")[0])
    return head[:1] == b"<" and b"\x00" not in head and (declared is None or declared[1] in {b"utf-8", b"us-ascii"})


class SheetReader(TableReader):
    """The first visible sheet of a workbook as a table. Raises TableError for a workbook that should not be opened."""

    def _suffix_of(self, name: str) -> str:
        return SUFFIX

    def _records_in(self, binary: BinaryIO, suffix: str) -> Iterator[list[str]]:
        look_through(binary)
        return _rows(binary, self._opened)


def open_table(path: Path, *, name: str) -> TableReader:
    """The reader of a file that is called `name`. Raises TableError."""
    lower = name.lower()
    if lower.endswith(SUFFIX):
        return SheetReader(path, name=name)
    if lower.endswith((".xlsm", ".xlsb", ".xltm")):
        raise TableError("the workbook holds macros or is binary", fix="save it as .xlsx, which holds no macros")
    if lower.endswith(".xls"):
        raise TableError("the workbook is in the old .xls format", fix=_SAVE_AS)
    if not lower.endswith(".csv"):
        raise TableError("the file is neither .csv nor .xlsx", fix="save the table as 'CSV UTF-8' or as .xlsx")
    return TableReader(path, name=name)


def _rows(binary: BinaryIO, opened: list[IO[Any]]) -> Iterator[list[str]]:
    load: Callable[[str], Any] = importlib.import_module
    library = load("openpyxl")    # only by who reads a sheet: it takes a quarter of a second
    try:
        book = library.load_workbook(binary, read_only=True, data_only=False, keep_links=False)
        opened.insert(0, book)
        sheet = next(one for one in book.worksheets if one.sheet_state == "visible")
        sheet.reset_dimensions()    # what a file says of its own size need not be so
        width = 0
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            if number > MOST_ROWS:
                raise TableError(f"the sheet has more than {MOST_ROWS:,} rows", fix="split it, or save it as 'CSV UTF-8'")
            texts = [_text(value) for value in cells]
            while texts and not texts[-1] and len(texts) > width:
                texts.pop()
            width = width or len(texts)
            yield texts + [""] * (width - len(texts)) if any(texts) else []
    except TableError:
        raise
    except Exception as error:    # whatever a parser stumbles over in a file that somebody sent
        raise TableError("the workbook cannot be read", fix="open it in a spreadsheet, save it again, or save it as 'CSV UTF-8'") from error


def _text(value: object) -> str:
    try:
        return text_of(value)
    except TableError:
        return str(value)    # a time of day, which no input takes: it is refused with its row
