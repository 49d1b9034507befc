"""A state folder for one test run, with services that are started once and kept for the next run."""

import fcntl
import os
import shutil
from itertools import count
from pathlib import Path

from portal import embedded

KEPT = {"postgres", "redis", "locks", "numba", "postgres.log", "redis.log", "claim"}


def enter() -> None:
    """VOUCH_HOME names a folder that no other run uses, and PostgreSQL and Redis answer. Workers of one run share it."""
    if "VOUCH_TEST_HOME" not in os.environ:
        os.environ["VOUCH_TEST_HOME"] = str(_claim(embedded.home() / "tests"))
    os.environ["VOUCH_HOME"] = os.environ["VOUCH_TEST_HOME"]
    os.environ.setdefault("NUMBA_CACHE_DIR", str(embedded.home() / "numba"))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    embedded.start()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker and "?" not in os.environ["REDIS_URL"] and os.environ["REDIS_URL"].startswith("unix://"):
        os.environ["REDIS_URL"] += f"?db={int(worker.removeprefix('gw')) % 15 + 1}"  # each worker empties its own


def _claim(base: Path) -> Path:
    """The first free folder below base, emptied of what an earlier run wrote."""
    for number in count(1):
        folder = base / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        claim = os.open(folder / "claim", os.O_RDWR | os.O_CREAT)  # held until the process ends
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(claim)
            continue
        for left in folder.iterdir():
            if left.name not in KEPT:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        return folder
    raise AssertionError("count() ends never")
