"""Features read straight from inputs: picked out together, with the same values as one by one."""

from datetime import date

import numpy as np
import pytest

from scoring.engine.contract import Contract, Input, InputKind, Values
from scoring.engine.features import Feature, FeaturePlan

TODAY = date(2026, 1, 1)
INPUTS = (
    Input(name="amount", kind=InputKind.NUMBER, required=False),
    Input(name="town", kind=InputKind.CATEGORY, categories=("a", "b"), required=False),
    Input(name="loans", kind=InputKind.INTEGER, required=False),
    Input(name="owns", kind=InputKind.BOOLEAN, required=False),
)
ROWS: list[Values] = [
    {"amount": 1.5, "town": "b", "loans": 2, "owns": True},
    {"amount": None, "town": None, "loans": None, "owns": None},
    {"amount": -0.0, "town": "a", "loans": 2**53 + 1, "owns": False},
]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("amount", "town", "loans", "owns"), [[1.5, 1, 2, 1], [np.nan] * 4, [-0.0, 0, 2.0**53, 0]]),
        (("town", "amount"), [[1, 1.5], [np.nan] * 2, [0, -0.0]]),
        (("town",), [[1], [np.nan], [0]]),
        (("loans",), [[2], [np.nan], [2.0**53]]),
    ],
)
def test_numbers_are_read_as_they_are_and_the_unknown_is_nan(names: tuple[str, ...], expected: list[list[float]]) -> None:
    plan = FeaturePlan(Contract(INPUTS), tuple(Feature(name=name) for name in names))

    rows = plan.matrix(ROWS, TODAY)

    assert rows.tobytes() == np.array(expected, np.float64).tobytes()
    assert plan.matrix(ROWS[:1], TODAY).tobytes() == rows[:1].tobytes()
    assert plan.matrix([], TODAY).shape == (0, len(names))


def test_a_computed_feature_stands_between_numbers_that_are_picked_out() -> None:
    ratio = Feature(name="share", kind="ratio", inputs=("amount", "loans"))
    plan = FeaturePlan(Contract(INPUTS), (Feature(name="amount"), ratio, Feature(name="loans")))

    assert plan.matrix(ROWS[:1], TODAY).tolist() == [[1.5, 0.75, 2.0]]
