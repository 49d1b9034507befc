"""scikit-learn IsolationForest -> Forest whose margin is log2 of the anomaly score.

score_samples(x) = -(2 ** margin(x)): a leaf holds the path length (depth + expected rest of its rows), scale is
-1 / (trees * expected path length of the subsample). Contributions are of log2(anomaly score): positive makes the row more anomalous.
scikit-learn is not imported here; its fitted object is read by its public attributes.
"""

from typing import Any

import numpy as np

from scoring.engine.forest import LEAF, NUMBER, Array, Forest, Tree, UnsupportedModel, assemble, at_most


def compile_isolation(model: Any) -> Forest:
    """The forest of a fitted IsolationForest. Raises UnsupportedModel for another model, or for one that is not fitted."""
    if not hasattr(model, "estimators_features_") or not hasattr(model, "max_samples_"):
        raise UnsupportedModel("not a fitted IsolationForest")
    trees = [_tree(one.tree_, np.asarray(columns)) for one, columns in zip(model.estimators_, model.estimators_features_, strict=True)]
    normal = float(expected_path(np.array([model.max_samples_]))[0])
    if not normal:    # trees of one row say nothing: scikit-learn scores everything as usual
        return assemble(trees, n_features=model.n_features_in_, base=-1.0, scale=0.0)
    return assemble(trees, n_features=model.n_features_in_, scale=-1.0 / (len(trees) * normal))


def expected_path(rows: Array) -> Array:
    """Mean path length of an unsuccessful search in a binary tree of so many rows (Liu, Ting, Zhou 2008, equation 1)."""
    rows = np.asarray(rows, float)
    many = np.maximum(rows, 3)
    return np.where(rows <= 1, 0.0, np.where(rows == 2, 1.0, 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many))


def _tree(tree: Any, columns: Array) -> Tree:
    left, right = tree.children_left, tree.children_right
    depth = np.zeros(tree.node_count)
    for node in np.flatnonzero(left >= 0):    # parents come before children
        depth[left[node]] = depth[right[node]] = depth[node] + 1
    leaf = left < 0
    return Tree(
        left=left, right=right, kind=np.where(leaf, LEAF, NUMBER), feature=np.where(leaf, 0, columns[tree.feature]),
        threshold=np.where(leaf, 0.0, at_most(tree.threshold)), missing_left=tree.missing_go_to_left,
        value=depth + expected_path(tree.n_node_samples), cover=tree.weighted_n_node_samples,
    )    # fmt: skip
