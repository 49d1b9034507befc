"""Which settings and how many trees: judged on inner folds, each by a booster that has not seen it."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from scoring.engine.training.matrix import INNER_FOLDS, Samples, stratified_folds
from scoring.engine.training.metrics import Floats

MAX_NODES = 8_000                   # explaining costs by nodes, so the number of trees ends here
PATIENCE = 40
MANY_ROWS = 50_000                  # beyond this one hold-out decides as well as folds

Settings = TypeVar("Settings")


class Fold(NamedTuple):
    """A booster that was fitted for one inner fold: its log-loss there after each round, and its margins there after so many rounds."""

    curve: Sequence[float]
    margins: Callable[[int], Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Trial(Generic[Settings]):
    """What the inner folds say of some settings: the best number of rounds, and the margins of each judged row by a booster that had
    not seen it."""

    settings: Settings
    loss: float
    rounds: int
    judged: np.ndarray
    margins: Floats


@dataclass(frozen=True, slots=True)
class Range:
    """What a search may give one setting."""

    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False


FitFold = Callable[[Samples, Samples, Settings], Fold]     # the rows to fit on, the rows to judge by


@dataclass(frozen=True, slots=True, eq=False)
class Choice(Generic[Settings]):
    """One choice to make: the settings that are tried anyway, what a search may change in the first of them, and how to try some."""

    estimator: str
    samples: Samples
    seed: int
    candidates: Sequence[Settings]
    space: Mapping[str, Range]
    attempt: Callable[[Settings], Trial[Settings]]


class Search(Protocol):
    """How the settings are chosen."""

    def choose(self, choice: Choice[Settings]) -> Trial[Settings]: ...


class Candidates:
    """The search that tries the estimator's own few candidates and nothing else."""

    def choose(self, choice: Choice[Settings]) -> Trial[Settings]:
        """The candidate with the least log-loss on the inner folds."""
        return min(map(choice.attempt, choice.candidates), key=lambda trial: trial.loss)


def run_trial(samples: Samples, settings: Settings, fit_fold: FitFold[Settings], *, seed: int, at_once: int = 1) -> Trial[Settings]:
    """Fits on all but each inner fold, `at_once` of them at a time, and takes the number of rounds that is best for all together."""
    parts = stratified_folds(samples.target, INNER_FOLDS, seed)
    judged = parts[:1] if len(samples.target) > MANY_ROWS else parts

    def without(rows: np.ndarray) -> Fold:
        kept = np.ones(len(samples.target), bool)
        kept[rows] = False
        return fit_fold(samples.take(np.flatnonzero(kept)), samples.take(rows), settings)

    with ThreadPoolExecutor(at_once) as pool:
        folds = list(pool.map(without, judged))
    length = min(len(fold.curve) for fold in folds)
    mean = np.mean([fold.curve[:length] for fold in folds], axis=0)
    rounds = int(mean.argmin()) + 1
    margins = np.concatenate([fold.margins(rounds) for fold in folds])
    return Trial(settings, float(mean[rounds - 1]), rounds, np.concatenate(judged), margins)
