"""Programs that run as one: prefixed log, restarts with a growing pause, one common end."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from portal.supervisor import Program, Supervisor
from tests.waiting import until

STAYS = "import time; print('here', flush=True); time.sleep(60)"


def program(name: str, source: str) -> Program:
    return Program(name, [sys.executable, "-c", source], dict(os.environ))


@contextmanager
def running(programs: Sequence[Program]) -> Iterator[tuple[Supervisor, io.StringIO]]:
    out = io.StringIO()
    supervisor = Supervisor(programs, out=out)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        yield supervisor, out
    finally:
        supervisor.stop()
        thread.join(30)
        assert not thread.is_alive()


def test_lines_carry_the_name_of_their_program() -> None:
    with running([program("web", STAYS), program("scheduler", STAYS)]) as (_, out):
        until(lambda: out.getvalue().count("here") == 2)

    assert sorted(out.getvalue().splitlines()) == ["scheduler | here", "web       | here"]


def test_a_program_that_dies_starts_again_and_says_so() -> None:
    web = program("web", STAYS)
    with running([web]) as (_, out):
        until(lambda: out.getvalue().count("here") == 1)
        assert web.process is not None
        os.kill(web.process.pid, signal.SIGKILL)
        until(lambda: out.getvalue().count("here") == 2)

    assert "web ended with code -9; it starts again in 0.5 s." in out.getvalue()


def test_the_pause_grows_while_a_program_keeps_failing() -> None:
    failing = program("web", "raise SystemExit(3)")
    with running([failing]) as (_, out):
        until(lambda: out.getvalue().count("ended with code 3") == 3)

    assert [line.rsplit(" in ", 1)[1] for line in out.getvalue().splitlines()[:3]] == ["0.5 s.", "1 s.", "2 s."]


def test_a_first_command_gives_its_output() -> None:
    supervisor = Supervisor([])

    code, output = supervisor.first([sys.executable, "-c", "print('made')\nraise SystemExit(3)"], os.environ)

    assert (code, output) == (3, "made\n")


def test_a_first_command_ends_when_it_is_time_to_stop() -> None:
    supervisor = Supervisor([])
    threading.Timer(0.3, supervisor.stop).start()
    started = time.monotonic()

    code, output = supervisor.first([sys.executable, "-c", STAYS], os.environ)

    assert code == -signal.SIGTERM
    assert time.monotonic() - started < 10


def test_a_first_command_ends_with_whoever_started_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(60)"
    source = (
        "import os, sys; from portal.supervisor import Supervisor\n"
        f"Supervisor([]).first([sys.executable, '-c', {child!r}], os.environ)\n"
    )
    with subprocess.Popen([sys.executable, "-c", source]) as parent:
        until(lambda: note.exists() and note.read_text())

        parent.kill()

    until(lambda: not psutil.pid_exists(int(note.read_text())) or psutil.Process(int(note.read_text())).status() == psutil.STATUS_ZOMBIE)


def test_the_end_takes_along_what_a_program_started_and_left(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    source = (
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
        "print('here', flush=True)\n"
        "time.sleep(60)\n"
    )
    with running([program("web", source)]) as (_, out):
        until(lambda: "here" in out.getvalue())

    until(lambda: not psutil.pid_exists(int(note.read_text())) or psutil.Process(int(note.read_text())).status() == psutil.STATUS_ZOMBIE)
