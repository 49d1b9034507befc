"""What can be taken away of a batch: templates, results and lists of what to repair, written in flat memory."""

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import IO

from django.http import FileResponse
from django.utils.translation import gettext as _

from scoring.engine.sheets import SheetWriter
from scoring.engine.tables import Cell, inert
from scoring.services.batches import HELP, Asked
from scoring.services.uploads import folder
from scoring.web.batch_words import about

Rows = Iterable[Sequence[Cell]]
_KINDS = {
    "csv": "text/csv; charset=utf-8", "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}  # fmt: skip


def download(kind: str, *, name: str, title: str, columns: Sequence[str], rows: Rows) -> FileResponse:
    """The rows as a file of this kind (csv, xlsx or json), which is nowhere once it was sent."""
    return _answer(kind, name, lambda file: _WRITERS[kind](file, title, columns, rows))


def template(kind: str, *, name: str, asked: Sequence[Asked]) -> FileResponse:
    """A table to fill in: a header, an example, and what may stand where, as a sheet of its own or as a row that is not read."""
    columns, example = [one.title for one in asked], [one.example for one in asked]
    if kind == "csv":
        helps_row = [f"{HELP if place == 0 else ''}{about(one)}" for place, one in enumerate(asked)]
        return download(kind, name=name, title="", columns=columns, rows=[helps_row])
    about_each = ([one.title, one.label, _("yes") if one.is_required else _("no"), about(one)] for one in asked)
    helps: Rows = [[_("column"), _("means"), _("needed"), _("what may stand there")], *about_each]

    def write(file: IO[bytes]) -> None:
        with SheetWriter(file) as book:
            book.sheet(_("Table"), [columns])
            book.sheet(_("Help"), [*helps, [], [_("example")], columns, example])

    return _answer(kind, name, write)


def _answer(kind: str, name: str, write: Callable[[IO[bytes]], None]) -> FileResponse:
    # The rows come from the database of the partner, which is in force now and not when the answer is sent.
    file = tempfile.TemporaryFile(dir=folder())  # noqa: SIM115 - the answer closes it
    try:
        write(file)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return FileResponse(file, as_attachment=True, filename=f"{name}.{kind}", content_type=_KINDS[kind])


def _csv(file: IO[bytes], _title: str, columns: Sequence[str], rows: Rows) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([inert(cell) if isinstance(cell, str) else cell for cell in row] for row in chain([columns], rows))
    text.detach()


def _xlsx(file: IO[bytes], title: str, columns: Sequence[str], rows: Rows) -> None:
    with SheetWriter(file) as book:
        book.sheet(title, chain([columns], rows))


def _json(file: IO[bytes], _title: str, columns: Sequence[str], rows: Rows) -> None:
    file.write(b'{"data":[')
    for part in _parts(columns, rows):
        file.write(part)
    file.write(b"]}\n")


def _parts(columns: Sequence[str], rows: Rows) -> Iterator[bytes]:
    for number, row in enumerate(rows):
        text = json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, separators=(",", ":"))
        yield (",\n" if number else "\n").encode() + text.encode()


_WRITERS: Mapping[str, Callable[[IO[bytes], str, Sequence[str], Rows], None]] = {"csv": _csv, "xlsx": _xlsx, "json": _json}
KINDS = tuple(_WRITERS)
