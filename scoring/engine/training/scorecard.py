"""Fits a scorecard: at most seven bins per feature, weight of evidence, logistic regression; every bin ends as points."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.tree import DecisionTreeClassifier

from scoring.engine.compile_scorecard import compile_scorecard
from scoring.engine.training.estimators import Compiled, Estimator
from scoring.engine.training.judge import judge_points
from scoring.engine.training.matrix import INNER_FOLDS, Samples, stratified_folds
from scoring.engine.training.metrics import Flags, Floats, platt
from scoring.engine.training.trials import Search

MAX_BINS = 7
SMALLEST_BIN = 0.03      # share of the rows
PRIOR_ROWS = 10.0        # every bin is drawn towards the base rate as if it held this many more rows
RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class BinnedFeature:
    """One feature's bins: bin k holds x <= edges[k] (numbers) or the codes with groups[code] == k; the last value is missing's."""

    name: str
    is_category: bool
    edges: tuple[float, ...]
    groups: tuple[int, ...]
    values: tuple[float, ...]

    def place(self, column: Floats) -> np.ndarray:
        """The bin of every cell; missing and unknown categories share the last."""
        last = len(self.values) - 1
        if not self.is_category:
            return np.where(np.isnan(column), last, np.searchsorted(self.edges, column, side="left"))
        known = np.isfinite(column) & (column >= 0) & (column < len(self.groups))
        return np.where(known, np.asarray((*self.groups, last))[np.where(known, column, -1).astype(np.int64)], last)

    def read(self, column: Floats) -> Floats:
        values: Floats = np.array(self.values, np.float64)[self.place(column)]
        return values


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Points per bin in log-odds, calibrated: margin = intercept + the sum of the bins' values."""

    features: tuple[BinnedFeature, ...]
    intercept: float
    settings: dict[str, Any]

    def margins(self, values: Floats) -> Floats:
        """Calibrated log-odds."""
        margin = np.full(len(values), self.intercept)
        for place, feature in enumerate(self.features):
            margin += feature.read(values[:, place])
        return margin

    def points(self, values: Floats) -> Floats:
        """[rows, features]: the value of each cell's bin."""
        return np.column_stack([feature.read(values[:, place]) for place, feature in enumerate(self.features)])

    def bin_rows(self, values: Floats) -> list[list[float]]:
        """How many of these rows are in each bin of each feature."""
        return [
            np.bincount(feature.place(values[:, place]), minlength=len(feature.values)).astype(float).tolist()
            for place, feature in enumerate(self.features)
        ]

    def scaled(self, factor: NDArray[np.float64], intercept: float) -> "Scorecard":
        """The same bins, each feature's values times its factor."""
        features = tuple(
            replace(feature, values=tuple(float(weight) * value for value in feature.values))
            for feature, weight in zip(self.features, factor, strict=True)
        )
        return replace(self, features=features, intercept=intercept)


def fit_scorecard(samples: Samples, *, seed: int, threads: int, search: Search | None = None) -> Scorecard:
    """A scorecard on all rows, calibrated on rows that inner scorecards had not seen. Monotone signs hold within the bins."""
    del threads, search
    margins = np.empty(len(samples.target))
    for rows in stratified_folds(samples.target, INNER_FOLDS, seed):
        kept = np.ones(len(samples.target), bool)
        kept[rows] = False
        margins[rows] = _fit(samples.take(np.flatnonzero(kept)), seed).margins(samples.values[rows])
    slope, intercept = platt(samples.target, margins)
    card = _fit(samples, seed)
    return card.scaled(np.full(len(card.features), slope), slope * card.intercept + intercept)


def _fit(samples: Samples, seed: int) -> Scorecard:
    base = np.log(samples.base_rate / (1 - samples.base_rate))
    bins = [_bins(samples, place, seed) for place in range(len(samples.names))]
    evidence = np.column_stack([feature.read(samples.values[:, place]) for place, feature in enumerate(bins)])
    weights, intercept = ridge_weights(evidence, samples.target, base)
    settings = {"bins": MAX_BINS, "ridge": RIDGE, "prior_rows": PRIOR_ROWS, "seed": seed}
    return Scorecard(tuple(bins), 0.0, settings).scaled(weights, intercept)


