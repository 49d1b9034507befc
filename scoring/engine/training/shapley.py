"""Contributions by the shap library itself, for the model card: what is served is held against them once more, on the card's own rows."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Floats

STEPS = (1e-9, 1e-6, 1e-3)    # what an agreement is told as; XGBoost explains in float32


def by_shap(estimator: str, model: Any, samples: Samples, rows: Floats) -> Floats:
    """[rows, features] in calibrated log-odds, by shap from the library's own model."""
    return _EXPLAINERS[estimator](model, samples, rows)


def agreement(ours: Floats, theirs: Floats) -> float | None:
    """The smallest step that no two contributions differ by; None where they differ by more than the largest."""
    worst = float(np.abs(ours - theirs).max(initial=0.0))
    return next((step for step in STEPS if worst <= step), None)


def _shap() -> Any:
    """The library: a second's import, which no table that is refused waits for."""
    return import_module("shap")


def _boosted(model: Any, _samples: Samples, rows: Floats) -> Floats:
    values = np.asarray(_shap().TreeExplainer(model.booster)(rows).values, np.float64).reshape(rows.shape)
    scaled: Floats = model.slope * values
    return scaled


def _prepared(model: Any, _samples: Samples, rows: Floats) -> Floats:
    values = np.asarray(_shap().TreeExplainer(model.booster).shap_values(model.prepared(rows)), np.float64)
    scaled: Floats = model.slope * values
    return scaled


def _scorecard(model: Any, samples: Samples, rows: Floats) -> Floats:
    """A scorecard is linear in its bins' points, and its usual applicant is the mean of the table."""
    shap = _shap()
    background = shap.maskers.Independent(model.points(samples.values), max_samples=len(samples.target))
    explainer = shap.LinearExplainer((np.ones(len(samples.names)), model.intercept), background)
    return np.asarray(explainer.shap_values(model.points(rows)), np.float64)


def _stacked(model: Any, samples: Samples, rows: Floats) -> Floats:
    parts = [weight * by_shap(name, one, samples, rows) for weight, (name, one) in zip(model.weights, model.members.items(), strict=True)]
    total: Floats = np.sum(parts, axis=0)
    return total


_EXPLAINERS: Mapping[str, Callable[[Any, Samples, Floats], Floats]] = {
    "boosted": _boosted, "xgboost": _prepared, "catboost": _prepared, "stack": _stacked, "scorecard": _scorecard,
}    # fmt: skip
