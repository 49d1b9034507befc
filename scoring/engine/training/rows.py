"""From a table to samples: every row goes through the contract and the features exactly as it will when it is scored."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from scoring.engine.contract import ContractViolation, Validator, Values
from scoring.engine.features import FeaturePlan
from scoring.engine.product import Product
from scoring.engine.tables import Columns, read_columns
from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Floats
from scoring.engine.training.profile import ColumnProfile
from scoring.engine.training.target import Target, read_target

CHUNK = 10_000
REASONS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """What the table gave: samples, how many rows were dropped and the commonest reasons, the span of the time column, and warnings."""

    samples: Samples
    dropped: int
    reasons: tuple[str, ...]
    span: tuple[str, str] | None
    warnings: tuple[str, ...] = ()


def read_training_rows(table: Path, product: Product, *, decided_on: date) -> TrainingRows:
    """The rows of the table that have an outcome and that the contract accepts. Raises TableError and TrainingError."""
    required = [one.name for one in product.contract.inputs if one.required]
    columns = read_columns(table, require=[product.target, *required])
    target = read_target(columns.columns[product.target], product.positive or None)
    return _Rows(columns, target, product, decided_on).samples()


class _Rows:
    def __init__(self, table: Columns, target: Target, product: Product, decided_on: date) -> None:
        self.table, self.target, self.product, self.decided_on = table, target, product, decided_on
        self.validator = Validator(product.contract)
        self.plan = FeaturePlan(product.contract, product.features)
        self.refused: Counter[str] = Counter()

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
        matrix = np.concatenate(parts) if parts else np.empty((0, len(self.plan.names)))
        monotone = tuple(feature.monotone for feature in self.product.features)
        samples = Samples(matrix, self.target.values[kept], self.plan.names, self.plan.is_category, monotone)
        if unknown := self.table.rows - len(known):
            self.refused["the target is empty"] = unknown
        reasons = tuple(f"{reason} ({count} rows)" for reason, count in self.refused.most_common(REASONS_SHOWN))
        return TrainingRows(samples, self.table.rows - len(kept), reasons, self._span(), self._not_there())

    def _checked(self, rows: np.ndarray) -> Iterator[tuple[int, Values]]:
        inputs = [self.table.columns[one.name] for one in self.product.contract.inputs if one.name in self.table.columns]
        texts = [[column.texts[code] for code in column.codes[rows]] for column in inputs]
        names = [column.name for column in inputs]
        for row, cells in zip(rows.tolist(), zip(*texts, strict=True), strict=True):
            try:
                yield row, self.validator.check_text(dict(zip(names, cells, strict=True)))
            except ContractViolation as violation:
                self.refused.update({f"{problem.pointer[1:]}: {problem.detail}" for problem in violation.problems})

    def _matrix(self, values: dict[int, Values]) -> Floats:
        """Ages are counted on the day of the case where the table tells it."""
        time = self.table.columns.get(self.product.time_column or "")
        if time is None or not any(feature.kind == "age" for feature in self.product.features):
            return self.plan.matrix(list(values.values()), self.decided_on)
        days = [_day(time.texts[time.codes[row]]) or self.decided_on for row in values]
        return np.concatenate([self.plan.matrix([one], day) for one, day in zip(values.values(), days, strict=True)])

    def _not_there(self) -> tuple[str, ...]:
        """What the model will know nothing of. Required inputs are refused before, so only optional and protected ones can be missing."""
        absent = [one for one in self.product.contract.inputs if one.name not in self.table.columns]
        optional = ", ".join(repr(one.name) for one in absent if not one.is_protected)
        protected = ", ".join(repr(one.name) for one in absent if one.is_protected)
        said = []
        if optional:
            said.append(f"not in the table: {optional}; the model learns nothing of what the contract asks there, whatever applicants say")
        if protected:
            said.append(f"not in the table: {protected}, protected; whether the model treats people alike cannot be told from it")
        return tuple(said)

    def _span(self) -> tuple[str, str] | None:
        time = self.table.columns.get(self.product.time_column or "")
        filled = sorted(ColumnProfile(time).texts) if time else []
        return (filled[0], filled[-1]) if filled else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None
