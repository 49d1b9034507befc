"""One walk over a forest: margin and exact path-dependent Shapley contributions of each row, in numba.

Method. In one tree the Shapley value of feature i is, summed over the leaves (value v) below splits on i,
    v * (o_i - z_i) * integral over t in [0, 1] of the product over j != i of f_j(t),      f_j(t) = t * o_j + (1 - t) * z_j,
o_j = 1 if the row agrees with the path at every split on feature j (else 0), z_j = the share of the training cover that does. The product
is a polynomial of degree (distinct features on the path - 1), so n Gauss-Legendre points are exact for up to 2 n distinct features; each
tree uses as many blocks of WIDTH points as its own deepest path needs. Products go down the tree (H), leaf values times products come back
up (S); a feature that splits again divides its earlier factor out (G = 1 / f), as in Linear TreeSHAP (Yu et al. 2022); Shapley values as
integrals: Owen 1972. Off the row's path f_j = (1 - t) z_j, so only one division per split is left. Cost: nodes, not leaves x depth^2.

Words: a node here is a split (leaves live on edges); edge 2 k + side leaves node k to the left (side 0) or right (side 1).
No fastmath: every sum and product happens in the written order, so bits do not depend on threads, batch, or the CPU's vector width.
"""

# mypy: ignore-errors
# (numba finds the types of what it compiles by itself, and has no stubs)

import math
import operator
from contextlib import suppress
from decimal import Decimal, localcontext
from functools import cache
from typing import NamedTuple

import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, overload, register_model

from scoring.engine.forest import CATEGORY, LEAF, ZERO_IS_MISSING, Forest

# ---- a vector of WIDTH float64 for numba: one variable is one SIMD register, or two, or four, on a smaller CPU: same bits.
# It stays in this file because numba's cache looks only at the file of the cached function.

WIDTH = 8
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_I32 = ir.IntType(32)


class Lanes(types.Type):
    def __init__(self) -> None:
        super().__init__("lanes")


lanes = Lanes()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, _VECTOR)


def _pointer(context, builder, kind, array, index):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [builder.mul(index, ir.Constant(ir.IntType(64), WIDTH))]), _VECTOR.as_pointer())


@intrinsic
def load(typing, array, row):
    """Row `row` of a C-contiguous float64 array [rows, WIDTH]."""
    def emit(context, builder, signature, args):
        index = context.cast(builder, args[1], signature.args[1], types.int64)
        return builder.load(_pointer(context, builder, signature.args[0], args[0], index), align=8)
    return lanes(array, row), emit


@intrinsic
def store(typing, array, row, value):
    def emit(context, builder, signature, args):
        index = context.cast(builder, args[1], signature.args[1], types.int64)
        builder.store(args[2], _pointer(context, builder, signature.args[0], args[0], index), align=8)
        return context.get_dummy_value()
    return types.void(array, row, lanes), emit


@intrinsic
def spread(typing, number):
    """The same number in all lanes."""
    def emit(context, builder, signature, args):
        first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), args[0], _I32(0))
        return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), ir.Constant(ir.VectorType(_I32, WIDTH), [0] * WIDTH))
    return lanes(types.float64), emit


@intrinsic
def total(typing, value):
    """Sum of the lanes, always in the same order: upper half onto lower half, and again."""
    def emit(context, builder, signature, args):
        vector, width = args[0], WIDTH
        while width > 1:
            width //= 2
            masks = (ir.Constant(ir.VectorType(_I32, width), list(range(at, at + width))) for at in (0, width))
            vector = builder.fadd(*(builder.shuffle_vector(vector, vector, mask) for mask in masks))
        return builder.extract_element(vector, _I32(0))
    return types.float64(lanes), emit


def _operator(symbol, method: str) -> None:
    @intrinsic
    def apply(typing, a, b):
        return lanes(lanes, lanes), lambda context, builder, signature, args: getattr(builder, method)(*args)

    @overload(symbol)
    def choose(a, b):
        if a is lanes and b is lanes:
            return lambda a, b: apply(a, b)
        if a is lanes and isinstance(b, types.Float):
            return lambda a, b: apply(a, spread(b))
        if isinstance(a, types.Float) and b is lanes:
            return lambda a, b: apply(spread(a), b)
        return None


for _symbol, _method in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv")):
    _operator(_symbol, _method)


