"""One step of a job, whatever its kind: the one place that knows who works on what."""

import time
import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation

import msgspec
from django.db import transaction
from django.utils.translation import gettext_noop

from scoring.errors import LeaseLost, ProductUnknown
from scoring.models import Batch, Job, OutcomeKind, OutcomeSource
from scoring.selectors.retrainings import KIND
from scoring.services import batches, files, jobs, retraining
from scoring.services.batches import DECISION, REFERENCE, BatchBody, CheckedChunk, Finding
from scoring.services.outcomes import Observed, Wrong, record_good_outcomes, wrong_outcomes

_FIELDS = {"score_id": DECISION, "reference": REFERENCE}


def work_on(job: Job) -> bool:
    """One more chunk of the job is done; first its table is read, if it has one. False when there was none to take."""
    if "upload" in job.body and not job.is_split:
        batches.read_upload(job)
        job.refresh_from_db()
    if job.kind == KIND:
        return retraining.work_on_retraining(job)
    return files.work_on_chunk(job) if job.kind == files.KIND else _work_on_chunk(job)


def work_at_once(job: Job, seconds: float) -> None:
    """A small job is done by whoever asked for it, instead of waiting for a worker; what is left after this time is left to those."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and work_on(job):
        pass


def end(job: Job) -> None:
    """A job that is over is said to be, and what it was for is summed up."""
    if jobs.finish_job(job.id).is_over and "upload" in job.body:
        batches.settled(batches.batch_of(uuid.UUID(job.body["upload"])))


def _work_on_chunk(job: Job) -> bool:
    return jobs.work_on_chunk(job.id, lambda lease: _perform(job, lease), ends_with=(ProductUnknown,))


def _perform(job: Job, lease: jobs.Lease) -> None:
    body = msgspec.convert({**job.body}, BatchBody)
    if job.kind == batches.OUTCOMES:
        with transaction.atomic():
            _finish(lease, *_outcomes(job, lease, body, _recorded))
    elif body.kind == Batch.Kind.OUTCOMES:
        _finish(lease, *_outcomes(job, lease, body, _looked_at))
    else:
        chunk, bad = files.check_rows(job, lease)
        _finish(lease, chunk, [_quoted(chunk, one) for one in bad])


def _finish(lease: jobs.Lease, chunk: files.TableChunk, bad: list[Finding]) -> None:
    failed = len({one.row for one in bad})
    rows = len(chunk.rows) + len({one.row for one in chunk.bad})
    if not jobs.finish_chunk(lease.finished(CheckedChunk(sorted(bad, key=lambda one: one.row)), done=rows - failed, failed=failed)):
        raise LeaseLost


def _quoted(chunk: files.TableChunk, bad: files.BadRow) -> Finding:
    cells = next((cells for number, cells in chunk.rows if number == bad.row), None)
    read = cells[chunk.names.index(bad.column)] if cells and bad.column in chunk.names else ""
    return Finding(bad.row, bad.column, read[:200], bad.problem, bad.fix)


# ---- outcomes in a table

_Storing = Callable[[Job, BatchBody, list[Observed]], list[Wrong]]


def _recorded(job: Job, body: BatchBody, items: list[Observed]) -> list[Wrong]:
    actor = jobs.actor_of(job)
    return record_good_outcomes(items=items, source=OutcomeSource.FILE, actor=actor, product_slug=body.product)[1]


def _looked_at(_job: Job, body: BatchBody, items: list[Observed]) -> list[Wrong]:
    return wrong_outcomes(items=items, product_slug=body.product)


def _outcomes(job: Job, lease: jobs.Lease, body: BatchBody, store: _Storing) -> tuple[files.TableChunk, list[Finding]]:
    chunk = lease.read(files.TableChunk)
    bad = [Finding(one.row, one.column, "", one.problem, one.fix) for one in chunk.bad]
    items, rows = [], []
    for number, cells in chunk.rows:
        row = dict(zip(chunk.names, cells, strict=True))
        item = _observed(row, body.currency)
        if isinstance(item, tuple):
            bad.append(Finding(number, item[0], row.get(item[0], "")[:200], gettext_noop("cannot be read"), item[1]))
            continue
        items.append(item)
        rows.append((number, row))
    for wrong in store(job, body, items):
        number, row = rows[wrong.position]
        column = _FIELDS.get(wrong.field, wrong.field)
        bad.append(Finding(number, column, row.get(column, "")[:200], gettext_noop("cannot be recorded"), wrong.detail))
    return chunk, bad


def _observed(row: dict[str, str], currency: str) -> Observed | tuple[str, str]:
    """What a row says, or the column that cannot be read and what to do."""
    kind = row["kind"].strip().casefold().replace(" ", "_").replace("-", "_")
    if kind not in OutcomeKind.values:
        return "kind", f"Write one of {', '.join(OutcomeKind.values)}."
    try:
        observed_on = date.fromisoformat(row["observed_on"])
    except ValueError:
        return "observed_on", "Write the year first, such as 2026-11-21."
    try:
        decision = uuid.UUID(row[DECISION]) if row.get(DECISION) else None
    except ValueError:
        return DECISION, "Write the id that the score was answered with."
    try:
        amount = Decimal(row["amount"]) if row.get("amount") else None
    except InvalidOperation:
        return "amount", "Leave only digits and a point, such as 12500.50."
    money = row.get("currency", "").upper() or currency
    return Observed(kind, observed_on, decision, row.get(REFERENCE) or None, None, amount, money if amount is not None else "")
