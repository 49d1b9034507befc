"""Files of events, opened at an applicant's: for training and for scoring a table. They are held in memory whole, each text once."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from scoring.engine.columns import Columns, Filling, read_columns
from scoring.engine.contract import Input, InputKind
from scoring.engine.product import Product
from scoring.engine.tables import TableError


class EventRows:
    """A file of events, opened at an applicant's."""

    def __init__(self, events: Input, table: Columns) -> None:
        self.input = events
        self._columns = [table.columns[one.name] for one in events.columns]
        key = table.columns[events.key]
        self._codes = {text: code for code, text in enumerate(key.texts)}
        self._order = np.argsort(key.codes, kind="stable")    # each applicant's rows side by side, in the order of the file
        self._ends = np.cumsum(key.counts())

    def of(self, key: str) -> list[dict[str, str]] | None:
        """The events of the applicant of this key; None, which is not known, when the file names none."""
        code = self._codes.get(key)
        if code is None:
            return None
        places = self._order[self._ends[code - 1] if code else 0 : self._ends[code]]
        cells = [[column.texts[code] for code in column.codes[places]] for column in self._columns]
        names = [column.name for column in self._columns]
        return [dict(zip(names, event, strict=True)) for event in zip(*cells, strict=True)]


def read_events(
    product: Product, files: Mapping[str, Path], watch: Callable[[Filling], None] | None = None
) -> list[EventRows]:
    """Every kind of events of the product, from its file. Raises TableError."""
    known = {one.name: one for one in product.contract.inputs if one.kind is InputKind.EVENTS}
    if unknown := [name for name in files if name not in known]:
        fix = f"its events are: {', '.join(known)}" if known else "leave --events out"
        raise TableError(f"the product has no events called {', '.join(unknown)}", fix=fix)
    if missing := [name for name in known if name not in files]:
        raise TableError(f"the product reads {', '.join(missing)}", fix=f"add --events {missing[0]}=FILE")
    return [EventRows(one, _read(one, files[name], watch)) for name, one in known.items()]


def _read(one: Input, file: Path, watch: Callable[[Filling], None] | None) -> Columns:
    try:
        return read_columns(file, require=[one.key, *(column.name for column in one.columns)], watch=watch)
    except TableError as fault:
        problem = f"{fault.problem} (in {file.name})"    # it is not the only file
        raise TableError(problem, fix=fault.fix, row=fault.row, column=fault.column) from fault
