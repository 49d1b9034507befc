"""Files that mean harm, and a process that reads one and tells what that cost: `python -m tests.engine.hostile KIND`."""

import gc
import importlib
import io
import json
import random
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from scoring.engine.sheets import open_table
from scoring.engine.tables import TableError
from scoring.engine.writing import SheetWriter

MB = 1024**2
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def _csv(write: Callable[[io.BufferedWriter], object]) -> Callable[[Path], str]:
    def make(path: Path) -> str:
        with path.open("wb") as file:
            write(file)
        return "t.csv"

    return make


def _sheet(rows: bytes, times: int, *, more: Mapping[str, tuple[bytes, int]] | None = None, head: bytes = b"") -> Callable[[Path], str]:
    """A workbook whose sheet holds these rows so many times."""

    def make(path: Path) -> str:
        plain = io.BytesIO()
        with SheetWriter(plain) as book:
            book.sheet("Table", [["id"]])
        with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                if "sheet1" not in name:
                    new.writestr(name, old.read(name))
            parts = {"xl/worksheets/sheet1.xml": (rows, times), **(more or {})}
            for name, (content, count) in parts.items():
                with new.open(name, "w", force_zip64=True) as part:
                    is_sheet = "sheet1" in name
                    part.write(head + f"<worksheet {_MAIN}><sheetData>".encode() if is_sheet else b"")
                    for _ in range(count):
                        part.write(content)
                    part.write(b"</sheetData></worksheet>" if is_sheet else b"")
        return "t.xlsx"

    return make


def _blocks(block: bytes, times: int, start: bytes = b"", end: bytes = b"") -> Callable[[Path], str]:
    def write(file: io.BufferedWriter) -> None:
        file.write(start)
        for _ in range(times):
            file.write(block)
        file.write(end)

    return _csv(write)


_DRAW = random.Random(7)
_ROW_OF_MANY = b"<row>" + b"".join(b"<c><v>%d</v></c>" % _DRAW.getrandbits(40) for _ in range(200_000)) * 5 + b"</row>"
_NESTED = b"".join(b"<row a='%d'>" % _DRAW.getrandbits(80) for _ in range(50_000))
HOSTILE: Mapping[str, Callable[[Path], str]] = {
    "header of 1,000,000 columns": _blocks(b"c,", 1_000_000, end=b"c\n1,2\n"),
    "row of 1,000,000 columns": _blocks(b"1,", 1_000_000, b"a,b\n", b"1\n"),
    "rows of 1,000,000 empty columns": _blocks(b"," * 1_000_000 + b"\n", 20, b"a,b\n"),
    "quoted newlines": _blocks(b"\n" * MB, 90, b'a,b\n1,"', b'"\n'),
    "quotes in quotes": _blocks(b'""' * MB, 40, b'a,b\n1,"', b'"\n'),
    "one endless line": _blocks(b"x" * MB, 95, b"a,b\n1,"),
    "UTF-16": _csv(lambda file: file.write(("a,b\n" + "1,2\n" * 1_000_000).encode("utf-16"))),
    "UTF-16 without its mark": _csv(lambda file: file.write(("a,b\n" + "1,2\n" * 1_000_000).encode("utf-16-le"))),
    "UTF-32": _csv(lambda file: file.write(("a,b\n" + "1,2\n" * 500_000).encode("utf-32"))),
    "NUL bytes": _csv(lambda file: file.write(b"a,b\n" + b"1,\0\n" * 1_000_000)),
    "NUL bytes far in": _csv(lambda file: file.write(b"a,b\n" + b"1,2\n" * 100_000 + b"1,\0\n")),
    "only NUL": _blocks(b"\0" * MB, 90),
    "a zip that says it is CSV": _csv(lambda file: file.write(b"PK\x03\x04" + b"x" * MB)),
    "a program": _csv(lambda file: file.write(b"\x7fELF" + bytes(range(256)) * 4096)),
    "a zip bomb of 1 GiB": _sheet(b" " * MB, 1024),
    "a sheet of empty rows": _sheet(b"<row/>" * 100_000, 60),
    "a sheet with a row of 1,000,000 columns": _sheet(_ROW_OF_MANY, 1),
    "a sheet with three rows of 1,000,000 columns": _sheet(_ROW_OF_MANY, 3),
    "a sheet with one cell of 100 MiB": _sheet(
        b'<row><c t="inlineStr"><is><t>' + bytes(range(65, 91)) * (4 * MB) + b"</t></is></c></row>", 1
    ),
    "a sheet of nested elements": _sheet(_NESTED, 20),
    "a sheet of nested elements that hide it": _sheet(_NESTED.replace(b">", b">/>"), 20),
    "a sheet of text that is no text": _sheet(b"<row><![CDATA[" + _NESTED + b"]]></row>", 1),
    "a billion laughs": _sheet(
        b"<row><c><v>&b;</v></c></row>", 1, head=b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    ),
    "entities in the texts": _sheet(
        b"<row/>", 1, more={"xl/sharedStrings.xml": (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><sst>&a;</sst>', 1)}
    ),
    "too many texts": _sheet(b"<row/>", 1, more={"xl/sharedStrings.xml": (b"<si><t>abcdefgh</t></si>" * 10_000, 400)}),
    "ten thousand parts": _sheet(b"<row/>", 1, more={f"xl/media/{number}": (b"x", 1) for number in range(10_000)}),
}  # fmt: skip


def main(kind: str) -> None:
    """Makes the file, reads it as an upload is read, and prints what the reading took and how it ended."""
    importlib.import_module("openpyxl")    # the first sheet of the day pays for it, and not each

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        name = HOSTILE[kind](path)
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")    # the highest is now
        before, began = _memory("VmRSS"), time.perf_counter()
        told = _read(path, name)
        seconds, grown = time.perf_counter() - began, _memory("VmHWM") - before
    print(json.dumps({"seconds": seconds, "grown": grown, "told": told}))


def _read(path: Path, name: str) -> str:
    """What is wrong with the first row that is, or with all of it."""
    try:
        with open_table(path, name=name) as reader:
            return "; ".join([str(row) for row in reader if isinstance(row, TableError)][:1])
    except TableError as refusal:
        return str(refusal)


def _memory(name: str) -> int:
    """In bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1])
