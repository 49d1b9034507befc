"""Copies by the clock: one of the whole system every so many hours (VOUCH_BACKUPS), the newest few of them kept."""

import fcntl
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings

from audit.context import SYSTEM
from portal.backups.errors import BackupRefused
from portal.backups.making import ENDING, Made, Report, make_backup
from portal.backups.moments import make_base
from portal.backups.place import read_key
from portal.embedded import history, postgres

_COPY = re.compile(r"vouch-system-(\d{8}T\d{6}Z)" + re.escape(ENDING))
_running: list["subprocess.Popen[bytes]"] = []


def copies() -> list[tuple[datetime, Path]]:
    """The copies of the whole system in the folder, oldest first, each with when it was begun."""
    folder = Path(settings.BACKUPS)
    named = [(_COPY.fullmatch(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((datetime.strptime(name[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC), path) for name, path in named if name)


def age() -> timedelta | None:
    """How old the newest copy is; None where there is none."""
    found = copies()
    return datetime.now(UTC) - found[-1][0] if found else None


def is_due() -> bool:
    """Whether it is time for another copy."""
    newest = age()
    return bool(settings.BACKUPS) and (newest is None or newest >= timedelta(hours=settings.BACKUP_HOURS))


def begin_due_backup() -> None:
    """A process of its own makes the copy that is due: the clock's other duties do not wait for it."""
    _running[:] = [one for one in _running if one.poll() is None]
    if not _running and is_due():
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "backup", "--due", "--json"]
        _running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))  # noqa: S603


def make_due(*, report: Report) -> Made | None:
    """The copy that is due is made and the oldest ones are gone; None when none is due or another process does it. Raises BackupRefused."""
    if not settings.BACKUPS:
        raise BackupRefused("No copies by the clock are asked for: set VOUCH_BACKUPS to a folder.")
    folder = Path(settings.BACKUPS)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(folder / ".lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if not is_due():
            return None
        for left in folder.glob(".*.part"):    # of a backup that was killed
            left.unlink()
        made = make_backup(slug=None, target=folder, key=read_key(None), actor=SYSTEM, report=report)
        if postgres.keeps_history():
            make_base(actor=SYSTEM)
            history.forget(settings.BACKUP_COPIES)
        for _, path in copies()[: -settings.BACKUP_COPIES]:
            path.unlink()
    return made
