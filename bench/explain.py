"""One explained score in process against the usual stack, in process-CPU time, both interleaved in one run."""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

REPEATS = 150
TODAY = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Case:
    """One model to serve and how many times faster it must be."""

    name: str
    trees: int
    leaves: int
    columns: int
    categories: int
    rows: int
    required: float


CASES = (
    Case("explained score, 300 trees x 31 leaves, categories", 300, 31, 60, 10, 20_000, 25.0),
    Case("explained score, 300 trees x 31 leaves, floats only", 300, 31, 60, 0, 20_000, 12.0),
    Case("explained score, 1500 trees x 63 leaves", 1500, 63, 100, 10, 20_000, 8.0),
)


def run() -> list[dict[str, Any]]:
    """The rows of every case, measured in a process of its own in which every library has one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    done = subprocess.run([sys.executable, "-m", "bench.explain"], env=environment, stdout=subprocess.PIPE, check=True, text=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def measure(case: Case) -> dict[str, Any]:
    """Medians of both on the same records; stops if their probabilities differ."""
    import numpy as np

    from bench.peers.usual_stack import UsualStack

    records, dtypes, model, product = trained(case)
    with tempfile.TemporaryDirectory() as folder:
        import joblib

        joblib.dump(model, Path(folder) / "model.joblib")
        peer = UsualStack(Path(folder) / "model.joblib", dtypes)
    ours = served(model, product, records)
    validated = [{**record} for record in records]
    mine: list[float] = []
    theirs: list[float] = []
    for record, values in list(zip(records, validated, strict=True))[: REPEATS + 10]:
        spent, probability = timed(lambda values=values: ours(values))
        mine.append(spent)
        spent, (expected, _) = timed(lambda record=record: peer.score(record))
        theirs.append(spent)
        if abs(probability - expected) > 1e-12:
            raise AssertionError(f"{case.name}: {probability!r} is not {expected!r}")
    fast, slow = float(np.median(mine[10:])) * 1e6, float(np.median(theirs[10:])) * 1e6
    return {
        "name": case.name, "ours": round(fast, 1), "peer": round(slow, 1), "unit": "us CPU", "ratio": round(slow / fast, 1),
        "required": f">= {case.required:g}x", "holds": slow / fast >= case.required,
    }


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    answer = call()
    return time.process_time() - began, answer


def trained(case: Case) -> tuple[list[dict[str, Any]], dict[str, Any], Any, Any]:
    """Records to score, the frame's types, a fitted LGBMClassifier and the product that describes the same columns."""
    import lightgbm
    import numpy as np
    import pandas as pd

    from scoring.engine.contract import Contract, Input, InputKind
    from scoring.engine.features import Feature
    from scoring.engine.product import Product

    draw = np.random.default_rng(42)
    texts = {place: [f"c{code}" for code in range(5 + 6 * place)] for place in range(case.categories)}
    columns: dict[str, Any] = {}
    margin = np.full(case.rows, -2.6)
    for place in range(case.columns):
        if place in texts:
            codes = draw.integers(0, len(texts[place]), case.rows)
            margin += draw.normal(0, 0.5, len(texts[place]))[codes]
            columns[f"f{place}"] = pd.Categorical.from_codes(codes, categories=texts[place])
        else:
            column = draw.lognormal(3, 1, case.rows) if place % 2 else draw.normal(size=case.rows)
            margin += draw.normal(0, 0.25) * (np.log(column) - 3 if place % 2 else column)
            column[draw.random(case.rows) < 0.05] = np.nan
            columns[f"f{place}"] = column
    frame = pd.DataFrame(columns)
    target = (draw.random(case.rows) < 1 / (1 + np.exp(-margin))).astype(int)
    model = lightgbm.LGBMClassifier(
        n_estimators=case.trees, num_leaves=case.leaves, learning_rate=0.03, n_jobs=1, random_state=42, verbosity=-1,
    ).fit(frame, target)
    records = [
        {name: None if isinstance(value, float) and value != value else value for name, value in record.items()}
        for record in frame.head(REPEATS + 20).to_dict("records")
    ]
    inputs = tuple(
        Input(name=f"f{place}", kind=InputKind.CATEGORY, categories=tuple(texts[place]), required=False) if place in texts
        else Input(name=f"f{place}", kind=InputKind.NUMBER, required=False)
        for place in range(case.columns)
    )
    features = tuple(Feature(name=one.name) for one in inputs)
    return records, dict(frame.dtypes), model, Product(slug="bench", title="Bench", contract=Contract(inputs), features=features)


def content(model: Any, product: Any, records: list[dict[str, Any]]) -> Any:
    """What a bundle of this model holds."""
    import numpy as np

    from scoring.engine.bundle import BundleContent
    from scoring.engine.compile_lightgbm import compile_lightgbm
    from scoring.engine.features import FeaturePlan

    rows = FeaturePlan(product.contract, product.features).matrix(records[-10:], TODAY)
    return BundleContent(
        product=product, forest=compile_lightgbm(model.booster_.model_to_string()), slope=1.0, intercept=0.0,
        usual={name: float(value) for name, value in zip((one.name for one in product.features), np.nanmedian(rows, axis=0), strict=True)},
        golden=rows, estimator="boosted", seed=42,
    )


def served(model: Any, product: Any, records: list[dict[str, Any]]) -> Callable[[dict[str, Any]], float]:
    """The product's own path: a signed bundle that was read back, features, one walk, policy, reasons."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from scoring.engine.bundle import read_bundle, sign_bundle, write_bundle
    from scoring.engine.pipeline import ServingModel, score
    from scoring.engine.policy import Policy

    key = Ed25519PrivateKey.generate()
    file = sign_bundle(write_bundle(content(model, product, records)), sign=key.sign, key_id="bench-key-000001")
    serving = ServingModel.of_bundle(read_bundle(file, {"bench-key-000001": key.public_key().public_bytes_raw()}))
    policy = Policy.for_base_rate(0.1)
    return lambda values: score(serving, policy, [values], decided_on=TODAY)[0].probability


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    chosen = [case for case in CASES if not sys.argv[1:] or any(word in case.name for word in sys.argv[1:])]
    print(json.dumps([measure(case) for case in chosen]))
