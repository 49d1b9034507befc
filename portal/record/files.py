"""The record as files that are sent while they are read: a table of events, and lines that verify.py checks. Bounded memory."""

import io
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import FileResponse, StreamingHttpResponse

from audit import exporting
from audit.context import Actor
from audit.exporting import Span
from audit.selectors import EventFilters, events_found
from partners.tenancy import current_schema, tenant_context
from portal.exports.reading import csv_pages
from portal.record.bundle import MOST_AT_ONCE, OfDecision, OfPeriod, write_bundle
from portal.record.exports import EVENTS

_LINES = 200


def record_lines(span: Span, *, actor: Actor) -> StreamingHttpResponse:
    """What verify.py checks; recorded."""
    exporting.record_export(span, kind="jsonl", actor=actor)
    return _sent(exporting.lines(span), f"record-{span.first}-{span.checkpoint.size}.jsonl", "application/jsonl")


def event_table(filters: EventFilters, *, actor: Actor) -> StreamingHttpResponse:
    """The events that are wanted, oldest first, as CSV; recorded."""
    exporting.record_table(filters, actor=actor)
    pages = csv_pages(EVENTS, events_found(filters), after="id")
    return _sent(pages, "record.csv", "text/csv; charset=utf-8")


def bundle(asked: OfDecision | OfPeriod, *, actor: Actor, shows_personal: bool) -> FileResponse:
    """The examiner bundle; recorded. One with personal data is never on a disk. Raises what `write_bundle` raises."""
    is_small = isinstance(asked, OfDecision)
    file: Any = io.BytesIO() if is_small else tempfile.TemporaryFile(dir=_folder())  # noqa: SIM115 - the answer closes it
    try:
        write_bundle(asked, file, actor=actor, shows_personal=shows_personal, most=MOST_AT_ONCE)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    name = f"decision-{asked.decision_id}" if isinstance(asked, OfDecision) else f"period-{asked.since:%Y%m%d}-{asked.until:%Y%m%d}"
    return FileResponse(file, as_attachment=True, filename=f"examiner-{name}.zip", content_type="application/zip")


def _sent(lines: Iterable[bytes], name: str, kind: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(_within(current_schema(), lines), content_type=kind, headers=headers)


def _within(schema: str, lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in larger pieces. They are read when the answer is sent, and the connection is nobody's by then."""
    with tenant_context(schema):
        coming = iter(lines)
        while piece := b"".join(islice(coming, _LINES)):
            yield piece


def _folder() -> Path:
    folder = Path(settings.VOUCH_HOME) / "files"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
