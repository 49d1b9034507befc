"""Jobs: work in chunks that any number of processes take, finish in the commit of what they decide, and leave to others on dying."""

import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, LiteralString, TypeVar

import msgspec
from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from audit.actions import Action
from audit.context import Actor
from audit.services import announce, record
from audit.topics import Topic
from audit.vault import Keyring, keyring
from scoring.errors import JobTaken, JobUnknown, LeaseLost
from scoring.models import Batch, Job, JobChunk
from scoring.store import FinishedChunk

MOST_ATTEMPTS = 10    # a chunk that ended so many processes ends the job
ABANDONED = timedelta(days=7)
KEPT = timedelta(hours=24)    # what came out of a job, for whoever asked for it
_OPEN = (Job.State.QUEUED, Job.State.RUNNING)
_TABLE = "scoring_jobchunk"
_QUICKLY = 1    # zlib's level: cells shrink to a third in a tenth of the time that deciding takes

_TAKE = """
WITH free AS (
    SELECT c.id FROM scoring_jobchunk c
    WHERE c.job_id = %(job)s AND c.finished_at IS NULL AND (c.lease_until IS NULL OR c.lease_until < clock_timestamp())
        AND EXISTS (SELECT FROM scoring_job j WHERE j.id = c.job_id AND j.finished_at IS NULL)
    ORDER BY c.number LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE scoring_jobchunk c
SET lease = %(lease)s, attempts = attempts + 1, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
FROM free WHERE c.id = free.id
RETURNING c.id, c.number, c.attempts, c.sealed_input
"""
_UNATTENDED = """
UPDATE scoring_job j SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE j.finished_at IS NULL AND (j.lease_until IS NULL OR j.lease_until < clock_timestamp())
    AND (j.is_split OR jsonb_exists(j.body, 'upload')
        OR EXISTS (SELECT FROM scoring_jobchunk c WHERE c.job_id = j.id AND c.finished_at IS NULL))
    AND NOT EXISTS (SELECT FROM scoring_jobchunk c WHERE c.job_id = j.id AND c.finished_at IS NULL AND c.lease_until >= clock_timestamp())
RETURNING j.id
"""
_HELD = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
    AND (classid::bigint << 32 | objid::bigint) = %s AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
T = TypeVar("T")
_Refusals = tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """A chunk that this process holds for a while."""

    job_id: uuid.UUID
    chunk_id: uuid.UUID
    lease: uuid.UUID
    number: int
    attempts: int
    sealed_input: bytes

    def read(self, kind: type[T]) -> T:
        """What goes into the chunk."""
        return _open(keyring(), self.sealed_input, self.job_id, self.number, "sealed_input", kind)

    def finished(self, result: object, *, done: int, failed: int) -> FinishedChunk:
        """How the store finishes the chunk with this result."""
        return FinishedChunk(self.chunk_id, self.lease, done, failed, _seal(result, self.job_id, self.number, "sealed_result"))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, in rows. `total` still grows until the job is split."""

    state: str
    is_split: bool
    total: int
    done: int
    failed: int
    problem: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in {Job.State.DONE, Job.State.FAILED}


def begin_job(*, kind: str, body: Mapping[str, Any], actor: Actor) -> Job:
    """The job is there, recorded, without chunks; its chunks are worked on in the name of this actor."""
    with transaction.atomic():
        job = Job.objects.create(kind=kind, body={**body, "actor": asdict(actor)})
        record(action=Action.JOB_STARTED, actor=actor, object_kind="job", object_id=job.id, detail={"kind": kind})
    return job


def actor_of(job: Job) -> Actor:
    """In whose name the job's decisions are made. The store checks the credential again for each chunk."""
    return Actor(**job.body["actor"])


def add_chunk(job: Job, *, number: int, content: object, rows: int) -> None:
    """The chunk waits for whoever takes it."""
    JobChunk.objects.create(job=job, number=number, rows=rows, sealed_input=_seal(content, job.id, number, "sealed_input"))


def end_split(job: Job) -> None:
    """No chunk will be added: the job is done when those that are there are finished."""
    Job.objects.filter(id=job.id).update(is_split=True)


def chunks_there(job: Job) -> int:
    """How many chunks an earlier process has added; they are numbered from 0 without gaps."""
    highest = job.chunks.aggregate(highest=Max("number"))["highest"]
    return 0 if highest is None else int(highest) + 1


