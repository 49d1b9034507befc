"""What can be taken away of a batch: templates, results and lists of what to repair, written in flat memory."""

import tempfile
from collections.abc import Callable, Sequence
from typing import IO

from django.http import FileResponse
from django.utils.translation import gettext as _

from scoring.engine.writing import MEDIA_TYPES, ColumnKinds, Rows, SheetWriter, write_table
from scoring.services.batches import HELP, Asked
from scoring.services.uploads import folder
from scoring.web.batch_words import about

KINDS = ("csv", "xlsx", "json")    # in a web worker; Parquet is written by the workers of the queue


def download(kind: str, *, name: str, title: str, columns: ColumnKinds, rows: Rows) -> FileResponse:
    """The rows as a file of this kind (csv, xlsx or json), which is nowhere once it was sent."""
    return _answer(kind, name, lambda file: write_table(kind, file, columns, rows, title=title))


def template(kind: str, *, name: str, asked: Sequence[Asked]) -> FileResponse:
    """A table to fill in: a header, an example, and what may stand where, as a sheet of its own or as a row that is not read."""
    columns, example = [one.title for one in asked], [one.example for one in asked]
    if kind == "csv":
        helps_row = [f"{HELP if place == 0 else ''}{about(one)}" for place, one in enumerate(asked)]
        return download(kind, name=name, title="", columns=dict.fromkeys(columns, str), rows=[helps_row])
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
    return FileResponse(file, as_attachment=True, filename=f"{name}.{kind}", content_type=MEDIA_TYPES[kind])
