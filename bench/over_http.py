"""One decision over HTTP against FastAPI: the same inputs, model size, PostgreSQL, number of processes and client; interleaved rounds.

Peers (bench/peers/service.py): (a) the usual stack and two inserts in a transaction, (b) the two inserts and no model."""

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from bench.peers.environment import python
from bench.site import (
    WORKERS,
    Site,
    below,
    family,
    first_answer,
    free_port,
    load,
    made_partners,
    postgres_socket,
    processor_seconds,
    row,
    running,
    server,
    state_folder,
)
from portal.waiting import wait_until

ROUNDS = int(os.environ.get("BENCH_HTTP_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_HTTP_SECONDS", "4"))
WARMING, STEADY = 2.0, 8.0
LOOK_SECONDS, QUIET, LONGEST_REST = 0.5, 0.05, 20.0    # quiet: less than this share of one core
CLIENTS = (1, 8, 64)
OVER_USUAL, OVER_PLAIN, MOST_MS = 10.0, 0.9, 25.0
DATABASE = "peers"
TABLES = """
CREATE TABLE decision (id uuid PRIMARY KEY, created_at timestamptz NOT NULL, reference text NOT NULL, product text NOT NULL,
    probability float8 NOT NULL, outcome text NOT NULL, inputs jsonb NOT NULL, reasons jsonb NOT NULL);
CREATE TABLE event (id uuid PRIMARY KEY, recorded_at timestamptz NOT NULL, action text NOT NULL, decision_id uuid NOT NULL,
    detail jsonb NOT NULL)"""
NAMES = {"ours": "ours", "usual": "(a) FastAPI, usual stack", "plain": "(b) FastAPI, no model"}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the three: where it listens, what is sent to it, and which processes are its own."""

    port: int
    requests: Sequence[Mapping[str, Any]]
    processes: Callable[[], list[psutil.Process]]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one load on one side gave; processor time in us per request, of the server and of PostgreSQL and Redis."""

    per_second: float
    p50: float
    p99: float
    web: float
    services: float
    client: float

    @property
    def processor(self) -> float:
        """Everything but the client."""
        return self.web + self.services


def run() -> list[dict[str, Any]]:
    """The rows of one run, and the table of every side on stderr."""
    peers_python = python()
    with state_folder() as (folder, environment), ExitStack() as stack:
        requests = made_partners(environment, folder)
        site = stack.enter_context(running(folder, environment, requests))
        home = environment["VOUCH_HOME"]
        sides = {"ours": Side(site.port, requests, lambda: _own(home))}
        database = _database(environment)
        for name in ("usual", "plain"):
            sides[name] = stack.enter_context(_peer(name, peers_python, site, database))
        for side in sides.values():
            load(side.port, folder, side.requests, clients=8, seconds=WARMING)
        cells = _rounds(sides, folder, home)
        half = statistics.median(one.per_second for one in cells["ours", 8]) / 2
        steady = load(site.port, folder, requests, clients=8, seconds=STEADY, rate=half)
    print(_table(cells), file=sys.stderr)
    return [*_rows(cells), row("decision 300 x 31 at half the rate of 8 clients, p99", steady["p99_ms"], "ms", at_most=MOST_MS)]


def _own(home: str) -> list[psutil.Process]:
    """Everything of ours but PostgreSQL and Redis: web server, scheduler, queue, supervisor."""
    services = {one.pid for one in family(home, "portal.embedded")}
    return [one for one in family(home, "manage.py") if one.pid not in services]


