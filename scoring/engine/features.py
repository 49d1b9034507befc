"""Features as data: what a model reads of the inputs, evaluated the same for one applicant and for a million."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.engine.contract import Contract, DefinitionRefused, InputKind, Value, Values
from scoring.engine.written import check_members, kinds_of

DAYS_PER_YEAR = 365.25
KINDS = ("input", "ratio", "difference", "log", "age", "missing", "bucket")
_NAN = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature. `kind` says how it comes from `inputs`; features of one `group` share one reason, and one line
    under that name; `monotone` is +1 if more is worse; `unit` is told with a computed number, and "%" shows a share as per cent."""

    name: str
    kind: str = "input"
    inputs: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()
    label: str = ""
    group: str = ""
    unit: str = ""
    monotone: int = 0

    def __post_init__(self) -> None:
        wanted = 2 if self.kind in {"ratio", "difference"} else 1
        if self.kind not in KINDS or len(self.sources) != wanted:
            raise DefinitionRefused(f"feature {self.name!r}: kind is one of {', '.join(KINDS)}; ratio and difference take two inputs.")
        if (self.kind == "bucket") != bool(self.edges) or list(self.edges) != sorted(set(self.edges)):
            raise DefinitionRefused(f"feature {self.name!r}: a bucket, and nothing else, has edges, going up.")

    @property
    def sources(self) -> tuple[str, ...]:
        """The inputs it is made of."""
        return self.inputs or (self.name,)

    def to_dict(self) -> dict[str, Any]:
        """As JSON; what is at its default is left out."""
        said: dict[str, Any] = {"name": self.name, "kind": self.kind, "inputs": list(self.inputs), "edges": list(self.edges)}
        said |= {"label": self.label, "group": self.group, "unit": self.unit, "monotone": self.monotone}
        return {name: value for name, value in said.items() if name in {"name", "kind"} or value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Feature":
        """Raises DefinitionRefused."""
        check_members(data, kinds_of(Feature), where="feature")
        return cls(**{**data, "inputs": tuple(map(str, data.get("inputs", ()))), "edges": tuple(map(float, data.get("edges", ())))})


_Reader = Callable[[Values, date], float]


class FeaturePlan:
    """The features of a product, ready to be evaluated. Unknown values and unlisted categories are NaN."""

    def __init__(self, contract: Contract, features: Sequence[Feature]) -> None:
        known = {one.name: one for one in contract.inputs}
        for feature in features:
            for source in feature.sources:
                if source not in known:
                    fix = "correct the name, or take the feature out of features"
                    raise DefinitionRefused(f"feature {feature.name!r}: there is no input {source!r}; {fix}.")
                if known[source].is_protected:
                    fix = "take the feature out of features, or is_protected off the input"
                    raise DefinitionRefused(f"feature {feature.name!r}: the input {source!r} is protected, so no model may use it; {fix}.")
        self.names = tuple(feature.name for feature in features)
        self.categories = tuple(
            known[feature.sources[0]].categories if feature.kind == "input" and known[feature.sources[0]].kind is InputKind.CATEGORY else ()
            for feature in features
        )
        self.is_category = tuple(
            feature.kind == "input" and known[feature.sources[0]].kind is InputKind.CATEGORY for feature in features
        )
        kinds = (known[feature.sources[0]].kind for feature in features)
        self._readers = tuple(map(_reader, features, kinds, self.categories))

    def matrix(self, values: Sequence[Values], decided_on: date) -> NDArray[np.float64]:
        """[applicants, features]; ages are counted at `decided_on`. A row's bits do not depend on the others."""
        readers = self._readers
        return np.array([[read(one, decided_on) for read in readers] for one in values], np.float64).reshape(len(values), len(readers))


def _reader(feature: Feature, kind: InputKind, categories: tuple[str, ...]) -> _Reader:
    """How one feature is read. Plain Python arithmetic: numpy's logarithm is not the same on every processor."""
    first, second = feature.sources[0], feature.sources[-1]
    match feature.kind:
        case "input" if kind is InputKind.CATEGORY:
            codes = {text: float(code) for code, text in enumerate(categories)}
            return lambda values, _: codes.get(values[first], _NAN)    # type: ignore[arg-type]
        case "input" | "bucket" if kind is InputKind.DATE:
            raise DefinitionRefused(f"feature {feature.name!r}: use the date {first!r} by kind age.")
        case "input":
            return lambda values, _: _number(values[first])
        case "ratio":
            return lambda values, _: _ratio(_number(values[first]), _number(values[second]))
        case "difference":
            return lambda values, _: _number(values[first]) - _number(values[second])
        case "log":
            return lambda values, _: _log(_number(values[first]))
        case "age":
            return lambda values, today: _years(values[first], today)
        case "missing":
            return lambda values, _: float(values[first] is None)
        case _:
            edges = feature.edges
            return lambda values, _: _bucket(_number(values[first]), edges)


def _number(value: Value) -> float:
    return _NAN if value is None or isinstance(value, str) else float(value)


def _ratio(above: float, below: float) -> float:
    return above / below if below else _NAN


def _log(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value) if value == value else _NAN


def _years(value: Value, today: date) -> float:
    return (today - date.fromisoformat(value)).days / DAYS_PER_YEAR if isinstance(value, str) else _NAN


def _bucket(value: float, edges: tuple[float, ...]) -> float:
    return float(bisect_left(edges, value)) if value == value else _NAN
