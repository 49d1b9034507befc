"""What a column must not be: words among numbers, no day where days belong, days in two formats, more words than a category has."""

from collections.abc import Sequence

import numpy as np

from scoring.engine.columns import Column, Columns
from scoring.engine.contract import Contract, Input, InputKind, Problem, pointer
from scoring.engine.tables import TableError, is_number
from scoring.engine.training.profile import CODE_WORDS, ColumnProfile, day_of

MOST_UNKNOWN = 1_000          # different words that no category of the input is
MEASURED = 20                 # different numbers that make a column one of numbers
FEW = 0.2                     # words to numbers: with more of them the numbers may be codes
_SHOWN = 40                   # characters of a cell that is quoted


def check_days(table: Columns, column: Column) -> None:
    """Raises TableError, naming the first row, unless every filled cell is a day written YYYY-MM-DD."""
    profile = ColumnProfile(column)
    check_day_formats(table, profile)
    wrong = [place for place in np.flatnonzero(~profile.is_blank).tolist() if day_of(column.texts[place]) is None]
    if wrong:
        row, text, rows = _first(column, wrong)
        raise TableError(
            f"says '{text}', which is no day written YYYY-MM-DD{_also(rows)}", row=table.number(row), column=column.name,
            fix="write every day as YYYY-MM-DD, and leave the cell empty where it is not known",
        )


def check_day_formats(table: Columns, profile: ColumnProfile) -> None:
    """Raises TableError, naming the first row of each, when the column's days are written in two ways."""
    if len(profile.day_formats) < 2:
        return
    usual, *others = sorted((_first(profile.column, [place])[0], place, form) for form, place in profile.day_formats.items())
    (row, place, form), texts = others[0], profile.column.texts
    before = f"row {table.number(usual[0])} says '{texts[usual[1]][:_SHOWN]}' ({usual[2]})"
    raise TableError(
        f"says '{texts[place][:_SHOWN]}' ({form}), and {before}: its days are written in two ways",
        row=table.number(row), column=profile.name, fix="write every day as YYYY-MM-DD",
    )


def check_numbers(table: Columns, profile: ColumnProfile) -> None:
    """Raises TableError, naming the first row, for a column of numbers with a few words among them; codes are none."""
    words = np.flatnonzero(~profile.is_blank & np.isnan(profile.numbers)).tolist()
    numbers, rows = profile.distinct - len(words), int(profile.counts[words].sum())
    are_few = 0 < len(words) <= numbers * FEW and rows <= profile.filled / 2
    if not are_few or numbers < MEASURED or profile.commas or profile.words & CODE_WORDS or profile.has_leading_zeros:
        return
    row, text, rows = _first(profile.column, words)
    raise _words_among_numbers(table.number(row), profile.name, text, rows)


def check_categories(table: Columns, contract: Contract) -> None:
    """Raises TableError for a column of ever new words where the contract lists the categories."""
    for one in contract.inputs:
        column = table.columns.get(one.name)
        if one.kind is not InputKind.CATEGORY or one.accepts_other or column is None:
            continue
        unknown = len(column.texts) - len({*column.texts} & {*one.categories, *one.missing_codes, ""})
        if unknown > MOST_UNKNOWN:
            raise TableError(
                f"holds {len(column.texts):,} different words, such as '{column.texts[0][:_SHOWN]}'; the product knows "
                f"{len(one.categories)} categories", column=one.name,
                fix="check that this is the column the product means, or set accepts_other of the input to true in the definition",
            )


class Strangers:
    """Cells of an input of numbers or days that are neither, remembered by the first of them."""

    def __init__(self, table: Columns, contract: Contract) -> None:
        self._table = table
        self._inputs = {pointer(one.name): one for one in contract.inputs if one.name in table.columns and _is_measured(one)}
        self._first: dict[str, int] = {}
        self._rows: dict[str, int] = {}

    def note(self, row: int, problems: Sequence[Problem]) -> None:
        """What the contract refused in this row."""
        for problem in problems:
            one = self._inputs.get(problem.pointer)
            if one is None or problem.code not in {"wrong_type", "formula", "not_finite"} or is_number(self._text(one.name, row)):
                continue
            self._first.setdefault(one.name, row)
            self._rows[one.name] = self._rows.get(one.name, 0) + 1

    def refuse(self) -> None:
        """Raises TableError when there was one."""
        for name, row in sorted(self._first.items(), key=lambda pair: pair[1]):
            check_day_formats(self._table, ColumnProfile(self._table.columns[name]))
            raise _words_among_numbers(self._table.number(row), name, self._text(name, row)[:_SHOWN], self._rows[name])

    def _text(self, name: str, row: int) -> str:
        column = self._table.columns[name]
        return str(column.texts[column.codes[row]])


def _is_measured(one: Input) -> bool:
    return one.kind in {InputKind.NUMBER, InputKind.INTEGER, InputKind.DATE}


def _words_among_numbers(row: int, column: str, text: str, rows: int) -> TableError:
    fix = "write a plain number or day there, or leave the cell empty where it is not known"
    return TableError(f"says '{text}' where the other rows hold numbers or days{_also(rows)}", row=row, column=column, fix=fix)


def _first(column: Column, places: Sequence[int]) -> tuple[int, str, int]:
    """The first row that says one of these texts, what it says, and how many rows do."""
    rows = np.flatnonzero(np.isin(column.codes, places))
    return int(rows[0]), column.texts[column.codes[rows[0]]][:_SHOWN], len(rows)


def _also(rows: int) -> str:
    return f" ({rows} such rows)" if rows > 1 else ""
