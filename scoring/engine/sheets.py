"""Spreadsheets (.xlsx): looked through before anything parses them, and read row by row like any table."""

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO

from scoring.engine.intake import SAVE_AS, look_through
from scoring.engine.tables import TableError, TableReader, text_of

SUFFIX = ".xlsx"
MOST_ROWS = 1_048_576               # what a spreadsheet can hold: a row number beyond is made up
_FORMULA, _MAYBE_FORMULA = re.compile(rb"<(?:\w{1,20}:)?f[\s>/]"), re.compile(rb"[<:]f[\s>/]")    # the second is quick


class SheetReader(TableReader):
    """The first visible sheet of a workbook as a table. Raises TableError for a workbook that should not be opened."""

    def _suffix_of(self, name: str) -> str:
        return SUFFIX

    def _records_in(self, binary: BinaryIO, suffix: str) -> Iterator[list[str]]:
        look_through(binary)
        return _rows(binary, self._opened)


def open_table(source: Path | BinaryIO, *, name: str, require: Sequence[str] = ()) -> TableReader:
    """The reader of a file that is called `name` and has these columns. Raises TableError."""
    lower = name.lower()
    if lower.endswith(SUFFIX):
        return SheetReader(source, name=name, require=require)
    if lower.endswith((".xlsm", ".xlsb", ".xltm")):
        raise TableError("the workbook holds macros or is binary", fix="save it as .xlsx, which holds no macros")
    if lower.endswith(".xls"):
        raise TableError("the workbook is in the old .xls format", fix=SAVE_AS)
    if not lower.endswith(".csv"):
        raise TableError("the file is neither .csv nor .xlsx", fix="save the table as 'CSV UTF-8' or as .xlsx")
    return TableReader(source, name=name, require=require)


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
