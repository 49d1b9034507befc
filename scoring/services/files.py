"""Scoring a table in chunks: every good row becomes a stored decision on the one path, every bad row a line on what to repair."""

import gc
import hashlib
import os
import time
import uuid
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from django.conf import settings
from django.utils.translation import gettext_noop

from audit.context import Actor
from scoring import registry
from scoring.decided import Decided
from scoring.engine.contract import ContractViolation
from scoring.engine.event_files import EventRows, read_events
from scoring.engine.memory import Memory, Watch
from scoring.engine.product import Product
from scoring.engine.tables import Row, TableError, TableReader
from scoring.engine.writing import Cell, ColumnKinds, TableWriter
from scoring.errors import ApplicantErased, CredentialRevoked, JobFailed, ProductUnknown, TableRefused
from scoring.models import AnsweredBy, Channel, Job
from scoring.services import jobs
from scoring.services.score import ApplicantDetails, ScoreItem, score_chunk
from scoring.store import FinishedChunk

KIND = "score_file"
ROWS_AT_A_TIME = 1_000
CHUNKS_AHEAD = 4    # per process: nobody waits for the reader, and the table is never held whole
REASONS = 4
REFERENCE = "reference"
_ANSWERED_BY = 5    # its place in a line
LONGEST_REFERENCE = 100
LONGEST_NAME = 60    # of a file, where its rows are called after it
NAMING_DIGITS = 12   # of its digest: two files of one name are not told apart only once in 2**48
FAULTS_SHOWN = 20
ROWS_SHOWN = 5
WAIT_SECONDS = 0.1
PROGRESS_SECONDS = 2.0
Helper = AbstractContextManager[None]
_IN_PARTS = "score the applicants in parts, each with a file of their own events only, or on a machine with more memory"
_PROBLEMS = {
    "required": gettext_noop("is empty"), "wrong_type": gettext_noop("has the wrong type"),
    "not_in_list": gettext_noop("is not in the list"), "out_of_range": gettext_noop("is out of range"),
    "not_finite": gettext_noop("is not a finite number"), "too_long": gettext_noop("is too long"),
    "wrong_characters": gettext_noop("holds characters that no text needs"),
    "formula": gettext_noop("is a spreadsheet formula, not a value"),
}


@dataclass(frozen=True, slots=True)
class BadRow:
    """One thing to repair in the table that was scored."""

    row: int
    column: str
    problem: str
    fix: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in the same way in `count` rows; `rows` are the first of them."""

    column: str
    problem: str
    fix: str
    count: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """How many rows have a reference that an earlier row had, and the first of them."""

    count: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """What became of a table's rows. `by_rules` are those that no model answered."""

    scored: int
    by_rules: int
    bad_rows: int
    errors: Path | None
    faults: tuple[Fault, ...]
    repeated: Repeated


class TableChunk(msgspec.Struct, frozen=True, array_like=True):
    """Rows of a table as they were read: number and cells each, what could not be read, and of each kind the events of each row."""

    names: list[str]
    rows: list[tuple[int, list[str]]]
    bad: list[BadRow]
    events: dict[str, list[list[dict[str, str]] | None]] = {}


class ScoredChunk(msgspec.Struct, frozen=True, array_like=True):
    """The lines of the results file with the numbers of their rows, and the rows that are not in it."""

    rows: list[int]
    lines: list[list[Cell]]
    bad: list[BadRow]


class FileBody(msgspec.Struct, frozen=True):
    """What a job of this kind is about: the same body is the same job."""

    product: str
    source: str    # what rows without a reference are called after: the file's name without its suffix, and the beginning of its digest
    digest: str
    destination: str
    channel: str = str(Channel.FILE)
    reference: str | None = None    # which column names the applicant; the product says so where this is None, none where it is empty


# ---- from the command line: cut, worked on beside other processes, put together


def score_file(
    *,
    product_slug: str,
    source: Path,
    destination: Path,
    actor: Actor,
    progress: Callable[[str], None],
    workers: int = 1,
    helper: Callable[[uuid.UUID], Helper] | None = None,
    events: Mapping[str, Path] | None = None,
) -> ScoredFile:
    """Every row that the contract accepts has a stored decision and a line in `destination`; the others are listed beside it.

    A call that died is gone on with by the next one for the same table and destination: no row is decided twice. `helper` is entered for
    each worker beyond this process and works on the job meanwhile; with no worker at all, those of the portal do. `events` are the files of
    what the product reads of each applicant; they are held in memory whole, and refused where there is no room.
    Raises ProductUnknown, TableRefused for a file that cannot be read or written at all, JobTaken and JobFailed."""
    if destination.exists() and source.exists() and destination.samefile(source):
        raise TableRefused("The decisions would be written over the applicants: give --out another name.")
    try:
        return _FileScoring(product_slug, source, destination, events or {}, actor, progress).run(workers, helper)
    except TableError as refusal:
        raise TableRefused(str(refusal)) from refusal


