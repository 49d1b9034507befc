"""Windows over events: what each statistic is, the same bits for one and for many, and nothing of the day itself or later."""

import json
import math
import statistics
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoring.engine.contract import MOST_EVENTS, Contract, ContractViolation, DefinitionRefused, Input, InputKind, Validator
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.product import Product
from scoring.engine.windows import STATISTICS, Window

TODAY = date(2026, 3, 1)
PAYMENTS = Input(
    name="payments", kind=InputKind.EVENTS, time="day", key="member",
    columns=(
        Input(name="day", kind=InputKind.DATE),
        Input(name="amount", kind=InputKind.NUMBER, required=False),
        Input(name="type", kind=InputKind.CATEGORY, categories=("in", "out"), accepts_other=True, required=False),
    ),
)  # fmt: skip
CONTRACT = Contract((Input(name="age", kind=InputKind.INTEGER), PAYMENTS))
OF_NUMBERS = tuple(name for name in STATISTICS if name not in {"count", "recency", "share"})
WINDOWS = (
    *(Window(statistic=name, column="amount", days=days) for name in OF_NUMBERS for days in (0, 30)),
    *(Window(statistic=name, column="amount", where=("type", "out")) for name in OF_NUMBERS),
    Window(statistic="count"), Window(statistic="count", days=7), Window(statistic="count", where=("type", "in"), days=30),
    Window(statistic="recency"), Window(statistic="recency", where=("type", "in")),
    Window(statistic="share", where=("type", "in")), Window(statistic="share", where=("type", "out"), column="amount", days=30),
)  # fmt: skip
FEATURES = (
    Feature(name="age"), *(Feature(name=f"w{place}", kind="window", inputs=("payments",), window=one) for place, one in enumerate(WINDOWS)),
)  # fmt: skip
PLAN = FeaturePlan(CONTRACT, FEATURES)

EVENTS = st.lists(
    st.fixed_dictionaries({
        "day": st.integers(-5, 90).map(lambda ago: (TODAY - timedelta(days=ago)).isoformat()),
        "amount": st.none() | st.floats(-1e6, 1e6),
        "type": st.sampled_from(["in", "out", "new", None]),
    }),
    max_size=12,
)  # fmt: skip
TOLD = st.none() | EVENTS


def values_of(told: Any) -> dict[str, Any]:
    return {"age": 30, "payments": told}


def by_hand(window: Window, told: list[dict[str, Any]] | None) -> float:
    """The definition, slowly."""
    if told is None:
        return math.nan
    age = {id(one): (TODAY - date.fromisoformat(one["day"])).days for one in told}
    inside = [one for one in told if age[id(one)] >= 1 and (not window.days or age[id(one)] <= window.days)]
    inside = [one for one in inside if not window.column or one[window.column] is not None]
    chosen = [one for one in inside if not window.where or one[window.where[0]] == window.where[1]]
    amounts = [one["amount"] for one in chosen]
    months = [-age[id(one)] / 30 for one in chosen]
    match window.statistic:
        case "count":
            return len(chosen)
        case "recency":
            return min((age[id(one)] for one in chosen), default=math.nan)
        case "share" if not window.column:
            return len(chosen) / len(inside) if inside else math.nan
        case "share":
            whole = sum(one["amount"] for one in inside)
            return float(sum(amounts) / whole) if whole else math.nan
        case "sum":
            return float(sum(amounts))
        case "mean":
            return float(statistics.fmean(amounts)) if amounts else math.nan
        case "max" | "min":
            return float((max if window.statistic == "max" else min)(amounts, default=math.nan))
        case "volatility":
            return float(statistics.pstdev(amounts)) if len(amounts) > 1 else math.nan
        case _:
            return float(statistics.linear_regression(months, amounts).slope) if len(set(months)) > 1 and len(months) > 2 else math.nan


@settings(max_examples=150, deadline=None)
@given(TOLD)
@example([{"day": "2026-02-28", "amount": amount, "type": "in"} for amount in (1.0, 2.0, 4.0)])
@example([{"day": "2026-01-11", "amount": amount, "type": "out"} for amount in (1.0, 0.0, 4.0, 7.0, 9.0)])
def test_each_statistic_is_what_it_says(told: list[dict[str, Any]] | None) -> None:
    found = PLAN.matrix([values_of(told)], TODAY)[0, 1:]

    for window, read in zip(WINDOWS, found.tolist(), strict=True):
        expected = by_hand(window, told)
        if window.statistic == "share" and window.column and abs(expected) > 1e6:
            continue    # a sum that cancels out: any share is as good
        assert read == pytest.approx(expected, rel=1e-6, abs=1e-4, nan_ok=True), window


@settings(max_examples=60, deadline=None)
@given(st.lists(TOLD, min_size=2, max_size=8), st.randoms())
def test_one_applicant_has_the_bits_they_have_among_many(told: list[Any], draw: Any) -> None:
    values = [values_of(one) for one in told]
    days = [TODAY - timedelta(days=draw.randrange(40)) for _ in told]

    together = PLAN.matrix(values, days)

    for place, one in enumerate(values):
        assert PLAN.matrix([one], days[place]).tobytes() == together[place : place + 1].tobytes()
    order = list(range(len(told)))
    draw.shuffle(order)
    assert PLAN.matrix([values[place] for place in order], [days[place] for place in order]).tobytes() == together[order].tobytes()


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(0, 400), st.sampled_from(["in", "out"]))
def test_what_happens_on_the_day_or_later_is_never_used(told: list[dict[str, Any]], later: int, kind: str) -> None:
    planted = {"day": (TODAY + timedelta(days=later)).isoformat(), "amount": 9e9, "type": kind}

    assert PLAN.matrix([values_of([*told, planted])], TODAY).tobytes() == PLAN.matrix([values_of(told)], TODAY).tobytes()
    the_day_after = PLAN.matrix([values_of([*told, planted])], TODAY + timedelta(days=later + 1))
    assert the_day_after.tobytes() != PLAN.matrix([values_of(told)], TODAY + timedelta(days=later + 1)).tobytes()


