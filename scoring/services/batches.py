"""Batches: a table that somebody brings is matched with what is asked for, checked, worked on, and given back with figures."""

import hashlib
import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath
from typing import Any

import msgspec
from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from audit.vault import keyring
from scoring import registry
from scoring.engine.contract import Input, InputKind
from scoring.engine.sheets import open_table
from scoring.engine.tables import Row, TableError, TableReader
from scoring.engine.writing import Cell, ColumnKinds
from scoring.errors import BatchNotReady, BatchStarted, BatchUnknown, JobTaken, MappingRefused, ResultGone, TableRefused
from scoring.models import Batch, Channel, Job, OutcomeCode, OutcomeKind
from scoring.models.batch import NAMELESS
from scoring.selectors.catalogue import product_id
from scoring.services import files, jobs
from scoring.services.uploads import forget_upload, place_of

CHECK, OUTCOMES = "check_table", "record_outcomes"
REFERENCE, DECISION = "@reference", "@decision"    # what no contract calls an input
MOST_ROWS = 1_000_000
MOST_COLUMNS = 300
SHOWN = 100
MOST_KINDS = 50
HELP = "# "    # a row that begins like this explains the columns
LOWEST, BIN, BINS = 300, 50, 11
_PEOPLE, _NAMED = ("applicant", "customer", "client", "borrower", "member"), ("reference", "ref", "id", "number", "no", "")
_SAME_AS_REFERENCE = ("reference", "yourreference", "ref", "id", *(f"{who}{named}" for named in _NAMED for who in _PEOPLE))
_SEALED = "scoring_batch"
_A_VALUE = re.compile(r"\d{6}")    # a telephone, an id or an amount: the header is kept in clear


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that a table may say: the name it has with us, the one of its column, and what may stand in its cells, or its input."""

    name: str
    title: str
    is_required: bool
    about: str
    example: str = ""
    also: tuple[str, ...] = ()
    input: Input | None = None

    @property
    def label(self) -> str:
        """Its name for people."""
        return self.title if self.input is None else self.input.title


class Finding(msgspec.Struct, frozen=True, array_like=True):
    """One cell to repair: where it is, what was read, what is wrong and what to do."""

    row: int
    column: str
    read: str
    problem: str
    fix: str


class FindingKind(msgspec.Struct, frozen=True, array_like=True):
    """What is wrong in the same way in `count` cells, and the first row where it is."""

    column: str
    problem: str
    fix: str
    count: int
    row: int


class Findings(msgspec.Struct, frozen=True, array_like=True):
    """What a check came to: every kind of fault, and the first cells."""

    kinds: list[FindingKind]
    first: list[Finding]


class CheckedChunk(msgspec.Struct, frozen=True, array_like=True):
    """What a check found in a chunk."""

    bad: list[Finding]


class BatchBody(files.FileBody, frozen=True):
    """What a job about a batch needs to know beyond what is scored."""

    upload: str = ""
    kind: str = ""
    currency: str = ""


# ---- what a table may say


def asked_for(kind: str, product_slug: str, language: str = "en") -> tuple[Asked, ...]:
    """The columns of a table of this kind, in the order a template has them, as the language says them. Raises ProductUnknown."""
    if kind == Batch.Kind.OUTCOMES:
        return _ASKED_OF_OUTCOMES
    definition = registry.current(product_slug).definition
    own = (definition.id_column,) if definition.id_column else ()
    inputs = [one for one in definition.spoken(language).contract.inputs if one.kind is not InputKind.EVENTS and not one.is_protected]
    labels = {one.name: one.label for one in definition.contract.inputs}
    asked = (Asked(one.name, one.name, one.required, "", _example(one), (labels[one.name], one.label), one) for one in inputs)
    return (Asked(REFERENCE, "reference", True, _REFERENCE, "A-1001", own), *asked)


_REFERENCE = "Your own name or number for the applicant; the same one means the same person."
_ASKED_OF_OUTCOMES = (
    Asked(REFERENCE, "reference", False, "The applicant's reference; their newest decision by that day is meant.", "A-1001"),
    Asked(DECISION, "score_id", False, "The decision itself, instead of the reference.", "", ("decision", "decision_id", "scoreid")),
    Asked("kind", "kind", True, f"What happened, one of: {', '.join(OutcomeKind.values)}.", "repaid", ("outcome", "status", "result")),
    Asked("observed_on", "observed_on", True, "The day it was known, such as 2026-11-21.", "2026-11-21", ("date", "day", "on")),
    Asked("amount", "amount", False, "What was lost or is owed, such as 12500.50.", "", ("loss", "balance")),
    Asked("currency", "currency", False, "Three letters such as KES; yours where it is left out.", ""),
)


def _example(one: Any) -> str:
    if one.kind is InputKind.CATEGORY:
        return str(one.categories[0]) if one.categories else ""
    if one.kind is InputKind.DATE:
        return "1990-05-17"
    return "true" if one.kind is InputKind.BOOLEAN else f"{one.minimum or 0:g}"


def guessed(columns: Sequence[str], asked: Sequence[Asked]) -> dict[str, str]:
    """Which column is meant by what, as far as names tell; no column twice."""
    found: dict[str, str] = {}
    plain = {_plain(column): column for column in reversed(columns)}
    for one in asked:
        names = [one.name, one.title, *one.also, *(_SAME_AS_REFERENCE if one.name == REFERENCE else ())]
        column = next((plain[name] for name in map(_plain, names) if name in plain and plain[name] not in found.values()), None)
        if column is not None:
            found[one.name] = column
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


# ---- from the upload to the end


def receive_batch(
    *, batch_id: uuid.UUID, kind: str, product_slug: str, name: str, size: int, digest: str, actor: Actor
) -> Batch:
    """The table that lies in the partner's folder under this id is a batch, recorded. Raises ProductUnknown, and TableRefused."""
    product = product_id(product_slug)
    try:
        with open_table(place_of(batch_id), name=name) as reader:
            columns = list(reader.columns)
            if any(_A_VALUE.search(re.sub(r"[\s+./-]", "", one)) for one in columns):
                raise TableError("the first row holds values of somebody's, not names of columns", fix="put a row of names above it")
            if len(columns) > MOST_COLUMNS:
                raise TableError(f"the table has {len(columns)} columns, more than {MOST_COLUMNS}", fix="keep those that are asked for")
            if next(iter(reader), None) is None:
                raise TableError("the file has a header and no rows", fix="add a row for each applicant")
    except TableError as refusal:
        raise TableRefused(_sentence(refusal)) from refusal
    with transaction.atomic():
        batch = Batch.objects.create(
            id=batch_id, kind=kind, product_id=product, sealed_name=Batch.seal_name(batch_id, _shown_name(name)), size=size,
            digest=digest, columns=columns, columns_digest=hashlib.sha256(json.dumps(columns).encode()).hexdigest(), created_by=actor.label,
        )  # fmt: skip
        detail = {"kind": kind, "product": product_slug, "bytes": size, "sha256": digest, "columns": len(columns)}
        record(action=Action.BATCH_UPLOADED, actor=actor, object_kind="batch", object_id=batch.id, detail=detail)
    return batch


