"""Writing an export's file: one worker holds it by a lease that it keeps renewing, and the file counts only if the lease still does."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import IO, Any, cast
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from audit.actions import Action
from audit.context import Actor
from audit.errors import DomainError
from audit.services import announce, record
from partners.accounts.standing import permissions_now
from partners.tenancy import current_schema, tenant_context
from portal.exports import storage
from portal.exports.errors import LeaseGone, ListNotYours
from portal.exports.lists import ExportList, list_of
from portal.exports.models import Export
from portal.exports.reading import copy_csv, rows_of, told_rows
from portal.exports.services import asking
from scoring.engine.writing import sink

MOST_ATTEMPTS = 5
TOLD_SECONDS = 1.0    # how often the row learns how far it is
READY = "export.ready"
_TAKE = """
UPDATE exports_export SET state = 'running', lease = %(lease)s, rows = 0, attempts = attempts + 1,
    lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE id = %(id)s AND finished_at IS NULL AND (lease_until IS NULL OR lease_until < clock_timestamp())
"""


def write_export(export_id: uuid.UUID) -> bool:
    """The export has its file, or says why not; False when another worker has it or it is over. Safe to run twice, and beside itself."""
    lease = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"id": export_id, "lease": lease, "seconds": settings.JOB_LEASE_SECONDS})
        if not cursor.rowcount:
            return False
    export = Export.objects.get(id=export_id)
    try:
        _write(export, lease)
    except LeaseGone:
        storage.forget(lease)
    except DomainError as refusal:
        _fail(export, lease, refusal.detail)
    except BaseException:
        storage.forget(lease)
        with suppress(Error):    # the database may be what failed: then the lease runs out
            _give_back(export, lease)
        raise
    return True


def unattended() -> list[uuid.UUID]:
    """Exports that nobody writes: new ones, and those whose worker died."""
    free = Q(lease_until=None) | Q(lease_until__lt=timezone.now())
    return list(Export.objects.filter(free, finished_at=None).order_by("created_at").values_list("id", flat=True)[:100])


def _write(export: Export, lease: uuid.UUID) -> None:
    one, filters = list_of(export.list), asking.filters_of(export)
    if missing := one.needs(filters, with_applicants=export.with_applicants) - permissions_now(export.owner_kind, export.owner_id):
        raise ListNotYours(f"Whoever asked for it may not see it any more: it needs {', '.join(sorted(missing))}.")
    with timezone.override(ZoneInfo(export.body["time_zone"])), storage.SealedFile(lease) as file, _Told(export, lease) as told:
        for told.rows in _rows(export, one, filters, file):
            if told.is_lost:
                raise LeaseGone
    _finish(export, lease, told.rows, file.size)


def _rows(export: Export, one: ExportList, filters: dict[str, str], file: storage.SealedFile) -> Iterator[int]:
    """Writes the file; tells now and then how many rows are in it, exactly at the end."""
    found = asking.found(one, filters, export.owner_kind, export.owner_id, export.body["currency"])
    into = cast(IO[bytes], file)
    if isinstance(found, QuerySet) and export.kind == "csv" and not export.with_applicants:
        yield from copy_csv(one, found, into)
        return
    made, rows = sink(export.kind, into, one.kinds(with_applicants=export.with_applicants), title=str(one.title)), 0
    blocks = rows_of(one, found, with_applicants=export.with_applicants) if isinstance(found, QuerySet) else told_rows(found)
    for block in blocks:
        made.write(block)
        rows += len(block)
        yield rows
    made.close()
    yield rows


class _Told:
    """Says in the row how far the file is and renews the lease, on a connection of its own, since the other one reads."""

    def __init__(self, export: Export, lease: uuid.UUID) -> None:
        self.rows, self.is_lost, self._ended = 0, False, threading.Event()
        self._mine = Export.objects.filter(id=export.id, lease=lease, finished_at=None)
        self._thread = threading.Thread(target=self._tell, args=(current_schema(),), daemon=True)

    def _tell(self, schema: str) -> None:
        with _connection_of_its_own(), tenant_context(schema):
            while not self._ended.wait(TOLD_SECONDS):
                with suppress(Error):    # who cannot say it now says it in a second; after many the lease runs out
                    until = timezone.now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
                    self.is_lost = not self._mine.update(rows=self.rows, lease_until=until)

    def __enter__(self) -> "_Told":
        self._thread.start()
        return self

    def __exit__(self, *_of: Any) -> None:
        self._ended.set()
        self._thread.join()


@contextmanager
def _connection_of_its_own() -> Iterator[None]:
    try:
        yield
    finally:
        connection.close()


def _finish(export: Export, lease: uuid.UUID, rows: int, size: int) -> None:
    """Done, recorded and announced in one commit. Raises LeaseGone."""
    with transaction.atomic():
        mine = Export.objects.filter(id=export.id, lease=lease, finished_at=None)
        done = mine.update(state=Export.State.DONE, rows=rows, size_bytes=size, finished_at=timezone.now(), lease_until=None)
        if not done:
            raise LeaseGone
        detail = {"list": export.list, "format": export.kind, "rows": rows, "bytes": size}
        record(action=Action.EXPORT_FINISHED, actor=actor_of(export), object_kind="export", object_id=export.id, detail=detail)
        announce(topic=READY, object_id=export.id, body={"list": export.list, "format": export.kind, "rows": rows})


def _fail(export: Export, lease: uuid.UUID, problem: str) -> None:
    storage.forget(lease)
    with transaction.atomic():
        mine = Export.objects.filter(id=export.id, lease=lease, finished_at=None)
        ended = {"state": Export.State.FAILED, "problem": problem[:500], "finished_at": timezone.now(), "lease": None, "lease_until": None}
        if mine.update(**ended):
            detail = {"list": export.list, "problem": problem[:200]}
            record(action=Action.EXPORT_FAILED, actor=actor_of(export), object_kind="export", object_id=export.id, detail=detail)


def _give_back(export: Export, lease: uuid.UUID) -> None:
    """Somebody else may try, unless enough have."""
    if export.attempts >= MOST_ATTEMPTS:
        _fail(export, lease, "It could not be written, however often it was tried. Tell whoever runs Vouch.")
    else:
        Export.objects.filter(id=export.id, lease=lease, finished_at=None).update(lease=None, lease_until=F("created_at"))


def actor_of(export: Export) -> Actor:
    """Whoever asked for it."""
    return Actor(**export.body["actor"])
