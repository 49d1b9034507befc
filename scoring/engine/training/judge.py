"""The judge of compilation: a forest is used only when it says what the training library says."""

from collections.abc import Sequence
from itertools import combinations, pairwise
from math import comb

import numpy as np

from scoring.engine.forest import CATEGORY, LEAF, ZERO_IS_MISSING, Forest
from scoring.engine.kernel import Plan, explain, margins
from scoring.engine.training.metrics import Floats

TOLERANCE = 1e-9
DEFINITION_ROWS = 64         # the definition costs by subsets
FLOAT32_ROUNDINGS = 256     # float32 contributions may be off by so many roundings of the largest number that is added up


class CompilationFailed(RuntimeError):
    """The compiled forest differs from the model it was made from; nothing may be stored."""

    code = "compilation_failed"


def judge_bits(library: str, forest: Forest, rows: Floats, scores: Floats, contributions: Floats | None) -> None:
    """For a library that adds in float64: the same bits as its margins `scores`; its contributions [rows, features + base], or
    the definition where it has none to rely on, to 1e-9. Raises CompilationFailed."""
    plan = Plan.of(forest)
    found, ours = explain(plan, rows)
    if found.tobytes() != scores.tobytes() or margins(plan, rows).tobytes() != scores.tobytes():
        raise CompilationFailed(f"the compiled forest does not score bit for bit like {library}")
    if contributions is None:
        judge_definition(forest, rows)
        return
    agree(ours, contributions[:, :-1], "contributions")
    agree(np.array([plan.mean]), contributions[:1, -1], "base")


def judge_definition(forest: Forest, rows: Floats) -> None:
    """Contributions are the Shapley values by their definition, tree by tree over all subsets of its features, to 1e-9, on the
    first rows: for trees of few features whose library gives no contributions to compare with. Raises CompilationFailed."""
    rows = rows[:DEFINITION_ROWS]
    agree(explain(Plan.of(forest), rows)[1], _by_definition(forest, rows), "contributions (from the definition)")


def judge_float32(library: str, forest: Forest, rows: Floats, scores: np.ndarray, contributions: np.ndarray) -> None:
    """For a library that adds in float32: its margins `scores` have the bits of the forest's leaves added in float32, base first, tree
    after tree; the forest's own margin is the same leaves in float64, to 1e-9; contributions agree within float32's roundings.

    Raises CompilationFailed."""
    leaves, plan = leaf_values(forest, rows), Plan.of(forest)
    base = np.full((len(rows), 1), float(forest.base))
    added = np.cumsum(np.hstack([base, leaves]).astype(np.float32), axis=1, dtype=np.float32)[:, -1]
    if scores.dtype != np.float32 or added.tobytes() != scores.tobytes():
        raise CompilationFailed(f"the compiled forest's leaves, added in float32, do not have the bits of {library}")
    found, ours = explain(plan, rows)
    agree(found, base[:, 0] + leaves.sum(axis=1), "margins")
    largest = max(1.0, abs(float(forest.base)), float(np.abs(found).max(initial=0.0)))
    rounding = FLOAT32_ROUNDINGS * float(np.finfo(np.float32).eps) * largest
    agree(ours, contributions[:, :-1], "contributions", rounding)
    agree(np.array([plan.mean]), contributions[:1, -1], "base", rounding)


def judge_points(forest: Forest, rows: Floats, scores: Floats, points: Floats) -> None:
    """For a scorecard: its margins, and contributions that differ from row to row as the points [rows, features] do.

    Raises CompilationFailed."""
    found, contributions = explain(Plan.of(forest), rows)
    agree(found, scores, "margins")
    agree(np.diff(contributions, axis=0), np.diff(points, axis=0), "contributions")


