"""What of the state folder belongs to a partner, how a copy of it is put back, and working in another database for a while."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from audit.sealer import checkpoint_log
from portal.backups.errors import BackupRefused
from portal.embedded.place import left_behind

HOME = "home"    # below it, an archive has the files by their place in the state folder


def read_key(path: Path | None) -> bytes | None:
    """The 32 bytes, as hex, that a key file or VOUCH_BACKUP_KEY holds; None where neither is given. Raises BackupRefused."""
    name = str(path) if path else "VOUCH_BACKUP_KEY"
    try:
        text = path.read_text(encoding="utf-8").strip() if path else settings.BACKUP_KEY
        key = bytes.fromhex(text)
    except (OSError, ValueError):
        key = b"?"
    if not key:
        return None
    if len(key) != 32:
        raise BackupRefused(f"{name} is not a key of 32 bytes as hex: `openssl rand -hex 32` makes one.")
    return key


def folders_of(schema: str, slug: str) -> list[Path]:
    """Where the partner's files lie in the state folder: what people brought, and what commands wrote."""
    return [Path("files", schema), Path("partners", slug)]


def files_below(folder: Path) -> Iterator[Path]:
    """Every file below this folder of the state folder, by its place in it."""
    home = Path(settings.VOUCH_HOME)
    for place in sorted((home / folder).rglob("*")):
        if place.is_file() and not place.is_symlink():
            yield place.relative_to(home)


def published(schema: str, size: int) -> bytes:
    """The partner's published checkpoints up to this size of its tree."""
    path = checkpoint_log(schema)
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return b"".join(line for line in lines if line.endswith(b"\n") and json.loads(line)["size"] <= size)


def put_back(staged: Path, folder: Path) -> None:
    """Every file of the copy is in the state folder, each whole or not at all; what is newer stays beside."""
    source = staged / HOME / folder
    for file in (one for one in sorted(source.rglob("*")) if one.is_file()):
        target = Path(settings.VOUCH_HOME) / folder / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(file, part)
        part.chmod(0o600)
        part.replace(target)


def put_back_log(staged: Path, schema: str, stamp: str) -> None:
    """The partner's published checkpoints are those of the copy. What was published since stays beside, for whoever wants to compare."""
    path = checkpoint_log(schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        path.rename(path.with_name(f"{path.name}.before-{stamp}"))
    copy = staged / HOME / "checkpoints" / path.name
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(copy.read_bytes() if copy.exists() else b"")
    part.replace(path)


@contextmanager
def staging() -> Iterator[Path]:
    """A closed folder on the disk of the state folder, which goes afterwards; what a killed command left there goes now."""
    folder = Path(settings.VOUCH_HOME) / "backups" / f".staging-{os.getpid()}"
    for left in left_behind(folder.parent, ".staging-"):
        shutil.rmtree(left)
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def alone() -> Iterator[None]:
    """No other process restores the whole system, or tries it, meanwhile. The lock goes with its process. Raises BackupRefused."""
    path = Path(settings.VOUCH_HOME) / "locks" / "restore"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupRefused("Another restore of the whole system, or a drill, is running: let it end, then say this again.") from None
        yield


@contextmanager
def in_database(name: str, **changes: Any) -> Iterator[None]:
    """The connection leads to this database, with the roles of the one it led to. Not inside a transaction."""
    at: Mapping[str, Any] = connection.settings_dict
    before = dict(at)
    connection.close()
    connection.settings_dict.update({"ROLES_OF": before.get("ROLES_OF", before["NAME"]), **changes, "NAME": name})
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.clear()
        connection.settings_dict.update(before)
