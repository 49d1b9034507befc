"""The compiled forest: one portable, hashable form for every additive tree model.

margin(x) = base + scale * (value of the leaf reached in tree 0 + tree 1 + ...), added in float64 in tree order.
Nodes are stored in preorder, tree after tree: the left child of node k is k + 1, the right child is right[k].
Every number split is `x <= threshold` on float64; the compilers move float32 and strict comparisons of the
training libraries into the threshold (see `at_most`), so one comparison serves all of them, exactly.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEAF, NUMBER, CATEGORY, ZERO_IS_MISSING = range(4)   # ZERO_IS_MISSING: a NUMBER split where |x| <= 1e-35 is missing too

# Field -> type of the array, as it is stored and hashed.
FIELDS = {
    "start": "<i4", "kind": "u1", "feature": "<i4", "threshold": "<f8", "missing_left": "u1", "right": "<i4", "value": "<f8",
    "share": "<f8", "category_start": "<i4", "categories": "<u4", "base": "<f8", "scale": "<f8", "n_features": "<i4",
}    # fmt: skip


class UnsupportedModel(ValueError):
    """The model has something that a forest cannot hold exactly."""


class Tree(NamedTuple):
    """One tree in its library's own node order; every array is [nodes], node 0 is the root, left = -1 marks a leaf."""

    left: Array
    right: Array
    kind: Array
    feature: Array
    threshold: Array
    missing_left: Array
    value: Array
    cover: Array
    categories: dict[int, Array] = {}   # node -> uint32 words


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Flat arrays; the annotation is the dtype on disk. Checked once, when made; read-only afterwards."""

    start: Array            # [trees + 1]  first node of each tree; the last entry is the number of nodes
    kind: Array             # [nodes]      LEAF, NUMBER, CATEGORY, ZERO_IS_MISSING
    feature: Array          # [nodes]      column of the row; 0 in a leaf
    threshold: Array        # [nodes]      x <= threshold goes left; 0 unless a number split
    missing_left: Array     # [nodes]      1: NaN goes left
    right: Array            # [nodes]      position of the right child; 0 in a leaf
    value: Array            # [nodes]      leaf value (margin units before scale); 0 inside
    share: Array            # [nodes]      share of the parent's training cover that reached this node; 1 at a root
    category_start: Array   # [nodes + 1]  words of node k: categories[category_start[k]:category_start[k + 1]]
    categories: Array       # [words]      bit c of the words set: category code c goes left
    base: Array             # []           margin of an empty forest
    scale: Array            # []           factor on the sum of leaf values
    n_features: Array       # []           length of a row

    def __post_init__(self) -> None:
        for name, kind in FIELDS.items():
            array = np.ascontiguousarray(getattr(self, name), kind).reshape(np.shape(getattr(self, name)))
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        self._check()

    @property
    def trees(self) -> int:
        return len(self.start) - 1

    @property
    def nodes(self) -> int:
        return len(self.kind)

    def _check(self) -> None:
        """Refuse arrays that are not a forest, so that the kernel can walk them without bounds checks."""
        n, inside = self.nodes, np.flatnonzero(self.kind != LEAF)
        roots, words = self.start[:-1], np.diff(self.category_start)
        tree = np.searchsorted(self.start, np.arange(n), side="right")
        children = np.concatenate([inside + 1, self.right[inside]])
        parents = np.concatenate([inside, inside])
        ok = (
            all(len(getattr(self, name)) == n for name in ("feature", "threshold", "missing_left", "right", "value", "share"))
            and self.start[0] == 0 and self.start[-1] == n and bool((np.diff(self.start) > 0).all())
            and len(self.category_start) == n + 1 and self.category_start[0] == 0
            and bool((words >= 0).all()) and self.category_start[-1] == len(self.categories)
            and bool((self.kind <= ZERO_IS_MISSING).all()) and bool((self.missing_left <= 1).all())
            and bool(((self.feature >= 0) & (self.feature < max(int(self.n_features), 1))).all())
            and bool((children < n).all()) and bool((children > parents).all())   # every node but a root has one parent,
            and bool((tree[children] == tree[parents]).all())                     # before it, in its own tree
            and np.array_equal(np.sort(children), np.setdiff1d(np.arange(n), roots))
            and bool(((self.share >= 0) & (self.share <= 1 + 1e-6)).all())
            and all(bool(np.isfinite(getattr(self, name)).all()) for name in ("value", "base", "scale"))
            and not np.isnan(self.threshold).any()
        )
        if not ok:
            raise UnsupportedModel("these arrays are not a well-formed forest")

    def mean(self) -> float:
        """Expected margin when every split is left to the training covers."""
        reach = self.share.copy()                 # parents come first, so a level at a time from the roots
        level = self.start[:-1]
        while len(level := level[self.kind[level] != LEAF]):
            for child in (level + 1, self.right[level]):
                reach[child] *= reach[level]
            level = np.concatenate([level + 1, self.right[level]])
        return float(self.base + self.scale * math.fsum(reach * self.value))

    def digest(self) -> str:
        """SHA-256 over names, types, shapes and little-endian bytes: independent of the file that carries them."""
        hasher = hashlib.sha256()
        for name, kind in FIELDS.items():
            array = getattr(self, name)
            hasher.update(f"{name}:{kind}:{array.shape};".encode())
            hasher.update(array.tobytes())
        return hasher.hexdigest()

    def arrays(self) -> dict[str, Array]:
        """Every array by its field's name, to be stored; `Forest(**arrays)` makes the same forest again."""
        return {name: getattr(self, name) for name in FIELDS}


