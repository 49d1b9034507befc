"""How much memory this machine still gives, and what a table that is held whole takes of it: refused while its beginning is read."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scoring.engine.columns import Filling
from scoring.engine.tables import TableError

CELL = 4                    # bytes: the code of a cell in its column
TEXT = 110                  # bytes of a distinct text in its dictionary, beside what the text itself takes
INDEX = 16                  # bytes of a row that is found by its applicant, or whose other columns are kept as one number
KEPT_FREE = 0.1             # share of what is available that is left to others
UNLIMITED = 2**60           # bytes: a cgroup that bounds nothing says a number like this


@dataclass(frozen=True, slots=True)
class Memory:
    """What a piece of work may use, in bytes."""

    available: int

    @classmethod
    def of_this_machine(cls, limit: int | None = None) -> "Memory":
        """What the kernel and every cgroup around this process still give, less a share for others, and never more than `limit`."""
        known = [*_of_machine(Path("/proc/meminfo")), *_of_cgroups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))]
        free = int(min(known, default=UNLIMITED) * (1 - KEPT_FREE))
        return cls(free if limit is None else min(free, limit))

    def shortfall(self, needed: int) -> str:
        """That there is not so much, in words; empty when there is."""
        return f"takes about {size(needed)} of memory, and {size(self.available)} are available" if needed > self.available else ""


class Watch:
    """To be told how tables fill that are read one after another and held whole: raises TableError as soon as one cannot end well."""

    def __init__(self, memory: Memory, *, fix: str) -> None:
        self.memory, self.fix = memory, fix
        self._before: Filling | None = None
        self._held = self._growing = 0

    def __call__(self, filling: Filling) -> None:
        """Raises TableError when this table, grown as it grew of late, would take more than the ones before it leave."""
        if lack := self.memory.shortfall(self.needed(filling)):
            rows, columns = filling.rows_in_all, filling.columns
            raise TableError(f"holding a table of about {rows:,} rows and {columns} columns {lack}", fix=self.fix)

    def needed(self, filling: Filling) -> int:
        """What this table and those before it take in all; the first look at a file tells no pace yet."""
        before, self._before = self._before, filling
        if before is None or filling.is_first:
            self._held, self._growing = self._held + self._growing, 0
        else:
            self._growing = table_bytes(filling, before)
        return self._held + self._growing


def table_bytes(filling: Filling, before: Filling) -> int:
    """What the table takes when it is read to its end: texts go on coming as they came since `before`, and arrays grow by copying."""
    rows = filling.rows_in_all
    since = (filling.texts - before.texts) / (filling.rows - before.rows)
    texts = filling.texts + since * (rows - filling.rows)
    return int(texts * (TEXT + filling.text_bytes / max(filling.texts, 1)) + rows * (filling.columns * CELL * 1.25 + INDEX))


def size(amount: float) -> str:
    """Bytes as people read them: 1.2 GiB."""
    return f"{amount / 1024**3:,.1f} GiB" if amount >= 1024**3 / 10 else f"{amount / 1024**2:,.0f} MiB"


def _of_machine(meminfo: Path) -> list[int]:
    with suppress(OSError, ValueError, IndexError):
        return [int(line.split()[1]) * 1024 for line in meminfo.read_text().splitlines() if line.startswith("MemAvailable:")]
    return []


def _of_cgroups(own: Path, root: Path) -> list[int]:
    """What the own cgroup and each one above it has left; version 2 has one tree, version 1 one of memory beside others."""
    found: list[int] = []
    with suppress(OSError, ValueError):
        for line in own.read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            place = Path(path.lstrip("/"))
            if number == "0":
                found += _left(root, place, "memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                found += _left(root / "memory", place, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    return found


def _left(root: Path, place: Path, limit: str, usage: str, cache: str) -> list[int]:
    """Limit less usage, where the cache of files that the kernel would give back counts as free. In a container its own cgroup may be
    the root that is mounted, so folders that are not there are passed over."""
    found = []
    for folder in (root / place, *(root / parent for parent in place.parents)):
        with suppress(OSError, ValueError):
            stated = (folder / limit).read_text().strip()
            if stated != "max" and int(stated) < UNLIMITED:
                known = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                found.append(max(int(stated) - int((folder / usage).read_text()) + int(known.get(cache, 0)), 0))
    return found
