"""What is looked at before anything of an uploaded file is used: encodings, sizes, shapes, bombs. One room for all uploads.

A body of JSON is looked at in partners/api (its length before its bytes, then `strict`), which lies below this."""

import io
import re
import zipfile
from typing import IO, Any, BinaryIO

MAX_BYTES = 8 * 1024**3         # after decompression: a small .gz may hold terabytes
MAX_LINE = 8 * 1024**2          # bytes: a line is held in memory whole
MAX_COLUMNS = 5_000
MAX_CELL = 32_768               # characters
MAX_LINES_PER_ROW = 200         # an unclosed quote otherwise swallows the rest of the file into one cell
MOST_PARTS = 2_000
MOST_UNPACKED = 512 * 1024**2       # bytes: what the parts of a sheet may come to
MOST_SHARED = 64 * 1024**2          # bytes: texts that a reader holds in memory
MOST_RATIO = 200                    # a sheet of numbers packs to a tenth; a bomb to a thousandth
SMALL = 1024**2                     # bytes: below this a ratio says nothing
_OLE, _ZIP = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04"
_BLOCK = 1 << 18
_FORMULA, _MAYBE_FORMULA = re.compile(rb"<(?:\w{1,20}:)?f[\s>/]"), re.compile(rb"[<:]f[\s>/]")    # the second is quick
_TYPES = re.compile(rb"<!(?:DOCTYPE|ENTITY|\[CDATA)")
_OVERLAP = 64
MOST_CELLS = 50_000                 # in a row, about: a spreadsheet has 16,384 columns
MOST_DEPTH = 1_000                  # of elements: a sheet has five
MOST_LOOSE = 100_000                # signs > that close nothing; hardly a program writes any
SAVE_AS = "open it in a spreadsheet and save it as .xlsx without a password, or as 'CSV UTF-8'"


class TableError(ValueError):
    """A table, or one row of it, cannot be used; says where, what and how to repair it. The header is row 1."""

    code = "table_unreadable"

    def __init__(self, problem: str, *, fix: str, row: int | None = None, column: str | None = None) -> None:
        self.problem, self.fix, self.row, self.column = problem, fix, row, column
        place = ", ".join(part for part in (f"row {row}" if row else "", f"column '{column}'" if column else "") if part)
        super().__init__(f"{place + ': ' if place else ''}{problem}. Fix: {fix}")