def assemble(trees: Iterable[Tree], n_features: int, base: float = 0.0, scale: float = 1.0) -> Forest:
    """Lay library trees out in preorder and turn covers into shares of the parent (0 of 0 counts as 0)."""
    parts: dict[str, list[Array]] = {name: [] for name in ("kind", "feature", "threshold", "missing_left", "right", "value", "share")}
    start: list[int] = [0]
    lengths: list[int] = []
    words: list[Array] = []
    for tree in trees:
        order = _preorder(tree)
        position = np.zeros(len(tree.left), np.int64)
        position[order] = start[-1] + np.arange(len(order))
        inside = np.flatnonzero(np.asarray(tree.left) >= 0)
        above = np.zeros(len(tree.left))
        above[np.asarray(tree.left)[inside]] = above[np.asarray(tree.right)[inside]] = np.asarray(tree.cover, float)[inside]
        cover = np.asarray(tree.cover, float)
        share = np.divide(cover, above, out=np.zeros(len(cover)), where=above > 0)
        share[0] = 1.0
        leaf = np.asarray(tree.left) < 0
        columns = {
            "kind": np.where(leaf, LEAF, tree.kind), "feature": np.where(leaf, 0, tree.feature),
            "threshold": np.where(leaf, 0.0, tree.threshold), "missing_left": np.where(leaf, 0, tree.missing_left),
            "right": np.where(leaf, 0, position[tree.right]), "value": np.where(leaf, tree.value, 0.0), "share": np.minimum(share, 1.0),
        }
        for name, column in columns.items():
            parts[name].append(column[order])
        for node in order:
            words.append(tree.categories.get(int(node), np.zeros(0, np.uint32)))
            lengths.append(len(words[-1]))
        start.append(start[-1] + len(order))
    return Forest(
        **{name: np.concatenate(columns) for name, columns in parts.items()},
        start=np.array(start), base=np.array(base), scale=np.array(scale), n_features=np.array(n_features),
        category_start=np.concatenate([[0], np.cumsum(lengths)]), categories=np.concatenate([np.zeros(0, "u4"), *words]),
    )


def _preorder(tree: Tree) -> Array:
    order: list[int] = []
    stack = [0]
    while stack:
        node = stack.pop()
        order.append(node)
        if tree.left[node] >= 0:
            stack += (int(tree.right[node]), int(tree.left[node]))
    return np.array(order)


def at_most(bound: Array) -> Array:
    """The largest float64 whose rounding to float32 is <= bound (float64): float32(x) <= bound  <=>  x <= at_most(bound)."""
    with np.errstate(over="ignore", invalid="ignore"):                             # at the ends of float32
        low = np.asarray(bound, np.float64).astype(np.float32)
        low = np.where(low > bound, np.nextafter(low, np.float32(-np.inf)), low)   # the largest float32 that is <= bound
        ends = [np.clip(end.astype(np.float64), -(2.0**128), 2.0**128) for end in (low, np.nextafter(low, np.float32(np.inf)))]
        middle = ends[0] + (ends[1] - ends[0]) / 2                                 # ties go to the even mantissa
        found = np.where(middle.astype(np.float32) == low, middle, np.nextafter(middle, -np.inf))
    return np.where(low == np.inf, np.inf, found)


def below(bound: Array) -> Array:
    """The same for float32(x) < bound, where bound is a float32."""
    with np.errstate(over="ignore"):                                               # below the least float32 is only minus infinity
        one_less = np.nextafter(np.asarray(bound, np.float32), np.float32(-np.inf))
    return at_most(one_less.astype(np.float64))


def bitset(codes: Iterable[int]) -> Array:
    """Category codes (0 or more) as uint32 words."""
    codes = np.asarray(list(codes), np.int64)
    words = np.zeros(codes.max(initial=0) // 32 + 1, np.uint32)
    np.bitwise_or.at(words, codes // 32, np.uint32(1) << (codes % 32).astype(np.uint32))
    return words
