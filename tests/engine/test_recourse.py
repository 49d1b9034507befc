"""What would change a decision: allowed, plausible, few, and true when scored again."""

import time
from dataclasses import replace
from datetime import date
from typing import Any

import lightgbm
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.engine.bundle import BundleContent, read_bundle, sign_bundle, write_bundle
from scoring.engine.changes import change_of
from scoring.engine.compile_lightgbm import compile_lightgbm
from scoring.engine.contract import Change, Contract, DefinitionRefused, Input, InputKind, compile_contract
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.pipeline import ServingModel, score
from scoring.engine.policy import STRICTNESS, Condition, KnockOut, Outcome, Policy
from scoring.engine.product import Product, Rule, Rules
from scoring.engine.products.ready import READY
from scoring.engine.recourse import MOST_ALTERNATIVES, MOST_CHANGES, Nothing, Recourse, recourse
from scoring.engine.training.evidence import histograms
from scoring.engine.training.matrix import Samples

TODAY = date(2026, 3, 1)
KEY, KEY_ID = Ed25519PrivateKey.from_private_bytes(bytes(32)), "test-key-0000001"
KEYS = {KEY_ID: KEY.public_key().public_bytes_raw()}

CONTRACT = Contract((
    Input(name="loan_amount", kind=InputKind.NUMBER, label="Amount asked for", minimum=100, maximum=50_000, unit="EUR"),
    Input(name="term_months", kind=InputKind.INTEGER, label="Months to repay", minimum=1, maximum=48, unit="months"),
    Input(name="income", kind=InputKind.NUMBER, minimum=0, maximum=1e6),
    Input(name="savings", kind=InputKind.NUMBER, minimum=0, maximum=1e6, required=False),
    Input(name="longest_delay", kind=InputKind.NUMBER, minimum=0, maximum=400, required=False),
    Input(name="branch", kind=InputKind.CATEGORY, categories=("city", "coast", "lake"), change=Change.EITHER),
    Input(name="guarantor", kind=InputKind.BOOLEAN, change=Change.UP),
    Input(name="born", kind=InputKind.DATE, is_personal=True, required=False),
    Input(name="sex", kind=InputKind.CATEGORY, categories=("f", "m"), is_protected=True),
))
FEATURES = (
    Feature(name="loan_amount"), Feature(name="term_months"), Feature(name="log_income", kind="log", inputs=("income",)),
    Feature(name="savings"), Feature(name="longest_delay"), Feature(name="branch"), Feature(name="guarantor"),
    Feature(name="age", kind="age", inputs=("born",)), Feature(name="burden", kind="ratio", inputs=("loan_amount", "income")),
    Feature(name="cover", kind="ratio", inputs=("savings", "loan_amount")),
)    # fmt: skip
PRODUCT = Product(
    slug="stall", title="Stall loan", contract=CONTRACT, features=FEATURES,
    rules=Rules(0.3, (Rule("large", Condition("loan_amount", "gt", 5000), 1.5, {"en": "The amount asked is above 5,000 EUR."}),)),
    labels={"fr": {"loan_amount": "Montant demandé", "term_months": "Durée"}},
)    # fmt: skip
LATE = KnockOut("late", Condition("longest_delay", "gt", 90), Outcome.DECLINE, {"en": "An earlier loan was paid 90 days late."})
LARGE = KnockOut("large", Condition("loan_amount", "gt", 12_000), Outcome.REFER, {"en": "The amount asked is above 12,000 EUR."})
POLICY = Policy(approve_from=580, decline_below=520, bands=(700, 600, 500, 400), knock_outs=(LATE, LARGE))
FIXED = {"income", "longest_delay", "born", "sex"}


