"""CatBoost JSON model (`model.save_model(path, format="json", pool=pool)`) -> Forest. Reads JSON only; catboost need not be installed.

Splits are float32(x) > border (true goes right); covers are the leaf weights; float64 sums in tree order, so the margin has the same bits.
Category columns are one-hot splits on integer codes (trained with -1 for a missing category, served as NaN). Target statistics (CTR) are
refused: they are not splits on a row. So are the grow policies Depthwise and Lossguide: the library's own contributions do not sum to the
margin there, so there is no judge.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scoring.engine.forest import CATEGORY, NUMBER, Array, Forest, Tree, UnsupportedModel, assemble, at_most, bitset


class _Split(NamedTuple):
    kind: int
    feature: int
    threshold: float
    missing_left: bool
    words: Array | None


def compile_catboost(model: Mapping[str, Any], n_features: int) -> Forest:
    """The forest of the raw formula value, for rows of `n_features` columns. Raises UnsupportedModel for all but symmetric trees."""
    if "oblivious_trees" not in model:
        raise UnsupportedModel("CatBoost trees that are not symmetric: train with grow_policy SymmetricTree")
    scale, bias = model["scale_and_bias"]
    if len(bias) != 1 or model["features_info"].get("text_features"):
        raise UnsupportedModel("CatBoost model with several outputs or with texts: one output, numbers and categories only")
    reader = _Reader(model["features_info"])
    trees = (
        _Growing([reader.split(one) for one in tree["splits"] or ()], tree["leaf_values"], tree["leaf_weights"]).grown()
        for tree in model["oblivious_trees"]
    )
    return assemble(trees, n_features, base=bias[0], scale=scale)


class _Reader:
    """How a model's splits are read: from its own numbering of columns and categories to ours."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        numbers, texts = columns.get("float_features") or (), columns.get("categorical_features") or ()
        self.number = {one["feature_index"]: (one["flat_feature_index"], one["nan_value_treatment"] != "AsTrue") for one in numbers}
        self.category = {one["feature_index"]: one["flat_feature_index"] for one in texts}
        self.codes = {int(entry["hash"]) & 0xFFFFFFFF: int(entry["value"]) for entry in columns.get("cat_features_hash", ())}

    def split(self, raw: Mapping[str, Any]) -> _Split:
        if raw["split_type"] == "FloatFeature":
            feature, missing_left = self.number[raw["float_feature_index"]]
            return _Split(NUMBER, feature, float(at_most(np.array(raw["border"], np.float32))), missing_left, None)
        if raw["split_type"] == "OneHotFeature":
            code = self.codes[raw["value"] & 0xFFFFFFFF]
            return _Split(CATEGORY, self.category[raw["cat_feature_index"]], 0.0, code < 0, bitset([code] if code >= 0 else []))
        raise UnsupportedModel(f"CatBoost split {raw['split_type']}: target statistics are not splits on a row; set one_hot_max_size")


class _Growing:
    """One symmetric tree while it is laid out. Split i decides bit i of the leaf's number, the last split at the root."""

    def __init__(self, splits: list[_Split], values: list[float], weights: list[float]) -> None:
        self.splits, self.values, self.weights = splits, values, weights
        self.rows: list[list[Any]] = []    # kind, feature, threshold, missing_left, value, cover
        self.left: list[int] = []
        self.right: list[int] = []
        self.sets: dict[int, Array] = {}

    def grown(self) -> Tree:
        self._grow(len(self.splits) - 1, 0, {})
        kind, feature, threshold, missing_left, value, cover = map(np.array, zip(*self.rows, strict=True))
        return Tree(np.array(self.left), np.array(self.right), kind, feature, threshold, missing_left, value, cover, self.sets)

    def _grow(self, depth: int, leaf: int, known: dict[tuple[int, float], int]) -> int:
        """Adds what is below and returns its root. A split that is already decided further up is left out."""
        if depth < 0:
            return self._node([0, 0, 0.0, False, self.values[leaf], self.weights[leaf]], -1)
        split = self.splits[depth]
        decided = _decided(split, known)
        if decided is not None:
            return self._grow(depth - 1, leaf | decided << depth, known)
        node = self._node([split.kind, split.feature, split.threshold, split.missing_left, 0.0, 0.0], 0)
        no, yes = (self._grow(depth - 1, leaf | side << depth, _also(known, split, side)) for side in (0, 1))
        self.rows[node][5] = self.rows[no][5] + self.rows[yes][5]
        self.left[node], self.right[node] = (no, yes) if split.kind == NUMBER else (yes, no)
        if split.words is not None:
            self.sets[node] = split.words
        return node

    def _node(self, row: list[Any], child: int) -> int:
        self.rows.append(row)
        self.left.append(child)
        self.right.append(child)
        return len(self.rows) - 1


def _decided(split: _Split, known: Mapping[tuple[int, float], int]) -> int | None:
    """The side that the number splits further up leave open, if only one is."""
    if split.kind == NUMBER:
        for (feature, bound), side in known.items():
            if feature == split.feature and (split.threshold <= bound if side else split.threshold >= bound):
                return side
    return None


def _also(known: dict[tuple[int, float], int], split: _Split, side: int) -> dict[tuple[int, float], int]:
    return {**known, (split.feature, split.threshold): side} if split.kind == NUMBER else known
