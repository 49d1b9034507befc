"""Jobs: chunks are held by one at a time, finished with what they decide or not at all, and left to others."""

import csv
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import Redis

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event, Outbox
from partners.accounts.services import revoke_api_key
from partners.tenancy import tenant_context
from scoring.engine.synthetic import market_loans, write_table
from scoring.engine.tables import TableReader
from scoring.errors import JobTaken, LeaseLost, TableRefused
from scoring.models import Applicant, Channel, Decision, Job, JobChunk
from scoring.services import files, jobs
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants
from scoring.tasks import work_on_job
from tests.conftest import INPUTS, PRODUCT, House
from tests.portal.test_celery import drain, redis
from tests.scoring.factories import by_key

__all__ = ["redis"]

ROWS = 25


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "ROWS_AT_A_TIME", 10)
    monkeypatch.setattr(files, "CHUNKS_AHEAD", 2)
    monkeypatch.setattr(files, "PROGRESS_SECONDS", 0.0)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "loans.csv"
    write_table(path, market_loans(ROWS, seed=5))
    return path


@pytest.fixture
def house(new_partner: Callable[..., House]) -> Iterator[House]:
    made = new_partner(with_product=True)
    with tenant_context(made.partner):
        yield made


def score(table: Path, out: Path, **options: Any) -> files.ScoredFile:
    return files.score_file(product_slug=PRODUCT, source=table, destination=out, actor=SYSTEM, progress=lambda _: None, **options)


def a_job(table: Path, actor: Any = SYSTEM) -> Job:
    """A job that was cut and left."""
    body = {"product": PRODUCT, "source": "loans", "digest": "", "destination": "", "channel": "file"}
    job = jobs.begin_job(kind=files.KIND, body=body, actor=actor)
    with TableReader(table) as reader:
        for number, chunk in enumerate(files.cut(reader)):
            jobs.add_chunk(job, number=number, content=chunk, rows=len(chunk.rows))
    jobs.end_split(job)
    job.refresh_from_db()
    return job


