"""The whole decision over HTTP: a partner made by the commands, a portal started by `manage.py up`, a bounded load on 127.0.0.1."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from portal.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
SLUG, PRODUCT, PATH = "bench", "market-loan", "/api/v1/scores"
TRAINING_ROWS = 3_000
NOT_INPUTS = {"loan_id", "defaulted", "gender"}
WORKERS = 2
WARMING, ALONE, TOGETHER, STEADY = 300, 1_500, 4_000, 1_500
LONGEST_START = 60.0


@dataclass(frozen=True, slots=True)
class Portal:
    """A running portal with one partner and what a client sends to it."""

    folder: Path
    environment: dict[str, str]
    request: dict[str, Any]
    port: int


def run() -> list[dict[str, Any]]:
    """The rows of one run: throughput, latency, processor time, statements, memory, start."""
    with tempfile.TemporaryDirectory(prefix="vouch-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)  # PostgreSQL runs as another user when this is root
        environment = {**os.environ, "VOUCH_HOME": str(place / "home"), "VOUCH_LIMIT_ENTERPRISE": "1000000000"}
        with _portal(place, environment) as portal:
            return _measured(portal)


@contextlib.contextmanager
def _portal(folder: Path, environment: dict[str, str]) -> Iterator[Portal]:
    request = _made_partner(folder, environment)
    port = _free_port()
    with open(folder / "up.log", "wb") as log, _server(
        ["manage.py", "up", "--port", str(port), "--workers", str(WORKERS)], environment, log
    ):
        _first_answer(port, request)
        yield Portal(folder, environment, request, port)


def _made_partner(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """The partner, its key and a promoted model, by the commands an operator uses; returns what a client sends."""
    from scoring.engine.synthetic import market_loans, write_table

    table = folder / "loans.csv"
    write_table(table, market_loans(TRAINING_ROWS, seed=1))

    def manage(*arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments, "--json"], cwd=ROOT, env=environment, check=True, text=True, capture_output=True
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    manage("create_partner", SLUG, "--name", "Bench", "--country", "KE", "--currency", "KES", "--plan", "enterprise")
    key = manage("create_api_key", SLUG, "--name", "bench")
    manage("create_product", SLUG, PRODUCT, "--from-csv", str(table), "--target", "defaulted", "--positive", "1", "--id", "loan_id",
           "--protected", "gender")
    manage("train_model", SLUG, PRODUCT, "--csv", str(table))
    manage("promote_model", SLUG, PRODUCT, "1")
    inputs = {name: value for name, value in market_loans(1, seed=99)[0].items() if name not in NOT_INPUTS}
    return {"host": f"{SLUG}.localhost", "key": key["api_key"], "path": PATH, "body": {"product": PRODUCT, "inputs": inputs}}


def _measured(portal: Portal) -> list[dict[str, Any]]:
    _load(portal, clients=8, total=WARMING)
    alone = _load(portal, clients=1, total=ALONE)
    before = _processor_seconds(portal)
    together = _load(portal, clients=8, total=TOGETHER)
    spent = {part: seconds - before[part] for part, seconds in _processor_seconds(portal).items()}
    half = _load(portal, clients=8, total=STEADY, rate=float(together["per_second"]) / 2)
    each = {part: 1e6 * seconds / TOGETHER for part, seconds in spent.items()}
    memory = max(one.memory_info().rss for one in _workers(portal)) / 2**20
    sent = _statements(portal)
    start = _seconds_to_first_answer(portal)
    return [
        _row("decision, 1 client", alone["per_second"], "req/s"),
        _row("decision, 1 client, p50", alone["p50_ms"], "ms"),
        _row("decision, 1 client, p99", alone["p99_ms"], "ms"),
        _row("decision, 8 clients", together["per_second"], "req/s"),
        _row("decision, 8 clients, p50", together["p50_ms"], "ms"),
        _row("decision, 8 clients, p99", together["p99_ms"], "ms"),
        _row("decision, 8 clients at half that rate, p99", half["p99_ms"], "ms", below=25),
        _row("decision, processor time of the web workers", each["web"], "us CPU"),
        _row("decision, processor time of PostgreSQL and Redis", each["services"], "us CPU"),
        _row("decision, statements", sent, "per request", below=3),
        _row("web worker, resident", memory, "MiB", below=250),
        _row("web worker, start to first answer", start, "s", below=3),
    ]


def _row(name: str, ours: float, unit: str, *, below: float | None = None) -> dict[str, Any]:
    return {"name": name, "ours": round(ours, 3), "peer": None, "unit": unit, "ratio": None,
            "required": None if below is None else f"<= {below:g}", "holds": None if below is None else ours <= below}


def _load(portal: Portal, *, clients: int, total: int, rate: float | None = None) -> dict[str, Any]:
    """What the load saw, from a process of its own. Stops when one request failed."""
    file = portal.folder / "body.json"
    file.write_text(json.dumps(portal.request["body"]))
    command = [
        sys.executable, "-m", "bench.load", "--port", str(portal.port), "--path", PATH, "--body", str(file),
        "--headers", json.dumps(_headers(portal.request)), "--clients", str(clients), "--total", str(total),
    ]
    done = subprocess.run(command + (["--rate", str(rate)] if rate else []), cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE)
    summary: dict[str, Any] = json.loads(done.stdout)
    if summary["failures"] or summary["requests"] != total:
        raise AssertionError(f"not every request was answered: {summary}")
    return summary


def _headers(request: dict[str, Any]) -> dict[str, str]:
    return {"Host": request["host"], "X-API-Key": request["key"], "Content-Type": "application/json"}


def _family(portal: Portal, *words: str) -> list[psutil.Process]:
    """The processes of this portal whose command holds all these words, and everything below them."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("VOUCH_HOME") == portal.environment["VOUCH_HOME"] and set(words) <= set(process.cmdline()):
                found.update({one.pid: one for one in [process, *process.children(recursive=True)]})
    return list(found.values())


