"""A table to stored, explained decisions and a results file, by `manage.py score_file` on one and on two processes."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.batch_partner import PRODUCT, SLUG

ROOT = Path(__file__).resolve().parent.parent
ROWS = int(os.environ.get("BENCH_BATCH_ROWS", "50000"))
WORKERS = tuple(map(int, os.environ.get("BENCH_BATCH_WORKERS", "1 2").split()))
EVERY_SECONDS = 0.25
LEAST_PER_SECOND, LEAST_RATIO, MOST_GROWTH = 2_000.0, 1.7, 1.1


@dataclass(frozen=True, slots=True)
class Run:
    """One call: how long, how much of the processors, the most memory of one process in MiB; `half`: by the middle of it."""

    seconds: float
    resident: float
    half: float
    database: float
    processor: float
    database_processor: float
    load: float


def run() -> list[dict[str, Any]]:
    """Rows a second, speed-up of a second process where cores allow, and memory that does not grow with the rows."""
    with tempfile.TemporaryDirectory(prefix="vouch-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)  # PostgreSQL runs as another user when this is root
        environment = {**os.environ, "VOUCH_HOME": str(place / "home"), "OMP_NUM_THREADS": "1"}
        _manage(environment, "migrate", "--verbosity", "0")
        tables = {workers: place / f"rows-{workers}.csv" for workers in WORKERS}
        for workers, table in tables.items():
            _manage(environment, "shell", "--no-imports", "-c", _MAKE.format(rows=ROWS, table=str(table), prefix=f"W{workers}-"))
        runs = {workers: _score(environment, table, workers) for workers, table in tables.items()}
    return _rows(runs)


_MAKE = "import sys; sys.argv = ['batch_partner', '{rows}', '{table}', '{prefix}']; from bench.batch_partner import main; main()"


def _rows(runs: dict[int, Run]) -> list[dict[str, Any]]:
    rows = []
    for workers, one in runs.items():
        each = "1 process" if workers == 1 else f"{workers} processes"
        name = f"batch of {ROWS:,} rows, 300 trees x 31 leaves, {each}"
        rows.append(_row(name, ROWS / one.seconds, "rows/s", at_least=LEAST_PER_SECOND if workers == max(runs) else None))
        rows.append(_row(f"{name}: largest process", one.resident, "MiB"))
        rows.append(_row(f"{name}: its growth in the second half", one.resident / one.half, "times", at_most=MOST_GROWTH))
        rows.append(_row(f"{name}: largest process of PostgreSQL", one.database, "MiB"))
        rows.append(_row(f"{name}: processor time, its own", 1e6 * one.processor / ROWS, "us CPU/row"))
        rows.append(_row(f"{name}: processor time, PostgreSQL's", 1e6 * one.database_processor / ROWS, "us CPU/row"))
        rows.append(_row(f"{name}: load of the machine before", one.load, "1 min"))
    if not {1, 2} <= set(runs):
        return rows
    allowed = (os.cpu_count() or 1) >= 2 and max(one.load for one in runs.values()) < 1.0
    ratio = runs[1].seconds / runs[2].seconds
    rows.append(_row("batch, two processes against one", ratio, "times", at_least=LEAST_RATIO if allowed else None))
    return rows


def _row(name: str, ours: float, unit: str, *, at_least: float | None = None, at_most: float | None = None) -> dict[str, Any]:
    holds = None if at_least is None and at_most is None else (at_least or ours) <= ours <= (at_most or ours)
    required = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}" if at_most is not None else None
    return {"name": name, "ours": round(ours, 3), "peer": None, "unit": unit, "ratio": None, "required": required, "holds": holds}


def _manage(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True)


def _score(environment: dict[str, str], table: Path, workers: int) -> Run:
    command = [sys.executable, "manage.py", "score_file", SLUG, PRODUCT, "--in", str(table), "--out", str(table.with_suffix(".out.csv")),
               "--workers", str(workers), "--json"]
    load, began = os.getloadavg()[0], time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    watched = _Watch(process.pid, environment["VOUCH_HOME"])
    out, _ = process.communicate()
    seconds = time.perf_counter() - began
    watched.stop()
    if process.returncode or json.loads(out)["scored"] != ROWS:
        raise AssertionError(f"not every row was decided: {out}")
    return Run(
        seconds=seconds, resident=watched.largest("own"), half=watched.largest("own", until=began + seconds / 2),
        database=watched.largest("database"), processor=watched.spent("own"), database_processor=watched.spent("database"), load=load,
    )


class _Watch:
    """Looks now and then at the memory of the call's processes, and of the database's what is not its shared cache."""

    def __init__(self, pid: int, home: str) -> None:
        self._seen: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._spent: defaultdict[str, dict[int, float]] = defaultdict(dict)
        self._main, self._home, self._over = psutil.Process(pid), Path(home), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def largest(self, part: str, until: float = float("inf")) -> float:
        return max((size for at, size in self._seen[part] if at <= until), default=float("nan"))

    def spent(self, part: str) -> float:
        return sum(self._spent[part].values())

    def _watch(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            now = time.perf_counter()
            for part, processes in (("own", self._own()), ("database", self._database())):
                for process in processes:
                    with contextlib.suppress(psutil.Error):
                        memory, times = process.memory_info(), process.cpu_times()
                        shared = memory.shared if part == "database" else 0
                        self._seen[part].append((now, (memory.rss - shared) / 2**20))
                        self._spent[part][process.pid] = times.user + times.system

    def _own(self) -> list[psutil.Process]:
        try:
            return [self._main, *self._main.children(recursive=True)]
        except psutil.Error:
            return []

    def _database(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if Path(process.cwd()).is_relative_to(self._home / "postgres"):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found