class _FileScoring:
    def __init__(
        self, product_slug: str, source: Path, destination: Path, events: Mapping[str, Path], actor: Actor, progress: Callable[[str], None]
    ) -> None:
        self.product_slug, self.source, self.destination, self.actor, self.progress = product_slug, source, destination, actor, progress
        definition = registry.current(product_slug).definition
        self.event_files = events
        # Without them every applicant would be scored as one of whom nothing is known, so all that the product reads are asked for.
        room = Memory.of_this_machine(settings.EVENTS_MEMORY_MB * 1024**2 or None)
        self.events = read_events(definition, events, Watch(room, fix=_IN_PARTS))
        self.definition, self.id_column = definition, definition.id_column
        self.required = [*(one.name for one in definition.contract.inputs if one.required), *(one.input.key for one in self.events)]
        self.told_at = 0.0

    def run(self, workers: int, helper: Callable[[uuid.UUID], Helper] | None) -> ScoredFile:
        needed = [*([self.id_column] if self.id_column else []), *self.required]
        with TableReader(self.source, require=needed) as reader:
            self.id_column = _reference_column(self.definition, reader.columns)
            stamp, job = _stamp(self.source), self._job()
            with jobs.alone_with(job):
                try:
                    # The file under its name comes before the end of what it is made of: whoever dies between is gone on with.
                    done = self._decided(job, reader, stamp, [helper] * (workers - 1) if helper else [], workers)
                except TableError as refusal:
                    jobs.fail_job(job.id, str(refusal))
                    raise
                jobs.forget_chunks(job)
        return done

    def _decided(
        self, job: Job, reader: TableReader, stamp: tuple[int, int], helpers: Sequence[Callable[[uuid.UUID], Helper]], workers: int
    ) -> ScoredFile:
        numbered: ColumnKinds = {} if self.id_column else {"row": int}
        with TableWriter(self.destination, numbered | columns_of(self.id_column)) as writer:
            with ExitStack() as helping:
                for helper in helpers:
                    helping.enter_context(helper(job.id))
                self._work(job, self._cut(reader, stamp), workers)
            return self._put_together(job, writer)

    def _cut(self, reader: TableReader, stamp: tuple[int, int]) -> Iterator[TableChunk]:
        """The table's chunks. Raises TableError if it turns out to be unreadable, or another one by now."""
        yield from cut(reader, self.events)
        if _stamp(self.source) != stamp:
            raise TableError(f"{self.source} changed while it was read; rows of it are decided", fix="score it again as it is now")

    def _job(self) -> Job:
        digest = own = _digest(self.source)
        for name, file in sorted(self.event_files.items()):
            digest = hashlib.sha256(f"{digest} {name} {_digest(file)}".encode()).hexdigest()
        body = FileBody(self.product_slug, _called(self.source, own), digest, str(self.destination.resolve()))
        plain: dict[str, Any] = msgspec.to_builtins(body)
        # What its rows are called follows from the table: a job begun under other words for it is gone on with, in those words.
        earlier = jobs.unclaimed(kind=KIND, body={name: value for name, value in plain.items() if name != "source"})
        if earlier is not None:
            now = jobs.progress(earlier)
            self.progress(f"goes on where an earlier call ended: {now.done} rows scored, {now.failed} bad")
        return earlier or jobs.begin_job(kind=KIND, body=plain, actor=self.actor)

    def _work(self, job: Job, chunks: Iterator[TableChunk], workers: int) -> None:
        """Returns when every chunk of the table is finished."""
        jobs.free_chunks(job)
        rest = enumerate(chunks) if not job.is_split else iter(())
        there, ahead = jobs.chunks_there(job), CHUNKS_AHEAD * max(workers, 1)
        while True:
            waiting = 0 if job.is_split else jobs.waiting_chunks(job)
            while not job.is_split and waiting < ahead:
                number, chunk = next(rest, (0, None))
                if chunk is None:
                    jobs.end_split(job)
                    job.is_split = True
                elif number >= there:
                    jobs.add_chunk(job, number=number, content=chunk, rows=len(chunk.rows) + len({bad.row for bad in chunk.bad}))
                    waiting += 1
            if not (workers and work_on_chunk(job)):
                now = jobs.finish_job(job.id)
                if now.is_over:
                    self._tell(now, at_once=True)
                    return
                time.sleep(WAIT_SECONDS)    # others hold what is left, or nothing was read yet; a lease of the dead runs out
            self._tell(jobs.progress(job))

    def _tell(self, now: jobs.Progress, *, at_once: bool = False) -> None:
        if now.state == Job.State.FAILED:
            raise JobFailed(now.problem)
        if at_once or time.monotonic() - self.told_at > PROGRESS_SECONDS:
            self.told_at = time.monotonic()
            self.progress(f"{now.done} rows scored, {now.failed} bad")

    def _put_together(self, job: Job, writer: TableWriter) -> ScoredFile:
        errors, told = self.destination.with_name(f"{self.destination.name.partition('.')[0]}.errors.csv"), _Told()
        with ExitStack() as files:
            list_of_bad: TableWriter | None = None
            for part in jobs.results(job, ScoredChunk):
                writer.write(part.lines if self.id_column else ([row, *line] for row, line in zip(part.rows, part.lines, strict=True)))
                told.add(part)
                if part.bad and list_of_bad is None:
                    list_of_bad = files.enter_context(TableWriter(errors, {"row": int, "column": str, "problem": str, "fix": str}))
                if list_of_bad is not None:
                    list_of_bad.write([bad.row, bad.column, bad.problem, bad.fix] for bad in part.bad)
        if not told.bad_rows:
            errors.unlink(missing_ok=True)
        return told.file(errors)


