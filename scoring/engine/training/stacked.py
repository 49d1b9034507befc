"""Fits a stack: each member on the same rows, their held-out margins weighed by a logistic regression without negative weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.engine.compile_stack import compile_stack
from scoring.engine.training.estimators import ESTIMATORS, Compiled, Estimator, Member
from scoring.engine.training.judge import judge_sum
from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Floats, platt
from scoring.engine.training.scorecard import ridge_weights
from scoring.engine.training.trials import Candidates, Search

MEMBERS = ("boosted", "xgboost", "catboost")
_LOADED: Mapping[str, Estimator[Any]] = {name: ESTIMATORS[name].load() for name in MEMBERS}


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """Fitted members and what each counts: log-odds = intercept + the sum of weight * a member's calibrated log-odds."""

    members: Mapping[str, Member]
    weights: tuple[float, ...]
    intercept: float

    @property
    def settings(self) -> dict[str, Any]:
        weights = dict(zip(self.members, self.weights, strict=True))
        members = {name: dict(member.settings) for name, member in self.members.items()}
        return {"members": members, "weights": weights, "intercept": self.intercept}

    def margins(self, values: Floats) -> Floats:
        """Calibrated log-odds."""
        margin = np.full(len(values), self.intercept)
        for weight, member in zip(self.weights, self.members.values(), strict=True):
            margin += weight * member.margins(values)
        return margin


def fit_stack(samples: Samples, *, seed: int, threads: int, search: Search | None = None) -> Stacked:
    """Members on all rows. The weights are chosen, and the sum is calibrated, on rows that the members' inner boosters had not seen."""
    members = {name: one.fit(samples, seed=seed, threads=threads, search=search or Candidates()) for name, one in _LOADED.items()}
    judged = members[MEMBERS[0]].trial.judged
    margins = np.column_stack([member.slope * member.trial.margins + member.intercept for member in members.values()])
    base = float(np.log(samples.base_rate / (1 - samples.base_rate)))
    weights, intercept = ridge_weights(margins, samples.target[judged], base)
    slope, shift = platt(samples.target[judged], margins @ weights + intercept)
    return Stacked(members, tuple((slope * weights).tolist()), slope * intercept + shift)


def judge_stacked(model: Stacked, compiled: Compiled, rows: Floats) -> None:
    """Each member's forest is held against its own library, and the joint one against the members'. Raises CompilationFailed."""
    for name, member in model.members.items():
        _LOADED[name].judge(member, compiled.members[name], rows)
    parts = [(weight * part.slope, part.forest) for weight, part in zip(model.weights, compiled.members.values(), strict=True)]
    shift = sum(weight * part.intercept for weight, part in zip(model.weights, compiled.members.values(), strict=True))
    judge_sum("stack", compiled.forest, parts, model.intercept + shift, rows)


def _compiled(model: Stacked, samples: Samples) -> Compiled:
    members = {name: _LOADED[name].compile(member, samples) for name, member in model.members.items()}
    weights = [weight * one.slope for weight, one in zip(model.weights, members.values(), strict=True)]
    intercept = model.intercept + sum(weight * one.intercept for weight, one in zip(model.weights, members.values(), strict=True))
    return Compiled(compile_stack([one.forest for one in members.values()], weights, intercept), 1.0, 0.0, members)


ESTIMATOR = Estimator(fit_stack, _compiled, judge_stacked)