def batch_of(batch_id: uuid.UUID) -> Batch:
    """The batch with its product and jobs. Raises BatchUnknown."""
    found = Batch.objects.select_related("product", "checking", "working").defer("product__definition").filter(id=batch_id).first()
    if found is None:
        raise BatchUnknown
    return found


def remembered(batch: Batch) -> dict[str, str]:
    """How the columns of a table with this header were matched the last time, else as their names tell."""
    asked = asked_for(batch.kind, batch.product.slug)
    same = Batch.objects.filter(product=batch.product, kind=batch.kind, columns_digest=batch.columns_digest).exclude(mapping={})
    last = same.order_by("-created_at").values_list("mapping", flat=True).first()
    known = {one.name for one in asked}
    return {name: column for name, column in last.items() if name in known} if last else guessed(batch.columns, asked)


def map_columns(*, batch_id: uuid.UUID, mapping: Mapping[str, str], currency: str, actor: Actor) -> Batch:
    """The columns are matched like this, and a check of every row begins. Raises BatchUnknown, BatchStarted, MappingRefused by name."""
    with transaction.atomic():
        batch = _locked(batch_id)
        _check_mapping(batch, mapping)
        batch.mapping, batch.sealed_findings = dict(mapping), None
        batch.checking = jobs.begin_job(kind=CHECK, body=_body(batch, currency), actor=actor)
        batch.save(update_fields=["mapping", "checking", "sealed_findings"])
    return batch