def applicants(count: int, seed: int) -> list[dict[str, Any]]:
    draw = np.random.default_rng(seed)

    def maybe(value: Any) -> Any:
        return None if draw.random() < 0.1 else value

    return [
        {
            "loan_amount": float(draw.integers(1, 200) * 100), "term_months": int(draw.integers(2, 37)),
            "income": float(draw.integers(2, 90) * 50), "savings": maybe(float(draw.integers(0, 90) * 50)),
            "longest_delay": maybe(float(draw.choice([0, 0, 5, 20, 60, 120]))), "branch": str(draw.choice(["city", "coast", "lake"])),
            "guarantor": bool(draw.random() < 0.3), "born": maybe(f"{draw.integers(1950, 2004)}-05-17"),
            "sex": str(draw.choice(["f", "m"])),
        }
        for _ in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def model() -> ServingModel:
    rows = FeaturePlan(CONTRACT, FEATURES).matrix(applicants(1500, seed=1), TODAY)
    known = np.nan_to_num(rows, nan=0.0)
    odds = 0.25 * known[:, 8] - 0.6 * known[:, 9] + 0.01 * known[:, 4] - 0.8 * known[:, 6] - 0.02 * known[:, 1] - 1.5
    odds += 0.5 * (known[:, 5] == 2)
    late = (np.random.default_rng(2).random(len(rows)) < 1 / (1 + np.exp(-odds))).astype(int)
    made = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 8, "seed": 1, "deterministic": True}
    booster = lightgbm.train(made, lightgbm.Dataset(rows, late, categorical_feature=[5], params={"verbosity": -1}), 60)
    names = tuple(one.name for one in FEATURES)
    samples = Samples(values=rows, target=late, names=names, is_category=tuple(name == "branch" for name in names), monotone=(0,) * 10)
    content = BundleContent(
        product=PRODUCT, forest=compile_lightgbm(booster.model_to_string()), slope=1.0, intercept=0.0, usual={}, golden=rows[:5],
        estimator="boosted", seed=1, data={"histograms": histograms(samples)},
    )    # fmt: skip
    return ServingModel.of_bundle(read_bundle(sign_bundle(write_bundle(content), sign=KEY.sign, key_id=KEY_ID), KEYS))


def refused(model: ServingModel, policy: Policy = POLICY, count: int = 300) -> list[dict[str, Any]]:
    given = applicants(count, seed=9)
    results = score(model, policy, given, decided_on=TODAY)
    return [one for one, result in zip(given, results, strict=True) if result.outcome is not Outcome.APPROVE]


def asked(model: ServingModel, values: dict[str, Any], policy: Policy = POLICY, **named: Any) -> Recourse:
    return recourse(model, policy, values, decided_on=TODAY, **named)


# ---- what holds for everybody


@given(st.integers(0, 10**6), st.integers(420, 620), st.integers(0, 120))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_alternative_is_allowed_few_plausible_and_true(model: ServingModel, seed: int, decline: int, referral: int) -> None:
    values = applicants(1, seed)[0]
    policy = replace(POLICY, approve_from=decline + referral, decline_below=decline)
    before, validator = score(model, policy, [values], decided_on=TODAY)[0], compile_contract(CONTRACT)

    found = asked(model, values, policy)

    assert (found.outcome, found.score) == (before.outcome, before.score)
    assert bool(found.alternatives) != bool(found.nothing)
    assert len(found.alternatives) <= MOST_ALTERNATIVES
    sets = [frozenset(change.input for change in one.changes) for one in found.alternatives]
    assert not any(one <= other for place, one in enumerate(sets) for other in sets[:place] + sets[place + 1 :])
    for one in found.alternatives:
        changed = {**values, **{change.input: change.after for change in one.changes}}
        again = score(model, policy, [validator.check(changed)], decided_on=TODAY)[0]
        assert 1 <= len(one.changes) <= MOST_CHANGES
        assert (again.outcome, again.score, again.probability) == (one.outcome, one.score, one.probability)
        assert STRICTNESS.index(again.outcome) < STRICTNESS.index(before.outcome)
        assert {name for name in values if changed[name] != values[name]} == {change.input for change in one.changes}
        assert not FIXED & {change.input for change in one.changes}
        assert changed["loan_amount"] <= values["loan_amount"]
        assert values["savings"] is None or changed["savings"] >= values["savings"]
        assert changed["guarantor"] or not values["guarantor"]


def test_most_refused_applicants_learn_something_and_the_first_is_the_smallest(model: ServingModel) -> None:
    given = refused(model)

    found = [asked(model, one) for one in given]

    assert len(given) > 60
    assert sum(bool(one.alternatives) for one in found) > 0.6 * len(given)
    assert all([len(each.changes) for each in one.alternatives] == sorted(len(each.changes) for each in one.alternatives) for one in found)
    assert {len(one.alternatives[0].changes) for one in found if one.alternatives} >= {1, 2}


def test_values_stay_where_applicants_usually_are(model: ServingModel) -> None:
    seen = applicants(1500, seed=1)
    least, most = np.quantile([one["loan_amount"] for one in seen], [0.01, 0.99])
    savings = np.quantile([one["savings"] for one in seen if one["savings"] is not None], 0.999)

    changes = [change for one in refused(model) for each in asked(model, one).alternatives for change in each.changes]

    amounts = [change.after for change in changes if change.input == "loan_amount"]
    assert amounts
    assert all(least <= amount <= most for amount in amounts)
    assert all(change.after <= savings for change in changes if change.input == "savings")


