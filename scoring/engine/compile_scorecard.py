"""A scorecard's bins -> Forest: one tree per feature, so that points are served like boosted trees and can be shown as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scoring.engine.forest import CATEGORY, NUMBER, Forest, Tree, UnsupportedModel, assemble, bitset
from scoring.engine.policy import ScoreScale


class Bins(Protocol):
    """One feature's bins: bin k holds x <= edges[k], or the codes with groups[code] == k; the last value is that of missing and unknown."""

    @property
    def name(self) -> str: ...
    @property
    def is_category(self) -> bool: ...
    @property
    def edges(self) -> tuple[float, ...]: ...
    @property
    def groups(self) -> tuple[int, ...]: ...
    @property
    def values(self) -> tuple[float, ...]: ...


@dataclass(frozen=True, slots=True)
class PointsRow:
    """One line of the table people read: from above `above` to `up_to`, or these category codes, or missing when it has neither."""

    feature: str
    points: float
    above: float | None = None
    up_to: float | None = None
    codes: tuple[int, ...] = ()
    is_missing: bool = False


def bins_of(trees: int, nodes: int) -> int:
    """How many bins a compiled scorecard has: the leaves of its trees."""
    return (nodes + trees) // 2


def compile_scorecard(features: Sequence[Bins], intercept: float, counts: Sequence[Sequence[float]]) -> Forest:
    """The forest whose margin is the intercept plus each feature's value. `counts`: training rows in every bin; the mean follows from them.

    Raises UnsupportedModel if a feature's bins, values and counts do not fit together."""
    trees = [_Growing(bins, rows, place).grown() for place, (bins, rows) in enumerate(zip(features, counts, strict=True))]
    return assemble(trees, n_features=len(features), base=intercept)


def points_table(features: Sequence[Bins], scale: ScoreScale) -> list[PointsRow]:
    """What every bin adds to the score, feature by feature, the missing bin last. Values are log-odds of the bad outcome."""
    return [row for bins in features for row in _points_rows(bins, scale)]


def _points_rows(bins: Bins, scale: ScoreScale) -> list[PointsRow]:
    points = [scale.points(value) for value in bins.values]
    missing = PointsRow(bins.name, points[-1], is_missing=True)
    if bins.is_category:
        return [PointsRow(bins.name, points[group], codes=_codes(bins, group)) for group in range(len(points) - 1)] + [missing]
    ends = (None, *bins.edges, None)
    return [PointsRow(bins.name, points[k], above=ends[k], up_to=ends[k + 1]) for k in range(len(points) - 1)] + [missing]


def _codes(bins: Bins, group: int) -> tuple[int, ...]:
    return tuple(code for code, of in enumerate(bins.groups) if of == group)


class _Growing:
    """One feature's tree while it grows: the nodes in preorder."""

    def __init__(self, bins: Bins, counts: Sequence[float], place: int) -> None:
        wanted = (max(bins.groups, default=-1) + 2) if bins.is_category else len(bins.edges) + 2
        if len(bins.values) != wanted or len(counts) != wanted or list(bins.edges) != sorted(set(bins.edges)):
            raise UnsupportedModel(f"{bins.name}: {wanted} bins with missing need as many values and counts, and edges that go up")
        self.bins, self.counts, self.place = bins, counts, place
        self.left: list[int] = []
        self.right: list[int] = []
        self.threshold: list[float] = []
        self.value: list[float] = []
        self.cover: list[float] = []
        self.categories: dict[int, np.ndarray] = {}

    def grown(self) -> Tree:
        missing = len(self.bins.values) - 1
        if self.bins.is_category:
            self._sets(0)
        else:
            root = self._node(float(sum(self.counts)))
            self.threshold[root] = np.inf    # every number there is goes left, so what is missing is alone on the right
            self.left[root] = self._cut(0, missing)
            self.right[root] = self._leaf(missing)
        nodes = len(self.left)
        return Tree(
            left=np.array(self.left), right=np.array(self.right), feature=np.full(nodes, self.place),
            kind=np.full(nodes, CATEGORY if self.bins.is_category else NUMBER), threshold=np.array(self.threshold),
            missing_left=np.zeros(nodes, int), value=np.array(self.value), cover=np.array(self.cover), categories=self.categories,
        )    # fmt: skip

    def _node(self, cover: float, value: float = 0.0) -> int:
        for column, blank in ((self.left, -1), (self.right, -1)):
            column.append(blank)
        self.threshold.append(0.0)
        self.value.append(value)
        self.cover.append(cover)
        return len(self.left) - 1

    def _leaf(self, k: int) -> int:
        return self._node(float(self.counts[k]), self.bins.values[k])

    def _cut(self, first: int, last: int) -> int:
        """Bins first to last - 1, halved until each is alone: the shortest paths."""
        if last - first == 1:
            return self._leaf(first)
        middle = (first + last) // 2
        node = self._node(float(sum(self.counts[first:last])))
        self.threshold[node] = self.bins.edges[middle - 1]
        self.left[node] = self._cut(first, middle)
        self.right[node] = self._cut(middle, last)
        return node

    def _sets(self, group: int) -> int:
        """One set after the other; whatever is in none of them ends in the missing bin."""
        if group == len(self.bins.values) - 1:
            return self._leaf(group)
        node = self._node(float(sum(self.counts[group:])))
        self.categories[node] = bitset(_codes(self.bins, group))
        self.left[node] = self._leaf(group)
        self.right[node] = self._sets(group + 1)
        return node
