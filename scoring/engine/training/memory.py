"""How much memory reading a table and fitting on it takes, and how much there is: what does not fit is refused before it begins."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scoring.engine.columns import Filling
from scoring.engine.training.matrix import TrainingError

CELL = 4                    # bytes: the code of a cell in its column
TEXT = 160                  # bytes of a distinct text in its dictionary, beside its characters
LOADED = 150 * 1024**2      # bytes that the estimators' libraries take beyond what is loaded when memory is looked at
FITTING = {"boosted": 6, "xgboost": 7, "catboost": 7, "stack": 9, "scorecard": 6}    # times the matrix, itself included; measured
KEPT_FREE = 0.1             # share of what is available that is left to others
UNLIMITED = 2**60           # bytes: a cgroup that bounds nothing says a number like this


@dataclass(frozen=True, slots=True)
class Memory:
    """What a training run may use, in bytes."""

    available: int

    @classmethod
    def of_this_machine(cls, limit: int | None = None) -> "Memory":
        """What the kernel and every cgroup around this process still give, less a share for others, and never more than `limit`."""
        known = [*_of_machine(Path("/proc/meminfo")), *_of_cgroups(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))]
        free = int(min(known, default=UNLIMITED) * (1 - KEPT_FREE))
        return cls(free if limit is None else min(free, limit))

    def check(self, *, rows: int, features: int, estimator: str) -> None:
        """Raises TrainingError when fitting so many rows would take more."""
        self._refuse(fit_bytes(rows, features, estimator), f"{rows:,} rows of {features} features")

    def check_reading(self, filling: Filling, before: Filling, *, features: int, estimator: str) -> None:
        """Raises TrainingError when the table, grown as it grew of late, or the fit on it would take more."""
        rows = round(filling.rows / max(filling.share, 1e-9))
        self._refuse(
            max(table_bytes(filling, before) + matrix_bytes(rows, features), fit_bytes(rows, features, estimator)),
            f"a table of about {rows:,} rows and {filling.columns} columns",
        )

    def watching(self, *, features: int, estimator: str) -> Callable[[Filling], None]:
        """To be told how tables fill, one after another: raises TrainingError as soon as one cannot end well."""
        before: list[Filling] = []

        def watch(filling: Filling) -> None:
            if before and before[-1].rows < filling.rows:    # the first look at a file tells no pace yet
                self.check_reading(filling, before[-1], features=features, estimator=estimator)
            before[:] = [filling]

        return watch

    def _refuse(self, needed: int, what: str) -> None:
        if needed > self.available:
            problem = f"training on {what} takes about {size(needed)} of memory, and {size(self.available)} are available"
            raise TrainingError(problem, fix="train on a sample of the rows or on fewer columns, or on a machine with more memory")


def table_bytes(filling: Filling, before: Filling) -> int:
    """What the table takes when it is read to its end: texts go on coming as they came since `before`, and arrays grow by copying."""
    rows = filling.rows / max(filling.share, 1e-9)
    since = (filling.texts - before.texts) / (filling.rows - before.rows)
    texts = filling.texts + since * (rows - filling.rows)
    return int(texts * (TEXT + filling.characters / max(filling.texts, 1)) + rows * filling.columns * CELL * 1.25)


def matrix_bytes(rows: int, features: int) -> int:
    """The matrix while it is put together of its parts."""
    return 2 * 8 * rows * features


def fit_bytes(rows: int, features: int, estimator: str) -> int:
    """What fitting takes in all: the matrix, its copies for folds, and what the estimator makes of it."""
    return LOADED + FITTING.get(estimator, max(FITTING.values())) * 8 * rows * features


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
