"""What a bundle tells about the data behind it: fingerprint, reference histograms, and golden rows that are nobody's."""

import hashlib
from typing import Any

import numpy as np

from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Floats

HISTOGRAM_BINS = 64
GOLDEN_ROWS = 48


def fingerprint(samples: Samples) -> str:
    """SHA-256 over names, values and target: equal for the same rows in the same order, whatever file brought them."""
    hasher = hashlib.sha256("\n".join(samples.names).encode())
    hasher.update(np.ascontiguousarray(samples.values, "<f8").tobytes())
    hasher.update(np.ascontiguousarray(samples.target, "i1").tobytes())
    return hasher.hexdigest()


def histograms(samples: Samples) -> list[dict[str, Any]]:
    """For each feature how its training values spread, for drift: numbers in equally filled bins, categories by code, missing apart."""
    return [_histogram(samples, place) for place in range(len(samples.names))]


def _histogram(samples: Samples, place: int) -> dict[str, Any]:
    column = samples.values[:, place]
    present = column[~np.isnan(column)]
    about = {"feature": samples.names[place], "rows": len(column), "missing": len(column) - len(present)}
    if samples.is_category[place]:
        return {**about, "codes": np.bincount(present.astype(np.int64)).tolist() if len(present) else []}
    edges = np.unique(np.quantile(present, np.linspace(0, 1, HISTOGRAM_BINS + 1)[1:-1], method="lower")) if len(present) else np.empty(0)
    counts = np.bincount(np.searchsorted(edges, present, side="left"), minlength=len(edges) + 1)
    return {**about, "edges": [float(edge) for edge in edges], "counts": counts.tolist()}


def golden_rows(samples: Samples, *, seed: int) -> Floats:
    """Rows to check a compiled model by. Every cell is drawn from its column alone, so no row is an applicant's; some cells are missing,
    some are larger or smaller than any seen, some are categories nobody had."""
    draw = np.random.default_rng(seed)
    rows = np.column_stack([draw.choice(samples.values[:, place], GOLDEN_ROWS) for place in range(len(samples.names))])
    strange = draw.random(rows.shape)
    rows[strange < 0.08] = np.nan
    for place, is_category in enumerate(samples.is_category):
        far = (strange[:, place] >= 0.08) & (strange[:, place] < 0.12)
        rows[far, place] = 1e6 if is_category else draw.choice([-1e30, 1e30], int(far.sum()))
    return rows
