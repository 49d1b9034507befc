"""Features as data: what a model reads of the inputs, evaluated the same for one applicant and for a million."""

import math
import operator
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.engine.contract import Contract, DefinitionRefused, Input, InputKind, Value, Values
from scoring.engine.windows import Window, WindowPlan
from scoring.engine.written import check_members, kinds_of

DAYS_PER_YEAR = 365.25
KINDS = ("input", "ratio", "difference", "interaction", "log", "age", "missing", "bucket", "window")
_OF_TWO = frozenset({"ratio", "difference", "interaction"})
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
    window: Window | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS or len(self.sources) != (2 if self.kind in _OF_TWO else 1):
            text = f"kind is one of {', '.join(KINDS)}; {', '.join(sorted(_OF_TWO))} take two inputs."
            raise DefinitionRefused(f"feature {self.name!r}: {text}")
        if (self.kind == "window") != (self.window is not None):
            raise DefinitionRefused(f"feature {self.name!r}: a feature of kind window, and no other, says which window.")
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
        said["window"] = self.window and self.window.to_dict()
        return {name: value for name, value in said.items() if name in {"name", "kind"} or value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Feature":
        """Raises DefinitionRefused."""
        check_members(data, kinds_of(Feature), where="feature")
        read: dict[str, Any] = {"inputs": tuple(map(str, data.get("inputs", ()))), "edges": tuple(map(float, data.get("edges", ())))}
        read |= {"window": Window.from_dict(data["window"], where=f"the window of feature {data['name']!r}")} if "window" in data else {}
        return cls(**{**data, **read})


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
        readers = list(map(_reader, features, kinds, self.categories))
        # Numbers that are taken as they are need no call each: they are picked out together, and None becomes NaN in numpy.
        picked = [place for place, feature in enumerate(features) if feature.kind == "input" and not self.is_category[place]]
        self._pick, self._picked = _picker([features[place].sources[0] for place in picked]), np.array(picked, np.intp)
        self._read = np.array([place for place in range(len(features)) if place not in set(picked)], np.intp)
        self._readers = [readers[place] for place in self._read]
        self._windows = tuple(_windows_of(events, features) for events in contract.inputs if events.kind is InputKind.EVENTS)

    def matrix(self, values: Sequence[Values], decided_on: date | Sequence[date]) -> NDArray[np.float64]:
        """[applicants, features]; ages and windows are counted at `decided_on`, one day for all or one for each. A row's bits do not
        depend on the others."""
        readers, days = self._readers, [decided_on] * len(values) if isinstance(decided_on, date) else decided_on
        rows = np.empty((len(values), len(self.names)))
        if not len(values):
            return rows
        if len(self._picked):
            rows[:, self._picked] = np.array(list(map(self._pick, values)), np.float64)
        if readers:
            rows[:, self._read] = [[read(one, day) for read in readers] for one, day in zip(values, days, strict=True)]
        for places, plan in self._windows:
            told: list[Any] = [one[plan.events.name] for one in values]
            rows[:, places] = plan.matrix(told, days)
        return rows


def _picker(names: Sequence[str]) -> Callable[[Values], Any]:
    """Takes these inputs out of the values, always as several."""
    if len(names) > 1:
        return operator.itemgetter(*names)
    return lambda values: [values[name] for name in names]


def _windows_of(events: Input, features: Sequence[Feature]) -> tuple[list[int], WindowPlan]:
    """Where the windows over these events stand among the features, and their plan. Raises DefinitionRefused."""
    places, windows = [], []
    for place, feature in enumerate(features):
        if feature.window and feature.sources[0] == events.name:
            feature.window.check(feature.name, events)
            places.append(place)
            windows.append(feature.window)
    return places, WindowPlan(events, windows)


def _reader(feature: Feature, kind: InputKind, categories: tuple[str, ...]) -> _Reader:
    """How one feature is read. Plain Python arithmetic: numpy's logarithm is not the same on every processor."""
    first, second = feature.sources[0], feature.sources[-1]
    if (feature.kind == "window") != (kind is InputKind.EVENTS):
        raise DefinitionRefused(f"feature {feature.name!r}: events are read through windows, and windows read events.")
    match feature.kind:
        case "window":
            return lambda values, _: _NAN    # WindowPlan fills these, for all applicants together
        case "input" if kind is InputKind.CATEGORY:
            codes = {text: float(code) for code, text in enumerate(categories)}
            return lambda values, _: codes.get(values[first], _NAN)    # type: ignore[arg-type]
        case "input" | "bucket" if kind is InputKind.DATE:
            raise DefinitionRefused(f"feature {feature.name!r}: use the date {first!r} by kind age.")
        case "input":
            return lambda values, _: _number(values[first])
        case "ratio" | "difference" | "interaction":
            combined = {"ratio": _ratio, "difference": operator.sub, "interaction": operator.mul}[feature.kind]
            return lambda values, _: combined(_number(values[first]), _number(values[second]))
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
    return float(value) if isinstance(value, int | float) else _NAN


def _ratio(above: float, below: float) -> float:
    return above / below if below else _NAN


def _log(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value) if value == value else _NAN


def _years(value: Value, today: date) -> float:
    return (today - date.fromisoformat(value)).days / DAYS_PER_YEAR if isinstance(value, str) else _NAN


def _bucket(value: float, edges: tuple[float, ...]) -> float:
    return float(bisect_left(edges, value)) if value == value else _NAN
