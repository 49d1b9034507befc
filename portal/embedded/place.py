"""The state folder and what every service needs of it: private folders, short socket paths, secrets of its own."""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import signal
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

BASE_DIR = Path(__file__).resolve().parent.parent.parent
LONGEST_SOCKET_PATH = 100
_FAULT = re.compile(r"FATAL|PANIC|ERROR|[Ff]atal|No space left")
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")  # no address, list of folders or configuration line reads anything else into it


class EmbeddedFault(Exception):
    """A service cannot run here; the text says why and what to do. `part` is postgres, redis, state or keys."""

    def __init__(self, seen: str, fix: str = "", *, part: str = "state") -> None:
        super().__init__(f"{seen}{'' if seen.endswith('.') else '.'} {fix}" if fix else seen)
        self.seen, self.fix, self.part = seen, fix, part


def home() -> Path:
    """The state folder: VOUCH_HOME, else .vouch beside manage.py."""
    return Path(os.environ.get("VOUCH_HOME") or BASE_DIR / ".vouch").resolve()


def make_home() -> Path:
    """The state folder exists, can be written, and can be passed through by the user that runs PostgreSQL."""
    folder = home()
    try:
        if folder.exists() and not folder.is_dir():
            raise EmbeddedFault(f"VOUCH_HOME names {folder}, which is no folder.", "Name a folder.")
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(folder)
        if os.geteuid() == 0:
            folder.chmod(folder.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        fix = "Free some space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "Make it writable"
        message = f"The state folder {folder} cannot be written ({error.strerror})."
        raise EmbeddedFault(message, f"{fix}, or set VOUCH_HOME to another folder.") from None
    return folder


def _refuse_foreign(folder: Path) -> None:
    """Before anything is changed in it: what another user's portal keeps there is not ours."""
    for path in (folder / "locks", folder / "keys"):
        if path.exists() and path.stat().st_uid != os.geteuid():
            raise foreign(folder, path.stat().st_uid)


def foreign(folder: Path, uid: int) -> EmbeddedFault:
    """What is said of a folder that belongs to another user."""
    try:
        owner = pwd.getpwuid(uid).pw_name
    except KeyError:
        owner = f"user {uid}"
    return EmbeddedFault(f"{folder} belongs to {owner}.", f"Run as {owner}, or set VOUCH_HOME to a folder of your own.")


def kept_secret(name: str) -> str:
    """The secret kept under the state folder, empty when there is none. Raises EmbeddedFault when it cannot be read."""
    path = home() / "keys" / name
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        fix = "Make it readable, or set VOUCH_HOME to another folder."
        raise EmbeddedFault(f"{path} cannot be read ({error.strerror}).", fix, part="keys") from None


def local_secret(name: str) -> str:
    """A secret kept under the state folder, made once, readable by its owner only."""
    folder = make_home() / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):  # another process was first: its secret counts
            os.link(part, path)
        part.unlink()
    return path.read_text(encoding="utf-8").strip()


def socket_folder(folder: Path) -> Path:
    """The service's own folder, or one below the temporary folder: a socket's path is plain and holds about 100 characters."""
    if _PLAIN.fullmatch(str(folder)) and len(str(folder / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
        return folder
    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"vouch-{folder.name}-{os.geteuid()}-{short}"


def left_behind(folder: Path, prefix: str) -> list[Path]:
    """What is named after processes (prefix and process id) that are gone."""
    return [path for path in folder.glob(f"{prefix}*") if not _lives(path.name.removeprefix(prefix))]


def _lives(process_id: str) -> bool:
    try:
        os.kill(int(process_id), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def private_folder(path: Path, owner: tuple[int, int]) -> None:
    """The folder exists, belongs to the service's user and is closed to others."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner[0], os.geteuid()):
        raise foreign(path, found.st_uid)
    os.chown(path, *owner)
    path.chmod(0o700)


def package_folder(package: str) -> Path:
    """Where an installed package lives."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise EmbeddedFault(f"The package {package} is not installed. Run `make`, or set DATABASE_URL and REDIS_URL.")
    return Path(found.origin).parent


def myself() -> tuple[int, int]:
    """This process's user and group."""
    return os.geteuid(), os.getegid()


def become(owner: tuple[int, int], at_death: signal.Signals) -> Callable[[], None]:
    """In the child: run as the service's user, and end when the keeper does."""

    def change() -> None:
        if os.geteuid() == 0 and owner[0] != 0:
            os.setgroups([])
            os.setgid(owner[1])
            os.setuid(owner[0])
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, int(at_death))  # PR_SET_PDEATHSIG; after setuid, which clears it

    return change


def lock_file(service: str, role: str) -> IO[bytes]:
    """A file of which a process holds a lock while it plays this role for the service."""
    path = home() / "locks" / f"{service}.{role}"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        return open(path, "a+b")
    except OSError as error:
        message = f"{path} cannot be opened ({error.strerror})."
        raise EmbeddedFault(message, "Make it writable, or set VOUCH_HOME to a folder of your own.") from None


def try_lock(file: IO[bytes]) -> bool:
    """Whether the lock is now this process's alone."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def log_path(service: str) -> Path:
    """Where a service's own words go."""
    return home() / f"{service}.log"


def last_words(service: str, since: int) -> str:
    """What its log says last, from this byte on: the last line that tells of a fault, else the last."""
    try:
        with open(log_path(service), "rb") as log:
            log.seek(since)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return next((line for line in reversed(lines) if _FAULT.search(line)), lines[-1] if lines else "")
