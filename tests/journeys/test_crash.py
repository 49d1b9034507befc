"""Kill -9 under load: no decision that a lender was told of is lost, and none is made twice."""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from portal.waiting import wait_until
from tests.conftest import INPUTS, PRODUCT, ROOT
from tests.portal.test_up import ask, environment, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("crash"),  # one storm for all tests of this file
    pytest.mark.skipif(
        "DATABASE_URL" not in os.environ["VOUCH_TEST_EMBEDDED"].split(),
        reason="DATABASE_URL names a PostgreSQL of yours; only the embedded one is killed",
    ),
]
SLUG = "crash"
LENDERS = 5
WEB_WORKERS = 2
BETWEEN_FAULTS = 15  # decisions that each lender is told of before the next fault
PATIENCE_SECONDS = 60.0
ANSWER_SECONDS = 10.0
MAKE_PARTNER = f"""
import django
django.setup()
from tests.conftest import add_product, make_house
house = make_house("{SLUG}")
add_product(house)
print(house.api_key)
"""


@dataclass(frozen=True)
class Portal:
    """A portal of its own under `manage.py up`, with one partner, and what of it can be killed."""

    home: Path
    port: int
    settings: dict[str, str]
    up: psutil.Process
    api_key: str

    def web_server(self) -> list[psutil.Process]:
        """The main process of granian."""
        return [child for child in self.up.children() if "granian" in _words(child)]

    def web_workers(self) -> list[psutil.Process]:
        """The processes of granian that answer, also those whose main process is dead."""
        main = self.web_server()
        return [one for one in processes_of(self.home) if "granian" in _words(one) and one not in main]

    def postgres(self) -> list[psutil.Process]:
        """The postmaster."""
        try:
            return [psutil.Process(int((self.home / "postgres" / "postmaster.pid").read_text().split()[0]))]
        except (FileNotFoundError, IndexError, psutil.NoSuchProcess):
            return []

    def strike(self, parts: Sequence["Part"]) -> None:
        """One process of each part is killed, and the portal is whole again with others in their place."""
        victims = [part(self)[0] for part in parts]
        for victim in victims:
            victim.kill()
        wait_for(f"another {' and '.join(part.__name__ for part in parts)}", lambda: self._is_whole_without(victims))

    def _is_whole_without(self, victims: Sequence[psutil.Process]) -> bool:
        found = [self.web_server(), self.web_workers(), self.postgres()]
        return [len(part) for part in found] == [1, WEB_WORKERS, 1] and not any(victim in part for part in found for victim in victims)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database holds for the partner."""
        address = f"host={self.home / 'postgres'} user=postgres dbname=vouch options='-c search_path=t_{SLUG}'"
        with psycopg.connect(address) as connection:
            return connection.execute(query.encode()).fetchall()


Part = Callable[[Portal], list[psutil.Process]]
FAULTS: list[tuple[Part, ...]] = [
    (Portal.web_workers,),
    (Portal.web_server,),
    (Portal.postgres,),
    (Portal.web_workers,),
    (Portal.postgres, Portal.web_server, Portal.web_workers),
]


@dataclass
class Lender:
    """A lender's program: one request after the other, each repeated under its own key until there is an answer."""

    portal: Portal
    name: str
    told: dict[str, bytes] = field(default_factory=dict)  # Idempotency-Key -> the answer
    doubtful: set[str] = field(default_factory=set)  # keys whose request had to be repeated
    _connection: http.client.HTTPConnection | None = None

    def work(self, is_over: threading.Event) -> None:
        """A new applicant after the other."""
        while not is_over.is_set():
            key = f"{self.name}-{len(self.told)}"
            self.told[key] = self.decide(key)

    def decide(self, key: str) -> bytes:
        """The answer to the request of this key, however often it takes."""
        body = json.dumps({"product": PRODUCT, "applicant": {"reference": f"A-{key}"}, "inputs": INPUTS}).encode()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, answer = self.ask("POST", "/api/v1/scores", body, {"Content-Type": "application/json", "Idempotency-Key": key})
            if status == http.client.CREATED:
                return answer
            assert status in {0, http.client.SERVICE_UNAVAILABLE}, f"{key} was answered {status}: {answer!r}"
            assert time.monotonic() < deadline, f"{key} was not answered within {PATIENCE_SECONDS:g} s"
            self.doubtful.add(key)
            time.sleep(0.05)    # as a client does who was told to try again later

    def ask(self, method: str, path: str, body: bytes | None = None, more: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of the answer; 0 when none came."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.portal.port, timeout=ANSWER_SECONDS)
        headers = {"Host": f"{SLUG}.localhost:{self.portal.port}", "X-API-Key": self.portal.api_key, **(more or {})}
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.hang_up()
            return 0, b""

    def hang_up(self) -> None:
        """The next request has a new connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True)
class Storm:
    """What is left when it is over: a portal, and what the lenders were told."""

    portal: Portal
    told: dict[str, bytes]
    doubtful: set[str]

    @property
    def decisions(self) -> dict[str, Any]:
        """By Idempotency-Key."""
        return {key: json.loads(answer) for key, answer in self.told.items()}


def processes_of(home: Path) -> list[psutil.Process]:
    """Everything that runs on this state folder. PostgreSQL's children write over their environment; they work in its data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VOUCH_HOME") == str(home) or Path(process.cwd()).is_relative_to(home):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # or a zombie
            continue
    return found


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # or a zombie
        return []


def wait_for(what: str, holds: Callable[[], object]) -> None:
    assert wait_until(holds, PATIENCE_SECONDS), f"waited {PATIENCE_SECONDS:g} s for {what}"


@contextmanager
def running(home: Path) -> Iterator[Portal]:
    """A portal with a partner. Whatever happens, nothing of it runs afterwards."""
    port, log = free_port(), home / "up.log"
    settings = {**environment(home), "VOUCH_LIMIT_ENTERPRISE": "10000000"}
    command = [sys.executable, "manage.py", "up", "--port", str(port), "--workers", str(WEB_WORKERS)]
    with open(log, "wb") as out:
        up = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_for("the portal", lambda: up.poll() is not None or ask(port, "/ready")[0] == http.client.OK)
        assert up.poll() is None, log.read_text()
        yield Portal(home, port, settings, psutil.Process(up.pid), _made_partner(settings))
        up.send_signal(signal.SIGINT)
        assert up.wait(PATIENCE_SECONDS) == 0, log.read_text()[-5_000:]
        assert processes_of(home) == []
    finally:
        up.kill()
        up.wait()
        for left in processes_of(home):
            left.kill()


def _made_partner(settings: dict[str, str]) -> str:
    """The API key of a partner with a promoted model."""
    run = {**settings, "DJANGO_SETTINGS_MODULE": "portal.settings", "VOUCH_TEST_RUN": os.environ["VOUCH_TEST_RUN"]}
    made = subprocess.run([sys.executable, "-c", MAKE_PARTNER], cwd=ROOT, env=run, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return made.stdout.split()[-1]


@pytest.fixture(scope="module")
def storm() -> Iterator[Storm]:
    """Lenders at work while every part of the portal is killed, again and again. Not in tmp_path: PostgreSQL's user cannot pass there."""
    with tempfile.TemporaryDirectory(prefix="vouch-crash-", dir="/tmp") as home, running(Path(home)) as portal:
        lenders = [Lender(portal, f"lender-{number}") for number in range(LENDERS)]
        is_over = threading.Event()
        with ThreadPoolExecutor(LENDERS) as threads:
            working = [threads.submit(lender.work, is_over) for lender in lenders]
            try:
                for parts in FAULTS:
                    _wait_for_decisions(lenders, working)
                    portal.strike(parts)
                _wait_for_decisions(lenders, working)
            finally:
                is_over.set()
        for lender, work in zip(lenders, working, strict=True):
            lender.hang_up()
            work.result()
        told = {key: answer for lender in lenders for key, answer in lender.told.items()}
        yield Storm(portal, told, {key for lender in lenders for key in lender.doubtful})


def _wait_for_decisions(lenders: Sequence[Lender], working: Sequence[Future[None]]) -> None:
    """Every lender is told of some more. Raises what ended the work of one."""
    wanted = [len(lender.told) + BETWEEN_FAULTS for lender in lenders]

    def is_reached() -> bool:
        for work in working:
            if work.done():
                work.result()
        return all(len(lender.told) >= number for lender, number in zip(lenders, wanted, strict=True))

    wait_for(f"{BETWEEN_FAULTS} more decisions of each lender", is_reached)


@pytest.fixture
def reader(storm: Storm) -> Iterator[Lender]:
    """Somebody who asks when the storm is over."""
    lender = Lender(storm.portal, "reader")
    yield lender
    lender.hang_up()


def test_every_decision_that_was_told_is_found_as_it_was_told(storm: Storm, reader: Lender) -> None:
    changed = {}
    for key, decision in storm.decisions.items():
        status, body = reader.ask("GET", f"/api/v1/scores/{decision['id']}")
        if status != http.client.OK or json.loads(body) != decision:
            changed[key] = (decision, status, body)

    assert len(storm.told) > LENDERS * len(FAULTS) * BETWEEN_FAULTS
    assert changed == {}


def test_a_request_that_was_in_doubt_keeps_its_one_answer(storm: Storm, reader: Lender) -> None:
    changed = {key: (storm.told[key], again) for key in storm.doubtful if (again := reader.decide(key)) != storm.told[key]}

    assert len(storm.doubtful) >= len(FAULTS)
    assert changed == {}


def test_each_key_has_exactly_one_decision(storm: Storm) -> None:
    kept = storm.portal.rows("SELECT i.key, d.id::text FROM scoring_decision d LEFT JOIN audit_idempotency i USING (applicant_id)")

    assert sorted(kept) == sorted((key, decision["id"]) for key, decision in storm.decisions.items())


def test_each_decision_has_exactly_the_event_of_its_receipt_sealed_once(storm: Storm) -> None:
    made = "FROM audit_event e LEFT JOIN audit_leaf l ON l.event_id = e.id WHERE e.action = 'decision.made'"
    wait_for("the seal", lambda: storm.portal.rows(f"SELECT count(*) {made} AND l.position IS NULL") == [(0,)])

    sealed = storm.portal.rows(f"SELECT e.object_id, e.id::text, encode(l.leaf_hash, 'base64') {made}")

    receipts = ((decision["id"], decision["receipt"]) for decision in storm.decisions.values())
    assert sorted(sealed) == sorted((decision, receipt["event_id"], receipt["leaf_hash"]) for decision, receipt in receipts)


def test_every_decision_comes_out_again_bit_for_bit(storm: Storm) -> None:
    command = [sys.executable, "manage.py", "replay", SLUG, "--json"]

    done = subprocess.run(command, cwd=ROOT, env=storm.portal.settings, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    replayed = json.loads(done.stdout)
    assert (replayed["checked"], replayed["identical"]) == (len(storm.told), len(storm.told))
