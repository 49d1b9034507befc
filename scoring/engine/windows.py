"""Aggregates over an applicant's events (transactions, contributions, earlier loans), the same bits for one applicant and for a million.

Only events of days before the day of the decision count, in training as in serving: nothing that came later, or on the day itself, is
ever read. Sums run over each applicant's events in their order (`numpy.bincount`), so a row's bits do not depend on the other rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.engine.contract import DefinitionRefused, Input, InputKind
from scoring.engine.written import Texts, check_members

Array = NDArray[Any]

STATISTICS = ("count", "sum", "mean", "max", "min", "share", "recency", "trend", "volatility")
_OF_A_NUMBER = frozenset({"sum", "mean", "max", "min", "trend", "volatility"})
LONGEST_WINDOW = 36_500      # days
_MONTH = 30.0                # days; a trend is a change per month


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One aggregate: `statistic` of `column` over the events of the last `days` days (0: all), only those whose `where` column says so.

    count: events. sum, mean, max, min: of the column. share: of the column's sum (of the events, without a column) that `where` has.
    recency: days since the last one. trend: the column's least-squares change per 30 days. volatility: its standard deviation."""

    statistic: str
    column: str = ""
    days: int = 0
    where: tuple[str, str] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON; what is at its default is left out."""
        said = {"statistic": self.statistic, "column": self.column, "days": self.days, "where": list(self.where or ())}
        return {name: value for name, value in said.items() if value}

    @classmethod
    def from_dict(cls, data: Any, *, where: str) -> "Window":
        """Raises DefinitionRefused with what to repair."""
        check_members(data, _MEMBERS, where=where)
        said = data.get("where")
        if said and len(said) != 2:
            raise DefinitionRefused(f'{where}: "where" names a column and its value, such as ["type", "credit"].')
        return cls(**{**data, "where": (str(said[0]), str(said[1])) if said else None})

    def check(self, name: str, events: Input) -> None:
        """Raises DefinitionRefused where the window asks for something that these events do not have."""
        columns = {one.name: one for one in events.columns}

        def refuse(text: str) -> None:
            raise DefinitionRefused(f"feature {name!r}: {text}")

        if self.statistic not in STATISTICS:
            refuse(f"the statistic of a window is one of {', '.join(STATISTICS)}.")
        if not 0 <= self.days <= LONGEST_WINDOW:
            refuse(f"a window has 0 (all) to {LONGEST_WINDOW} days.")
        if self.statistic in _OF_A_NUMBER and not self.column:
            refuse(f"{self.statistic} needs a column.")
        if self.column and (self.statistic not in _OF_A_NUMBER | {"share"} or self.column not in columns):
            refuse(f"{self.statistic} of {self.column!r}: there is no such column in {events.name!r}, or the statistic takes none.")
        if self.column and columns[self.column].kind not in {InputKind.NUMBER, InputKind.INTEGER}:
            refuse(f"{self.column!r} holds no numbers.")
        if self.statistic == "share" and self.where is None:
            refuse("a share needs `where`, a column and its value.")
        if self.where and (self.where[0] not in columns or columns[self.where[0]].kind is not InputKind.CATEGORY):
            refuse(f"`where` names {self.where[0]!r}, which is no column of categories of {events.name!r}.")


_MEMBERS: Mapping[str, tuple[Any, bool]] = {
    "statistic": (str, True), "column": (str, False), "days": (int, False), "where": (Texts, False)
}    # fmt: skip


class WindowPlan:
    """The windows over one kind of events, ready to be evaluated."""

    def __init__(self, events: Input, windows: Sequence[Window]) -> None:
        self.events, self.windows = events, tuple(windows)
        self.numbers = sorted({window.column for window in windows if window.column})
        self.texts = sorted({window.where[0] for window in windows if window.where})

    def matrix(self, given: Sequence[Sequence[dict[str, Any]] | None], decided_on: Sequence[date]) -> NDArray[np.float64]:
        """[applicants, windows]; NaN for who told no events at all, and where a window is too empty for its statistic."""
        flat = _Flat(self, given, decided_on)
        columns = [flat.column(window) for window in self.windows]
        return np.stack(columns, axis=1) if columns else np.empty((len(given), 0))


class _Flat:
    """All applicants' events one after the other: whose each is, how old, and what its columns say."""

    def __init__(self, plan: WindowPlan, given: Sequence[Sequence[dict[str, Any]] | None], decided_on: Sequence[date]) -> None:
        time, days = plan.events.time, [day.toordinal() for day in decided_on]
        rows = [(place, event) for place, told in enumerate(given) for event in told or ()]
        self.applicants = len(given)
        self.is_told = np.array([told is not None for told in given], bool)
        owners = np.array([place for place, _ in rows], np.int64)
        age = np.array([days[place] - date.fromisoformat(event[time]).toordinal() for place, event in rows], np.int64)
        known = age >= 1
        self.owner, self.age = owners[known], age[known]
        self.numbers = {name: _numbers(rows, name)[known] for name in plan.numbers}
        self.texts = {name: np.array([event[name] for _, event in rows], object)[known] for name in plan.texts}

    def column(self, window: Window) -> Array:
        """The window's value for every applicant."""
        inside = np.ones(len(self.owner), bool) if not window.days else self.age <= window.days
        chosen = inside & (self.texts[window.where[0]] == window.where[1]) if window.where else inside
        if window.column:
            is_number = ~np.isnan(self.numbers[window.column])
            inside, chosen = inside & is_number, chosen & is_number
        owner, values = self.owner[chosen], self.numbers[window.column][chosen] if window.column else None
        found = self._statistic(window, owner, values, inside, self.age[chosen])
        return np.where(self.is_told, found, np.nan)

    def _statistic(self, window: Window, owner: Array, values: Array | None, inside: Array, age: Array) -> Array:
        count = self._sum(owner)
        match window.statistic:
            case "count":
                return count
            case "recency":
                return _or_unknown(_extreme(np.minimum, np.inf, owner, age.astype(np.float64), self.applicants), count)
            case "share":
                whole = self._sum(self.owner[inside], self.numbers[window.column][inside] if window.column else None)
                return _divided(count if values is None else self._sum(owner, values), whole)
        assert values is not None
        match window.statistic:
            case "sum":
                return self._sum(owner, values)
            case "mean":
                return _divided(self._sum(owner, values), count)
            case "max":
                return _or_unknown(_extreme(np.maximum, -np.inf, owner, values, self.applicants), count)
            case "min":
                return _or_unknown(_extreme(np.minimum, np.inf, owner, values, self.applicants), count)
            case "volatility":
                apart = values - _divided(self._sum(owner, values), count)[owner]
                return np.where(count >= 2, np.sqrt(_divided(self._sum(owner, apart * apart), count)), np.nan)
            case _:
                # Whole numbers throughout, so that events of one day have no slope and not one of rounding errors.
                apart = self._sum(owner, age)[owner] - count[owner] * age
                slope = _MONTH * _divided(self._sum(owner, apart * values), -self._sum(owner, apart * age))
                return np.where(count >= 3, slope, np.nan)

    def _sum(self, owner: Array, weights: Array | None = None) -> Array:
        return np.bincount(owner, weights, minlength=self.applicants).astype(np.float64)


def _numbers(rows: Sequence[tuple[int, dict[str, Any]]], name: str) -> Array:
    return np.array([np.nan if event[name] is None else event[name] for _, event in rows], np.float64)


def _divided(above: Array, below: Array) -> Array:
    found: Array = np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)
    return found


def _extreme(pick: Any, start: float, owner: Array, values: Array, applicants: int) -> Array:
    found: Array = np.full(applicants, start)
    pick.at(found, owner, values)
    return found


def _or_unknown(found: Array, count: Array) -> Array:
    return np.where(count > 0, found, np.nan)
