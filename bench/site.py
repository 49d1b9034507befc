"""A portal as an operator starts it, partners with a promoted model, loads on it, and what its processes spend."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from portal.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent
PATH = "/api/v1/scores"
WORKERS = 2
LONGEST_START = 60.0


@dataclass(frozen=True, slots=True)
class Site:
    """A running portal and what clients send to it: a list of {path, headers, body}."""

    folder: Path
    environment: Mapping[str, str]
    requests: Sequence[Mapping[str, Any]]
    port: int


@contextlib.contextmanager
def state_folder() -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty folder, and the environment of a portal whose state is in it."""
    with tempfile.TemporaryDirectory(prefix="vouch-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)  # PostgreSQL runs as another user when this is root
        home = place / "home"
        yield place, {
            **os.environ, "VOUCH_HOME": str(home), "VOUCH_LIMIT_ENTERPRISE": "1000000000", "OMP_NUM_THREADS": "1",
            "NUMBA_CACHE_DIR": str(home / "numba"),
        }  # fmt: skip


@contextlib.contextmanager
def services(environment: Mapping[str, str], folder: Path) -> Iterator[None]:
    """PostgreSQL and Redis run, whoever else comes and goes."""
    program = (
        "import signal; from portal import embedded; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "embedded.start(); print('ready', flush=True); signal.pause()"
    )
    log = folder / "services.log"
    with server([sys.executable, "-c", program], environment, log):
        if not wait_until(lambda: "ready" in log.read_text(), LONGEST_START, pause=0.05):
            raise TimeoutError(f"PostgreSQL and Redis did not start within {LONGEST_START:g} s")
        yield


def postgres_socket(environment: Mapping[str, str]) -> str:
    """The folder of the embedded PostgreSQL's socket."""
    program = "from portal.embedded import place, postgres; print(place.socket_folder(postgres.data_folder()))"
    return output([sys.executable, "-c", program], environment).strip()


@contextlib.contextmanager
def running(folder: Path, environment: Mapping[str, str], requests: Sequence[Mapping[str, Any]]) -> Iterator[Site]:
    """`manage.py up` with two workers, that has answered once."""
    port = free_port()
    arguments = [sys.executable, "manage.py", "up", "--port", str(port), "--workers", str(WORKERS)]
    with server(arguments, environment, folder / "up.log"):
        first_answer(port, requests[0])
        yield Site(folder, environment, requests, port)


def manage(environment: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """What a command answers with --json."""
    command = [sys.executable, "manage.py", *arguments, "--json"]
    answer: dict[str, Any] = json.loads(output(command, environment))
    return answer


def output(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """What a program prints. Raises CalledProcessError after showing what it said."""
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, text=True, capture_output=True)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        done.check_returncode()
    return done.stdout


def made_partners(environment: Mapping[str, str], folder: Path, **wanted: object) -> list[dict[str, Any]]:
    """Partners with a promoted model, by `bench.made` in a process of its own; returns what a client sends to each."""
    manage_quietly = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    output(manage_quietly, environment)
    said = output([sys.executable, "-W", "ignore", "-m", "bench.made", json.dumps({"folder": str(folder), **wanted})], environment)
    requests: list[dict[str, Any]] = json.loads(said.splitlines()[-1])
    return requests


def load(port: int, folder: Path, requests: Sequence[Mapping[str, Any]], **wanted: object) -> dict[str, Any]:
    """What the load saw, from a process of its own: `clients`, and `total` or `seconds`, and `rate`. Stops when one request failed."""
    file = folder / "requests.json"
    file.write_text(json.dumps(list(requests)))
    command = [sys.executable, "-m", "bench.load", "--port", str(port), "--requests", str(file)]
    command += [part for name, value in wanted.items() if value is not None for part in (f"--{name}", str(value))]
    summary: dict[str, Any] = json.loads(output(command, os.environ))
    if summary["failures"] or not summary["requests"]:
        raise AssertionError(f"not every request was answered: {summary}")
    return summary


def family(home: str, *words: str) -> list[psutil.Process]:
    """The processes of the portal with this VOUCH_HOME whose command holds all these words, and everything below them."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("VOUCH_HOME") == home and set(words) <= set(process.cmdline()):
                found.update({one.pid: one for one in below(process)})
    return list(found.values())


def below(process: psutil.Process) -> list[psutil.Process]:
    """The process and everything below it."""
    return [process, *process.children(recursive=True)]


def workers(site: Site) -> list[psutil.Process]:
    """The web workers; granian's own process and multiprocessing's helper hold no portal."""
    found = family(site.environment["VOUCH_HOME"], "granian")
    return sorted(found, key=lambda one: -one.memory_info().rss)[:WORKERS]


def processor_seconds(processes: Iterable[psutil.Process]) -> float:
    """What they have spent, with those of their children that have ended."""
    spent = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            spent += sum(process.cpu_times()[:4])
    return spent


@contextlib.contextmanager
def server(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[psutil.Popen]:
    """The program, until the end of the block; what it said is shown when the block fails."""
    with log.open("wb") as file:
        process = psutil.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield process
        except BaseException:
            sys.stderr.write(log.read_text(errors="replace")[-4_000:])
            raise
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def first_answer(port: int, request: Mapping[str, Any]) -> None:
    """Returns when the server decided for the first time. Raises TimeoutError when it does not."""
    if not wait_until(lambda: _decides(port, request), LONGEST_START, pause=0.01):
        raise TimeoutError(f"no decision on port {port} within {LONGEST_START:g} s")


def _decides(port: int, request: Mapping[str, Any]) -> bool:
    body = {**request["body"], "applicant": {"reference": f"first-{uuid.uuid4()}"}}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("POST", request["path"], json.dumps(body), {"Content-Type": "application/json", **request["headers"]})
        return connection.getresponse().status == http.client.CREATED
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def row(
    name: str, ours: float, unit: str, *, peer: float | None = None, ratio: float | None = None, at_least: float | None = None,
    at_most: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One figure. `at_least` is asked of the ratio where there is one, `at_most` of the figure."""
    judged = ours if ratio is None else ratio
    required = None if at_least is None and at_most is None else f"<= {at_most:g}" if at_least is None else f">= {at_least:g}"
    holds = None if required is None else (at_most is None or ours <= at_most) and (at_least is None or judged >= at_least)
    if required and ratio is not None:
        required += "x"
    rounded = {key: None if value is None else round(value, 3) for key, value in (("ours", ours), ("peer", peer), ("ratio", ratio))}
    return {"name": name, "unit": unit, **rounded, "required": required, "holds": holds}
