"""A stack whose meta-learner is linear in its members' margins -> Forest: again a sum of trees, so its explanation stays exact."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from scoring.engine.forest import Array, Forest, UnsupportedModel


def compile_stack(members: Sequence[Forest], weights: Sequence[float], intercept: float) -> Forest:
    """margin = intercept + the sum of weight * member's margin, over rows that all share. Raises UnsupportedModel if they do not."""
    if not members or len(members) != len(weights) or len({int(one.n_features) for one in members}) != 1:
        raise UnsupportedModel("a stack needs members over the same features, and a weight for each")
    nodes = np.cumsum([0, *(one.nodes for one in members)])
    words = np.cumsum([0, *(len(one.categories) for one in members)])

    def joined(name: str) -> Array:
        return np.concatenate([getattr(one, name) for one in members])

    def after(name: str, before: Array) -> Array:
        return np.concatenate([[0], *(getattr(one, name)[1:] + offset for one, offset in zip(members, before[:-1], strict=True))])

    values: list[Array] = [one.value * (weight * one.scale) for one, weight in zip(members, weights, strict=True)]
    right: list[Array] = [np.where(one.right > 0, one.right + offset, 0) for one, offset in zip(members, nodes[:-1], strict=True)]
    plain: dict[str, Any] = {name: joined(name) for name in ("kind", "feature", "threshold", "missing_left", "share", "categories")}
    base = intercept + sum(float(weight * one.base) for one, weight in zip(members, weights, strict=True))
    return Forest(
        start=after("start", nodes), category_start=after("category_start", words), right=np.concatenate(right),
        value=np.concatenate(values), base=np.array(base), scale=np.array(1.0), n_features=members[0].n_features, **plain,
    )    # fmt: skip
