"""The process that trains: it ends with whoever asked for it."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

ASK = """
import django; django.setup()
from scoring.engine.products.credit import market_loan
from scoring.services.training import _run
product = market_loan("KES").to_dict()
_run({"product": product, "table": %r, "folder": %r, "estimator": "boosted", "folds": 2, "seed": 1, "threads": 1,
      "decided_on": "2026-01-01"}, print)
"""


def test_training_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    os.mkfifo(table)
    with subprocess.Popen([sys.executable, "-c", ASK % (str(table), str(tmp_path))]) as parent:
        writer = _once_read(table, parent)    # nothing is written: who reads waits
        (training,) = psutil.Process(parent.pid).children()

        parent.kill()

    gone, alive = psutil.wait_procs([training], timeout=10)
    os.close(writer)
    for process in alive:
        process.kill()
    assert gone == [training]


def _once_read(table: Path, parent: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):    # nobody reads it yet
            return os.open(table, os.O_WRONLY | os.O_NONBLOCK)
        assert time.monotonic() < deadline
        assert parent.poll() is None, "it ended by itself"
        time.sleep(0.05)
