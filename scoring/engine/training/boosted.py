"""Fits boosted trees: small, strongly regularised LightGBM, its size chosen on inner folds of the rows it is given."""

from dataclasses import asdict, dataclass
from typing import Any

import lightgbm
import numpy as np

from scoring.engine.training.matrix import Samples, stratified_folds
from scoring.engine.training.metrics import Floats, platt

LEAVES = (4, 8, 16)                 # the sizes that are tried; explaining costs by nodes, so the list ends early
MAX_NODES = 8_000
PATIENCE = 40
INNER_FOLDS = 4
MANY_ROWS = 50_000                  # beyond this one hold-out decides as well as folds, and only the largest size is worth trying


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

    def margins(self, values: Floats) -> Floats:
        """Calibrated log-odds."""
        return self.slope * np.asarray(self.booster.predict(values, raw_score=True)) + self.intercept

    def text(self) -> str:
        """The booster in LightGBM's text form, without the settings of the machine that trained it."""
        return str(self.booster.model_to_string(importance_type="split"))


def fit_boosted(samples: Samples, *, seed: int, threads: int) -> Boosted:
    """A booster on all rows, its size, its number of trees and its calibration chosen on rows each inner booster had not seen."""
    trials = [_trial(samples, settings, seed=seed, threads=threads) for settings in _candidates(len(samples.target))]
    best = min(trials, key=lambda trial: trial.loss)
    booster = lightgbm.train(_parameters(best.settings, samples, seed, threads), _dataset(samples, best.settings), best.rounds)
    slope, intercept = platt(samples.target[best.judged], best.margins)
    return Boosted(booster, {**asdict(best.settings), "rounds": best.rounds, "seed": seed}, slope, intercept)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    settings: BoostedSettings
    loss: float
    rounds: int
    judged: np.ndarray
    margins: Floats


def _candidates(rows: int) -> list[BoostedSettings]:
    if rows > MANY_ROWS:
        return [BoostedSettings(num_leaves=16, learning_rate=0.1, min_data_in_leaf=100)]
    # A leaf must stay small against the table, or a few hundred rows would give one-leaf trees.
    smallest = max(2, min(20, rows // 50))
    return [BoostedSettings(num_leaves=leaves, min_data_in_leaf=smallest) for leaves in LEAVES]


def _trial(samples: Samples, settings: BoostedSettings, *, seed: int, threads: int) -> _Trial:
    parts = stratified_folds(samples.target, INNER_FOLDS, seed)
    judged = parts[:1] if len(samples.target) > MANY_ROWS else parts
    most = MAX_NODES // (2 * settings.num_leaves - 1)
    boosters, curves = [], []
    for rows in judged:
        kept = np.ones(len(samples.target), bool)
        kept[rows] = False
        train = _dataset(samples.take(np.flatnonzero(kept)), settings)
        history: dict[str, dict[str, list[float]]] = {}
        boosters.append(lightgbm.train(
            {**_parameters(settings, samples, seed, threads), "metric": "binary_logloss"}, train, most,
            valid_sets=[_dataset(samples.take(rows), settings, reference=train)], valid_names=["judge"],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(history)],
        ))
        curves.append(history["judge"]["binary_logloss"])
    length = min(map(len, curves))
    mean = np.mean([curve[:length] for curve in curves], axis=0)
    rounds = int(mean.argmin()) + 1
    margins = [
        np.asarray(booster.predict(samples.values[rows], raw_score=True, num_iteration=rounds))
        for booster, rows in zip(boosters, judged, strict=True)
    ]
    return _Trial(settings, float(mean[rounds - 1]), rounds, np.concatenate(judged), np.concatenate(margins))


def _parameters(settings: BoostedSettings, samples: Samples, seed: int, threads: int) -> dict[str, Any]:
    monotone = {"monotone_constraints": list(samples.monotone), "monotone_constraints_method": "advanced"} if any(samples.monotone) else {}
    fixed = {"objective": "binary", "seed": seed, "num_threads": threads, "deterministic": True, "force_row_wise": True, "verbosity": -1}
    return {**asdict(settings), **monotone, **fixed}


def _dataset(samples: Samples, settings: BoostedSettings, *, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        samples.values, samples.target, reference=reference, feature_name=[f"f{place}" for place in range(len(samples.names))],
        categorical_feature=[place for place, is_category in enumerate(samples.is_category) if is_category],
        params={"verbosity": -1, "max_bin": settings.max_bin, "feature_pre_filter": False},
    )
