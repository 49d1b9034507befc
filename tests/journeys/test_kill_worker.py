"""Kill -9 of whoever works on a file, again and again: every row has exactly one decision, and the results are whole and in order."""

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count, Sum

from audit.actions import Action
from audit.models import Event, Outbox
from partners.tenancy import tenant_context
from portal.scheduler import ring_for_jobs
from portal.waiting import wait_until
from scoring.engine.synthetic import market_loans, write_table
from scoring.models import Decision, Job, JobChunk
from scoring.services.files import ROWS_AT_A_TIME
from scoring.services.replay import replay_decisions
from tests.conftest import PRODUCT, ROOT, House, address_of
from tests.portal.test_celery import redis

__all__ = ["redis"]
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("crash")]
ROWS = 7_000
KILLS = 5
LEASE_SECONDS = 1
PATIENCE_SECONDS = 60.0
QUEUE = ["-m", "celery", "--quiet", "-A", "portal.celery", "worker", "--loglevel", "ERROR", "--pool", "solo", "--without-gossip",
         "--without-mingle"]  # fmt: skip


@dataclass(frozen=True)
class Work:
    """A file to score, by a command that others may help."""

    house: House
    table: Path
    out: Path

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A Python process on the test's database. It is killed in the end, if it still lives."""
        environment = {
            **os.environ, "DATABASE_URL": address_of(connection.settings_dict["NAME"]), "DJANGO_SETTINGS_MODULE": "portal.settings",
            "VOUCH_JOB_LEASE_SECONDS": str(LEASE_SECONDS), "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        with (self.out.parent / "log").open("ab") as log:
            process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def command(self, workers: int) -> list[str]:
        places = ["--in", str(self.table), "--out", str(self.out), "--workers", str(workers)]
        return ["manage.py", "score_file", self.house.slug, PRODUCT, *places, "--json"]

    @property
    def errors(self) -> Path:
        return self.out.with_name("out.errors.csv")

    def finished_chunks(self) -> int:
        return JobChunk.objects.exclude(finished_at=None).count()

    def log(self) -> str:
        return (self.out.parent / "log").read_text()[-5_000:]


@pytest.fixture
def work(new_partner: Callable[..., House], settings: Any, tmp_path: Path) -> Iterator[Work]:
    settings.JOB_LEASE_SECONDS = LEASE_SECONDS
    house, table = new_partner(with_product=True), tmp_path / "loans.csv"
    write_table(table, market_loans(ROWS, seed=11))
    with tenant_context(house.partner):
        yield Work(house, table, tmp_path / "out.csv")


def wait_for(holds: Callable[[], object], work: Work, meanwhile: Callable[[], None] = lambda: None) -> None:
    assert wait_until(lambda: holds() or meanwhile(), PATIENCE_SECONDS, pause=0.01), work.log()    # type: ignore[func-returns-value]


def strike(
    work: Work, process: subprocess.Popen[bytes], draw: random.Random, *, chunks: int, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """The process is killed some moment after it took so many chunks: while it reads, decides, stores, or takes the next."""
    wanted = taken() + chunks
    wait_for(lambda: process.poll() is not None or taken() >= wanted, work, meanwhile)
    assert process.poll() is None, work.log()
    time.sleep(draw.uniform(0.0, 0.35))    # any moment of its work: which one is drawn, and every one has to do
    process.kill()
    process.wait()


def taken() -> int:
    """How often a chunk was taken."""
    return JobChunk.objects.aggregate(number=Sum("attempts"))["number"] or 0


def assert_each_row_is_decided_once(work: Work) -> None:
    """One decision, event and announcement for each row; the file is complete, in order, and says what was decided."""
    decisions = {str(one.id): one for one in Decision.objects.all()}
    made = Event.objects.filter(action=Action.DECISION_MADE).values_list("object_id", flat=True)
    announced = Outbox.objects.filter(topic=Action.DECISION_MADE).values_list("object_id", flat=True)
    with work.table.open(newline="") as source, work.out.open(newline="") as results:
        given, lines = [row["loan_id"] for row in csv.DictReader(source)], list(csv.DictReader(results))
    bad = {int(line["row"]) for line in csv.DictReader(work.errors.read_text().splitlines())} if work.errors.exists() else set()
    wanted = [reference for number, reference in enumerate(given, start=2) if number not in bad]

    assert len(decisions) == len(wanted) > ROWS - 5
    assert not Decision.objects.values("applicant").annotate(number=Count("id")).exclude(number=1).exists()
    assert sorted(made) == sorted(announced) == sorted(decisions)
    assert [line["loan_id"] for line in lines] == wanted
    assert sorted(float(line["probability"]) for line in lines) == sorted(one.probability for one in decisions.values())
    replayed = list(replay_decisions(sample=200))[-1]
    assert (replayed.checked, replayed.identical) == (200, 200)
    assert [(job.state, job.total, job.done, job.failed) for job in Job.objects.all()] == [("done", ROWS, len(wanted), len(bad))]
    assert not JobChunk.objects.exists()


def test_a_command_that_is_killed_again_and_again_decides_each_row_once(work: Work) -> None:
    draw = random.Random(20261121)
    for kill in range(KILLS):
        with work.running(*work.command(workers=1)) as process:
            strike(work, process, draw, chunks=1 + kill % 2)
            assert not work.out.exists()
    killed_after = work.finished_chunks()

    with work.running(*work.command(workers=1)) as process:
        assert process.wait(PATIENCE_SECONDS) == 0, work.log()

    assert 0 < killed_after < ROWS / ROWS_AT_A_TIME
    assert_each_row_is_decided_once(work)


def test_a_worker_of_the_queue_that_is_killed_again_and_again_decides_each_row_once(work: Work, redis: object) -> None:
    draw = random.Random(20261122)
    with work.running(*work.command(workers=0)) as command:
        for kill in range(KILLS):
            with work.running(*QUEUE) as worker:
                strike(work, worker, draw, chunks=1 + kill % 2, meanwhile=ring_for_jobs)
        assert command.poll() is None
        with work.running(*QUEUE):
            wait_for(lambda: command.poll() is not None, work, ring_for_jobs)
        assert command.returncode == 0, work.log()

    assert_each_row_is_decided_once(work)
