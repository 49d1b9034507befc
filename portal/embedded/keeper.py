"""The process that keeps one service: starts it, starts it again when it dies, stops it when its last user has left."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from portal.embedded import postgres, redis
from portal.embedded.place import EmbeddedFault, become, last_words, lock_file, log_path, myself, socket_folder, try_lock
from portal.waiting import wait_until

START_SECONDS = 60
STOP_SECONDS = 20
STEADY_SECONDS = 60
FIRST_TRIES = 5


@dataclass(frozen=True)
class Service:
    """How one server is prepared, started, asked and stopped."""

    name: str
    url: Callable[[], str]
    prepare: Callable[[], None]
    command: Callable[[], list[str]]
    answers: Callable[[], bool]
    finish: Callable[[], None]
    owner: Callable[[], tuple[int, int]]
    data_folder: Callable[[], Path]
    stop_signal: signal.Signals


SERVICES = {
    service.name: service
    for service in (
        Service(
            "postgres", postgres.url, postgres.prepare, postgres.command, postgres.answers, postgres.finish, postgres.owner,
            postgres.data_folder, postgres.STOP_SIGNAL,
        ),
        Service(
            "redis", redis.url, redis.prepare, redis.command, redis.answers, lambda: None, myself, redis.data_folder, redis.STOP_SIGNAL
        ),
    )
}


def _run(service: Service) -> subprocess.Popen[bytes]:
    """The server runs and answers, as a child of this process."""
    since = log_path(service.name).stat().st_size if log_path(service.name).exists() else 0
    server = subprocess.Popen(service.command(), stdin=subprocess.DEVNULL, stdout=sys.stderr, cwd="/", start_new_session=True,  # noqa: S603
                              preexec_fn=become(service.owner(), service.stop_signal))  # fmt: skip
    wait_until(lambda: server.poll() is not None or service.answers(), START_SECONDS)
    if server.poll() is not None:
        words = last_words(service.name, since)
        raise EmbeddedFault(f"The embedded {service.name} ended with code {server.returncode}: {words} ({log_path(service.name)}).")
    return server


def _run_patiently(service: Service) -> subprocess.Popen[bytes]:
    """As _run, with a few tries: what a killed server left behind may need a moment to end, and holds its shared memory until then."""
    for pause in islice(_backoff(), FIRST_TRIES - 1):
        with contextlib.suppress(EmbeddedFault):
            return _run(service)
        time.sleep(pause)    # what the killed server left ends by itself; no file and no signal says when
    return _run(service)


def _end(service: Service, server: subprocess.Popen[bytes]) -> None:
    for number in (service.stop_signal, signal.SIGKILL):
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
            return


def _backoff() -> Iterator[float]:
    seconds = 0.1
    while True:
        yield seconds
        seconds = min(seconds * 2, 10.0)


def _watch(service: Service, server: subprocess.Popen[bytes], *, leave: Callable[[], bool]) -> None:
    """Starts the server again whenever it dies, until it is time to leave; then ends it."""
    waits, steady_from = _backoff(), time.monotonic()
    while not leave():
        if server.poll() is not None:
            if time.monotonic() - steady_from > STEADY_SECONDS:
                waits = _backoff()
            if wait_until(leave, next(waits)):    # a server that dies at once is not started as often as it can die
                break
            with contextlib.suppress(EmbeddedFault):
                server = _run(service)
            steady_from = time.monotonic()
        time.sleep(0.1)    # how late the death of the server, or of its last user, may be noticed
    _end(service, server)
    sockets = socket_folder(service.data_folder())
    if sockets != service.data_folder():
        with contextlib.suppress(OSError):
            sockets.rmdir()


def keep(service: Service) -> None:
    """Runs the service until its last user has left."""
    with lock_file(service.name, "keeper") as mine, lock_file(service.name, "users") as users:
        if not wait_until(lambda: try_lock(mine), 2):  # somebody may just be looking whether there is a keeper
            raise EmbeddedFault(f"The embedded {service.name} already has a keeper.")
        mine.truncate(0)
        mine.write(str(os.getpid()).encode())
        mine.flush()
        asked: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        service.prepare()
        server = _run_patiently(service)
        service.finish()
        say("ready")
        _watch(service, server, leave=lambda: bool(asked) or try_lock(users))


def say(line: str) -> None:
    """One line to the process that waits; it may have gone."""
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.close(quiet)