def start_batch(*, batch_id: uuid.UUID, currency: str, actor: Actor) -> Batch:
    """The good rows are worked on, once however often this is asked. Raises BatchUnknown and BatchNotReady."""
    with transaction.atomic():
        batch = Batch.objects.select_for_update(of=("self",)).select_related("product", "checking").filter(id=batch_id).first()
        if batch is None:
            raise BatchUnknown
        if batch.working_id is None:
            checked = batch.checking and jobs.progress(batch.checking)
            if checked is None or checked.state != Job.State.DONE or not checked.done:
                raise BatchNotReady
            kind = files.KIND if batch.kind == Batch.Kind.APPLICANTS else OUTCOMES
            batch.working = jobs.begin_job(kind=kind, body=_body(batch, currency), actor=actor)
            batch.save(update_fields=["working"])
            detail = {"job": str(batch.working.id), "rows": checked.total, "good": checked.done}
            record(action=Action.BATCH_STARTED, actor=actor, object_kind="batch", object_id=batch.id, detail=detail)
    return batch


def _locked(batch_id: uuid.UUID) -> Batch:
    batch = Batch.objects.select_for_update(of=("self",)).select_related("product").filter(id=batch_id).first()
    if batch is None:
        raise BatchUnknown
    if batch.working_id is not None:
        raise BatchStarted
    return batch


def _check_mapping(batch: Batch, mapping: Mapping[str, str]) -> None:
    asked = {one.name: one for one in asked_for(batch.kind, batch.product.slug)}
    used = Counter(mapping.values())
    wrong = {name: "There is no such column in the table." for name, column in mapping.items() if column not in batch.columns}
    wrong |= {name: "This column is chosen twice; choose another one." for name, column in mapping.items() if used[column] > 1}
    wrong |= {name: "Nothing like this is asked for." for name in mapping if name not in asked}
    wrong |= {one.name: "This is needed: choose its column." for one in asked.values() if one.is_required and one.name not in mapping}
    if batch.kind == Batch.Kind.OUTCOMES and len({REFERENCE, DECISION} & set(mapping)) != 1:
        wrong[REFERENCE] = "Choose the column of the reference or the one of the decision: one of the two."
    if wrong:
        raise MappingRefused(fields=wrong)


def _body(batch: Batch, currency: str) -> dict[str, Any]:
    body = BatchBody(
        product=batch.product.slug, source=str(batch.id), digest=batch.digest, destination="", channel=str(Channel.FILE),
        reference=REFERENCE if REFERENCE in batch.mapping else "", upload=str(batch.id), kind=batch.kind, currency=currency,
    )  # fmt: skip
    plain: dict[str, Any] = msgspec.to_builtins(body)
    return plain


def _sentence(refusal: TableError) -> str:
    text = str(refusal)
    return f"{text[0].upper()}{text[1:]}."


def _shown_name(name: str) -> str:
    plain = "".join(one for one in PurePath(name.replace("\\", "/")).name if one.isprintable())
    return plain[-200:] or "table"


# ---- reading the table, in a worker