def references(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [row["loan_id"] for row in csv.DictReader(file)]


def test_a_chunk_is_held_by_one_until_its_lease_ends(house: House, table: Path) -> None:
    job = a_job(table)

    held = [jobs.take_chunk(job.id) for _ in range(4)]
    JobChunk.objects.filter(number=1).update(lease_until=timezone.now() - timedelta(seconds=1))
    again = jobs.take_chunk(job.id)

    assert [lease and lease.number for lease in held] == [0, 1, 2, None]
    assert again is not None
    assert (again.number, again.attempts) == (1, 2)
    assert again.lease != held[1].lease  # type: ignore[union-attr]


def test_who_lost_the_lease_stores_nothing(house: House, table: Path) -> None:
    job = a_job(table)
    slow = jobs.take_chunk(job.id)
    assert slow is not None
    JobChunk.objects.filter(number=0).update(lease_until=timezone.now() - timedelta(seconds=1))

    assert files.work_on_chunk(job)
    with pytest.raises(LeaseLost):
        files._ChunkScoring(job, slow).run()

    assert (Decision.objects.count(), Applicant.objects.count(), Outbox.objects.filter(topic="decision.made").count()) == (10, 10, 10)
    assert jobs.progress(job).done == 10


def test_a_lease_that_is_lost_before_anybody_else_finished_stores_nothing_either(house: House, table: Path) -> None:
    job = a_job(table)
    slow = jobs.take_chunk(job.id)
    assert slow is not None
    JobChunk.objects.filter(number=0).update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.take_chunk(job.id)

    with pytest.raises(LeaseLost):
        files._ChunkScoring(job, slow).run()

    assert (Decision.objects.count(), Applicant.objects.count()) == (0, 0)


def test_a_call_that_died_is_gone_on_with_and_nothing_is_decided_twice(house: House, table: Path, tmp_path: Path) -> None:
    out, told = tmp_path / "out.csv", list[str]()

    class Killed(BaseException):
        """As SIGKILL, as far as Python allows."""

    def die(_: str) -> None:
        raise Killed

    with pytest.raises(Killed):
        files.score_file(product_slug=PRODUCT, source=table, destination=out, actor=SYSTEM, progress=die)
    before = Decision.objects.count()
    assert jobs.take_chunk(Job.objects.get().id) is not None  # it died with a chunk in its hands, and nobody waits for the lease to end
    table = table.rename(tmp_path / "november.csv")    # the same table, whatever it is called
    done = files.score_file(product_slug=PRODUCT, source=table, destination=out, actor=SYSTEM, progress=told.append)

    assert 0 < before < ROWS
    assert told[0] == f"goes on where an earlier call ended: {before} rows scored, 0 bad"
    assert (done.scored, Decision.objects.count(), Job.objects.count()) == (ROWS, ROWS, 1)
    assert references(out) == references(table)
    assert not JobChunk.objects.exists()
    assert [event.object_id for event in Event.objects.filter(action=Action.JOB_FINISHED)] == [str(Job.objects.get().id)]


def test_a_finished_file_is_scored_anew(house: House, table: Path, tmp_path: Path) -> None:
    first, second = score(table, tmp_path / "out.csv"), score(table, tmp_path / "out.csv")

    assert (first.scored, second.scored, Decision.objects.count(), Applicant.objects.count()) == (ROWS, ROWS, 2 * ROWS, ROWS)


def test_the_same_file_is_not_scored_by_two_at_once(house: House, table: Path, tmp_path: Path) -> None:
    refused: list[bool] = []

    def another(_: str) -> None:
        with ThreadPoolExecutor(1) as threads, pytest.raises(JobTaken):
            threads.submit(_in_thread, house, lambda: score(table, tmp_path / "out.csv")).result()
        refused.append(True)

    files.score_file(product_slug=PRODUCT, source=table, destination=tmp_path / "out.csv", actor=SYSTEM, progress=another)

    assert refused
    assert Decision.objects.count() == ROWS


def _in_thread(house: House, call: Callable[[], object]) -> None:
    try:
        with tenant_context(house.partner):
            call()
    finally:
        connection.close()


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_decided(house: House, table: Path, tmp_path: Path) -> None:
    with pytest.raises(TableRefused, match="cannot be written"):
        score(table, tmp_path / "nowhere" / "out.csv")

    assert (Decision.objects.count(), Job.objects.get().state) == (0, "failed")


def test_a_file_that_changes_while_it_is_read_is_told(house: House, table: Path, tmp_path: Path) -> None:
    def more(_: str) -> None:
        with table.open("a") as file:
            file.write("\n")

    with pytest.raises(TableRefused, match="changed while it was read"):
        files.score_file(product_slug=PRODUCT, source=table, destination=tmp_path / "out.csv", actor=SYSTEM, progress=more)

    assert Job.objects.get().state == "failed"
    assert not (tmp_path / "out.csv").exists()


def test_a_revoked_key_ends_the_job_and_says_so(house: House, table: Path) -> None:
    actor = by_key()
    job = a_job(table, actor)
    assert files.work_on_chunk(job)
    revoke_api_key(key_id=uuid.UUID(actor.id), actor=SYSTEM)

    assert files.work_on_chunk(job)
    assert not files.work_on_chunk(job)

    now = jobs.finish_job(job.id)
    assert (now.state, now.done) == ("failed", 10)
    assert "revoked" in now.problem
    assert Decision.objects.count() == 10


def test_a_chunk_that_ends_whoever_takes_it_ends_the_job(house: House, table: Path) -> None:
    job = a_job(table)
    JobChunk.objects.filter(number=0).update(attempts=jobs.MOST_ATTEMPTS)

    assert jobs.take_chunk(job.id) is None

    job.refresh_from_db()
    assert (job.state, jobs.take_chunk(job.id)) == ("failed", None)
    assert "Part 1" in job.problem


def test_a_queue_message_works_the_job_off_and_a_second_one_finds_nothing(house: House, table: Path, redis: Redis) -> None:
    job = a_job(table)

    for _ in range(2):
        work_on_job.delay(str(job.id))
    drain(redis)

    job.refresh_from_db()
    assert (job.state, job.total, job.done, job.failed) == ("done", ROWS, ROWS, 0)
    assert Decision.objects.count() == ROWS


def test_a_table_makes_room_for_interactive_work_after_each_chunk(house: House, table: Path, redis: Redis) -> None:
    job = a_job(table)
    redis.rpush("vouch:vouch", "somebody waits")

    done = []
    for _ in range(2):
        work_on_job.run(str(job.id))
        done.append(jobs.progress(job).done)
    redis.delete("vouch:vouch")
    waiting = redis.llen("vouch:vouch.bulk")
    drain(redis)

    assert (done, waiting) == ([10, 20], 2)    # each turn left a message for who goes on
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", ROWS)


def test_what_nobody_works_on_is_named_once_in_the_time_of_a_lease(house: House, table: Path) -> None:
    job = a_job(table)

    assert jobs.unattended() == [job.id]
    assert jobs.unattended() == []
    Job.objects.update(lease_until=None)
    held = jobs.take_chunk(job.id)
    assert jobs.unattended() == []
    JobChunk.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert (held is not None, jobs.unattended()) == (True, [job.id])


def test_a_job_whose_last_worker_died_before_saying_that_it_is_done_is_named_too(house: House, table: Path) -> None:
    job = a_job(table)
    while files.work_on_chunk(job):
        pass

    assert jobs.unattended() == [job.id]
    jobs.finish_job(job.id)

    job.refresh_from_db()
    assert job.state == "done"


def test_what_a_job_keeps_is_sealed_and_goes_after_a_day(house: House, table: Path) -> None:
    job = a_job(table)
    files.work_on_chunk(job)
    reference = references(table)[0].encode()

    stored = [bytes(one) for chunk in JobChunk.objects.all() for one in (chunk.sealed_input, chunk.sealed_result) if one is not None]
    assert len(stored) == 3
    assert not any(reference in one for one in stored)
    while files.work_on_chunk(job):
        pass
    jobs.finish_job(job.id)
    jobs.forget_old_results()
    assert JobChunk.objects.count() == 3
    Job.objects.update(finished_at=timezone.now() - timedelta(hours=25))
    jobs.forget_old_results()
    assert JobChunk.objects.count() == 0


def test_what_a_job_holds_is_not_read_to_be_forgotten(house: House, table: Path) -> None:
    job = a_job(table)

    with CaptureQueriesContext(connection) as sent:
        jobs.forget_chunks(job)

    assert [statement["sql"].split()[0] for statement in sent] == ["DELETE"]
    assert not JobChunk.objects.exists()


def test_a_batch_about_known_applicants_is_decided_in_one_go(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.applicants._remembered", OrderedDict())
    inputs: Any = INPUTS
    items = [ScoreItem(ApplicantDetails(reference=f"K-{number}"), inputs) for number in range(30)]

    def decide() -> set[Any]:
        return {one.applicant_id for one in score_applicants(product_slug=PRODUCT, items=items, actor=SYSTEM, channel=Channel.FILE)}

    first = decide()
    monkeypatch.setattr("scoring.applicants._remembered", OrderedDict())
    monkeypatch.setattr("scoring.services.score._REPEATS_OF_BATCH", 0)

    assert decide() == first