def test_a_smaller_step_of_the_same_alternative_is_not_enough(model: ServingModel) -> None:
    """Half of the way of a single number, and it is no better than before: the search does not overshoot."""
    singles = [
        (one, each) for one in refused(model) for each in asked(model, one).alternatives
        if len(each.changes) == 1 and each.changes[0].input == "loan_amount"
    ]  # fmt: skip
    halves = [{**one, "loan_amount": (one["loan_amount"] + each.changes[0].after) / 2} for one, each in singles]

    results = score(model, POLICY, halves, decided_on=TODAY)

    enough = sum(result.outcome is each.outcome for result, (_, each) in zip(results, singles, strict=True))
    assert len(singles) > 20
    assert enough < 0.1 * len(singles)


# ---- knock-out rules


def test_a_rule_on_a_fact_that_cannot_change_leaves_nothing_and_is_named(model: ServingModel) -> None:
    late = {**applicants(1, 3)[0], "longest_delay": 120.0}

    found = asked(model, late)

    assert (found.outcome, found.alternatives, found.nothing) == (Outcome.DECLINE, (), Nothing.RULE_DECIDES)
    assert found.text.endswith("An earlier loan was paid 90 days late.")


def test_a_rule_on_what_may_change_is_stepped_out_of(model: ServingModel) -> None:
    policy = replace(POLICY, approve_from=300, decline_below=300)
    large = {**applicants(1, 3)[0], "loan_amount": 15_000.0, "longest_delay": 0.0}

    found = asked(model, large, policy)

    assert found.outcome is Outcome.REFER
    assert [change.input for change in found.alternatives[0].changes] == ["loan_amount"]
    assert 11_000 <= found.alternatives[0].changes[0].after <= 12_000  # type: ignore[operator]
    assert found.alternatives[0].outcome is Outcome.APPROVE


def test_where_a_rule_refers_a_declined_applicant_can_still_reach_a_person(model: ServingModel) -> None:
    always = KnockOut("new", Condition("income", "ge", 0), Outcome.REFER, {"en": "A person looks at every new trader."})
    policy = replace(POLICY, knock_outs=(always,))
    declined = [one for one in refused(model, policy) if asked(model, one, policy).outcome is Outcome.DECLINE]

    found = [asked(model, one, policy) for one in declined]

    assert {each.outcome for one in found for each in one.alternatives} == {Outcome.REFER}


# ---- nothing


def test_an_approved_applicant_and_one_with_nothing_to_change_are_told_so(model: ServingModel) -> None:
    given = refused(model)[0]
    closed = dict.fromkeys((one.name for one in CONTRACT.inputs), Change.NEVER)
    open_to_all = replace(POLICY, approve_from=300, decline_below=300, knock_outs=())

    assert asked(model, given, open_to_all).nothing is Nothing.APPROVED
    assert asked(model, given, declared=closed).nothing is Nothing.NOTHING_MAY_CHANGE


def test_what_is_out_of_reach_names_what_was_tried(model: ServingModel) -> None:
    found = asked(model, refused(model)[0], replace(POLICY, approve_from=851, decline_below=851, knock_outs=()))

    assert found.nothing is Nothing.OUT_OF_REACH
    assert "Amount asked for, Months to repay" in found.text


def test_rules_without_a_model_are_stepped_out_of_too_but_approve_only_where_they_may() -> None:
    policy = Policy(approve_from=540, decline_below=480, bands=(700, 600, 500, 400))
    large = {**applicants(1, 3)[0], "loan_amount": 6_000.0}
    bold = replace(PRODUCT, rules=replace(PRODUCT.rules, base_probability=0.05, may_approve=True))

    careful = asked(ServingModel.of_rules(replace(bold, rules=replace(bold.rules, may_approve=False))), large, policy)
    found = asked(ServingModel.of_rules(bold), large, policy)

    assert (careful.outcome, careful.nothing) == (Outcome.REFER, Nothing.RULES_REFER)
    assert found.alternatives[0].outcome is Outcome.APPROVE
    assert found.alternatives[0].changes[0].after == 5_000.0


# ---- what may change


def test_a_product_file_may_say_otherwise_but_never_about_who_somebody_is(model: ServingModel) -> None:
    declared = dict.fromkeys((one.name for one in CONTRACT.inputs), Change.EITHER)

    changed = {
        change.input for one in refused(model) for each in asked(model, one, declared=declared).alternatives for change in each.changes
    }  # fmt: skip

    assert "income" in changed
    assert not {"sex", "born"} & changed


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ({"name": "credit_amount"}, Change.DOWN), ({"name": "LoanAmount"}, Change.DOWN), ({"name": "amount"}, Change.DOWN),
        ({"name": "x", "label": "Montant demandé"}, Change.DOWN), ({"name": "duration"}, Change.EITHER),
        ({"name": "term_months"}, Change.EITHER),
        ({"name": "savings_balance"}, Change.UP), ({"name": "outstanding_debt"}, Change.DOWN),
        ({"name": "previous_loan_amount"}, Change.NEVER),
        ({"name": "avg_savings"}, Change.NEVER), ({"name": "income"}, Change.NEVER), ({"name": "age"}, Change.NEVER),
        ({"name": "interest_rate"}, Change.NEVER), ({"name": "payment_amount_3"}, Change.NEVER), ({"name": "determination"}, Change.NEVER),
        ({"name": "loan_amount", "is_personal": True}, Change.NEVER), ({"name": "loan_amount", "is_protected": True}, Change.NEVER),
        ({"name": "loan_amount", "change": Change.NEVER}, Change.NEVER), ({"name": "income", "change": Change.UP}, Change.UP),
    ],
)  # fmt: skip
def test_what_nobody_declared_follows_from_the_name(said: dict[str, Any], change: Change) -> None:
    assert change_of(Input(kind=InputKind.NUMBER, **said)) is change