# ---- compiling


def _if_possible(access):
    def attempt(*given):
        with suppress(OSError):
            return access(*given)
        return None
    return attempt


def _compiled(**options):
    """numba's compiler. What it compiled is kept where it may write (NUMBA_CACHE_DIR first); if it may write nowhere, every process
    compiles for itself, and a folder that is lost or full later is no fault of the applicant who comes first."""
    def compile_(function):
        try:
            dispatcher = nb.njit(cache=True, **options)(function)
        except RuntimeError:    # no folder to write to
            return nb.njit(**options)(function)
        kept = dispatcher._cache
        kept.load_overload, kept.save_overload = _if_possible(kept.load_overload), _if_possible(kept.save_overload)
        return dispatcher
    return compile_


# ---- the walk


TINY = float(np.float32(1e-35))    # |x| up to here counts as zero where zero is missing (LightGBM)
NO_CODE = np.int32(2**31 - 1)      # not a category code
CHUNK = 4096                       # rows that share work

# One split, one cache line; a side is 0 (left) or 1 (right); numbers of nodes and edges count within the tree.
NODE = np.dtype([
    ("share", "f8", 2),        # child's cover / node's cover
    ("value", "f8", 2),        # leaf value, 0 if that side leads to another node
    ("kept", "f8"),            # cumulated share at `before`, 1 if there is none
    ("child", "u4", 2),        # node; the spare node if that side ends in a leaf
    ("into", "u4"),            # edge that leads here; root: the spare edge
    ("before", "u4"),          # last edge above with the same feature, or the spare edge
    ("seat", "u4"),            # the feature's number among the features of this tree
    ("set", "u4"),             # 1 + place in Plan.sets of a category split, else 0
])
SET = np.dtype([("node", "u4"), ("feature", "u4"), ("word", "u4"), ("words", "u4")])   # a category split; two more words: unknown code, NaN


