"""Fits boosted trees: small, strongly regularised LightGBM, its size chosen on inner folds of the rows it is given."""

from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np

from scoring.engine.compile_lightgbm import compile_lightgbm
from scoring.engine.training.estimators import Compiled, Estimator
from scoring.engine.training.judge import judge_bits
from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Floats, platt
from scoring.engine.training.trials import MANY_ROWS, MAX_NODES, PATIENCE, Candidates, Choice, Fold, Range, Search, Trial, run_trial

LEAVES = (4, 8, 16)                 # the sizes that are tried; explaining costs by nodes, so the list ends early
SPACE = {
    "num_leaves": Range(3, 24, is_log=True, is_whole=True), "learning_rate": Range(0.02, 0.15, is_log=True),
    "min_data_in_leaf": Range(5, 100, is_log=True, is_whole=True), "lambda_l2": Range(0.01, 50, is_log=True),
    "path_smooth": Range(0.1, 100, is_log=True), "feature_fraction": Range(0.3, 1), "bagging_fraction": Range(0.5, 1),
}    # fmt: skip


@dataclass(frozen=True, slots=True)
class BoostedSettings:
    """The part of LightGBM's settings that decides about the model; part of the bundle, so a fit can be repeated.

    Few leaves, path smoothing, L2 and sampling of rows and columns: LightGBM's defaults lose to a plain scorecard on tables of credit size.
    Categories are split one against the rest, which regularises better than sorted sets on small tables."""

    num_leaves: int
    learning_rate: float = 0.05
    min_data_in_leaf: int = 20
    lambda_l2: float = 1.0
    path_smooth: float = 10.0
    feature_fraction: float = 0.6
    bagging_fraction: float = 0.7
    bagging_freq: int = 1
    max_cat_to_onehot: int = 100
    max_bin: int = 255


@dataclass(frozen=True, slots=True, eq=False)
class Boosted:
    """A fitted booster with its calibration: log-odds = slope * margin + intercept."""

    booster: lightgbm.Booster
    settings: dict[str, Any]
    slope: float
    intercept: float
    trial: Trial[BoostedSettings]

    def margins(self, values: Floats) -> Floats:
        """Calibrated log-odds."""
        return self.slope * np.asarray(self.booster.predict(values, raw_score=True)) + self.intercept

    def text(self) -> str:
        """The booster in LightGBM's text form, without the settings of the machine that trained it."""
        return str(self.booster.model_to_string(importance_type="split"))


def fit_boosted(samples: Samples, *, seed: int, threads: int, search: Search | None = None) -> Boosted:
    """A booster on all rows, its size, its number of trees and its calibration chosen on rows each inner booster had not seen."""

    def fold(train: Samples, judged: Samples, settings: BoostedSettings) -> Fold:
        return _fold(train, judged, settings, seed=seed)

    best = (search or Candidates()).choose(Choice(
        estimator="boosted", samples=samples, seed=seed, candidates=_candidates(len(samples.target)), space=SPACE,
        attempt=lambda settings: run_trial(samples, settings, fold, seed=seed, at_once=threads),
    ))    # fmt: skip
    booster = lightgbm.train(_parameters(best.settings, samples, seed), _dataset(samples, best.settings), best.rounds)
    slope, intercept = platt(samples.target[best.judged], best.margins)
    return Boosted(booster, {**asdict(best.settings), "rounds": best.rounds, "seed": seed}, slope, intercept, best)


def judge_boosted(model: Boosted, compiled: Compiled, rows: Floats) -> None:
    """The uncalibrated forest scores bit for bit like LightGBM and explains like its pred_contrib. Raises CompilationFailed."""
    library = np.asarray(model.booster.predict(rows, pred_contrib=True))
    judge_bits("LightGBM", compiled.forest, rows, np.asarray(model.booster.predict(rows, raw_score=True)), library)


def _candidates(rows: int) -> list[BoostedSettings]:
    if rows > MANY_ROWS:
        return [BoostedSettings(num_leaves=16, learning_rate=0.1, min_data_in_leaf=100)]
    # A leaf must stay small against the table, or a few hundred rows would give one-leaf trees.
    smallest = max(2, min(20, rows // 50))
    return [BoostedSettings(num_leaves=leaves, min_data_in_leaf=smallest) for leaves in LEAVES]


def _fold(train: Samples, judged: Samples, settings: BoostedSettings, *, seed: int) -> Fold:
    dataset = _dataset(train, settings)
    history: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        {**_parameters(settings, train, seed), "metric": "binary_logloss"}, dataset, MAX_NODES // (2 * settings.num_leaves - 1),
        valid_sets=[_dataset(judged, settings, reference=dataset)], valid_names=["judge"],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(history)],
    )

    def margins(rounds: int) -> Floats:
        return np.asarray(booster.predict(judged.values, raw_score=True, num_iteration=rounds))

    return Fold(history["judge"]["binary_logloss"], margins)


def _parameters(settings: BoostedSettings, samples: Samples, seed: int) -> dict[str, Any]:
    monotone = {"monotone_constraints": list(samples.monotone), "monotone_constraints_method": "advanced"} if any(samples.monotone) else {}
    # One thread: its sums, of a histogram and of the log-loss that stops it, depend on how many there are, and of three or more on which
    # ends first; `deterministic` does not cover them. Folds run side by side instead.
    fixed = {"objective": "binary", "seed": seed, "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1}
    return {**asdict(settings), **monotone, **fixed}


def _dataset(samples: Samples, settings: BoostedSettings, *, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        samples.values, samples.target, reference=reference, feature_name=[f"f{place}" for place in range(len(samples.names))],
        categorical_feature=[place for place, is_category in enumerate(samples.is_category) if is_category],
        params={"verbosity": -1, "max_bin": settings.max_bin, "feature_pre_filter": False, "num_threads": 1},
    )


def _compiled(model: Boosted, samples: Samples) -> Compiled:
    del samples
    return Compiled(compile_lightgbm(model.text()), model.slope, model.intercept)


ESTIMATOR = Estimator(fit_boosted, _compiled, judge_boosted)
