"""How much memory reading a table and fitting on it takes: what does not fit is refused before it begins."""

from scoring.engine.columns import Filling
from scoring.engine.memory import Memory, Watch
from scoring.engine.training.matrix import TrainingError

LOADED = 150 * 1024**2      # bytes that the estimators' libraries take beyond what is loaded when memory is looked at
FITTING = {"boosted": 6, "xgboost": 7, "catboost": 7, "stack": 9, "scorecard": 6}    # times the matrix, itself included; measured
FIX = "train on a sample of the rows or on fewer columns, or on a machine with more memory"


class TrainingMemory:
    """What a training run may use: its files of events, its table and the fit on it."""

    def __init__(self, memory: Memory, *, features: int, estimator: str) -> None:
        self.events = Watch(memory, fix=FIX)
        self._memory, self._features, self._estimator = memory, features, estimator

    def check(self, rows: int) -> None:
        """Raises TrainingError when fitting so many rows would take more."""
        self._refuse(fit_bytes(rows, self._features, self._estimator), f"{rows:,} rows of {self._features} features")

    def table(self, filling: Filling) -> None:
        """To be told how the table fills, after the events: raises TrainingError as soon as it, or the fit on it, cannot end well."""
        held, rows = self.events.needed(filling), filling.rows_in_all
        needed = max(held + matrix_bytes(rows, self._features), fit_bytes(rows, self._features, self._estimator)) if held else 0
        self._refuse(needed, f"a table of about {rows:,} rows and {filling.columns} columns")

    def _refuse(self, needed: int, what: str) -> None:
        if lack := self._memory.shortfall(needed):
            raise TrainingError(f"training on {what} {lack}", fix=FIX)


def matrix_bytes(rows: int, features: int) -> int:
    """The matrix while it is put together of its parts."""
    return 2 * 8 * rows * features


def fit_bytes(rows: int, features: int, estimator: str) -> int:
    """What fitting takes in all: the matrix, its copies for folds, and what the estimator makes of it."""
    return LOADED + FITTING.get(estimator, max(FITTING.values())) * 8 * rows * features
