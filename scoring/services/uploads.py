"""The folder of a partner's uploaded tables, and of those that retraining writes: there until they were read, a day at most."""

import shutil
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from partners.tenancy import scoped

MOST_BYTES = 100 * 1024**2
KEPT_SECONDS = 24 * 3600
_PACKED = (b"\x1f\x8b", b"PAR1", b"PK")    # gzip, Parquet, Excel


def folder() -> Path:
    """The current partner's folder of uploads; made if it is missing. Nobody but the portal's user reads it."""
    made = Path(settings.VOUCH_HOME) / "files" / Path(*scoped("upload").split(":"))
    made.mkdir(mode=0o700, parents=True, exist_ok=True)
    return made


def place_of(batch_id: uuid.UUID) -> Path:
    """Where the table of this batch is, or was."""
    return folder() / str(batch_id)


def forget_upload(batch_id: uuid.UUID) -> None:
    """The table is gone."""
    place_of(batch_id).unlink(missing_ok=True)


def forget_old_uploads() -> None:
    """What is older than a day is gone, whatever it was waiting for."""
    eldest = time.time() - KEPT_SECONDS
    for path in folder().iterdir():
        if path.stat().st_mtime >= eldest:
            continue
        if path.is_dir():    # of a retraining that was killed
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def forget_uploads_about(traces: Sequence[bytes]) -> None:
    """Tables that mention any of these, and those that cannot be searched, are gone."""
    for path in folder().iterdir() if traces else ():
        if path.is_file() and _may_mention(path, traces):
            path.unlink(missing_ok=True)


def _may_mention(path: Path, traces: Sequence[bytes]) -> bool:
    with open(path, "rb") as file:
        if file.read(4).startswith(_PACKED):
            return True
        file.seek(0)
        kept = b""
        while piece := file.read(1 << 20):
            if any(trace in kept + piece for trace in traces):
                return True
            kept = piece[-max(map(len, traces)) :]
    return False


def room_for(size: int) -> bool:
    """Whether the disk holds a table of this many bytes and as much again."""
    return shutil.disk_usage(folder()).free > 2 * size
