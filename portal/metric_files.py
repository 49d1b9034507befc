"""The files through which the workers of one run share their figures: in memory where the system has some, and never a hole.

prometheus_client maps sparse files. A hole that a full disk cannot fill ends the process by SIGBUS, so each byte is reserved before it is
mapped, and a figure that finds no room stays with its worker."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import mmap_dict, values

MEMORY = Path("/dev/shm")  # nosec B108 # noqa: S108 - a private folder is made below it
PREFIX = "vouch-metrics-"
YOUNGEST_STRAY_SECONDS = 60.0
_LONGEST_ENTRY = 4 + 8 + 16  # beside the key itself


class ReservedDict(mmap_dict.MmapedDict):
    """The library's dictionary in a file; what finds no room in it is left out, and tried again when it changes."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._positions: dict[str, int] = {}
        try:
            if not read_mode:
                _make_file(Path(filename), mmap_dict._INITIAL_MMAP_SIZE)
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
        except OSError:
            self.has_file = False
        else:
            self.has_file = True

    def _has_room(self, key: str) -> bool:
        if key in self._positions or not self.has_file:
            return self.has_file
        if self._used + len(key.encode()) + _LONGEST_ENTRY <= self._capacity:
            return True
        try:
            _reserve(self._f.fileno(), 2 * self._capacity)
        except OSError:
            return False
        return True

    def read_value(self, key: str) -> tuple[float, float]:
        """The value and its time; zero for what found no room."""
        return super().read_value(key) if self._has_room(key) else (0.0, 0.0)  # type: ignore[no-untyped-call]

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Written, where there is room."""
        if self._has_room(key):
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """The file is closed, where there is one."""
        if self.has_file:
            super().close()  # type: ignore[no-untyped-call]


def _make_file(path: Path, size: int) -> None:
    """The file is there, whole, under its name. Raises OSError, and then leaves nothing."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    try:
        with open(part, "ab") as file:
            _reserve(file.fileno(), size)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _reserve(file: int, size: int) -> None:
    """The file has this size and the disk holds all of it. Raises OSError where it cannot; then nothing has changed."""
    before = os.fstat(file).st_size
    if before >= size:
        return
    try:
        os.posix_fallocate(file, before, size - before)
    except OSError:
        os.ftruncate(file, before)
        raise


def install() -> None:
    """Metrics made from here on use files with reserved bytes."""
    values.MmapedDict = ReservedDict  # type: ignore[attr-defined]


@contextlib.contextmanager
def run_folder(home: Path) -> Iterator[Path | None]:
    """A private folder for this run, gone at its end; None where none can be made: then each worker counts for itself alone."""
    folder = _make(home)
    if folder is None:
        yield None
        return
    with open(folder / "run", "wb") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _make(home: Path) -> Path | None:
    for base in (MEMORY, home / "metrics"):
        with contextlib.suppress(OSError):
            if base != MEMORY:
                base.mkdir(mode=0o700, exist_ok=True)
            _remove_strays(base)
            return Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    return None


def _remove_strays(base: Path) -> None:
    """Folders of runs that were killed: nobody holds their lock any more."""
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.geteuid() or time.time() - folder.lstat().st_mtime < YOUNGEST_STRAY_SECONDS:
                continue
            with open(folder / "run", "wb") as claim:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