def _database(environment: Mapping[str, str]) -> dict[str, str]:
    """An empty database beside ours on the same server, with the peers' two tables; returns where it is."""
    where = {"host": postgres_socket(environment), "user": "vouch"}
    with psycopg.connect(make_conninfo(**where, dbname="postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")  # type: ignore[arg-type,unused-ignore]
    with psycopg.connect(make_conninfo(**where, dbname=DATABASE)) as connection:
        connection.execute(TABLES)
    return where


@contextmanager
def _peer(name: str, interpreter: Path, site: Site, database: Mapping[str, str]) -> Iterator[Side]:
    port = free_port()
    command = [str(interpreter), "-m", "uvicorn", "bench.peers.service:app", "--port", str(port), "--workers", str(WORKERS),
               "--no-access-log", "--log-level", "warning"]  # fmt: skip
    environment = {
        "PATH": os.environ["PATH"], "PEER_FOLDER": str(site.folder), "PEER_MODEL": name, "PEER_DATABASE": DATABASE,
        "PEER_HOST": database["host"], "PEER_USER": database["user"], "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    requests = [{**one, "path": "/scores", "headers": {}} for one in site.requests]
    with server(command, environment, site.folder / f"{name}.log") as process:
        first_answer(port, requests[0])
        yield Side(port, requests, lambda: below(psutil.Process(process.pid)))


def _rounds(sides: Mapping[str, Side], folder: Path, home: str) -> dict[tuple[str, int], list[Cell]]:
    cells: dict[tuple[str, int], list[Cell]] = {(name, clients): [] for clients in CLIENTS for name in sides}
    for _ in range(ROUNDS):
        for name, clients in cells:
            cells[name, clients].append(_cell(sides[name], clients, folder, home))
    return cells


def _cell(side: Side, clients: int, folder: Path, home: str) -> Cell:
    parts = side.processes(), family(home, "portal.embedded")
    before = [processor_seconds(part) for part in parts]
    seen = load(side.port, folder, side.requests, clients=clients, seconds=SECONDS)
    web, other = (1e6 * (after - one) / seen["requests"] for after, one in zip(_at_rest(parts), before, strict=True))
    return Cell(seen["per_second"], seen["p50_ms"], seen["p99_ms"], web, other, seen["client_microseconds"])


def _at_rest(parts: Sequence[Sequence[psutil.Process]]) -> list[float]:
    """What each part has spent once its work in the background is done too: it counts for the side that caused it."""
    looks: list[list[float]] = []

    def is_quiet() -> bool:
        looks.append([processor_seconds(part) for part in parts])
        return len(looks) > 1 and sum(looks[-1]) - sum(looks[-2]) < QUIET * LOOK_SECONDS

    if not wait_until(is_quiet, LONGEST_REST, pause=LOOK_SECONDS):
        raise TimeoutError(f"the servers were still at work {LONGEST_REST:g} s after the last answer")
    return looks[-1]


def _median(cells: Sequence[Cell], name: str) -> float:
    return statistics.median(float(getattr(cell, name)) for cell in cells)


def _ratio(cells: Mapping[tuple[str, int], Sequence[Cell]], clients: int, peer: str, name: str) -> float:
    """Ours to the peer, the median of the rounds; more is better."""
    pairs = zip(cells["ours", clients], cells[peer, clients], strict=True)
    found = statistics.median(float(getattr(ours, name) / getattr(theirs, name)) for ours, theirs in pairs)
    return found if name == "per_second" else 1 / found


def _rows(cells: Mapping[tuple[str, int], Sequence[Cell]]) -> list[dict[str, Any]]:
    rows = []
    for clients in CLIENTS:
        each = f"decision 300 x 31, {clients} client{'s' if clients > 1 else ''}"
        ours = cells["ours", clients]
        for peer, least in (("usual", OVER_USUAL), ("plain", OVER_PLAIN)):
            theirs, against = cells[peer, clients], NAMES[peer]
            rows.append(row(
                f"{each}, {against}", _median(ours, "per_second"), "req/s", peer=_median(theirs, "per_second"),
                ratio=_ratio(cells, clients, peer, "per_second"), at_least=least,
            ))  # fmt: skip
            rows.append(row(
                f"{each}, {against}, server and services", _median(ours, "processor"), "us CPU", peer=_median(theirs, "processor"),
                ratio=_ratio(cells, clients, peer, "processor"),
            ))  # fmt: skip
        rows.append(row(f"{each}, p50", _median(ours, "p50"), "ms"))
        rows.append(row(f"{each}, p99", _median(ours, "p99"), "ms"))
        rows.append(row(f"{each}, load generator", _median(ours, "client"), "us CPU"))
    return rows


def _table(cells: Mapping[tuple[str, int], Sequence[Cell]]) -> str:
    """Every side and number of clients: medians of the rounds."""
    lines = ["| clients | side | req/s | p50 ms | p99 ms | server us CPU | PostgreSQL and Redis us CPU | load generator us CPU |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for (name, clients), found in cells.items():
        figures = [_median(found, part) for part in Cell.__slots__]
        texts = (f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}" for figure in figures)
        lines.append(f"| {clients} | {NAMES[name]} | " + " | ".join(texts) + " |")
    return "\n".join(lines)
