"""A process's use of a service: a shared lock for as long as it lives, and a keeper when there is none."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO

from portal.embedded.keeper import STOP_SECONDS, Service
from portal.embedded.place import BASE_DIR, EmbeddedFault, home, lock_file, log_path, try_lock
from portal.waiting import wait_until

_PASSED_ON = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV", "LD_LIBRARY_PATH",
              "VOUCH_WAL_ARCHIVE"}  # fmt: skip


@dataclass
class Lease:
    """One process's use of one service."""

    service: Service
    users: IO[bytes] = field(init=False)
    starting: IO[bytes] = field(init=False)
    keeper: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.users = lock_file(self.service.name, "users")
        fcntl.flock(self.users, fcntl.LOCK_SH)  # waits while a keeper is stopping its service
        self.starting = lock_file(self.service.name, "starting")
        fcntl.flock(self.starting, fcntl.LOCK_EX)  # until wait(): one process starts the keeper, the others find it
        if not self.kept():
            self.keeper = _spawn_keeper(self.service)

    def kept(self) -> bool:
        """Whether a keeper is at work."""
        with lock_file(self.service.name, "keeper") as file:
            return not try_lock(file)

    def wait(self) -> None:
        """The service answers. Raises EmbeddedFault with the keeper's own words when it cannot."""
        try:
            if self.keeper is not None and self.keeper.stdout is not None and not self.keeper.stdout.closed:
                with self.keeper.stdout as pipe:
                    line = pipe.readline().strip()
                if line != "ready":
                    self.keeper.wait()
                    seen = line or f"The embedded {self.service.name} did not start."
                    raise EmbeddedFault(seen, _fix(self.service, line), part=self.service.name)
        finally:
            self.starting.close()

    def revive(self) -> None:
        """The keeper is started again when it has died."""
        if self.kept():
            return
        self.starting = lock_file(self.service.name, "starting")
        fcntl.flock(self.starting, fcntl.LOCK_EX)
        if not self.kept():
            self.keeper = _spawn_keeper(self.service)
        self.wait()

    def release(self) -> None:
        """The service is stopped before this returns when nobody else uses it."""
        with self.users:
            if try_lock(self.users):
                self._stop_keeper()
        if self.keeper is not None and self.keeper.poll() is None:
            self.keeper.returncode = 0  # it stays for the others, and is not waited for

    def _stop_keeper(self) -> None:
        with lock_file(self.service.name, "keeper") as file:
            if try_lock(file):
                return
            file.seek(0)
            with contextlib.suppress(ValueError, ProcessLookupError):
                os.kill(int(file.read()), signal.SIGTERM)
            wait_until(lambda: try_lock(file), STOP_SECONDS)
        if self.keeper is not None:
            self.keeper.wait()


def _fix(service: Service, line: str) -> str:
    if "No space left" in line:
        return f"Free some space on the disk of {home()}."
    return f"Mend what {log_path(service.name)} says, or set {'DATABASE_URL' if service.name == 'postgres' else 'REDIS_URL'}."


def _open_log(service: Service) -> IO[bytes]:
    try:
        return open(log_path(service.name), "ab")
    except OSError as error:
        message = f"{log_path(service.name)} cannot be opened ({error.strerror})."
        raise EmbeddedFault(message, "Make it writable, or set VOUCH_HOME to a folder of your own.", part=service.name) from None


def _spawn_keeper(service: Service) -> subprocess.Popen[str]:
    """The keeper and its server see no setting of ours but the state folder: no key and no address of another."""
    passed_on = {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(("LC_", "PYTHON"))}
    with _open_log(service) as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "portal.embedded", service.name], cwd=BASE_DIR, start_new_session=True,
            env={**passed_on, "VOUCH_HOME": str(home())}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
