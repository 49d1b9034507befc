"""Fits boosted symmetric trees with CatBoost: shallow, regularised, depth and number of trees chosen on inner folds."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import catboost
import numpy as np
import pandas as pd

from scoring.engine.compile_catboost import compile_catboost
from scoring.engine.training.estimators import Compiled, Estimator
from scoring.engine.training.judge import judge_bits
from scoring.engine.training.matrix import Samples, TrainingError
from scoring.engine.training.metrics import Flags, Floats, platt
from scoring.engine.training.trials import MANY_ROWS, MAX_NODES, PATIENCE, Candidates, Choice, Fold, Range, Search, Trial, run_trial

DEPTHS = (3, 5)
NO_CATEGORY = -1                    # the code CatBoost is given for a missing category
SPACE = {
    "depth": Range(2, 6, is_whole=True), "learning_rate": Range(0.02, 0.15, is_log=True), "l2_leaf_reg": Range(0.5, 50, is_log=True),
    "random_strength": Range(0, 3), "rsm": Range(0.3, 1), "subsample": Range(0.5, 1),
}    # fmt: skip


@dataclass(frozen=True, slots=True)
class CatBoostSettings:
    """The part of CatBoost's settings that decides about the model; part of the bundle. Categories are split one against the rest:
    statistics of the target would be no splits on a row."""

    depth: int
    learning_rate: float = 0.06
    l2_leaf_reg: float = 5.0
    random_strength: float = 1.0
    rsm: float = 0.6
    subsample: float = 0.7
    border_count: int = 128


@dataclass(frozen=True, slots=True, eq=False)
class CatBoosted:
    """A fitted model with its calibration: log-odds = slope * margin + intercept."""

    booster: catboost.CatBoost
    settings: dict[str, Any]
    slope: float
    intercept: float
    trial: Trial[CatBoostSettings]
    is_category: tuple[bool, ...]

    def margins(self, values: Floats) -> Floats:
        """Calibrated log-odds."""
        return self.slope * _raw(self.booster, _pool(values, self.is_category)) + self.intercept

    def prepared(self, values: Floats) -> catboost.Pool:
        """Rows as CatBoost reads them."""
        return _pool(values, self.is_category)

    def written(self, samples: Samples) -> dict[str, Any]:
        """The model in CatBoost's JSON form; the rows tell it the categories behind their hashes."""
        with TemporaryDirectory(prefix="vouch-catboost-") as folder:
            path = Path(folder) / "model.json"
            self.booster.save_model(str(path), format="json", pool=_pool(samples.values, self.is_category, samples.target))
            model: dict[str, Any] = json.loads(path.read_text())
        return model


def fit_catboost(samples: Samples, *, seed: int, threads: int, search: Search | None = None) -> CatBoosted:
    """A model on all rows, its depth, its number of trees and its calibration chosen on rows each inner model had not seen."""
    if not _varies(samples.values):
        raise TrainingError("no feature has two values, and CatBoost cannot begin", fix="give a table whose inputs differ from row to row")

    def fold(train: Samples, judged: Samples, settings: CatBoostSettings) -> Fold:
        return _fold(train, judged, settings, seed=seed)

    best = (search or Candidates()).choose(Choice(
        estimator="catboost", samples=samples, seed=seed, candidates=_candidates(len(samples.target)), space=SPACE,
        attempt=lambda settings: run_trial(samples, settings, fold, seed=seed, at_once=threads),
    ))    # fmt: skip
    booster = catboost.CatBoost({**_parameters(best.settings, samples, seed), "iterations": best.rounds})
    booster.fit(_pool(samples.values, samples.is_category, samples.target))
    slope, intercept = platt(samples.target[best.judged], best.margins)
    return CatBoosted(booster, {**asdict(best.settings), "rounds": best.rounds, "seed": seed}, slope, intercept, best, samples.is_category)


def judge_catboost(model: CatBoosted, compiled: Compiled, rows: Floats) -> None:
    """The uncalibrated forest scores bit for bit like CatBoost and explains like its ShapValues. Raises CompilationFailed.

    Monotone signs give values to leaves that no row has reached; CatBoost's ShapValues then take their covers from whatever rows are asked
    about (its issue 1956), so there the definition judges."""
    pool = _pool(rows, model.is_category)
    weights, values = model.booster.get_leaf_weights(), model.booster.get_leaf_values()
    library = None
    if not np.any(values[weights == 0]):
        library = np.asarray(model.booster.get_feature_importance(pool, type="ShapValues", thread_count=1))
    judge_bits("CatBoost", compiled.forest, rows, _raw(model.booster, pool), library)


def _candidates(rows: int) -> list[CatBoostSettings]:
    if rows > MANY_ROWS:
        return [CatBoostSettings(depth=5, learning_rate=0.1)]
    return [CatBoostSettings(depth=depth) for depth in DEPTHS]


def _fold(train: Samples, judged: Samples, settings: CatBoostSettings, *, seed: int) -> Fold:
    most = MAX_NODES // (2 ** (settings.depth + 1) - 1)
    booster = catboost.CatBoost({
        **_parameters(settings, train, seed), "iterations": most, "od_type": "Iter", "od_wait": PATIENCE, "use_best_model": False,
    })    # fmt: skip
    unseen = _pool(judged.values, judged.is_category, judged.target)
    booster.fit(_pool(train.values, train.is_category, train.target), eval_set=unseen)
    return Fold(booster.get_evals_result()["validation"]["Logloss"], lambda rounds: _raw(booster, unseen, rounds))


def _raw(booster: catboost.CatBoost, pool: catboost.Pool, rounds: int = 0) -> Floats:
    return np.asarray(booster.predict(pool, prediction_type="RawFormulaVal", ntree_end=rounds, thread_count=1), np.float64)


def _parameters(settings: CatBoostSettings, samples: Samples, seed: int) -> dict[str, Any]:
    monotone = {"monotone_constraints": list(samples.monotone)} if any(samples.monotone) else {}
    codes = [samples.values[:, place] for place, is_category in enumerate(samples.is_category) if is_category]
    largest = max((int(np.nanmax(column, initial=0)) for column in codes), default=0)
    return {
        **asdict(settings), **monotone, "loss_function": "Logloss", "boosting_type": "Plain", "bootstrap_type": "Bernoulli",
        "grow_policy": "SymmetricTree", "one_hot_max_size": largest + 2, "random_seed": seed, "allow_writing_files": False,
        # One thread: its sums depend on how many there are. Folds run side by side instead.
        "logging_level": "Silent", "thread_count": 1,
    }    # fmt: skip


def _pool(values: Floats, is_category: tuple[bool, ...], target: Flags | None = None) -> catboost.Pool:
    columns = {f"f{place}": _codes(values[:, place]) if one else values[:, place] for place, one in enumerate(is_category)}
    places = [place for place, one in enumerate(is_category) if one]
    return catboost.Pool(pd.DataFrame(columns), target, cat_features=places, thread_count=1)


def _codes(column: Floats) -> np.ndarray:
    return np.where(np.isfinite(column) & (column >= 0), column, NO_CATEGORY).astype(np.int64)


def _varies(values: Floats) -> bool:
    return any(len(np.unique(column)) > 1 for column in values.T)


def _compiled(model: CatBoosted, samples: Samples) -> Compiled:
    return Compiled(compile_catboost(model.written(samples), len(samples.names)), model.slope, model.intercept)


ESTIMATOR = Estimator(fit_catboost, _compiled, judge_catboost)
