"""Fits boosted trees with XGBoost: shallow, strongly regularised, depth and number of trees chosen on inner folds."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xgboost

from scoring.engine.compile_xgboost import compile_xgboost
from scoring.engine.training.estimators import Compiled, Estimator
from scoring.engine.training.judge import judge_float32
from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Floats, platt
from scoring.engine.training.trials import MANY_ROWS, MAX_NODES, PATIENCE, Candidates, Choice, Fold, Range, Search, Trial, run_trial

DEPTHS = (2, 3, 4)
SPACE = {
    "max_depth": Range(1, 5, is_whole=True), "eta": Range(0.02, 0.15, is_log=True), "min_child_weight": Range(0.5, 30, is_log=True),
    "reg_lambda": Range(0.01, 50, is_log=True), "gamma": Range(0, 2), "colsample_bytree": Range(0.3, 1), "subsample": Range(0.5, 1),
}    # fmt: skip


@dataclass(frozen=True, slots=True)
class XGBoostSettings:
    """The part of XGBoost's settings that decides about the model; part of the bundle. Categories are split one against the rest."""

    max_depth: int
    eta: float = 0.05
    min_child_weight: float = 4.0
    reg_lambda: float = 5.0
    gamma: float = 0.0
    colsample_bytree: float = 0.6
    subsample: float = 0.7
    max_cat_to_onehot: int = 100
    max_bin: int = 256


@dataclass(frozen=True, slots=True, eq=False)
class XGBoosted:
    """A fitted booster with its calibration: log-odds = slope * margin + intercept."""

    booster: xgboost.Booster
    settings: dict[str, Any]
    slope: float
    intercept: float
    trial: Trial[XGBoostSettings]
    is_category: tuple[bool, ...]

    def margins(self, values: Floats) -> Floats:
        """Calibrated log-odds, from margins in XGBoost's float32."""
        margins = self.booster.predict(_matrix(values, self.is_category), output_margin=True)
        return self.slope * np.asarray(margins, np.float64) + self.intercept

    def prepared(self, values: Floats) -> xgboost.DMatrix:
        """Rows as XGBoost reads them."""
        return _matrix(values, self.is_category)


def fit_xgboost(samples: Samples, *, seed: int, threads: int, search: Search | None = None) -> XGBoosted:
    """A booster on all rows, its depth, its number of trees and its calibration chosen on rows each inner booster had not seen."""

    def fold(train: Samples, judged: Samples, settings: XGBoostSettings) -> Fold:
        return _fold(train, judged, settings, seed=seed)

    best = (search or Candidates()).choose(Choice(
        estimator="xgboost", samples=samples, seed=seed, candidates=_candidates(len(samples.target)), space=SPACE,
        attempt=lambda settings: run_trial(samples, settings, fold, seed=seed, at_once=threads),
    ))    # fmt: skip
    booster = xgboost.train(_parameters(best.settings, samples, seed), _matrix(samples.values, samples.is_category, samples), best.rounds)
    slope, intercept = platt(samples.target[best.judged], best.margins)
    return XGBoosted(booster, {**asdict(best.settings), "rounds": best.rounds, "seed": seed}, slope, intercept, best, samples.is_category)


def judge_xgboost(model: XGBoosted, compiled: Compiled, rows: Floats) -> None:
    """The forest's leaves added in float32 give XGBoost's bits, and contributions are its pred_contribs within float32. Raises
    CompilationFailed."""
    matrix = _matrix(rows, model.is_category)
    scores = np.asarray(model.booster.predict(matrix, output_margin=True))
    judge_float32("XGBoost", compiled.forest, rows, scores, np.asarray(model.booster.predict(matrix, pred_contribs=True)))


def _candidates(rows: int) -> list[XGBoostSettings]:
    if rows > MANY_ROWS:
        return [XGBoostSettings(max_depth=4, eta=0.1, min_child_weight=20.0)]
    return [XGBoostSettings(max_depth=depth, min_child_weight=max(0.5, min(4.0, rows / 250))) for depth in DEPTHS]


def _fold(train: Samples, judged: Samples, settings: XGBoostSettings, *, seed: int) -> Fold:
    history: dict[str, dict[str, Any]] = {}
    unseen = _matrix(judged.values, judged.is_category, judged)
    booster = xgboost.train(
        {**_parameters(settings, train, seed), "eval_metric": "logloss"}, _matrix(train.values, train.is_category, train),
        MAX_NODES // (2 ** (settings.max_depth + 1) - 1), evals=[(unseen, "judge")], evals_result=history,
        early_stopping_rounds=PATIENCE, verbose_eval=False,
    )

    def margins(rounds: int) -> Floats:
        return np.asarray(booster.predict(unseen, output_margin=True, iteration_range=(0, rounds)), np.float64)

    return Fold(history["judge"]["logloss"], margins)


def _parameters(settings: XGBoostSettings, samples: Samples, seed: int) -> dict[str, Any]:
    monotone = {"monotone_constraints": tuple(samples.monotone)} if any(samples.monotone) else {}
    # One thread: its sums do not then depend on how many there are. Folds run side by side instead.
    fixed = {"objective": "binary:logistic", "booster": "gbtree", "tree_method": "hist", "seed": seed, "nthread": 1, "verbosity": 0}
    return {**asdict(settings), **monotone, **fixed}


def _matrix(values: Floats, is_category: tuple[bool, ...], samples: Samples | None = None) -> xgboost.DMatrix:
    kinds = ["c" if one else "q" for one in is_category]
    label = None if samples is None else samples.target
    return xgboost.DMatrix(values, label, feature_types=kinds, enable_categorical=True, nthread=1)


def _compiled(model: XGBoosted, samples: Samples) -> Compiled:
    del samples
    return Compiled(compile_xgboost(bytes(model.booster.save_raw("json"))), model.slope, model.intercept)


ESTIMATOR = Estimator(fit_xgboost, _compiled, judge_xgboost)