def judge_sum(library: str, forest: Forest, parts: Sequence[tuple[float, Forest]], intercept: float, rows: Floats) -> None:
    """For a joint forest: the weighted sum of its parts' margins, contributions and means, to 1e-9. Raises CompilationFailed."""
    plan, score, contributions, mean = Plan.of(forest), np.full(len(rows), intercept), np.zeros(rows.shape), intercept
    for weight, part in parts:
        one = Plan.of(part)
        margin, shares = explain(one, rows)
        score, contributions, mean = score + weight * margin, contributions + weight * shares, mean + weight * one.mean
    found, ours = explain(plan, rows)
    agree(found, score, f"margins ({library})")
    agree(ours, contributions, f"contributions ({library})")
    agree(np.array([plan.mean]), np.array([mean]), f"base ({library})")


def leaf_values(forest: Forest, rows: Floats) -> Floats:
    """[rows, trees]: the value of the leaf each row reaches in each tree, read from the arrays as described, without the kernel."""
    at = np.tile(forest.start[:-1].astype(np.int64), (len(rows), 1))
    while (forest.kind[at] != LEAF).any():
        at = np.where(forest.kind[at] == LEAF, at, np.where(_goes_left(forest, at, rows), at + 1, forest.right[at]))
    values: Floats = forest.value[at]
    return values


def _by_definition(forest: Forest, rows: Floats) -> Floats:
    found = np.zeros(rows.shape)
    for root, end in pairwise(forest.start.tolist()):
        features = sorted(set(forest.feature[root:end][forest.kind[root:end] != LEAF].tolist()))
        left = {node: _goes_left(forest, np.full(len(rows), node), rows) for node in range(root, end) if forest.kind[node] != LEAF}
        worth = {known: _worth(forest, root, left, known) for size in range(len(features) + 1) for known in combinations(features, size)}
        for known, amount in worth.items():
            weight = 1.0 / (len(features) * comb(len(features) - 1, len(known))) if len(known) < len(features) else 0.0
            for feature in set(features) - set(known):
                found[:, feature] += weight * (worth[tuple(sorted((*known, feature)))] - amount)
    return float(forest.scale) * found


def _worth(forest: Forest, node: int, left: dict[int, np.ndarray], known: tuple[int, ...]) -> Floats:
    """[rows]: what is below the node, on the row's own side where the feature is known, by the training covers where it is not."""
    if forest.kind[node] == LEAF:
        return np.full(len(next(iter(left.values()), ())), float(forest.value[node]))
    first, second = (_worth(forest, child, left, known) for child in (node + 1, int(forest.right[node])))
    if int(forest.feature[node]) in known:
        return np.where(left[node], first, second)
    mean: Floats = float(forest.share[node + 1]) * first + float(forest.share[forest.right[node]]) * second
    return mean


def _goes_left(forest: Forest, at: np.ndarray, rows: Floats) -> np.ndarray:
    """Which rows go left at the nodes `at`, of the shape [rows] or [rows, trees]; nothing sensible at a leaf."""
    row = np.arange(len(rows)).reshape((-1,) + (1,) * (at.ndim - 1))
    cell, kind = rows[row, forest.feature[at]], forest.kind[at]
    missing = np.isnan(cell) | ((kind == ZERO_IS_MISSING) & (np.abs(cell) <= 1e-35))
    left = np.where(kind == CATEGORY, _is_in_set(forest, at, cell), cell <= forest.threshold[at])
    return np.where(missing, forest.missing_left[at] == 1, left)


def _is_in_set(forest: Forest, at: np.ndarray, cell: Floats) -> np.ndarray:
    first, size = forest.category_start[at], np.diff(forest.category_start)[at]
    is_code = (cell >= 0) & (cell < 32 * size)     # NaN is neither
    code = np.where(is_code, cell, 0).astype(np.int64)
    words = np.append(forest.categories, np.uint32(0))[np.where(is_code, first + code // 32, -1)]
    found: np.ndarray = is_code & ((words >> (code % 32).astype(np.uint32)) & 1 == 1)
    return found


def agree(ours: Floats, theirs: np.ndarray, what: str, tolerance: float = TOLERANCE) -> None:
    """Raises CompilationFailed when any two differ by more than the tolerance, or are no numbers."""
    worst = float(np.abs(ours - theirs).max(initial=0.0))
    if not worst <= tolerance:
        raise CompilationFailed(f"the compiled forest's {what} differ from the library's by {worst:.1e}")
