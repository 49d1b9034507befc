"""The embedded server's history: base backups and every WAL file since (VOUCH_WAL_ARCHIVE=1), and a server that shows a moment of it."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

import psycopg

from portal.embedded import postgres
from portal.embedded.place import EmbeddedFault, become, last_words, left_behind, log_path, private_folder, socket_folder
from portal.waiting import wait_until

ARCHIVED_SECONDS, ROLLED_SECONDS, STOPPED_SECONDS = 120, 3600, 60
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_HOW = "Set VOUCH_WAL_ARCHIVE=1, start again, and make one with `manage.py backup --base`."


def make_base() -> Path:
    """A base backup: the server's files, from where WAL leads on to any later moment. Raises EmbeddedFault."""
    with psycopg.connect(postgres.superuser()) as server:
        mode = server.execute("SHOW archive_mode").fetchone()
    if mode is None or mode[0] != "on":
        raise EmbeddedFault("This server keeps no WAL.", "Set VOUCH_WAL_ARCHIVE=1 and start everything again.", part="postgres")
    bases = postgres.history_folder() / "base"
    _clear()
    part = bases / f"part-{os.getpid()}"
    sockets = str(socket_folder(postgres.data_folder()))
    _run([str(postgres.programs() / "pg_basebackup"), "-D", str(part), "-h", sockets, "-U", "postgres", "-X", "stream", "-c", "fast"])
    made = bases / datetime.now(UTC).strftime(_STAMP)    # when it was over: an earlier moment cannot be reached from it
    part.rename(made)
    return made


def bases() -> list[tuple[datetime, Path]]:
    """The base backups, oldest first."""
    folder = postgres.history_folder() / "base"
    found = sorted(one for one in folder.iterdir() if not one.name.startswith("part-")) if folder.exists() else []
    return [(datetime.strptime(one.name, _STAMP).replace(tzinfo=UTC), one) for one in found]


def forget(keep: int) -> None:
    """Only the newest base backups stay, with the WAL that they need."""
    found = [base for _, base in bases()]
    for base in found[:-keep]:
        shutil.rmtree(base)
    if not found:
        return
    label = (found[-keep:][0] / "backup_label").read_text(encoding="utf-8")
    first = re.search(r"\(file ([0-9A-F]{24})\)", label)
    for file in (postgres.history_folder() / "wal").iterdir() if first else ():
        if re.fullmatch(r"[0-9A-F]{24}", file.name) and first and file.name < first[1]:
            file.unlink()


@contextmanager
def server_at(moment: datetime) -> Iterator[str]:
    """A server beside the one that runs, whose data are those of that moment; yields the folder of its socket. Raises EmbeddedFault."""
    base = _base_before(moment)
    _archive_all()
    _clear()
    side = postgres.history_folder() / f"side-{os.getpid()}"
    try:
        _run(["cp", "-a", str(base), str(side)])
        _run(["rm", "-f", str(side / ".s.PGSQL.5432.lock")])    # the first server's, where its socket lies with its data
        _run(["touch", str(side / "recovery.signal")])
        private_folder(socket_folder(side), postgres.owner())
        with _running(side, moment):
            yield str(socket_folder(side))
    finally:
        shutil.rmtree(side, ignore_errors=True)
        if socket_folder(side) != side:
            shutil.rmtree(socket_folder(side), ignore_errors=True)


def _clear() -> None:
    """What killed commands left is gone."""
    for folder, prefix in (("base", "part-"), ("", "side-")):
        for left in left_behind(postgres.history_folder() / folder, prefix):
            shutil.rmtree(left)


def _base_before(moment: datetime) -> Path:
    found = bases()
    if moment > datetime.now(UTC):
        raise EmbeddedFault(f"{moment.isoformat()} is still to come.", "Name a moment that is past.", part="postgres")
    earlier = [base for at, base in found if at <= moment]
    if not earlier:
        oldest = f"The oldest ended at {found[0][0].isoformat()}: name a later moment." if found else _HOW
        raise EmbeddedFault(f"There is no base backup before {moment.isoformat()}.", oldest, part="postgres")
    return earlier[-1]


def _archive_all() -> None:
    """All that was committed until now is in the archive, and something that was committed after any past moment: there recovery stops."""
    with psycopg.connect(postgres.superuser(), autocommit=True) as server:
        server.execute("SELECT pg_current_xact_id()")
        row = server.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    name = str(row[0]) if row else ""
    if not wait_until(lambda: (postgres.history_folder() / "wal" / name).exists(), ARCHIVED_SECONDS, pause=0.1):
        message = f"{name} did not reach {postgres.history_folder() / 'wal'}."
        raise EmbeddedFault(message, f"Mend what {log_path('postgres')} says.", part="postgres")


@contextmanager
def _running(side: Path, moment: datetime) -> Iterator[None]:
    changes = {
        "archive_mode": "off",
        "restore_command": f"cp {quote(str(postgres.history_folder() / 'wal'))}/%f %p",
        "recovery_target_time": moment.astimezone(UTC).isoformat(),
        "recovery_target_action": "promote",
    }
    with log_path("history").open("wb") as log:
        server = subprocess.Popen(postgres.start_command(side, changes), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",  # noqa: S603
                                  start_new_session=True, preexec_fn=become(postgres.owner(), signal.SIGINT))  # fmt: skip
    try:
        wait_until(lambda: server.poll() is not None or _is_there(side), ROLLED_SECONDS, pause=0.1)
        if server.poll() is not None or not _is_there(side):
            raise EmbeddedFault(f"The moment cannot be reached: {last_words('history', 0)} ({log_path('history')}).", part="postgres")
        yield
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(STOPPED_SECONDS)


def _is_there(side: Path) -> bool:
    try:
        with psycopg.connect(postgres.superuser(side)) as server:
            row = server.execute("SELECT pg_is_in_recovery()").fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None and not row[0]


def _run(command: Sequence[str]) -> None:
    """As the server's user, to whom the history belongs."""
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, cwd="/", preexec_fn=become(postgres.owner(), signal.SIGKILL)
    )
    if done.returncode != 0:
        said = f"{Path(command[0]).name} failed: {' '.join(done.stderr.split())}"
        raise EmbeddedFault(said, "Free some space, then try again.", part="postgres")
