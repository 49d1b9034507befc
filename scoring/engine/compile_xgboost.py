"""XGBoost JSON model (`Booster.save_raw("json")`) -> Forest. Reads JSON only; xgboost need not be installed.

Splits are float32(x) < condition; covers are sums of hessians (sum_hessian), as in XGBoost's own `pred_contribs`. XGBoost adds leaf
values in float32; the forest adds the same float32 values in float64, which is closer to the exact sum.
"""

import json
import math
from typing import Any

import numpy as np

from scoring.engine.forest import CATEGORY, NUMBER, Forest, Tree, UnsupportedModel, assemble, below, bitset

PROBABILITY = ("binary:logistic", "reg:logistic")            # base_score is a probability
MARGIN = ("binary:logitraw", "reg:squarederror")             # base_score is a margin


def compile_xgboost(raw: bytes | str) -> Forest:
    """The forest of the margin (before the logistic link). Raises UnsupportedModel for what is not a plain sum of trees with one output."""
    learner = json.loads(raw)["learner"]
    booster, parameters, objective = learner["gradient_booster"], learner["learner_model_param"], learner["objective"]["name"]
    if booster["name"] != "gbtree":
        raise UnsupportedModel(f"XGBoost booster {booster['name']}: only gbtree is a plain sum of trees")
    if int(parameters["num_class"]) > 1 or int(parameters.get("num_target", 1)) > 1:
        raise UnsupportedModel("XGBoost model with several outputs: one output only")
    if objective not in PROBABILITY + MARGIN:
        raise UnsupportedModel(f"XGBoost objective {objective}: its base score has a link that is not compiled")
    base = np.float32(float(parameters["base_score"].strip("[]")))
    if objective in PROBABILITY:
        # As XGBoost does it: divided in float32, the logarithm in float64, rounded. numpy's float32 logarithm misses its bit.
        base = np.float32(-math.log(np.float32(1) / base - np.float32(1)))
    return assemble(map(_tree, booster["model"]["trees"]), n_features=int(parameters["num_feature"]), base=float(base))


def _tree(tree: dict[str, Any]) -> Tree:
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    # The JSON prints float32 in nine digits: read back through float32, or covers and conditions are off by 3e-8.
    condition = np.array(tree["split_conditions"], np.float32)
    is_category = np.array(tree["split_type"]) == 1
    missing_left = np.array(tree["default_left"], bool)
    sets = {}
    for node, begin, size in zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True):
        sets[node] = bitset(tree["categories"][begin : begin + size])
    # Here a set goes left; in XGBoost it goes right: exchange the children of category splits.
    left, right = np.where(is_category, right, left), np.where(is_category, left, right)
    leaf = left < 0
    return Tree(
        left=left, right=right, kind=np.where(is_category, CATEGORY, NUMBER), feature=np.array(tree["split_indices"]),
        threshold=np.where(leaf | is_category, 0.0, below(condition)), missing_left=missing_left ^ is_category,
        value=condition.astype(np.float64), cover=np.array(tree["sum_hessian"], np.float32), categories=sets,
    )
