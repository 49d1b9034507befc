"""Days as inputs: which columns of dates become an age at the day of the case, and why the others do not."""

import numpy as np
from numpy.typing import NDArray

from scoring.engine.columns import Columns
from scoring.engine.contract import Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.training.profile import ColumnProfile, day_of

MOST_LATER = 0.05    # share of the days that may lie after the case: slips of the pen, not what is known only later
BIRTH_WORDS = frozenset(["birth", "birthdate", "birthday", "born", "dob", "naissance"])
_DAY = 10            # letters of YYYY-MM-DD


def why_no_age(profile: ColumnProfile, table: Columns, time: str | None) -> str:
    """Why this column of dates can be no input; empty when it becomes years before the day of the case, which the column `time` tells.

    Without one only a birth does: everybody grows older alike, but how old an account is means nothing without the day of the case."""
    if any(len(text) != _DAY for text in profile.texts):
        return "it is a date with a time of day; write days as YYYY-MM-DD, and it becomes an age"
    if time is None:
        told = "name the column of that day with --time (this one, if it is that), and dates become ages"
        return "" if profile.words & BIRTH_WORDS else f"it is a date, and how long ago it was is counted from the day of the case; {told}"
    ages = _days(table, time) - _days(table, profile.name)
    known = ages[~np.isnan(ages)]
    if not known.any():
        return "it is a date, and the day of the case itself wherever both are known"
    later = float((known < 0).mean())
    if later > MOST_LATER:
        fix = "if it is known at the decision (a due day), give it an age feature in the definition"
        return f"it is a date that lies after the day of the case in {later:.0%} of the rows, so it may be known only later; {fix}"
    return ""


def assumed_of(time: str | None) -> str:
    """What a person is told of a date that became an input."""
    since = f"the day in '{time}'" if time else "the day of training, since no --time names the day of the case"
    return f"it is a date; the model looks at how many years it was before {since}"


def feature_of(one: Input) -> Feature:
    """The feature that reads the input: as it is, or a date as years."""
    if one.kind is not InputKind.DATE:
        return Feature(name=one.name)
    title = one.title
    title = title if title[1:2].isupper() else title[:1].lower() + title[1:]
    return Feature(name=one.name, kind="age", inputs=(one.name,), label=f"Years since {title}", unit="years")


def _days(table: Columns, name: str) -> NDArray[np.float64]:
    """[rows]: the day as a number, NaN where there is none."""
    column = table.columns[name]
    days = [found.toordinal() if (found := day_of(text)) else np.nan for text in column.texts]
    return np.array(days, np.float64)[column.codes]