def take_chunk(job_id: uuid.UUID) -> Lease | None:
    """The first chunk that nobody holds is held by this process, or None when there is none at this moment."""
    Job.objects.filter(id=job_id, state=Job.State.QUEUED).update(state=Job.State.RUNNING)
    lease = uuid.uuid4()
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, {"job": job_id, "lease": lease, "seconds": settings.JOB_LEASE_SECONDS})
        found = cursor.fetchone()
    if found is None:
        return None
    chunk_id, number, attempts, sealed = found
    if attempts > MOST_ATTEMPTS:
        fail_job(job_id, f"Part {number + 1} could not be finished in {MOST_ATTEMPTS} attempts; the logs of the workers say why.")
        return None
    return Lease(job_id, chunk_id, lease, number, attempts, bytes(sealed))


def work_on_chunk(
    job_id: uuid.UUID, perform: Callable[[Lease], None], *, ends_with: _Refusals, again_after: _Refusals = ()
) -> bool:
    """One more chunk is worked on, unless there was none to take: then the answer is False.

    A refusal of `ends_with` fails the job. After one of `again_after`, and after whatever is raised, the chunk is free again."""
    lease = take_chunk(job_id)
    if lease is None:
        return False
    try:
        perform(lease)
    except LeaseLost:
        return True
    except ends_with as refusal:
        fail_job(job_id, str(refusal))
    except again_after:
        give_back(lease)
    except BaseException:
        with suppress(Error):
            give_back(lease)
        raise
    return True


def give_back(lease: Lease) -> None:
    """Whoever comes next may take the chunk at once."""
    JobChunk.objects.filter(id=lease.chunk_id, lease=lease.lease, finished_at=None).update(lease_until=None)


def keep_hold(lease: Lease) -> None:
    """The lease lasts from now on as long as a new one: for work that outlasts it. Raises LeaseLost when somebody else has the chunk."""
    held = JobChunk.objects.filter(id=lease.chunk_id, lease=lease.lease, finished_at=None)
    if not held.update(lease_until=Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)):
        raise LeaseLost


def free_chunks(job: Job) -> None:
    """Whatever is not finished may be taken at once: for whoever goes on after a death. Who is alive after all finds its lease lost."""
    job.chunks.filter(finished_at=None).exclude(lease=None).update(lease=None, lease_until=None)


def finish_chunk(finished: FinishedChunk) -> bool:
    """A chunk without a decision is finished, if the lease is still this one."""
    held = JobChunk.objects.filter(id=finished.id, lease=finished.lease, finished_at=None)
    return held.update(
        finished_at=timezone.now(), lease_until=None, sealed_input=None, sealed_result=finished.sealed_result,
        done=finished.done, failed=finished.failed,
    ) == 1


def finish_job(job_id: uuid.UUID) -> Progress:
    """The job is done if every chunk is finished; says how far it is. Raises JobUnknown."""
    with transaction.atomic():
        job = Job.objects.select_for_update().filter(id=job_id).first()
        if job is None:
            raise JobUnknown(f"There is no job {job_id}.")
        if job.state in _OPEN and job.is_split and not job.chunks.filter(finished_at=None).exists():
            now = progress(job)
            _end(job, Job.State.DONE, now)
    return progress(job)


