"""Groups by which outcomes are compared: whom they hold, and by what nobody is compared."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.engine.contract import Input, InputKind
from scoring.engine.grouping import Grouping

BORN = Input(name="born", kind=InputKind.DATE, is_personal=True)


def of(one: Input) -> Grouping:
    found = Grouping.of(one)
    assert found is not None
    return found


@given(st.dates(date(1920, 1, 1), date(2010, 12, 31)), st.dates(date(2020, 1, 1), date(2040, 12, 31)))
def test_an_age_is_counted_in_birthdays(born: date, decided: date) -> None:
    years = decided.year - born.year - ((decided.month, decided.day) < (born.month, born.day))

    found = of(BORN).places([str(born)], [str(decided)])

    assert found.tolist() == [sum(years >= edge for edge in (25, 35, 45, 55))]


@pytest.mark.parametrize(
    ("one", "told", "names"),
    [
        (Input(name="sex", kind=InputKind.CATEGORY, categories=("f", "m"), is_protected=True), ["m", None, "x"], ["m", "", ""]),
        (Input(name="rural", kind=InputKind.BOOLEAN, is_protected=True), [True, False, None], ["yes", "no", ""]),
        (Input(name="age", kind=InputKind.INTEGER), [24, 25, None, 80], ["<25", "25–34", "", "55+"]),
        (
            Input(name="children", kind=InputKind.INTEGER, is_protected=True, minimum=0, maximum=8), [0, 2, 3, 8],
            ["<2", "2 – <4", "2 – <4", "≥6"],
        ),
        (BORN, [None], [""]),
    ],
)  # fmt: skip
def test_everybody_is_in_the_group_of_their_answer(one: Input, told: list[object], names: list[str]) -> None:
    grouping = of(one)

    found = grouping.places(told, ["2026-04-30"] * len(told))  # type: ignore[arg-type]

    assert [grouping.names[place] if place >= 0 else "" for place in found] == names


@pytest.mark.parametrize(
    "one",
    [
        Input(name="stall", kind=InputKind.CATEGORY, categories=("food",)), Input(name="average_balance", kind=InputKind.NUMBER),
        Input(name="opened_on", kind=InputKind.DATE), Input(name="children", kind=InputKind.INTEGER, is_protected=True),
    ],
)  # fmt: skip
def test_nobody_is_compared_by_anything_else(one: Input) -> None:
    assert Grouping.of(one) is None
