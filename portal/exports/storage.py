"""Where files of exports lie: sealed under the partner's key frame by frame, in the partner's own folder, never in clear on a disk."""

import io
import os
import time
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from audit.vault import keyring
from partners.tenancy import scoped

FRAME = 1 << 20        # bytes in clear; each is sealed for its place
_SEALED_MORE = 29      # bytes that a sealed frame is longer
_TABLE = "exports_export"
_FRESH_SECONDS = 24 * 3600    # a file that no row names may be one that is being written


def path_of(lease: uuid.UUID) -> Path:
    """Where the file that was written under this lease is."""
    return _folder() / str(lease)


def _folder() -> Path:
    return Path(settings.VOUCH_HOME, "files", *scoped("export").split(":"))


class SealedFile(io.RawIOBase):
    """A new file: what is written into it comes to the disk sealed. It cannot go back.

    What is written after its end is thrown away: writers that are given up still want to say goodbye."""

    def __init__(self, lease: uuid.UUID) -> None:
        self.size, self._ring, self._lease, self._number, self._kept = 0, keyring(), lease, 0, bytearray()
        path = path_of(lease)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._out = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: SIM115 - closed by close

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, block: Any) -> int:
        with memoryview(block) as seen:
            length = seen.nbytes
            self._kept += b"" if self.closed else seen
        self.size += length
        while len(self._kept) >= FRAME:
            self._seal(bytes(self._kept[:FRAME]))
            del self._kept[:FRAME]
        return length

    def flush(self) -> None:
        """A frame that is not full waits."""

    def _seal(self, frame: bytes) -> None:
        owner = _owner(self._lease, self._number)
        self._out.write(self._ring.seal(self._ring.partner_key, frame, table=_TABLE, column="file", owner=owner))
        self._number += 1

    def close(self) -> None:
        """What is left is sealed too, and the file is on the disk for good."""
        if not self.closed:
            if self._kept:
                self._seal(bytes(self._kept))
            self._out.flush()
            os.fsync(self._out.fileno())
            self._out.close()
        super().close()


class OpenedFile:
    """The file in clear, frame by frame, also when the partner is not in force any more. Raises FileNotFoundError, SealBroken."""

    def __init__(self, lease: uuid.UUID, size: int) -> None:
        self._ring, self._lease, self._size = keyring(), lease, size
        self._file = path_of(lease).open("rb")

    def __iter__(self) -> Iterator[bytes]:
        seen = number = 0
        with self._file as file:
            while sealed := file.read(FRAME + _SEALED_MORE):
                owner = _owner(self._lease, number)
                frame = self._ring.unseal(self._ring.partner_key, sealed, table=_TABLE, column="file", owner=owner)
                seen, number = seen + len(frame), number + 1
                yield frame
        if seen != self._size:
            raise self._ring.refused(_TABLE, "file", self._lease)

    def close(self) -> None:
        """Whoever did not read to the end is done."""
        self._file.close()


def forget(lease: uuid.UUID | None) -> None:
    """The file is gone."""
    if lease is not None:
        path_of(lease).unlink(missing_ok=True)


def leases() -> set[uuid.UUID]:
    """Under which leases there are files."""
    folder = _folder()
    return {uuid.UUID(path.name) for path in folder.iterdir()} if folder.exists() else set()


def forget_all_but(leases: Collection[str]) -> None:
    """Files that no export names are gone, unless one may still be written."""
    folder, eldest = _folder(), time.time() - _FRESH_SECONDS
    for path in folder.iterdir() if folder.exists() else ():
        if path.name not in leases and path.stat().st_mtime < eldest:
            path.unlink(missing_ok=True)


def _owner(lease: uuid.UUID, number: int) -> str:
    return f"{lease}:{number}"
