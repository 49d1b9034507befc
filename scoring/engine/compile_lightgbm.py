"""LightGBM text model (`Booster.model_to_string()`) -> Forest. Reads text only; lightgbm need not be installed.

Covers are row counts (leaf_count, internal_count), as in LightGBM's own `pred_contrib`. LightGBM adds leaf values in tree order in
float64 from 0.0, so the compiled margin has the same bits.
"""

import numpy as np

from scoring.engine.forest import CATEGORY, NUMBER, ZERO_IS_MISSING, Array, Forest, Tree, UnsupportedModel, assemble

IS_CATEGORY, DEFAULT_LEFT = 1, 2                       # bits of decision_type
MISSING_NONE, MISSING_ZERO, MISSING_NAN = range(3)     # decision_type >> 2


def compile_lightgbm(text: str) -> Forest:
    head, *blocks = text.split("\nTree=")
    header = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    if header["num_class"] != "1" or header.get("num_tree_per_iteration", "1") != "1":
        raise UnsupportedModel("one output only")
    if "average_output" in head.split():
        raise UnsupportedModel("boosting=rf averages its trees")
    trees = [_tree(dict(line.split("=", 1) for line in block.split("\n\n")[0].splitlines() if "=" in line)) for block in blocks]
    return assemble(trees, n_features=int(header["max_feature_idx"]) + 1)


def _tree(block: dict[str, str]) -> Tree:
    if block.get("is_linear", "0") != "0":
        raise UnsupportedModel("linear_tree keeps a regression in each leaf")

    def numbers(name: str, kind: type) -> Array:
        return np.array(block.get(name, "").split(), kind)

    leaves, splits = int(block["num_leaves"]), int(block["num_leaves"]) - 1
    value = np.concatenate([np.zeros(splits), numbers("leaf_value", float)])
    if splits == 0:
        none = np.array([-1])
        zero = np.zeros(1, int)
        return Tree(none, none, zero, zero, zero, zero, value, np.ones(1))
    decision, raw = numbers("decision_type", int), numbers("threshold", float)
    is_category, missing = decision & IS_CATEGORY == 1, decision >> 2
    default_left = (decision & DEFAULT_LEFT) > 0
    # Without a missing type NaN is read as 0.0; in a category split NaN is never in the set.
    missing_left = np.where(is_category, False, np.where(missing == MISSING_NONE, raw >= 0.0, default_left))
    bounds, words = numbers("cat_boundaries", int), numbers("cat_threshold", np.uint32)
    sets = {int(k): words[bounds[int(raw[k])]:bounds[int(raw[k]) + 1]] for k in np.flatnonzero(is_category)}

    def node(child: Array) -> Array:             # leaf i is written ~i; number it after the splits
        return np.concatenate([np.where(child < 0, splits + ~child, child), np.full(leaves, -1)])

    def padded(column: Array) -> Array:
        return np.concatenate([column, np.zeros(leaves, column.dtype)])

    return Tree(
        left=node(numbers("left_child", int)), right=node(numbers("right_child", int)),
        kind=padded(np.where(is_category, CATEGORY, np.where(missing == MISSING_ZERO, ZERO_IS_MISSING, NUMBER))),
        feature=padded(numbers("split_feature", int)), threshold=padded(np.where(is_category, 0.0, raw)),
        missing_left=padded(missing_left), value=value,
        cover=np.concatenate([numbers("internal_count", float), numbers("leaf_count", float)]), categories=sets,
    )