def _bins(samples: Samples, place: int, seed: int) -> BinnedFeature:
    column, target = samples.values[:, place], samples.target
    present = ~np.isnan(column)
    edges: tuple[float, ...] = ()
    groups: tuple[int, ...] = ()
    if samples.is_category[place]:
        groups = _groups(column[present].astype(np.int64), target[present], samples.base_rate, seed)
        count = max(groups, default=-1) + 1
    else:
        edges = _edges(column[present], target[present], samples.monotone[place], len(target), seed)
        count = len(edges) + 1
    blank = BinnedFeature(samples.names[place], samples.is_category[place], edges, groups, (0.0,) * (count + 1))
    return replace(blank, values=_evidence(blank.place(column), target, count + 1, samples.base_rate))


def _edges(column: Floats, target: Flags, monotone: int, rows: int, seed: int) -> tuple[float, ...]:
    if len(column) < 2 or np.ptp(column) == 0:
        return ()
    signs = [monotone] if monotone else None
    smallest = max(5, int(SMALLEST_BIN * rows))
    tree = DecisionTreeClassifier(max_leaf_nodes=MAX_BINS, min_samples_leaf=smallest, monotonic_cst=signs, random_state=seed)
    tree.fit(column[:, None], target)
    return tuple(sorted(float(edge) for edge, left in zip(tree.tree_.threshold, tree.tree_.children_left, strict=True) if left >= 0))


def _groups(codes: np.ndarray, target: Flags, base_rate: float, seed: int) -> tuple[int, ...]:
    """Categories in order of their smoothed rate, cut like a number into at most seven groups."""
    if not len(codes):
        return ()
    count = np.bincount(codes)
    rate = (np.bincount(codes, weights=target) + PRIOR_ROWS * base_rate) / (count + PRIOR_ROWS)
    return tuple(int(group) for group in np.searchsorted(_edges(rate[codes], target, 0, len(target), seed), rate, side="left"))


def _evidence(places: np.ndarray, target: Flags, bins: int, base_rate: float) -> tuple[float, ...]:
    rows = np.bincount(places, minlength=bins)
    rate = (np.bincount(places, weights=target, minlength=bins) + PRIOR_ROWS * base_rate) / (rows + PRIOR_ROWS)
    return tuple(float(value) for value in np.log(rate / (1 - rate)) - np.log(base_rate / (1 - base_rate)))


def ridge_weights(columns: Floats, target: Flags, base: float) -> tuple[Floats, float]:
    """Ridge logistic regression, its weights and its intercept. No weight is negative: a bin that is worse by itself never earns points."""
    width = columns.shape[1]

    def loss(point: Floats) -> tuple[float, Floats]:
        margin = columns @ point[:width] + point[width]
        error = expit(margin) - target
        value = float(np.logaddexp(0.0, margin).sum() - margin @ target + 0.5 * RIDGE * (point[:width] @ point[:width]))
        return value, np.append(columns.T @ error + RIDGE * point[:width], error.sum())

    start = np.append(np.full(width, 0.5), base)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * width + [(None, None)], options={"maxiter": 500})
    return found.x[:width], float(found.x[width])


def judge_scorecard(model: Scorecard, compiled: Compiled, rows: Floats) -> None:
    """The forest gives the sum of the points, and each feature its own, measured from its mean. Raises CompilationFailed."""
    judge_points(compiled.forest, rows, model.margins(rows), model.points(rows))


def _compiled(model: Scorecard, samples: Samples) -> Compiled:
    return Compiled(compile_scorecard(model.features, model.intercept, model.bin_rows(samples.values)), 1.0, 0.0)


ESTIMATOR = Estimator(fit_scorecard, _compiled, judge_scorecard)
