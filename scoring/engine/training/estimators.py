"""The kinds of model there are: one line each. What a kind needs is imported when it is asked for, not before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from scoring.engine.forest import Forest
    from scoring.engine.training.matrix import Samples
    from scoring.engine.training.metrics import Floats
    from scoring.engine.training.trials import Search, Trial

OPTIONAL = {"xgboost": "XGBoost", "catboost": "CatBoost", "optuna": "Optuna"}     # module -> what people call it


class LearnerMissing(RuntimeError):
    """What was asked for needs a library that is an optional part of the installation."""

    code = "learner_missing"


class Fitted(Protocol):
    """A fitted model of any kind."""

    @property
    def settings(self) -> Mapping[str, Any]: ...

    def margins(self, values: Floats) -> Floats:
        """Calibrated log-odds, [rows]."""


class Member(Fitted, Protocol):
    """A fitted model that a stack can be made of: log-odds = slope * its forest's margin + intercept."""

    @property
    def slope(self) -> float: ...
    @property
    def intercept(self) -> float: ...
    @property
    def trial(self) -> Trial[Any]: ...


Model = TypeVar("Model", bound=Fitted)
Made = TypeVar("Made", bound=Fitted, covariant=True)


class Fit(Protocol[Made]):
    def __call__(self, samples: Samples, *, seed: int, threads: int, search: Search) -> Made: ...


class Compiled(NamedTuple):
    """What is served: log-odds = slope * the forest's margin + intercept. A stack keeps what its members became, to be judged."""

    forest: Forest
    slope: float
    intercept: float
    members: Mapping[str, Compiled] = {}


@dataclass(frozen=True, slots=True)
class Estimator(Generic[Model]):
    """How one kind is fitted, compiled, and held against its own library (raises CompilationFailed)."""

    fit: Fit[Model]
    compile: Callable[[Model, Samples], Compiled]
    judge: Callable[[Model, Compiled, Floats], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One line of the list: what people read, the module whose ESTIMATOR it is, the packages whose versions decide about its bits."""

    about: str
    module: str
    packages: tuple[str, ...]
    is_tunable: bool = True

    def load(self) -> Estimator[Any]:
        """Raises LearnerMissing when its library is not installed."""
        found: Estimator[Any] = load_optional(f"scoring.engine.training.{self.module}").ESTIMATOR
        return found


ESTIMATORS = {
    "boosted": Kind("boosted trees (LightGBM)", "boosted", ("lightgbm",)),
    "xgboost": Kind("boosted trees (XGBoost)", "xgboosted", ("xgboost-cpu",)),
    "catboost": Kind("boosted symmetric trees (CatBoost)", "catboosted", ("catboost",)),
    "stack": Kind("these three weighed together", "stacked", ("lightgbm", "xgboost-cpu", "catboost")),
    "scorecard": Kind("a table of points", "scorecard", (), is_tunable=False),
}


def load_optional(module: str) -> Any:
    """A module that needs an optional library. Raises LearnerMissing with how to add it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        raise LearnerMissing(f"{OPTIONAL[error.name]} is not installed. Fix: make learners (or pip install 'vouch[learners]')") from error