def fail_job(job_id: uuid.UUID, problem: str) -> None:
    """The job is over with this problem; decisions that were stored stay."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(id=job_id)
        if job.state in _OPEN:
            job.problem = problem[:500]
            _end(job, Job.State.FAILED, progress(job))


def _end(job: Job, state: Job.State, now: Progress) -> None:
    job.state, job.finished_at = state, timezone.now()
    job.total, job.done, job.failed = now.total, now.done, now.failed
    job.save(update_fields=["state", "finished_at", "total", "done", "failed", "problem"])
    detail = {"kind": job.kind, "state": str(state), "total": now.total, "done": now.done, "failed": now.failed}
    record(action=Action.JOB_FINISHED, actor=actor_of(job), object_kind="job", object_id=job.id, detail=detail)
    if "upload" in job.body and Batch.objects.filter(id=job.body["upload"], working=job).exists():    # and not only its check
        announce(topic=Topic.BATCH_COMPLETED, object_id=job.body["upload"], body={"job_id": str(job.id), **detail})


def progress(job: Job) -> Progress:
    """How far the job is."""
    if job.finished_at is not None:
        return Progress(job.state, job.is_split, job.total, job.done, job.failed, job.problem)
    counted = job.chunks.aggregate(total=Sum("rows"), done=Sum("done"), failed=Sum("failed"))
    return Progress(job.state, job.is_split, counted["total"] or 0, counted["done"] or 0, counted["failed"] or 0)


def waiting_chunks(job: Job) -> int:
    """How many chunks nobody holds yet."""
    return int(job.chunks.filter(finished_at=None, lease=None).aggregate(number=Count("id"))["number"])


def results(job: Job, kind: type[T]) -> Iterator[T]:
    """What came out of the chunks, in their order, one at a time."""
    ring, number = keyring(), 0
    while (sealed := job.chunks.filter(number=number).values_list("sealed_result", flat=True).first()) is not None:
        yield _open(ring, bytes(sealed), job.id, number, "sealed_result", kind)
        number += 1


def unclaimed(*, kind: str, body: Mapping[str, Any]) -> Job | None:
    """The newest job of this kind and body whose result was not taken yet: to go on with after whoever began it died."""
    same = Q(*(Q(**{f"body__{name}": value}) for name, value in body.items()))
    untaken = Q(finished_at=None) | Q(state=Job.State.DONE, chunks__isnull=False)
    return Job.objects.filter(same, untaken, kind=kind).distinct().order_by("-created_at").first()


def forget_chunks(job: Job) -> None:
    """What went in and what came out is gone; the job says how many rows it had."""
    _delete_chunks("job_id = %s", [job.id])


def forget_old_results() -> None:
    """Nothing is kept of jobs that ended a day ago but their counts, and one that nobody finished in a week is over."""
    now = timezone.now()
    for job_id in Job.objects.filter(finished_at=None, created_at__lt=now - ABANDONED).values_list("id", flat=True):
        fail_job(job_id, "It was not finished within a week.")
    _delete_chunks("job_id IN (SELECT id FROM scoring_job WHERE finished_at < %s)", [now - KEPT])


def forget_results_about(traces: Sequence[bytes]) -> int:
    """What came out of parts that mention any of these is gone; how many parts."""
    ring, found = keyring(), []
    ended = JobChunk.objects.exclude(sealed_result=None).values_list("id", "job_id", "number", "sealed_result")
    for chunk_id, job_id, number, sealed in ended.iterator(chunk_size=10) if traces else ():
        place = {"table": _TABLE, "column": "sealed_result", "owner": f"{job_id}:{number}"}
        packed = zlib.decompress(ring.unseal(ring.partner_key, sealed or b"", **place))
        if any(trace in packed for trace in traces):
            found.append(chunk_id)
    if found:
        _delete_chunks("id = ANY(%s)", [found])
    return len(found)


def _delete_chunks(where: LiteralString, values: list[Any]) -> None:
    # By one statement: Django's delete would first read whatever the chunks hold, all at once.
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM scoring_jobchunk WHERE {where}", values)  # noqa: S608 - written above


def unattended() -> list[uuid.UUID]:
    """Open jobs of which nobody holds a chunk: new ones, and those whose workers died, maybe just before they said that all is done.

    Each is named once in the time of a lease, so that what is told of them does not pile up."""
    with connection.cursor() as cursor:
        cursor.execute(_UNATTENDED, {"seconds": settings.JOB_LEASE_SECONDS})
        return [job_id for (job_id,) in cursor.fetchall()]


@contextmanager
def alone_with(job: Job) -> Iterator[None]:
    """Only this process adds chunks to the job and takes its result, until it is done or dead. Raises JobTaken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_place(job)])
        if not cursor.fetchone()[0]:
            raise JobTaken("Another process is scoring this file into the same place.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_place(job)])


def is_left(job: Job) -> bool:
    """Whether more chunks are to come and nobody is there to add them."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [_place(job)])
        return not cursor.fetchone()[0] and not Job.objects.filter(id=job.id, is_split=True).exists()


def _place(job: Job) -> int:
    return int.from_bytes(job.id.bytes[8:]) >> 1    # a positive number of the lock's 64 bits


def _seal(content: object, job_id: uuid.UUID, number: int, column: str) -> bytes:
    ring = keyring()
    packed = zlib.compress(msgspec.msgpack.encode(content), _QUICKLY)
    return ring.seal(ring.partner_key, packed, table=_TABLE, column=column, owner=f"{job_id}:{number}")


def _open(ring: Keyring, sealed: bytes, job_id: uuid.UUID, number: int, column: str, kind: type[T]) -> T:
    packed = ring.unseal(ring.partner_key, sealed, table=_TABLE, column=column, owner=f"{job_id}:{number}")
    return msgspec.msgpack.decode(zlib.decompress(packed), type=kind)
