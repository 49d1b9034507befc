"""The process that trains ends with whoever asked for it and has threads of its own; a process forked off one that scores never hangs."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.waiting import until

ASK = """
import django; django.setup()
from scoring.engine.products.credit import MARKET_LOAN
from scoring.services.training import _run
product = MARKET_LOAN.to_dict()
_run({"product": product, "table": %r, "folder": %r, "estimator": "boosted", "folds": 2, "seed": 1, "threads": 1,
      "decided_on": "2026-01-01"}, print, lambda: None)
"""


def test_training_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    os.mkfifo(table)
    surroundings = {**os.environ, "OMP_NUM_THREADS": "7", "NUMBA_NUM_THREADS": "7"}
    with subprocess.Popen([sys.executable, "-c", ASK % (str(table), str(tmp_path))], env=surroundings) as parent:
        writer = _once_read(table, parent)    # nothing is written: who reads waits
        (training,) = psutil.Process(parent.pid).children()
        environment, threads = training.environ(), training.num_threads()

        parent.kill()

    gone, alive = psutil.wait_procs([training], timeout=10)
    os.close(writer)
    for process in alive:
        process.kill()
    assert gone == [training]
    assert {environment[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")} == {"1"}
    assert threads <= 2    # itself, and one that a library keeps
    assert not [name for name in environment if name.startswith(("VOUCH_", "DATABASE_", "REDIS_", "DJANGO_"))]


def _once_read(table: Path, parent: subprocess.Popen[bytes]) -> int:
    opened: list[int] = []

    def is_read() -> bool:
        assert parent.poll() is None, "it ended by itself"
        with contextlib.suppress(OSError):    # nobody reads it yet
            opened.append(os.open(table, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    until(is_read)
    return opened[0]


FORKED = """
import os, sys, threading, time
from datetime import date
from pathlib import Path
import django; django.setup()
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from scoring import applicants, registry
from audit import vault
from scoring.engine.bundle import read_bundle, sign_bundle
from scoring.engine.pipeline import ServingModel, score
from scoring.engine.products.credit import MARKET_LOAN, MARKET_LOAN_POLICY
from scoring.engine.synthetic import market_loans, write_table
from scoring.services.training import _run

folder, today = Path(sys.argv[1]), date(2026, 1, 1)
write_table(folder / "t.csv", market_loans(200, seed=1))
_run({"product": MARKET_LOAN.to_dict(), "table": str(folder / "t.csv"), "folder": str(folder), "estimator": "boosted", "folds": 2,
      "seed": 1, "threads": 2, "decided_on": "2026-01-01"}, print, lambda: None)
key = Ed25519PrivateKey.generate()
signed = sign_bundle((folder / "bundle").read_bytes(), sign=key.sign, key_id="k" * 16)
model = ServingModel.of_bundle(read_bundle(signed, {"k" * 16: key.public_key().public_bytes_raw()}))
asked = [{one.name: row.get(one.name) for one in MARKET_LOAN.contract.inputs} for row in market_loans(50, seed=2)]
expected, is_over = score(model, MARKET_LOAN_POLICY, asked, decided_on=today), threading.Event()

def work():
    while not is_over.is_set():
        np.ones((300, 300)) @ np.ones((300, 300))
        score(model, MARKET_LOAN_POLICY, asked, decided_on=today)

def hold(module, held):
    with module._lock:
        held.wait()
        is_over.wait()

modules = (registry, applicants, vault)
held = threading.Barrier(len(modules) + 1)
threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
threads += [threading.Thread(target=hold, args=(one, held), daemon=True) for one in modules]
for thread in threads:
    thread.start()
held.wait()
slowest = 0.0
for _ in range(5):
    began, child = time.monotonic(), os.fork()
    if not child:
        same = score(model, MARKET_LOAN_POLICY, asked, decided_on=today) == expected
        registry.forget()
        free = all(module._lock.acquire(timeout=1) for module in (applicants, vault))
        os._exit(0 if same and free else 1)
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() - began < 5:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, 9)
        os.waitpid(child, 0)
    assert ended == (child, 0), ended
    slowest = max(slowest, time.monotonic() - began)
is_over.set()
for thread in threads:
    thread.join()
print("slowest", slowest)
"""


@pytest.mark.slow
def test_a_process_forked_off_one_that_scores_scores_the_same_and_ends(tmp_path: Path) -> None:
    answer = subprocess.run([sys.executable, "-c", FORKED, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False)

    assert answer.returncode == 0, answer.stderr
    assert "slowest" in answer.stdout