class Plan(NamedTuple):
    """What the kernel reads; made once per forest, immutable, shared by threads. N nodes (splits), T trees, C category nodes."""

    nodes: np.ndarray          # NODE [N]
    node_start: np.ndarray     # i8 [T + 1]  first node of each tree
    lone: np.ndarray           # f8 [T]      value of a tree that is one leaf, else 0
    seat_start: np.ndarray     # i8 [T + 1]  first seat of each tree
    seats: np.ndarray          # i8 [seats]  feature of each seat
    column: np.ndarray         # u4 [N]      where the node looks in the readings of a row (see _read)
    threshold: np.ndarray      # f8 [N]
    sets: np.ndarray           # SET [C]
    set_start: np.ndarray      # i8 [T + 1]  first category node of each tree
    words: np.ndarray          # u4
    blocks: np.ndarray         # i8 [T]      blocks of WIDTH quadrature points
    points: np.ndarray         # f8 [most, most, 2, WIDTH]  rule with b + 1 blocks, block, t or weight
    base: float
    scale: float
    readings: int              # how many readings of a row are needed: 2, or 4 where a zero is missing somewhere
    most_seats: int
    spare: int                 # number of nodes of the biggest tree: the row of scratch space that nobody reads
    n_features: int
    mean: float                # expected margin over the training cover: margin - sum of contributions

    @classmethod
    def of(cls, forest: Forest) -> "Plan":
        inside = np.flatnonzero(forest.kind != LEAF)
        node_start = np.searchsorted(inside, forest.start)
        size = np.diff(node_start)
        inside = inside[np.lexsort((_depths(forest)[inside], np.repeat(np.arange(forest.trees), size)))]
        kind, feature = forest.kind[inside], forest.feature[inside]
        spare, tree = max(int(size.max()), 1), np.repeat(np.arange(forest.trees), size)
        number = np.full(forest.nodes, spare)
        number[inside] = np.arange(len(inside)) - node_start[tree]
        below = np.stack([inside + 1, forest.right[inside]], 1)
        nodes = np.zeros(len(inside), NODE)
        nodes["share"], nodes["value"], nodes["child"] = forest.share[below], forest.value[below], number[below]
        pairs, seat = np.unique(tree * np.int64(forest.n_features) + feature, return_inverse=True)     # (tree, feature)
        seat_start = np.searchsorted(pairs, np.arange(forest.trees + 1) * np.int64(forest.n_features))
        nodes["seat"] = seat - seat_start[tree]
        widest = _look_back(nodes, node_start, 2 * spare)
        blocks = np.maximum(1, -(-widest // (2 * WIDTH)))
        points = np.zeros((blocks.max(), blocks.max(), 2, WIDTH))
        for b in range(1, blocks.max() + 1):
            points[b - 1, :b, 0], points[b - 1, :b, 1] = gauss_legendre(b * WIDTH).reshape(2, b, WIDTH)
        categories = np.flatnonzero(kind == CATEGORY)
        at = inside[categories]
        tail = np.stack([np.zeros(len(at)), np.where(forest.missing_left[at], 0xFFFFFFFF, 0)], 1)
        words = [np.append(forest.categories[slice(*forest.category_start[k:k + 2])], more) for k, more in zip(at, tail, strict=True)]
        counts = np.diff(forest.category_start)[at]
        sets = np.zeros(len(at), SET)
        sets["node"], sets["feature"], sets["words"] = number[at], forest.feature[at], counts
        sets["word"] = np.cumsum(counts + 2) - counts - 2
        nodes["set"][categories] = 1 + np.arange(len(categories))
        view = np.where(kind == CATEGORY, 0, forest.missing_left[inside] + 2 * (kind == ZERO_IS_MISSING))
        return cls(
            nodes=nodes, node_start=node_start, lone=np.where(size == 0, forest.value[forest.start[:-1]], 0.0),
            column=(feature + view * forest.n_features).astype(np.uint32), threshold=forest.threshold[inside],
            sets=sets, set_start=np.searchsorted(categories, node_start), words=np.concatenate([np.zeros(0), *words]).astype(np.uint32),
            blocks=blocks, points=points, base=float(forest.base), scale=float(forest.scale), spare=spare,
            seat_start=seat_start, seats=pairs % int(forest.n_features), most_seats=max(int(np.diff(seat_start).max()), 1),
            n_features=int(forest.n_features), mean=forest.mean(),
            readings=4 if (kind == ZERO_IS_MISSING).any() else 2,
        )


@cache
def gauss_legendre(n: int) -> np.ndarray:
    """Points and weights [2, n] on [0, 1], correctly rounded in decimal arithmetic: the same bits everywhere, without LAPACK."""
    with localcontext() as context:
        context.prec = 40
        points, weights = [], []
        for i in range(n):
            x = Decimal(math.cos(math.pi * (i + 0.75) / (n + 0.5)))
            for _ in range(5):                   # Newton on the Legendre polynomial; digits double each time
                below, here = Decimal(1), x
                for k in range(2, n + 1):
                    below, here = here, ((2 * k - 1) * x * here - (k - 1) * below) / k
                slope = n * (x * here - below) / (x * x - 1)
                x -= here / slope
            points.append((1 + x) / 2)
            weights.append(1 / ((1 - x * x) * slope * slope))
    return np.array([[float(p) for p in points], [float(w) for w in weights]])


def _depths(forest: Forest) -> np.ndarray:
    depths, level = np.zeros(forest.nodes, np.int64), forest.start[:-1]
    while len(level := level[forest.kind[level] != LEAF]):
        below = np.concatenate([level + 1, forest.right[level]])
        depths[below] = np.tile(depths[level] + 1, 2)
        level = below
    return depths


@_compiled()
def _look_back(nodes, node_start, spare_edge):
    """Fill in into, before and kept; for each tree, the most distinct features on a path."""
    distinct = np.zeros(len(nodes), np.int64)
    widest = np.zeros(len(node_start) - 1, np.int64)
    for t in range(len(widest)):
        first, last = node_start[t], node_start[t + 1]
        if first < last:
            nodes[first].into = spare_edge
        for k in range(first, last):
            node = nodes[k]
            for side in range(2):
                if node.child[side] != spare_edge // 2:
                    nodes[first + node.child[side]].into = 2 * (k - first) + side
            edge = np.int64(node.into)
            distinct[k] = 1 if edge == spare_edge else distinct[first + edge // 2] + 1
            node.kept, node.before = 1.0, spare_edge
            while edge != spare_edge:
                above = nodes[first + edge // 2]
                if above.seat == node.seat:
                    node.kept, node.before = above.kept * above.share[edge % 2], edge
                    distinct[k] -= 1
                    break
                edge = np.int64(above.into)
            widest[t] = max(widest[t], distinct[k])
    return widest


@_compiled(nogil=True)
def _read(row, readings, views, codes, missing):
    """Readings of a row, so that a split is one comparison: NaN as NaN (goes right) or as -inf (left); then both with zeros missing too."""
    n = len(row)
    for f in range(n):
        x = row[f]
        views[f] = x
        views[n + f] = -np.inf if x != x else x
        if readings == 4:
            absent = x != x or abs(x) <= TINY
            views[2 * n + f] = np.nan if absent else x
            views[3 * n + f] = -np.inf if absent else x
        codes[f] = np.int32(x) if x > -1.0 and x < 2147483647.0 else NO_CODE
        missing[f] = x != x


@nb.njit(inline="always")
def _scratch(rows):
    """An uninitialised array [rows, WIDTH] that starts on a cache line."""
    memory = np.empty(rows * WIDTH + 8)
    skip = (-memory.ctypes.data % 64) // 8
    return memory[skip:skip + rows * WIDTH].reshape(rows, WIDTH)


@_compiled(nogil=True, error_model="numpy")
def _explain(plan, rows, margins, contributions):
    """Tree by tree over a chunk of rows; rows that go the same way at every split of a tree share its result."""
    n, most = rows.shape[1], min(len(rows), CHUNK)
    views, codes, missing = np.empty((most, plan.readings * n)), np.empty((most, n), np.int32), np.empty((most, n), np.int32)
    side, is_open = np.empty(plan.spare, np.uint8), np.empty(plan.spare, np.uint8)
    H, S, G, P = _scratch(plan.spare + 1), _scratch(2 * plan.spare + 1), _scratch(plan.spare), _scratch(plan.most_seats)
    bits = 1
    while bits < 2 * most:
        bits *= 2
    keys, slots = np.empty(bits, np.uint64), np.empty(bits, np.int64)
    leaf, shares = np.empty(most), np.empty((most, plan.most_seats))
    margins[:] = 0.0
    contributions[:] = 0.0
    for top in range(0, len(rows), CHUNK):
        count = min(CHUNK, len(rows) - top)
        for r in range(count):
            _read(rows[top + r], plan.readings, views[r], codes[r], missing[r])
        for t in range(len(plan.lone)):
            first, last = plan.node_start[t], plan.node_start[t + 1]
            seat = plan.seats[plan.seat_start[t]:plan.seat_start[t + 1]]
            slots[:] = -1
            known = 0
            for r in range(count):
                if first == last:
                    margins[top + r] += plan.lone[t]
                    continue
                _decide(plan, t, views[r], codes[r], missing[r], side)
                slot = -1
                if count > 1 and last - first <= 64:
                    key = np.uint64(0)
                    for k in range(last - first):
                        key |= np.uint64(side[k]) << np.uint64(k)
                    at = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & (bits - 1)
                    while slots[at] >= 0 and keys[at] != key:
                        at = (at + 1) & (bits - 1)
                    slot = slots[at]
                    if slot < 0:
                        keys[at], slots[at] = key, known
                if slot < 0:
                    slot = known
                    known += 1
                    P[:len(seat)] = 0.0
                    for b in range(plan.blocks[t]):
                        _tree(plan.nodes[first:last], plan.points[plan.blocks[t] - 1, b], plan.spare, side, is_open, H, S, G, P)
                    for j in range(len(seat)):
                        shares[slot, j] = total(load(P, j))
                    leaf[slot] = _leaf(plan.nodes[first:last], side, plan.spare)
                margins[top + r] += leaf[slot]
                for j in range(len(seat)):
                    contributions[top + r, seat[j]] += shares[slot, j]
    for r in range(len(rows)):
        margins[r] = plan.base + plan.scale * margins[r]
        for f in range(n):
            contributions[r, f] *= plan.scale


@_compiled(nogil=True)
def _margins(plan, rows, margins):
    """The same margins, bit for bit, along the path of each row only."""
    n = rows.shape[1]
    views, codes, missing = np.empty(plan.readings * n), np.empty(n, np.int32), np.empty(n, np.int32)
    for r in range(len(rows)):
        _read(rows[r], plan.readings, views, codes, missing)
        margin = 0.0
        for t in range(len(plan.lone)):
            first, last = plan.node_start[t], plan.node_start[t + 1]
            if first == last:
                margin += plan.lone[t]
                continue
            k = np.int64(0)
            while k != plan.spare:
                node = plan.nodes[first + k]
                if node.set:
                    went = _side_of_set(plan.sets[node.set - 1], plan.words, codes, missing)
                else:
                    went = np.uint8(not (views[plan.column[first + k]] <= plan.threshold[first + k]))
                k = np.int64(node.child[went])
            margin += node.value[went]
        margins[r] = plan.base + plan.scale * margin


@_compiled(nogil=True)
def _decide(plan, t, views, codes, missing, side):
    """The side this row takes at every split of tree t."""
    first, last = plan.node_start[t], plan.node_start[t + 1]
    column, threshold = plan.column[first:last], plan.threshold[first:last]
    for k in range(len(column)):
        side[k] = not (views[column[k]] <= threshold[k])
    for s in range(plan.set_start[t], plan.set_start[t + 1]):
        side[plan.sets[s].node] = _side_of_set(plan.sets[s], plan.words, codes, missing)


@nb.njit(inline="always")
def _side_of_set(split, words, codes, missing):
    code = codes[split.feature]
    word = words[split.word + np.uint32(min(code >> 5, np.int32(split.words)) + missing[split.feature])]
    return np.uint8(1 ^ ((word >> np.uint32(code & 31)) & 1))


@_compiled(nogil=True)
def _leaf(nodes, side, spare):
    k = np.uint32(0)
    while True:
        node, went = nodes[k], side[k]
        k = node.child[went]
        if k == spare:
            return node.value[went]


@_compiled(nogil=True, error_model="numpy")
def _tree(nodes, rule, spare, side, is_open, H, S, G, P):
    T = load(rule, 0)
    U = 1.0 - T
    V = 1.0 / U
    store(H, 0, load(rule, 1))
    for k in range(len(nodes)):
        node = nodes[k]
        warm = side[k]
        cold = warm ^ np.uint8(1)
        h = load(H, k)
        if node.before == 2 * spare:
            is_open[k] = 1
            f = T + U * node.share[warm]
            store(G, k, 1.0 / f)
            h_warm = h * f
            h_cold = h * (U * node.share[cold])
        elif is_open[node.before >> 1] and side[node.before >> 1] == node.before & 1:
            is_open[k] = 1
            f = T + U * (node.kept * node.share[warm])
            store(G, k, 1.0 / f)
            h = h * load(G, node.before >> 1)
            h_warm = h * f
            h_cold = h * (U * (node.kept * node.share[cold]))
        else:
            is_open[k] = 0
            h_warm = h * node.share[warm]
            h_cold = h * node.share[cold]
        store(H, node.child[warm], h_warm)
        store(H, node.child[cold], h_cold)
        store(S, 2 * k + warm, h_warm * node.value[warm])
        store(S, 2 * k + cold, h_cold * node.value[cold])
    for k in range(len(nodes) - 1, -1, -1):
        node = nodes[k]
        warm = side[k]
        s_warm, s_cold = load(S, 2 * k + warm), load(S, 2 * k + (warm ^ 1))
        s = s_warm + s_cold
        store(S, node.into, s)
        if is_open[k]:
            c = load(P, node.seat) + s_warm * (load(G, k) * (1.0 - node.kept * node.share[warm])) - s_cold * V
            if node.before != 2 * spare:
                c = c - s * (load(G, node.before >> 1) * (1.0 - node.kept))
            store(P, node.seat, c)


def _checked(plan: Plan, rows: np.ndarray) -> np.ndarray:
    rows = np.ascontiguousarray(rows, np.float64)
    if rows.ndim != 2 or rows.shape[1] != plan.n_features:
        raise ValueError(f"rows must be [rows, {plan.n_features}]")
    return rows


def margins(plan: Plan, rows: np.ndarray) -> np.ndarray:
    """[rows] margins of rows [rows, features] float64 (NaN: missing; category columns hold codes)."""
    rows = _checked(plan, rows)
    out = np.empty(len(rows))
    _margins(plan, rows, out)
    return out


def explain(plan: Plan, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """([rows] margins, [rows, features] contributions); margin = plan.mean + sum of the row's contributions."""
    rows = _checked(plan, rows)
    out, contributions = np.empty(len(rows)), np.empty(rows.shape)
    _explain(plan, rows, out, contributions)
    return out, contributions