@pytest.mark.parametrize(
    ("one", "told"),
    [
        ({"name": "a", "kind": "number", "change": "sideways"}, "one of infer, never, up, down, either"),
        ({"name": "a", "kind": "date", "change": "up"}, "write change as never"),
        ({"name": "a", "kind": "number", "is_protected": True, "change": "up"}, "write change as never"),
        ({"name": "a", "kind": "number", "is_personal": True, "change": "down"}, "write change as never"),
        ({"name": "a", "kind": "category", "categories": ["x"], "change": "up"}, "write change as either or never"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_the_product_file(one: dict[str, Any], told: str) -> None:
    with pytest.raises(DefinitionRefused, match=told):
        Contract.from_dict({"inputs": [one]})


def test_changes_survive_being_written_and_ready_made_products_declare_them() -> None:
    assert Contract.from_dict(CONTRACT.to_dict()) == CONTRACT
    for ready in READY.values():
        inputs = ready.product("KES").contract.inputs
        assert all(one.change is not Change.INFER or one.is_protected for one in inputs)
        assert any(change_of(one) is not Change.NEVER for one in inputs)


# ---- words and time


def test_alternatives_are_told_in_both_languages(model: ServingModel) -> None:
    given = next(one for one in refused(model) if {each.outcome for each in asked(model, one).alternatives} == {Outcome.APPROVE})

    english, french = asked(model, given), asked(model, given, language="fr")

    assert [one.changes[0].after for one in english.alternatives] == [one.changes[0].after for one in french.alternatives]
    assert all(" instead of " in one.text and "The answer would then be: approved" in one.text for one in english.alternatives)
    assert all(" au lieu de " in one.text and "La réponse serait alors : accepté" in one.text for one in french.alternatives)
    amounts = [change.text for one in french.alternatives for change in one.changes if change.input == "loan_amount"]
    assert amounts == [] or amounts[0].startswith("Montant demandé : ")


def test_sixty_inputs_and_three_hundred_trees_are_searched_quickly() -> None:
    """In seconds of this process, loosely: about 0.02 on a quiet machine."""
    draw, count = np.random.default_rng(4), 60
    inputs = tuple(Input(name=f"x{place}", kind=InputKind.NUMBER, minimum=0, maximum=200, change=Change.EITHER) for place in range(count))
    features = tuple(Feature(name=one.name) for one in inputs)
    rows = draw.uniform(0, 100, (1200, count))
    odds = (rows[:, :12] - 50) @ draw.normal(0, 0.03, 12)
    late = (draw.random(len(rows)) < 1 / (1 + np.exp(-odds))).astype(int)
    made = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 31, "min_data_in_leaf": 5, "learning_rate": 0.03}
    booster = lightgbm.train(made, lightgbm.Dataset(rows, late, params={"verbosity": -1}), 300)
    names = tuple(one.name for one in features)
    samples = Samples(values=rows, target=late, names=names, is_category=(False,) * count, monotone=(0,) * count)
    content = BundleContent(
        product=replace(PRODUCT, contract=Contract(inputs), features=features, rules=Rules(0.3), labels={}), slope=1.0, intercept=0.0,
        forest=compile_lightgbm(booster.model_to_string()), usual={}, golden=rows[:2], estimator="boosted", seed=1,
        data={"histograms": histograms(samples)},
    )    # fmt: skip
    wide = ServingModel.of_bundle(read_bundle(sign_bundle(write_bundle(content), sign=KEY.sign, key_id=KEY_ID), KEYS))
    policy = Policy(approve_from=620, decline_below=500, bands=(700, 600, 500, 400))
    given = [dict(zip(samples.names, row, strict=True)) for row in rows[late == 1][:12].tolist()]
    recourse(wide, policy, given[0], decided_on=TODAY)

    times = []
    for one in given:
        began = time.process_time()
        recourse(wide, policy, one, decided_on=TODAY)
        times.append(time.process_time() - began)

    assert float(np.median(times)) < 0.1