class _Told:
    """What is said of a table in the end, gathered part by part: it takes a few bytes a row, whatever the rows hold."""

    def __init__(self) -> None:
        self.by_rules = self.bad_rows = 0
        self.faults: dict[tuple[str, str, str], tuple[int, list[int]]] = {}
        # Eight bytes a row each, whatever the references are: a million rows must not stand there as a million texts.
        self.references, self.rows = array("q"), array("q")

    def add(self, part: ScoredChunk) -> None:
        """One part more, in the table's order."""
        self.by_rules += sum(line[_ANSWERED_BY] == AnsweredBy.RULES for line in part.lines)
        self.bad_rows += len({bad.row for bad in part.bad})
        self.references.extend(hash(line[0]) for line in part.lines)
        self.rows.extend(part.rows)
        for bad in part.bad:
            count, rows = self.faults.get((bad.column, bad.problem, bad.fix), (0, []))
            self.faults[bad.column, bad.problem, bad.fix] = count + 1, rows if len(rows) == ROWS_SHOWN else [*rows, bad.row]

    def file(self, errors: Path) -> ScoredFile:
        """Equal faults as one, in the order of their first rows."""
        faults = tuple(Fault(*what, count, tuple(rows)) for what, (count, rows) in list(self.faults.items())[:FAULTS_SHOWN])
        path = errors if self.bad_rows else None
        return ScoredFile(len(self.rows), self.by_rules, self.bad_rows, path, faults, self._repeated())

    def _repeated(self) -> Repeated:
        references, rows = np.frombuffer(self.references, np.int64), np.frombuffer(self.rows, np.int64)
        _, first = np.unique(references, return_index=True)
        again = np.delete(rows, first)
        return Repeated(len(again), tuple(again[:ROWS_SHOWN].tolist()))


def cut(reader: TableReader, events: Sequence[EventRows] = ()) -> Iterator[TableChunk]:
    """The table in chunks, each row with its applicant's events; the same files are always cut alike."""
    rows = iter(reader)
    while chunk := list(islice(rows, ROWS_AT_A_TIME)):
        read = [row for row in chunk if isinstance(row, Row)]
        good = [(row.number, list(row.cells.values())) for row in read]
        bad = [BadRow(row.row or 0, row.column or "", row.problem, row.fix) for row in chunk if isinstance(row, TableError)]
        told = {one.input.name: [one.of(row.cells[one.input.key]) for row in read] for one in events}
        yield TableChunk(list(reader.columns), good, bad, told)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _called(path: Path, digest: str) -> str:
    """What the applicants of a table without references are named after: the same table again means the same ones, no other table does."""
    name = "".join(letter for letter in path.name.partition(".")[0] if letter.isprintable())
    return f"{name[:LONGEST_NAME]} {digest[:NAMING_DIGITS]}"


