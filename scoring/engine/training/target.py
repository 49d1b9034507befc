"""Reads the target column: which text is the event that is predicted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.engine.columns import Column
from scoring.engine.tables import is_number
from scoring.engine.training.matrix import OR_POSITIVE, TrainingError
from scoring.engine.training.profile import ColumnProfile

EVENT_WORDS = frozenset([
    "1", "1.0", "true", "yes", "y", "t", "bad", "default", "defaulted", "late", "churn", "churned", "exited", "left", "fraud",
    "positive", "unpaid", "chargedoff", "oui", "sim", "si", "ndiyo",
])
MAX_LABELS = 20


@dataclass(frozen=True, slots=True)
class Target:
    """1 where the event happened, 0 where not, -1 where the cell is blank."""

    name: str
    positive: str
    others: tuple[str, ...]
    values: NDArray[np.int8]

    @property
    def is_known(self) -> NDArray[np.bool_]:
        return self.values >= 0

    @property
    def base_rate(self) -> float:
        return float((self.values == 1).sum() / max(int(self.is_known.sum()), 1))


def read_target(column: Column, positive: str | None) -> Target:
    """The target as 0 and 1. Raises TrainingError when it has one value only, or when it is not clear which value is the event."""
    profile = ColumnProfile(column)
    labels = profile.texts
    if not labels:
        raise TrainingError(f"the target '{column.name}' is empty", fix="give a table with outcomes")
    if positive is None:
        positive = _event(column.name, labels)
    chosen = [label for label in labels if _same(label, positive)]
    if not chosen:
        problem = f"the target '{column.name}' never says '{positive}'; it says {_listed(labels)}"
        raise TrainingError(problem, fix=f"give a table with both outcomes{OR_POSITIVE}")
    if len(chosen) == len(labels):
        raise TrainingError(f"the target '{column.name}' only ever says '{labels[0]}'", fix="give a table with both outcomes")
    of_text = np.where(profile.is_blank, -1, np.isin(column.texts, chosen)).astype(np.int8)
    return Target(column.name, chosen[0], tuple(label for label in labels if label not in chosen), of_text[column.codes])


def _event(name: str, labels: tuple[str, ...]) -> str:
    if len(labels) == 1:
        raise TrainingError(f"the target '{name}' only ever says '{labels[0]}'", fix="give a table with both outcomes")
    if len(labels) > MAX_LABELS:
        raise TrainingError(f"the target '{name}' has {len(labels):,} different values", fix="choose a column that says what happened")
    events = [label for label in labels if label.lower() in EVENT_WORDS or (is_number(label) and float(label) == 1)]
    numeric_pair = all(is_number(label) for label in labels) and {float(label) for label in labels} - {0.0, 1.0, -1.0}
    if len(labels) == 2 and len(events) == 1 and not numeric_pair:
        return events[0]
    problem = f"the target '{name}' says {_listed(labels)} and it is not clear which of them is the event to predict"
    raise TrainingError(problem, fix="name it with --positive, for example --positive " + repr(labels[-1]))


def _same(label: str, wanted: str) -> bool:
    return label == wanted or label.lower() == wanted.lower() or (is_number(label) and is_number(wanted) and float(label) == float(wanted))


def _listed(labels: tuple[str, ...]) -> str:
    return ", ".join(repr(label) for label in labels[:8]) + (", ..." if len(labels) > 8 else "")