def test_nothing_told_is_not_the_same_as_nothing_happened() -> None:
    unknown, none = PLAN.matrix([values_of(None), values_of([])], TODAY)

    assert np.isnan(unknown[1:]).all()
    assert [none[1 + place] for place, one in enumerate(WINDOWS) if one.statistic in {"count", "sum"}] == [0.0] * 6


def test_an_interaction_is_a_product() -> None:
    contract = Contract((Input(name="a", kind=InputKind.NUMBER), Input(name="b", kind=InputKind.NUMBER, required=False)))
    plan = FeaturePlan(contract, (Feature(name="both", kind="interaction", inputs=("a", "b")),))

    rows = plan.matrix([{"a": 3.0, "b": 2.5}, {"a": 3.0, "b": None}], TODAY)

    assert rows[0, 0] == 7.5
    assert np.isnan(rows[1, 0])


# ---- what may be sent


VALIDATOR = Validator(CONTRACT)


def faults(body: Any) -> dict[str, str]:
    with pytest.raises(ContractViolation) as refused:
        VALIDATOR.check_json(json.dumps(body).encode())
    return {problem.pointer: problem.code for problem in refused.value.problems}


def test_events_are_read_with_every_member() -> None:
    told = [{"day": "2026-02-01", "amount": 5, "type": "loan"}, {"day": "2026-02-02"}]

    assert VALIDATOR.check_json(json.dumps({"age": 30, "payments": told}).encode()) == values_of([
        {"day": "2026-02-01", "amount": 5.0, "type": "loan"}, {"day": "2026-02-02", "amount": None, "type": None},
    ])  # fmt: skip
    assert VALIDATOR.check_json(b'{"age": 30}') == values_of(None)
    assert VALIDATOR.check_json(b'{"age": 30, "payments": []}') == values_of([])


def test_every_fault_of_every_event_is_told_with_its_place() -> None:
    told = [{"amount": "5", "type": 7, "when": 1}, 3, {"day": "2026-02-30", "amount": 1e999}]

    assert faults({"age": "x", "payments": told}) == {
        "/age": "wrong_type", "/payments/0/day": "required", "/payments/0/amount": "wrong_type", "/payments/0/when": "unknown_field",
        "/payments/1": "wrong_type", "/payments/2/day": "wrong_type", "/payments/2/amount": "not_finite",
    }  # fmt: skip
    assert faults({"age": 30, "payments": {"day": "2026-02-01"}}) == {"/payments": "wrong_type"}
    assert faults({"age": 30, "payments": [{"day": "2026-02-01"}] * (MOST_EVENTS + 1)}) == {"/payments": "too_long"}


def test_a_doubled_member_of_an_event_is_refused() -> None:
    with pytest.raises(ContractViolation) as refused:
        VALIDATOR.check_json(b'{"age": 30, "payments": [{"day": "2026-02-01", "amount": 1, "amount": 2}]}')

    assert [(one.pointer, one.code) for one in refused.value.problems] == [("/payments/0/amount", "duplicate_key")]


def test_a_contract_with_events_survives_json_and_describes_itself() -> None:
    assert Contract.from_dict(json.loads(json.dumps(CONTRACT.to_dict()))) == CONTRACT
    schema = CONTRACT.json_schema()["properties"]["payments"]
    assert (schema["type"], schema["items"]["required"]) == (["array", "null"], ["day"])
    assert list(schema["items"]["properties"]) == ["day", "amount", "type"]


def test_a_product_with_windows_survives_json() -> None:
    product = Product(slug="group", title="Group loan", contract=CONTRACT, features=FEATURES)

    assert Product.from_dict(json.loads(json.dumps(product.to_dict()))) == product
    assert product.to_dict() == json.loads(json.dumps(product.to_dict()))


@pytest.mark.parametrize(
    "window",
    [
        Window(statistic="median", column="amount"), Window(statistic="sum"), Window(statistic="sum", column="type"),
        Window(statistic="sum", column="nothing"), Window(statistic="count", column="amount"), Window(statistic="share"),
        Window(statistic="count", where=("amount", "1")), Window(statistic="count", where=("nothing", "in")),
        Window(statistic="count", days=-1), Window(statistic="count", days=40_000),
    ],
)  # fmt: skip
def test_a_window_that_asks_for_what_is_not_there_is_refused(window: Window) -> None:
    with pytest.raises(DefinitionRefused):
        FeaturePlan(CONTRACT, (Feature(name="w", kind="window", inputs=("payments",), window=window),))


@pytest.mark.parametrize("changes", [{"time": "amount"}, {"time": ""}, {"columns": PAYMENTS.columns * 2}, {"columns": (PAYMENTS,)}])
def test_events_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    about = {"name": "payments", "kind": InputKind.EVENTS, "time": "day", "columns": PAYMENTS.columns}

    with pytest.raises(DefinitionRefused):
        Input(**{**about, **changes})


def test_events_are_read_through_windows_only() -> None:
    for feature in (Feature(name="payments"), Feature(name="x", kind="missing", inputs=("payments",))):
        with pytest.raises(DefinitionRefused):
            FeaturePlan(CONTRACT, (feature,))
    with pytest.raises(DefinitionRefused):
        FeaturePlan(CONTRACT, (Feature(name="w", kind="window", inputs=("age",), window=Window(statistic="count")),))
    with pytest.raises(DefinitionRefused):
        Feature(name="w", kind="window", inputs=("payments",))