class Bounded(io.RawIOBase):
    """A byte stream that refuses to grow past MAX_BYTES, and a line past MAX_LINE, and tells a damaged .gz in our words."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner, self._left, self._line, self._is_begun = inner, MAX_BYTES, 0, False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            block = self._inner.read(len(buffer))
        except (OSError, EOFError) as error:
            raise TableError("the file is damaged or is not gzip", fix="export or download it again") from error
        if not self._is_begun:
            refuse_other_encodings(block)
            self._is_begun = True
        self._left -= len(block)
        if self._left < 0:
            raise TableError(f"the table is larger than {MAX_BYTES // 1024**3} GiB", fix="split it into several files")
        ended = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._line = len(block) - ended - 1 if ended >= 0 else self._line + len(block)
        if self._line > MAX_LINE:
            raise TableError(f"a line is longer than {MAX_LINE // 1024**2} MiB", fix="check that this is a table with one row on each line")
        if b"\0" in block:
            raise TableError("the file holds NUL bytes: it is UTF-16 or binary, not UTF-8 text", fix="save it as 'CSV UTF-8'")
        buffer[: len(block)] = block
        return len(block)


def refuse_other_encodings(start: bytes) -> None:
    """The file begins like UTF-8 text. Raises TableError."""
    if start.startswith(b"PK\x03\x04"):
        raise TableError("the file is a spreadsheet or a zip archive, not CSV", fix="open it and save it as 'CSV UTF-8'")
    if start.startswith(b"\x1f\x8b"):
        raise TableError("the file is compressed, but its name does not end in .csv.gz", fix="rename it to .csv.gz")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in start[:4096]:
        raise TableError("the file is UTF-16 or binary, not UTF-8 text", fix="save it as 'CSV UTF-8'")


def look_through(binary: BinaryIO) -> None:
    """Nothing in the file is dangerous to read: no bomb, macro, password, formula or entity. Raises TableError."""
    start = binary.read(8)
    binary.seek(0)
    if start == _OLE:
        raise TableError("the workbook is in the old .xls format or has a password", fix=SAVE_AS)
    if not start.startswith(_ZIP):
        raise TableError("the file is no .xlsx workbook, whatever its name says", fix=SAVE_AS)
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
        raise TableError("the workbook has a password or is damaged", fix=SAVE_AS)
    if any("vbaproject" in name or "/macrosheets/" in name for name in names):
        raise TableError("the workbook holds macros", fix="save it as .xlsx, which holds none")
    for part in parts:
        if part.filename.endswith("sharedStrings.xml") and part.file_size > MOST_SHARED:
            raise TableError("the workbook holds too much text to be read as a sheet", fix="save it as 'CSV UTF-8'")
        if part.filename.lower().endswith((".xml", ".rels")):
            _look_into(archive, part)


def _look_into(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    is_sheet, before, shape = part.filename.startswith("xl/worksheets/"), b"", _Shape()
    with archive.open(part) as content:
        while block := content.read(_BLOCK):
            if not before and not _is_plain(block):
                raise TableError("the workbook is not written as spreadsheets write it", fix=SAVE_AS)
            seen = before + block
            if b"<!" in seen and _TYPES.search(seen):
                raise TableError("the workbook declares entities, which no spreadsheet does", fix=SAVE_AS)
            if b"macroEnabled" in seen:
                raise TableError("the workbook holds macros", fix="save it as .xlsx, which holds none")
            if is_sheet and _MAYBE_FORMULA.search(seen) and _FORMULA.search(seen):
                raise TableError(
                    "the sheet holds formulas, and a formula is not a value", fix="copy the cells, paste them as values, and save it again"
                )
            if not shape.is_plain_after(block):
                raise TableError("the workbook is not written as spreadsheets write it", fix=SAVE_AS)
            if is_sheet and shape.cells > MOST_CELLS:
                raise TableError(f"a row of the sheet has more than {MOST_CELLS:,} cells", fix="keep the columns that are needed")
            before = block[-_OVERLAP:]


def _is_plain(start: bytes) -> bool:
    """UTF-8, in which a search for bytes finds what a parser would."""
    head = start.removeprefix(b"\xef\xbb\xbf")[:200].lower()
    declared = re.search(rb"encoding\s*=\s*[\"']([^\"']*)", head.partition(b"?>")[0])
    return head[:1] == b"<" and b"\x00" not in head and (declared is None or declared[1] in {b"utf-8", b"us-ascii"})


class _Shape:
    """How deep the elements of a part lie and how many cells its row has, counted without a parser, which would hold them all."""

    def __init__(self) -> None:
        self.cells, self._depth, self._loose, self._last = 0, 0, 0, b""

    def is_plain_after(self, block: bytes) -> bool:
        """Takes the next block; False where elements lie too deep, or signs are strewn about to hide it."""
        seen = self._last + block
        self._last = block[-1:]
        begun = block.count(b"<")
        self._depth += begun - 2 * seen.count(b"</") - seen.count(b"/>")
        self._loose += block.count(b">") - begun
        places = [at for mark in (b"<row", b":row") for at in (block.find(mark), block.rfind(mark)) if at >= 0]
        self.cells += _cells(block[: min(places)] if places else block)
        if places and self.cells <= MOST_CELLS:    # rows that begin and end within a block cannot have many
            self.cells = _cells(block[max(places) :])
        return self._depth <= MOST_DEPTH and self._loose <= MOST_LOOSE


def _cells(part: bytes) -> int:
    return sum(part.count(mark) for mark in (b"<c>", b"<c ", b"<c/", b":c>", b":c ", b":c/"))
