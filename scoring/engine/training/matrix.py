"""What an estimator is fitted on: one float64 matrix, what its columns are, and the 0/1 target."""

from dataclasses import dataclass

import numpy as np

from scoring.engine.training.metrics import Flags, Floats

OR_POSITIVE = ", or correct `positive` in the definition (--positive of a new product)"
INNER_FOLDS = 4    # those by which a fit chooses its settings; each needs both outcomes


class TrainingError(ValueError):
    """The table cannot train a model; says why and how to repair it."""

    code = "training_impossible"

    def __init__(self, problem: str, *, fix: str) -> None:
        self.problem, self.fix = problem, fix
        super().__init__(f"{problem}. Fix: {fix}")


@dataclass(frozen=True, slots=True)
class Samples:
    """Rows ready to be fitted. Category columns hold codes 0, 1, ...; NaN is missing everywhere."""

    values: Floats
    target: Flags
    names: tuple[str, ...]
    is_category: tuple[bool, ...]
    monotone: tuple[int, ...]

    def take(self, rows: np.ndarray) -> "Samples":
        return Samples(self.values[rows], self.target[rows], self.names, self.is_category, self.monotone)

    @property
    def base_rate(self) -> float:
        return float(self.target.mean())


def stratified_folds(target: Flags, folds: int, seed: int) -> list[np.ndarray]:
    """Row positions of each fold, every fold with its share of both classes; the same for the same seed."""
    draw = np.random.default_rng(seed)
    fold = np.empty(len(target), np.int64)
    for label in (0, 1):
        rows = np.flatnonzero(target == label)
        fold[draw.permutation(rows)] = np.arange(len(rows)) % folds
    return [np.flatnonzero(fold == number) for number in range(folds)]


def check_target(target: Flags, *, folds: int) -> None:
    """Raises TrainingError when there are too few rows of either class to fit and to judge."""
    positives, rows = int(target.sum()), len(target)
    if not rows:
        raise TrainingError("no row is left to train on", fix="repair the rows reported above, or the product's contract")
    if positives in (0, rows):
        raise TrainingError("all rows have the same outcome", fix=f"give a table with both outcomes{OR_POSITIVE}")
    rare, least = min(positives, rows - positives), 2 * max(folds, INNER_FOLDS)
    if rare < least:
        problem = f"the rarer outcome has {rare} row{'' if rare == 1 else 's'}; {folds} folds need at least {least}"
        raise TrainingError(problem, fix="give more rows" + (", or fewer --folds" if folds > INNER_FOLDS else ""))
