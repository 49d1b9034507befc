"""The record as files that are sent while they are read: a table of events, and lines that verify.py checks. Bounded memory."""

import csv
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
from audit.models import Event
from audit.selectors import EventFilters, events_found
from audit.services import canonical, timestamp
from partners.tenancy import current_schema, tenant_context
from portal.record.bundle import MOST_AT_ONCE, OfDecision, OfPeriod, write_bundle
from scoring.engine.inert import inert

_AT_ONCE, _LINES = 2_000, 200
_COLUMNS = (
    "position", "id", "recorded_at", "action", "actor_kind", "actor_id", "actor_label", "address", "request_id", "object_kind", "object_id",
    "detail", "leaf_hash",
)  # fmt: skip


def record_lines(span: Span, *, actor: Actor) -> StreamingHttpResponse:
    """What verify.py checks; recorded."""
    exporting.record_export(span, kind="jsonl", actor=actor)
    return _sent(exporting.lines(span), f"record-{span.first}-{span.checkpoint.size}.jsonl", "application/jsonl")


def event_table(filters: EventFilters, *, actor: Actor) -> StreamingHttpResponse:
    """The events that are wanted, oldest first, as CSV; recorded."""
    exporting.record_table(filters, actor=actor)
    return _sent(_csv(_rows(filters)), "record.csv", "text/csv; charset=utf-8")


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


def _rows(filters: EventFilters) -> Iterator[Event]:
    found, last = events_found(filters).select_related("leaf").order_by("id"), None
    while rows := list((found if last is None else found.filter(id__gt=last))[:_AT_ONCE]):
        last = rows[-1].id
        yield from rows


def _csv(events: Iterable[Event]) -> Iterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for event in events:
        writer.writerow(_cells(event))
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()


def _cells(event: Event) -> list[object]:
    leaf = getattr(event, "leaf", None)
    told = {"position": "" if leaf is None else leaf.position, "recorded_at": timestamp(event.recorded_at),
            "detail": canonical(event.detail), "leaf_hash": bytes(event.leaf_hash).hex()}  # fmt: skip
    cells = (told[name] if name in told else str(getattr(event, name)) for name in _COLUMNS)
    return [inert(cell) if isinstance(cell, str) else cell for cell in cells]


def _folder() -> Path:
    folder = Path(settings.VOUCH_HOME) / "files"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