def _stamp(path: Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def _reference_column(definition: Product, names: Collection[str]) -> str | None:
    """The product's own; where it names none, a column called `reference` that is no input, as the API calls it."""
    is_free = REFERENCE in names and REFERENCE not in {one.name for one in definition.contract.inputs}
    return definition.id_column or (REFERENCE if is_free else None)


def columns_of(id_column: str | None) -> ColumnKinds:
    """A line of the results: the applicant's reference first, under the name that its column has in the table."""
    kinds: ColumnKinds = {id_column or REFERENCE: str, "probability": float, "score": int, "band": str, "outcome": str}
    kinds |= {"answered_by": str, "model_version": int, "decision_id": str}
    for place in range(1, REASONS + 1):
        kinds |= {f"reason_{place}_code": str, f"reason_{place}_text": str}
    return kinds


# ---- one chunk, by whichever process


def work_on_chunk(job: Job) -> bool:
    """One more chunk of the job is decided, unless there was none to take: then the answer is False.

    A job whose credential or product is gone fails; a contract that changed meanwhile lets the next attempt tell each row."""
    return jobs.work_on_chunk(
        job.id, lambda lease: _score_chunk(job, lease), ends_with=(CredentialRevoked, ProductUnknown), again_after=(ContractViolation,)
    )


def _score_chunk(job: Job, lease: jobs.Lease) -> None:
    with _uncollected():
        _ChunkScoring(job, lease).run()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing looks for cycles meanwhile: a chunk makes many thousand objects, and looking took a sixth of its time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _ChunkScoring:
    def __init__(self, job: Job, lease: jobs.Lease) -> None:
        self.body, self.actor, self.lease = msgspec.convert({**job.body}, FileBody), jobs.actor_of(job), lease
        self.active, self.chunk = registry.current(self.body.product), lease.read(TableChunk)
        named = self.body.reference
        self.id_column = _reference_column(self.active.definition, self.chunk.names) if named is None else named
        self.rows: list[int] = []    # those of the decisions
        self.bad: list[BadRow] = []

    def run(self) -> None:
        self.bad += self.chunk.bad
        numbered = list(self.items())
        while numbered:
            self.rows = [number for number, _ in numbered]
            try:
                score_chunk(
                    finish=self._finish, product_slug=self.body.product, items=[item for _, item in numbered], actor=self.actor,
                    channel=Channel(self.body.channel),
                )
            except ApplicantErased as erased:
                gone = set(erased.positions)
                column, problem, fix = self.id_column or "", gettext_noop("this applicant was erased"), "Leave the row out."
                self.bad += [BadRow(numbered[place][0], column, problem, fix) for place in sorted(gone)]
                numbered = [pair for place, pair in enumerate(numbered) if place not in gone]
                continue
            return
        self.rows = []
        jobs.finish_chunk(self._finish([]))

    def _finish(self, decided: Sequence[Decided]) -> FinishedChunk:
        result = ScoredChunk(self.rows, [_line(one) for one in decided], sorted(self.bad, key=lambda bad: bad.row))
        return self.lease.finished(result, done=len(decided), failed=len({bad.row for bad in self.bad}))

    def items(self) -> Iterator[tuple[int, ScoreItem]]:
        """Number and item of each row that can be decided; what is wrong with the others is in `bad`."""
        validator, chunk = self.active.validator, self.chunk
        names = set(chunk.names)
        inputs = [one.name for one in validator.contract.inputs if one.name in names]
        kinds = [one.name for one in validator.contract.inputs if one.name in chunk.events]
        for place, (number, cells) in enumerate(chunk.rows):
            row = dict(zip(chunk.names, cells, strict=True))
            reference = row[self.id_column] if self.id_column else f"{self.body.source} row {number}"
            if not 0 < len(reference) <= LONGEST_REFERENCE or not reference.isprintable():
                fix = f"Give every row its own reference of at most {LONGEST_REFERENCE} printable characters."
                self.bad.append(BadRow(number, self.id_column or "", gettext_noop("cannot be a reference"), fix))
                continue
            try:
                told = {name: chunk.events[name][place] or "" for name in kinds}
                values = validator.check_text({**{name: row[name] for name in inputs}, **told})
            except ContractViolation as violation:
                self.bad += [
                    BadRow(number, _column(one.pointer), _PROBLEMS.get(one.code, one.code), one.detail) for one in violation.problems
                ]
                continue
            yield number, ScoreItem(ApplicantDetails(reference=reference), values)


def check_rows(job: Job, lease: jobs.Lease) -> tuple[TableChunk, list[BadRow]]:
    """The rows of the chunk, and what would keep some of them from being decided. Nothing is decided. Raises ProductUnknown."""
    checking = _ChunkScoring(job, lease)
    for _ in checking.items():
        pass
    return checking.chunk, sorted([*checking.chunk.bad, *checking.bad], key=lambda bad: bad.row)


def _line(decided: Decided) -> list[Cell]:
    reasons = [text for reason in decided.reasons[:REASONS] for text in (reason.code, reason.text)]
    blank: list[Cell] = [None] * (2 * REASONS - len(reasons))
    answer: list[Cell] = [decided.reference, decided.probability, decided.score, decided.band, decided.outcome]
    return [*answer, decided.answered_by, decided.model_version, str(decided.id), *reasons, *blank]


def _column(pointer: str) -> str:
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