def _workers(portal: Portal) -> list[psutil.Process]:
    """The web workers; granian's own process and multiprocessing's helper hold no portal."""
    return sorted(_family(portal, "granian"), key=lambda one: -one.memory_info().rss)[:WORKERS]


def _processor_seconds(portal: Portal) -> dict[str, float]:
    def total(processes: list[psutil.Process]) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    return {"web": total(_family(portal, "granian")), "services": total(_family(portal, "portal.embedded"))}


def _statements(portal: Portal) -> int:
    file = portal.folder / "request.json"
    file.write_text(json.dumps(portal.request))
    command = [sys.executable, "-m", "bench.statements", str(file)]
    environment = {**portal.environment, "DATABASE_URL": "", "REDIS_URL": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, text=True, stdout=subprocess.PIPE)
    counted = json.loads(done.stdout.splitlines()[-1])
    if counted["status"] != http.client.CREATED:
        raise AssertionError(f"the counted request was not answered: {counted}")
    return int(counted["statements"])


def _seconds_to_first_answer(portal: Portal) -> float:
    """From the start of a fresh web server with one worker to its first decision; the best of three."""
    port = _free_port()
    command = ["-m", "granian", "--interface", "wsgi", "--port", str(port), "--workers", "1", "--blocking-threads", "4", "--no-ws",
               "--log-level", "warning", "portal.wsgi:application"]
    seconds = []
    for _ in range(3):
        with open(portal.folder / "start.log", "wb") as log:
            began = time.perf_counter()
            with _server(command, portal.environment, log):
                _first_answer(port, portal.request)
                seconds.append(time.perf_counter() - began)
    return min(seconds)


@contextlib.contextmanager
def _server(arguments: list[str], environment: dict[str, str], log: Any) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _first_answer(port: int, request: dict[str, Any]) -> None:
    """Returns when the server decided for the first time. Raises TimeoutError when it does not."""
    if not wait_until(lambda: _decides(port, request), LONGEST_START, pause=0.01):
        raise TimeoutError(f"no decision on port {port} within {LONGEST_START:g} s")


def _decides(port: int, request: dict[str, Any]) -> bool:
    body = {**request["body"], "applicant": {"reference": f"first-{uuid.uuid4()}"}}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("POST", PATH, json.dumps(body), _headers(request))
        return connection.getresponse().status == http.client.CREATED
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
