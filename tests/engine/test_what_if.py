"""Past decisions under another policy: equal to deciding them one by one, and honest about what nobody knows."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.engine.pipeline import settled
from scoring.engine.policy import STRICTNESS, Condition, KnockOut, Outcome, Policy
from scoring.engine.what_if import FEW_PEOPLE, Comparison, Past, Range, Terms, WhatIf, outcomes, wilson

POLICY = Policy(approve_from=600, decline_below=500, bands=(700, 600, 500, 400))
RULES = (
    KnockOut("late", Condition("delay", "gt", 90), Outcome.DECLINE),
    KnockOut("stall", Condition("stall", "in", ["food", "cloth"]), Outcome.REFER),
    KnockOut("unknown", Condition("delay", "missing"), Outcome.REFER), KnockOut("odd", Condition("stall", "lt", 3), Outcome.DECLINE),
    KnockOut("member", Condition("member", "eq", False), Outcome.REFER),
)    # fmt: skip
TERMS = Terms(margin_share=0.2, loss_share=0.5)


def a_past(count: int, seed: int, *, known_share: float = 0.3) -> Past:
    draw = np.random.default_rng(seed)
    score = draw.integers(300, 851, count)
    chance = 1 / (1 + np.exp((score - 450) / 60))
    bad = np.where(draw.random(count) < known_share, (draw.random(count) < chance).astype(float), np.nan)
    values = {
        "delay": [float(days) if days < 150 else None for days in draw.integers(0, 165, count)],
        "stall": draw.choice(["food", "cloth", "repair"], count).tolist(), "member": (draw.random(count) < 0.5).tolist(),
    }  # fmt: skip
    return Past(
        score=score, probability=chance, may_approve=draw.random(count) < 0.9, values=values,
        amount=draw.integers(1, 50, count).astype(np.float64) * 100, bad=bad, group=draw.integers(-1, 3, count),
    )  # fmt: skip


def compared(old: Policy, new: Policy, *parts: Past) -> Comparison:
    made = WhatIf(old, new, TERMS, groups=("a", "b", "c"))
    for part in parts:
        made.add(part)
    return made.result()


def told(one: Range) -> tuple[float, float, float]:
    return one.expected, one.low, one.high


def part_of(past: Past, at: slice) -> Past:
    """Some of the decisions."""
    names = ("score", "probability", "may_approve", "amount", "bad", "group")
    told: dict[str, Any] = {name: getattr(past, name)[at] for name in names}
    return Past(**told, values={name: column[at] for name, column in (past.values or {}).items()})


def one_by_one(policy: Policy, past: Past) -> list[Outcome]:
    """As a decision is made."""
    columns = past.values or {}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [
        settled(policy.outcome(int(score)), policy.knocked_out(values), may_approve=bool(may))
        for score, values, may in zip(past.score, rows, past.may_approve, strict=True)
    ]  # fmt: skip


policies = st.builds(
    lambda low, more, rules: replace(POLICY, decline_below=low, approve_from=min(low + more, 851), knock_outs=tuple(rules)),
    st.integers(300, 851), st.integers(0, 300), st.lists(st.sampled_from(RULES), unique_by=lambda rule: rule.code),
)    # fmt: skip


@given(policies, policies, st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_all_together_equal_one_by_one(old: Policy, new: Policy, seed: int) -> None:
    past = a_past(120, seed)
    before, after = one_by_one(old, past), one_by_one(new, past)

    made = WhatIf(old, new, TERMS, groups=("a", "b", "c"))
    said = made.add(past)
    found = made.result()

    assert [[STRICTNESS[code] for code in codes] for codes in said] == [before, after]
    assert [STRICTNESS[code] for code in outcomes(new, past)] == after
    assert (found.new.approved, found.new.referred, found.new.declined) == tuple(after.count(one) for one in STRICTNESS)
    assert (found.old.approved, found.old.referred, found.old.declined) == tuple(before.count(one) for one in STRICTNESS)
    pairs = list(zip(before, after, strict=True))
    assert all(found.swap[one][other] == pairs.count((one, other)) for one in STRICTNESS for other in STRICTNESS)
    assert {(one.before, one.after): one.count for one in found.moved} == {pair: pairs.count(pair) for pair in pairs if pair[0] != pair[1]}
    assert past.amount is not None
    assert found.new.amount == pytest.approx(sum(amount for amount, one in zip(past.amount, after, strict=True) if one == "approve"))


@given(policies, st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_an_unchanged_policy_moves_nobody(policy: Policy, seed: int) -> None:
    found = compared(policy, policy, a_past(100, seed))

    assert found.moved == ()
    assert found.old == found.new
    assert found.profit_change == found.loss_change == Range(0.0, 0.0, 0.0)
    assert found.groups_old == found.groups_new


@given(st.integers(0, 10**6), st.integers(1, 99))
@settings(max_examples=20, deadline=None)
def test_part_after_part_is_the_same_as_all_at_once(seed: int, cut: int) -> None:
    past, new = a_past(100, seed), replace(POLICY, approve_from=560, knock_outs=RULES)

    whole = compared(POLICY, new, past)
    parts = compared(POLICY, new, part_of(past, slice(0, cut)), part_of(past, slice(cut, 100)))

    assert (parts.swap, parts.groups_new) == (whole.swap, whole.groups_new)
    assert parts.new.profit.low == pytest.approx(whole.new.profit.low)


@given(policies, policies, st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_what_came_true_lies_within_the_bounds_of_what_is_known_and_expected(old: Policy, new: Policy, seed: int) -> None:
    found = compared(old, new, a_past(150, seed))

    ranges = (found.old.loss, found.old.profit, found.new.loss, found.new.profit, found.profit_change, found.loss_change)
    assert all(one.low <= one.expected + 1e-9 and one.expected <= one.high + 1e-9 for one in ranges)
    change = found.new.profit - found.old.profit
    assert found.profit_change.expected == pytest.approx(change.expected, abs=1e-6)
    assert found.profit_change.low >= change.low - 1e-6    # who stays approved cannot differ, so the range is no wider
    assert found.profit_change.high <= change.high + 1e-6


def test_what_is_known_counts_as_it_was_and_leaves_no_range() -> None:
    past = Past(
        score=np.array([620, 630, 640, 450]), probability=np.full(4, 0.9), may_approve=np.full(4, True),
        amount=np.array([100.0, 200, 300, 50]), bad=np.array([1.0, 0, 0, 1]),
    )  # fmt: skip

    found = compared(POLICY, POLICY, past)

    assert found.old.loss == Range(50.0, 50.0, 50.0)
    assert found.old.profit == Range(50.0, 50.0, 50.0)    # 20 % of 500 repaid, less half of 100


def test_what_is_not_known_lies_between_half_and_twice_the_models_probability() -> None:
    past = Past(score=np.array([620, 630]), probability=np.array([0.1, 0.7]), may_approve=np.full(2, True), amount=np.array([1000.0, 100]))

    found = compared(POLICY, POLICY, past)

    assert told(found.old.loss) == pytest.approx((85.0, 42.5, 150.0))
    assert found.bands_by_outcomes == ()


def test_enough_outcomes_of_a_band_bound_the_rest_of_it() -> None:
    bad = np.array([1.0] * 10 + [0.0] * 90 + [np.nan] * 100)
    past = Past(score=np.full(200, 650), probability=np.full(200, 0.12), may_approve=np.full(200, True), bad=bad)

    found = compared(POLICY, POLICY, past)

    low, high = wilson(10, 100)
    assert told(found.old.loss) == pytest.approx((0.5 * (10 + 12), 0.5 * (10 + 100 * low), 0.5 * (10 + 100 * high)))
    assert found.known_outcomes == 100


def test_groups_stand_beside_the_most_approved_one_and_few_people_say_nothing() -> None:
    score = np.concatenate([np.full(80, 700), np.full(20, 400), np.full(50, 700), np.full(50, 400), np.full(FEW_PEOPLE - 1, 400)])
    group = np.concatenate([np.full(100, 0), np.full(100, 1), np.full(FEW_PEOPLE - 1, 2)])
    past = Past(score=score, probability=np.full(len(score), 0.1), may_approve=np.full(len(score), True), group=group)

    first, second, third = compared(POLICY, POLICY, past).groups_new

    assert (first.ratio, first.low, first.high) == (1.0, 1.0, 1.0)
    assert second.ratio == pytest.approx(0.625)
    assert (second.low or 1) < 0.625 < (second.high or 0) < 0.8
    assert second.is_below
    assert not first.is_below
    assert (third.people, third.ratio) == (FEW_PEOPLE - 1, None)


def test_the_curve_passes_through_the_policy() -> None:
    past, new = a_past(500, 3), replace(POLICY, approve_from=620, knock_outs=RULES[:2])

    found = compared(POLICY, new, past)

    here = next(point for point in found.curve if point.approve_from == 620)
    assert here.approved_share == pytest.approx(found.new.approved / 500)
    assert here.profit == pytest.approx(found.new.profit.expected)
    shares = [point.approved_share for point in found.curve]
    assert shares == sorted(shares, reverse=True)


def test_rules_without_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="inputs have to be told"):
        compared(POLICY, replace(POLICY, knock_outs=RULES), replace(a_past(5, 1), values=None))


def test_a_hundred_thousand_decisions_take_a_moment() -> None:
    past, new = a_past(5_000, 1), replace(POLICY, approve_from=560, knock_outs=RULES)
    made, began = WhatIf(POLICY, new, TERMS, groups=("a", "b", "c")), time.process_time()

    for _ in range(20):
        made.add(past)
    found = made.result()

    assert found.new.decisions == 100_000
    assert time.process_time() - began < 5