def read_upload(job: Job) -> None:
    """The job's table is in chunks, unless another process reads it. A table that cannot be read ends the job."""
    batch = batch_of(uuid.UUID(job.body["upload"]))
    if not place_of(batch.id).exists():
        jobs.fail_job(job.id, "The table is not there any more: it is kept for a day, on the machine that took it. Upload it again.")
        return
    try:
        with jobs.alone_with(job), open_table(place_of(batch.id), name=batch.name) as reader:
            if not Job.objects.filter(id=job.id, is_split=True).exists():
                _cut(job, batch, reader)
    except JobTaken:
        return
    except TableError as refusal:
        jobs.fail_job(job.id, _sentence(refusal))


def _cut(job: Job, batch: Batch, reader: TableReader) -> None:
    there, rows, number = jobs.chunks_there(job), iter(reader), 0
    names, columns = list(batch.mapping), list(batch.mapping.values())
    back = {column: name for name, column in batch.mapping.items()}
    while some := list(islice(rows, files.ROWS_AT_A_TIME)):
        if number >= there:
            read = [row for row in some if isinstance(row, Row) and not next(iter(row.cells.values())).startswith(HELP)]
            good = [(row.number, [row.cells[column] for column in columns]) for row in read]
            bad = [
                files.BadRow(one.row or 0, back.get(one.column or "", one.column or ""), one.problem, one.fix)
                for one in some if isinstance(one, TableError)
            ]  # fmt: skip
            jobs.add_chunk(job, number=number, content=files.TableChunk(names, good, bad), rows=len(good) + len({one.row for one in bad}))
        number += 1
        if number * files.ROWS_AT_A_TIME > MOST_ROWS:
            raise TableError(f"the table has more than {MOST_ROWS:,} rows", fix="split it into several files")
    jobs.end_split(job)


# ---- what came of it


def settled(batch: Batch) -> Batch:
    """What is over is summed up: what a check found, and what became of the rows. The table goes when nothing needs it any more."""
    if batch.checking and batch.sealed_findings is None and jobs.finish_job(batch.checking.id).state == Job.State.DONE:
        batch.sealed_findings = _seal(batch, _sum_up(jobs.results(batch.checking, CheckedChunk)))
        Batch.objects.filter(id=batch.id, checking=batch.checking).update(sealed_findings=batch.sealed_findings)
    if batch.working and batch.figures is None:
        now = jobs.finish_job(batch.working.id)
        if now.is_over:
            batch.figures = _figures(batch, batch.working)
            Batch.objects.filter(id=batch.id).update(figures=batch.figures)
            forget_upload(batch.id)
    return batch


def findings(batch: Batch) -> Findings:
    """What the check found, in the table's own names of columns."""
    ring = keyring()
    if batch.sealed_findings is None:
        return Findings([], [])
    packed = ring.unseal(ring.partner_key, bytes(batch.sealed_findings), table=_SEALED, column="sealed_findings", owner=batch.id)
    found = msgspec.msgpack.decode(packed, type=Findings)
    return Findings([msgspec.structs.replace(one, column=batch.mapping.get(one.column, one.column)) for one in found.kinds],
                    [_in_words_of(batch, one) for one in found.first])  # fmt: skip


def all_findings(batch: Batch) -> Iterator[Finding]:
    """Every cell to repair, as far as it is still known: of the rows that were worked on, those that were refused then."""
    job = batch.working or batch.checking
    if job is None or not jobs.progress(job).is_over or not job.chunks.exists():
        raise ResultGone
    if job.kind == files.KIND:
        parts: Iterator[list[Finding]] = (
            [Finding(one.row, one.column, "", one.problem, one.fix) for one in part.bad] for part in jobs.results(job, files.ScoredChunk)
        )
    else:
        parts = (part.bad for part in jobs.results(job, CheckedChunk))
    return (_in_words_of(batch, one) for part in parts for one in part)


def result_columns() -> ColumnKinds:
    """The header of a result."""
    return files.columns_of("reference")


def result_lines(batch: Batch) -> Iterator[list[Cell]]:
    """The decisions of the batch, in the table's order, a chunk in memory at a time. Raises ResultGone."""
    job = batch.working
    if job is None or job.kind != files.KIND or job.finished_at is None or not job.chunks.exists():
        raise ResultGone
    return (line for part in jobs.results(job, files.ScoredChunk) for line in part.lines)


