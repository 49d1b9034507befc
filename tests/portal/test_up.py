"""`up` as a person uses it: one command, one log, everything back after a kill, nothing left after Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from portal.management.commands.up import Site
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path | str) -> dict[str, str]:
    """A new user's: nothing configured but the state folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VOUCH_", "DATABASE_", "REDIS_", "DJANGO_"))}
    return {**kept, "VOUCH_HOME": str(home), "NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"]}


def manage(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(home), capture_output=True, text=True, check=False)


def ask(port: int, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None
    except OSError:
        return 0, None


def processes_of(home: Path) -> list[psutil.Process]:
    """Everything that runs with this state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VOUCH_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vouch-up-", dir="/tmp") as name:
        yield Path(name)


@contextmanager
def running(home: Path, port: int, said: list[str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """`up`, until the block ends; its log goes to `said`."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--port", str(port), "--workers", "1"], cwd=ROOT, env=environment(home),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        until(lambda: ask(port, "/ready")[0] == 200 or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        if said is not None:
            said.append(output)


@pytest.mark.slow
def test_up_survives_kills_and_leaves_nothing_behind(home: Path) -> None:
    port = free_port()
    said: list[str] = []
    with running(home, port, said) as process:
        web = next(child for child in psutil.Process(process.pid).children() if "granian" in child.cmdline())
        figures = Path(web.environ()["PROMETHEUS_MULTIPROC_DIR"])
        had_figures = any(figures.glob("*.db"))
        worker = web.children()[-1]

        worker.kill()
        until(lambda: ask(port, "/ready")[0] == 200 and not worker.is_running())

        before = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
        os.kill(before, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(before))
        until(lambda: ask(port, "/ready")[0] == 200)

        keeper = int((home / "locks" / "postgres.keeper").read_text())
        os.kill(keeper, signal.SIGKILL)
        until(lambda: int((home / "locks" / "postgres.keeper").read_text() or 0) not in {keeper, 0})
        until(lambda: ask(port, "/ready")[0] == 200)

        doctor = manage(home, "doctor", "--json")

    assert doctor.returncode == 0, doctor.stdout
    assert json.loads(doctor.stdout)["healthy"]
    assert "manage.py create_partner SLUG" in said[0]
    assert had_figures
    assert not figures.exists()
    assert process.returncode == 0
    assert processes_of(home) == []
    assert ask(port, "/live")[0] == 0


@pytest.mark.slow
def test_killing_up_itself_takes_everything_along(home: Path) -> None:
    with running(home, free_port()) as process:
        process.kill()
        until(lambda: not processes_of(home))


def test_a_taken_port_is_one_line_and_starts_nothing(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = manage(home, "up", "--port", str(port))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"CommandError: Port {port} on 127.0.0.1 cannot be used (Address already in use). Use another with --port.\n"
    assert processes_of(home) == []


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("port", "0", "--port is '0'; write a whole number from 1 to 65535."),
        ("port", "abc", "--port is 'abc'; write a whole number from 1 to 65535."),
        ("port", "70000", "--port is '70000'; write a whole number from 1 to 65535."),
        ("workers", "0", "--workers is '0'; write a whole number from 1 to 256."),
        ("host", "nowhere.example", "--host 'nowhere.example' is no address; write one of this machine's, such as 127.0.0.1 or ::1."),
        ("host", "", "--host '' is no address; write one of this machine's, such as 127.0.0.1 or ::1."),
        ("host", "203.0.113.9", "--host 203.0.113.9 is no address of this machine"),
    ],
)
def test_what_up_cannot_use_is_one_line_about_that(option: str, value: str, said: str) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("up", **{"port": str(free_port()), option: value})

    assert str(refusal.value).startswith(said)
    assert len(str(refusal.value).splitlines()) == 1


def test_where_up_listens_is_told_as_an_address() -> None:
    assert [Site(host, 8000, 1).address for host in ("127.0.0.1", "0.0.0.0", "::1", "::")] == [
        "http://127.0.0.1:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "http://[::1]:8000"
    ]  # fmt: skip


def test_an_unwritable_state_folder_is_one_line(home: Path) -> None:
    (home / "file").touch()

    done = manage(home / "file" / "state", "up")

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be written" in done.stderr
