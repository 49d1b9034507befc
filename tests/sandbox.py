"""A state folder for one test run, with services that are started once and kept for the next run."""

import fcntl
import os
import shutil
from itertools import count
from pathlib import Path

from portal import embedded
from portal.embedded import place

KEPT = {"postgres", "redis", "locks", "numba", "postgres.log", "redis.log", "claim"}


def enter() -> None:
    """VOUCH_HOME names a folder that no other run uses, and PostgreSQL and Redis answer.

    Each worker of a run has services of its own below the run's folder (VOUCH_TEST_RUN), because one server's transactions are seen by
    all its databases: a test that leaves one open would hold back the sealer of another. Where DATABASE_URL or REDIS_URL were given, the
    workers share those servers."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    if os.environ.get("VOUCH_TEST_ENTERED") == worker:
        return
    if "VOUCH_TEST_RUN" not in os.environ:
        os.environ["VOUCH_TEST_RUN"] = str(_claim(embedded.home() / "tests"))
        os.environ["VOUCH_TEST_EMBEDDED"] = " ".join(name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name))
    run = Path(os.environ["VOUCH_TEST_RUN"])
    os.environ["VOUCH_HOME"] = str(run if worker == "main" else run / worker)
    for name in os.environ["VOUCH_TEST_EMBEDDED"].split():
        os.environ.pop(name, None)
    os.environ["VOUCH_TEST_ENTERED"] = worker
    Path(os.environ["VOUCH_HOME"]).mkdir(exist_ok=True)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(embedded.home() / "numba"))
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    embedded.make_home()
    place.local_secret("root")  # the configured database may hold partners of another state folder; the run has a database of its own
    embedded.start()


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
        for home in (folder, *folder.glob("gw*")):
            _empty(home)
        return folder
    raise AssertionError("count() ends never")


def _empty(home: Path) -> None:
    for left in home.iterdir():
        if left.name not in KEPT and not left.name.startswith("gw"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
