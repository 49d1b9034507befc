"""A scorecard as the table that people read: what each range or category adds to the score, and how its cases ended."""

from collections.abc import Sequence
from typing import Any

from scoring.engine.compile_scorecard import PointsRow, points_table
from scoring.engine.contract import InputKind
from scoring.engine.features import Feature
from scoring.engine.product import Product
from scoring.engine.training.matrix import Samples
from scoring.engine.training.scorecard import Scorecard

SMALLEST_BIN = 10    # cases; of fewer it is not told how they ended


def points_of(model: Scorecard, product: Product, samples: Samples) -> dict[str, Any]:
    """For the model card: `base`, the score before any points, and each feature's name with a row per bin, what is missing last.

    Shares are of the training rows; `bad_share` is None for fewer than ten."""
    cases, bad = (model.bin_rows(values) for values in (samples.values, samples.values[samples.target == 1]))
    counted = zip((one for bins in cases for one in bins), (one for bins in bad for one in bins), strict=True)
    features = {feature.name: feature for feature in product.features}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in features}
    for row, (count, ended) in zip(points_table(model.features, product.scale), counted, strict=True):
        told = {"points": round(row.points, 1), "share": round(count / len(samples.target), 4)}
        bad_share = round(ended / count, 4) if count >= SMALLEST_BIN else None
        rows[row.feature].append({**told, **_where(row, features[row.feature], product), "bad_share": bad_share})
    return {"base": round(product.scale.exact(model.intercept), 1), "features": [[name, told] for name, told in rows.items()]}


def _where(row: PointsRow, feature: Feature, product: Product) -> dict[str, Any]:
    """Which values: `are` words, `above` one edge `upto` the next, or `missing`."""
    source = next(one for one in product.contract.inputs if one.name == feature.sources[0])
    if row.is_missing:
        return {"missing": True}
    if row.above is None and row.up_to is None and not row.codes:
        return {"above": None, "upto": None}
    if row.codes:
        return {"are": _listed(source.categories, row.codes)}
    if feature.kind == "input" and source.kind is InputKind.BOOLEAN:
        return {"are": ["no" if row.above is None else "yes"]}
    return {"above": row.above, "upto": row.up_to}


def _listed(categories: Sequence[str], codes: Sequence[int]) -> list[str]:
    return [categories[code] for code in codes if code < len(categories)]