def has_result(batch: Batch) -> bool:
    """Whether there is something to download."""
    return batch.working is not None and batch.working.kind == files.KIND and batch.working.state == Job.State.DONE and (
        batch.working.chunks.exists()
    )


def record_download(*, batch: Batch, what: str, actor: Actor) -> None:
    """That somebody took this away is in the record."""
    with transaction.atomic():
        record(action=Action.BATCH_DOWNLOADED, actor=actor, object_kind="batch", object_id=batch.id, detail={"what": what})


def _in_words_of(batch: Batch, one: Finding) -> Finding:
    return msgspec.structs.replace(one, column=batch.mapping.get(one.column, one.column.removeprefix("@")))


def _seal(batch: Batch, found: Findings) -> bytes:
    ring = keyring()
    return ring.seal(ring.partner_key, msgspec.msgpack.encode(found), table=_SEALED, column="sealed_findings", owner=batch.id)


def forget_findings_about(traces: Sequence[bytes]) -> int:
    """What checks found, and what tables were called, is gone where it quotes any of these; of how many batches checks were."""
    ring, found = keyring(), []
    named = Batch.objects.exclude(sealed_name=None).only("id", "plain_name", "sealed_name") if traces else []
    called = [one.id for one in named if any(trace in one.name.encode() for trace in traces)]
    Batch.objects.filter(id__in=called).update(**NAMELESS)
    for batch_id, sealed in Batch.objects.exclude(sealed_findings=None).values_list("id", "sealed_findings").iterator() if traces else ():
        packed = ring.unseal(ring.partner_key, sealed or b"", table=_SEALED, column="sealed_findings", owner=batch_id)
        if any(trace in packed for trace in traces):
            found.append(batch_id)
    return Batch.objects.filter(id__in=found).update(sealed_findings=None) if found else 0


def _sum_up(parts: Iterator[CheckedChunk]) -> Findings:
    kinds: dict[tuple[str, str, str], tuple[int, int]] = {}
    first: list[Finding] = []
    for part in parts:
        first += part.bad[: SHOWN - len(first)]
        for one in part.bad:
            what = one.column, one.problem, one.fix
            if what in kinds or len(kinds) < MOST_KINDS:
                count, row = kinds.get(what, (0, one.row))
                kinds[what] = count + 1, row
    ordered = sorted(kinds.items(), key=lambda pair: (-pair[1][0], pair[1][1]))
    return Findings([FindingKind(*what, count, row) for what, (count, row) in ordered], first)


def _figures(batch: Batch, job: Job) -> dict[str, Any]:
    """The batch in figures, without anything about one person; probabilities are of the bad outcome."""
    outcomes, bands, bins = Counter[str](), Counter[str](), [0] * BINS
    total = approved = 0.0
    versions: set[int | None] = set()
    parts = jobs.results(job, files.ScoredChunk) if batch.kind == Batch.Kind.APPLICANTS else iter(())
    for part in parts:
        for _, probability, score, band, outcome, _, version, *_ in part.lines:
            assert isinstance(probability, float) and isinstance(score, int)  # noqa: PT018 - two halves of a line's kinds
            outcomes[str(outcome)] += 1
            bands[str(band)] += 1
            bins[min((score - LOWEST) // BIN, BINS - 1)] += 1
            total += probability
            approved += probability if outcome == OutcomeCode.APPROVE else 0.0
            versions.add(version if isinstance(version, int) else None)
    scored, passed = sum(outcomes.values()), outcomes[OutcomeCode.APPROVE]
    return {
        "outcomes": dict(outcomes), "bands": dict(bands), "bins": bins, "mean_probability": total / scored if scored else None,
        "expected_default_share": approved / passed if passed else None, "versions": sorted(one for one in versions if one is not None),
        "has_rules": None in versions,
    }  # fmt: skip
