"""One explained score in process against the usual stack, in process-CPU time, both interleaved in one run."""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

REPEATS = 150
WARMING = 10
# What the usual service is, by kind of model: module of bench.peers and class.
_USUAL = {
    "boosted": ("usual_stack", "UsualStack"),
    "stack": ("usual_ensemble", "UsualEnsemble"),
    "scorecard": ("usual_scorecard", "UsualScorecard"),
}


def run() -> list[dict[str, Any]]:
    """The rows of every case, measured in a process of its own in which every library has one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run([sys.executable, "-m", "bench.explain"], env=environment, stdout=subprocess.PIPE, check=True, text=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def measure(case: Any) -> dict[str, Any]:
    """Medians of both on the same records; stops if their probabilities differ."""
    import numpy as np

    from bench.models import fitted

    model = fitted(case)
    ours, theirs = served(model), usual(model)
    mine: list[float] = []
    others: list[float] = []
    for record in model.table.records[: REPEATS + WARMING]:
        spent, probability = timed(ours, record)
        mine.append(spent)
        spent, (expected, _) = timed(theirs.score, record)
        others.append(spent)
        if abs(probability - expected) > case.tolerance:
            raise AssertionError(f"{case.name}: {probability!r} is not {expected!r}")
    fast, slow = float(np.median(mine[WARMING:])) * 1e6, float(np.median(others[WARMING:])) * 1e6
    return {
        "name": case.name, "ours": round(fast, 1), "peer": round(slow, 1), "unit": "us CPU", "ratio": round(slow / fast, 1),
        "required": f">= {case.required:g}x", "holds": slow / fast >= case.required,
    }    # fmt: skip


def timed(call: Callable[[Any], Any], record: Any) -> tuple[float, Any]:
    began = time.process_time()
    answer = call(record)
    return time.process_time() - began, answer


def usual(model: Any) -> Any:
    """The usual service's object, loaded from the file it would be loaded from."""
    import joblib

    module, name = _USUAL[model.case.kind]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.joblib"
        joblib.dump(model.peer, file)
        return getattr(import_module(f"bench.peers.{module}"), name)(file, model.dtypes)


def served(model: Any) -> Callable[[dict[str, Any]], float]:
    """The product's own path: a signed bundle that was read back, features, one walk, policy, reasons."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from bench.models import TODAY
    from scoring.engine.bundle import read_bundle, sign_bundle, write_bundle
    from scoring.engine.pipeline import ServingModel, score
    from scoring.engine.policy import Policy

    key = Ed25519PrivateKey.generate()
    file = sign_bundle(write_bundle(model.content()), sign=key.sign, key_id="bench-key-000001")
    serving = ServingModel.of_bundle(read_bundle(file, {"bench-key-000001": key.public_key().public_bytes_raw()}))
    policy = Policy.for_base_rate(0.1)
    return lambda values: score(serving, policy, [values], decided_on=TODAY)[0].probability


def main() -> None:
    """Prints the rows of the cases that are named, by a part of their name, or of all."""
    from bench.models import CASES

    warnings.simplefilter("ignore")
    chosen = [case for case in CASES if not sys.argv[1:] or any(word in case.name for word in sys.argv[1:])]
    print(json.dumps([measure(case) for case in chosen]))


if __name__ == "__main__":
    main()
