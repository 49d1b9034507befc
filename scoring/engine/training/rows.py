"""From a table to samples: every row goes through the contract and the features exactly as it will when it is scored."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.engine.columns import Columns, read_columns
from scoring.engine.contract import ContractViolation, Validator, Values
from scoring.engine.event_files import EventRows, read_events
from scoring.engine.features import FeaturePlan
from scoring.engine.product import Product
from scoring.engine.training.duplicates import Duplicates, duplicates_of
from scoring.engine.training.faults import Strangers, check_categories, check_days
from scoring.engine.training.groups import Grouping, groupings
from scoring.engine.training.matrix import Samples
from scoring.engine.training.memory import TrainingMemory
from scoring.engine.training.metrics import Floats
from scoring.engine.training.profile import ColumnProfile, day_of
from scoring.engine.training.target import Target, read_target

CHUNK = 10_000
REASONS_SHOWN = 5
OTHERS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """What the table gave: samples, how many rows were dropped and the commonest reasons, the span of the time column, and warnings."""

    samples: Samples
    dropped: int
    reasons: tuple[str, ...]
    span: tuple[str, str] | None
    warnings: tuple[str, ...] = ()
    days: NDArray[np.datetime64] | None = None    # of the samples' cases, NaT where it is not told; None without a time column
    duplicates: Duplicates = Duplicates()
    groupings: tuple[Grouping, ...] = ()


def read_training_rows(
    table: Path, product: Product, *, decided_on: date, events: Mapping[str, Path] | None = None,
    memory: TrainingMemory | None = None,
) -> TrainingRows:
    """The rows of the table that have an outcome and that the contract accepts. Raises TableError and TrainingError."""
    required = [one.name for one in product.contract.inputs if one.required]
    told = read_events(product, events or {}, memory.events if memory else None)
    needed = [product.target, *required, *(one.input.key for one in told)]
    used = {*needed, *(one.name for one in product.contract.inputs), product.id_column or "", product.time_column or ""}
    columns = read_columns(table, require=needed, only=used, watch=memory.table if memory else None)
    target = read_target(columns.columns[product.target], product.positive or None)
    check_categories(columns, product.contract)
    if time := columns.columns.get(product.time_column or ""):
        check_days(columns, time)
    return _Rows(columns, target, product, decided_on, told).samples()


class _Rows:
    def __init__(self, table: Columns, target: Target, product: Product, decided_on: date, events: Sequence[EventRows]) -> None:
        self.table, self.target, self.product, self.decided_on, self.events = table, target, product, decided_on, events
        self.validator = Validator(product.contract)
        self.plan = FeaturePlan(product.contract, product.features)
        self.refused: Counter[str] = Counter()
        self.strangers = Strangers(table, product.contract)

    def samples(self) -> TrainingRows:
        """Chunk by chunk, so that a million rows never stand there as a million dictionaries."""
        known = np.flatnonzero(self.target.is_known)
        kept: list[int] = []
        parts: list[Floats] = []
        for start in range(0, len(known), CHUNK):
            values = dict(self._checked(known[start : start + CHUNK]))
            kept += values
            if values:
                parts.append(self._matrix(values))
        self.strangers.refuse()
        matrix = np.concatenate(parts) if parts else np.empty((0, len(self.plan.names)))
        monotone = tuple(feature.monotone for feature in self.product.features)
        samples = Samples(matrix, self.target.values[kept], self.plan.names, self.plan.is_category, monotone)
        if unknown := self.table.rows - len(known):
            self.refused["the target is empty"] = unknown
        reasons = tuple(f"{reason} ({count} rows)" for reason, count in self.refused.most_common(REASONS_SHOWN))
        return TrainingRows(
            samples, self.table.rows - len(kept), reasons, self._span(), (*self._not_there(), *self._others()), self._days(kept),
            duplicates_of(self.table, self.product, self.target), groupings(self.table, self.product.contract, kept),
        )

    def _checked(self, rows: np.ndarray) -> Iterator[tuple[int, Values]]:
        inputs = [self.table.columns[one.name] for one in self.product.contract.inputs if one.name in self.table.columns]
        texts = [[column.texts[code] for code in column.codes[rows]] for column in inputs]
        names = [column.name for column in inputs]
        for row, cells in zip(rows.tolist(), zip(*texts, strict=True), strict=True):
            told = {one.input.name: one.of(self._text(one.input.key, row)) or "" for one in self.events}
            try:
                yield row, self.validator.check_text({**dict(zip(names, cells, strict=True)), **told})
            except ContractViolation as violation:
                self.strangers.note(row, violation.problems)
                self.refused.update({f"{problem.pointer[1:]}: {problem.detail}" for problem in violation.problems})

    def _text(self, name: str, row: int) -> str:
        column = self.table.columns[name]
        return str(column.texts[column.codes[row]])

    def _matrix(self, values: dict[int, Values]) -> Floats:
        """Ages and windows are counted on the day of the case where the table tells it."""
        time = self.table.columns.get(self.product.time_column or "")
        days = [self.decided_on] * len(values)
        if time is not None:
            days = [day_of(time.texts[time.codes[row]]) or self.decided_on for row in values]
        return self.plan.matrix(list(values.values()), days)

    def _not_there(self) -> tuple[str, ...]:
        """What the model will know nothing of. Required inputs are refused before, so only optional and protected ones can be missing."""
        told = {*self.table.columns, *(one.input.name for one in self.events)}
        absent = [one for one in self.product.contract.inputs if one.name not in told]
        optional = ", ".join(repr(one.name) for one in absent if not one.is_protected)
        protected = ", ".join(repr(one.name) for one in absent if one.is_protected)
        said = []
        if optional:
            said.append(f"not in the table: {optional}; the model learns nothing of what the contract asks there, whatever applicants say")
        if protected:
            said.append(f"not in the table: {protected}, protected; whether the model treats people alike cannot be told from it")
        return tuple(said)

    def _others(self) -> tuple[str, ...]:
        """What counts as no event though nobody may have meant it so."""
        labels = ", ".join(repr(label) for label in self.target.others[:OTHERS_SHOWN])
        return (f"everything but '{self.target.positive}' counts as no event: {labels}",) if len(self.target.others) > 1 else ()

    def _days(self, rows: Sequence[int]) -> NDArray[np.datetime64] | None:
        time = self.table.columns.get(self.product.time_column or "")
        if time is None:
            return None
        return np.array([day_of(text) for text in time.texts], "datetime64[D]")[time.codes[np.array(rows, np.int64)]]

    def _span(self) -> tuple[str, str] | None:
        time = self.table.columns.get(self.product.time_column or "")
        filled = sorted(ColumnProfile(time).texts) if time else []
        return (filled[0], filled[-1]) if filled else None
