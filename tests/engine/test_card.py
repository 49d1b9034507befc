"""The model card's immutable part: repeatable, about nobody, held against shap, with intervals that cover and counts that add up."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scoring.engine import card as reading
from scoring.engine.bundle import BundleRefused, read_bundle, read_card, sign_bundle
from scoring.engine.fairness import FOUR_FIFTHS, by_group
from scoring.engine.kernel import Plan, explain
from scoring.engine.policy import Outcome, Policy
from scoring.engine.product import Product
from scoring.engine.products.credit import MARKET_LOAN
from scoring.engine.synthetic import market_loans, write_table
from scoring.engine.training.card import SWARM_FEATURES, SWARM_ROWS
from scoring.engine.training.intervals import intervals
from scoring.engine.training.metrics import quality
from scoring.engine.training.rows import read_training_rows
from scoring.engine.training.shapley import agreement
from scoring.engine.training.train import TrainingRequest, train

KEY, KEY_ID = Ed25519PrivateKey.generate(), "0123456789abcdef"
KEYS = {KEY_ID: KEY.public_key().public_bytes_raw()}
ROWS = 600
POLICY = Policy(approve_from=520, decline_below=480, bands=(600, 540, 500, 460))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loans") / "loans.csv"
    write_table(path, market_loans(ROWS, seed=5))
    return path


def bundle_of(table: Path, estimator: str, product: Product = MARKET_LOAN) -> bytes:
    request = TrainingRequest(
        product=product, table=table, estimator=estimator, folds=2, seed=3, threads=1, decided_on=date(2026, 1, 1)
    )
    return sign_bundle(train(request, lambda line: None).bundle, sign=KEY.sign, key_id=KEY_ID)


@pytest.fixture(scope="module")
def bundle(table: Path) -> bytes:
    return bundle_of(table, "scorecard")


@pytest.fixture(scope="module")
def card(bundle: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_card(bundle, KEYS))
    return found


# what is in it


def test_the_card_is_about_the_forest_it_lies_with_and_is_part_of_its_hash(bundle: bytes, card: dict[str, Any]) -> None:
    read = read_bundle(bundle, KEYS)

    assert card["learner"]["forest"] == read.forest.digest()
    assert card["data"]["fingerprint"] == read.data["fingerprint"]
    assert hashlib.sha256(bundle[88:]).hexdigest() == read.sha256
    assert read_card(bundle, KEYS) in bundle


def test_the_card_says_what_a_reviewer_asks(card: dict[str, Any]) -> None:
    assert card["purpose"] == {
        "product": MARKET_LOAN.slug, "title": MARKET_LOAN.title, "kind": "risk", "target": "defaulted", "positive": MARKET_LOAN.positive
    }  # fmt: skip
    assert [one["name"] for one in card["features"]] == [one.name for one in MARKET_LOAN.features]
    assert {one["monotone"] for one in card["features"]} >= {0, 1}
    assert {one["name"] for one in card["left_out"] if one["why"] == "protected"} == {"age", "gender"}
    assert set(card["learner"]["versions"]) >= {"python", "numpy", "shap"}
    said = " ".join(card["limits"])
    for told in ("600 rows", "no dates", "Groups by Age, Gender are compared", "refused before"):
        assert told in said


@pytest.mark.parametrize(("estimator", "within"), [("scorecard", 1e-9), ("boosted", 1e-9), ("xgboost", 1e-6)])
def test_what_is_served_is_held_against_shap(table: Path, estimator: str, within: float) -> None:
    explained = json.loads(read_card(bundle_of(table, estimator), KEYS))["explained"]

    assert explained["agrees_within"] == within
    assert explained["library"].startswith("shap 0.")


def test_the_points_of_a_scorecard_add_up_to_the_score(table: Path, bundle: bytes, card: dict[str, Any]) -> None:
    samples = read_training_rows(table, MARKET_LOAN, decided_on=date(2026, 1, 1)).samples
    categories = {one.name: one.categories for one in MARKET_LOAN.contract.inputs}
    told = card["points"]

    def holds(name: str, row: dict[str, Any], value: float) -> bool:
        if row.get("missing") or np.isnan(value):
            return bool(row.get("missing")) and bool(np.isnan(value))
        if "are" in row:
            return (categories.get(name) or ("no", "yes"))[int(value)] in row["are"]
        return (row["above"] is None or value > row["above"]) and (row["upto"] is None or value <= row["upto"])

    margins = explain(Plan.of(read_bundle(bundle, KEYS).forest), samples.values)[0]
    for values, margin in list(zip(samples.values, margins, strict=True))[:60]:
        cells = dict(zip(samples.names, values, strict=True))
        points = [row["points"] for name, rows in told["features"] for row in rows if holds(name, row, cells[name])]
        assert len(points) == len(samples.names)
        assert told["base"] + sum(points) == pytest.approx(MARKET_LOAN.scale.exact(float(margin)), abs=0.05 * (len(points) + 1))
    assert [name for name, _rows in told["features"]] == list(samples.names)
    for _name, rows in told["features"]:
        assert sum(row["share"] for row in rows) == pytest.approx(1, abs=0.001)
        bad = sum(row["share"] * row["bad_share"] for row in rows if row["bad_share"] is not None)
        assert bad == pytest.approx(samples.base_rate, abs=0.02)


def test_nothing_is_told_of_how_a_few_cases_ended(card: dict[str, Any]) -> None:
    rows = [row for _name, rows in card["points"]["features"] for row in rows]

    assert {row["bad_share"] is None for row in rows if row["share"] * ROWS < 9.5} == {True}
    assert all(row["bad_share"] is not None for row in rows if row["share"] * ROWS > 10)


def test_a_table_without_signal_is_told_to_be_one(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    write_table(tmp_path / "noise.csv", [{**row, "defaulted": int(draw.integers(0, 2))} for row in market_loans(300, seed=5)])
    request = TrainingRequest(
        product=MARKET_LOAN, table=tmp_path / "noise.csv", estimator="scorecard", folds=2, seed=3, threads=1, decided_on=date(2026, 1, 1)
    )

    trained = train(request, lambda line: None)

    assert trained.metrics["auc_interval"][0] <= 0.5
    assert any("cannot be told from chance" in warning and "add inputs" in warning for warning in trained.warnings)
    read = json.loads(read_card(sign_bundle(trained.bundle, sign=KEY.sign, key_id=KEY_ID), KEYS))
    assert "It cannot be told from chance: the interval of its AUC includes 0.5." in read["limits"]


def test_contributions_that_differ_are_told_as_they_are() -> None:
    ours = np.zeros((2, 2))

    assert [agreement(ours, ours + by) for by in (1e-10, 1e-7, 1e-4, 0.1)] == [1e-9, 1e-6, 1e-3, None]


def test_validation_over_time_and_repeated_rows_are_told(tmp_path: Path) -> None:
    rows = [{**row, "day": f"2025-{1 + place // 50:02}-{1 + place % 28:02}"} for place, row in enumerate(market_loans(ROWS, seed=5))]
    write_table(tmp_path / "dated.csv", [*rows, rows[7]])
    product = replace(MARKET_LOAN, time_column="day")

    card = json.loads(read_card(bundle_of(tmp_path / "dated.csv", "scorecard", product), KEYS))

    said = " ".join(card["limits"])
    assert "from 2025-01-01 to 2025-12-28. Fitted on the past and judged on what followed" in said
    assert [step["rows"] > 0 for step in card["over_time"]["steps"]] == [True] * 3
    assert "Rows that are exact copies of another: 1;" in said


# protected groups


def test_protected_groups_are_told_and_are_no_features(table: Path, card: dict[str, Any]) -> None:
    rows = market_loans(ROWS, seed=5)
    age, gender = card["protected"]

    assert [one["group"] for one in gender["groups"]] == ["female", "male"]
    for one in gender["groups"]:
        own = [row for row in rows if row["gender"] == one["group"]]
        assert (one["rows"], one["bad"]) == (len(own), sum(row["defaulted"] for row in own))
        assert sum(cases for _, cases in one["scores"]) == one["rows"]
    assert [sum(one["rows"] for one in age["groups"]), len(age["groups"])] == [ROWS, 4]
    for one in age["groups"]:
        low, _, high = one["group"].partition(" to ")
        assert one["rows"] == sum(int(low) <= row["age"] <= int(high) for row in rows)
    together = {score: good + bad for score, good, bad in card["scores"]}
    assert sum((Counter(dict(one["scores"])) for one in gender["groups"]), Counter()) == together
    assert not {"age", "gender"} & {name for one in card["features"] for name in one["inputs"]}


def test_a_small_group_is_named_and_not_told(tmp_path: Path) -> None:
    rows = market_loans(ROWS, seed=5)
    for place, row in enumerate(rows):
        row["gender"] = None if place % 2 else "male" if place < 58 else "female"
        del row["age"]
    write_table(tmp_path / "few.csv", rows)

    card = json.loads(read_card(bundle_of(tmp_path / "few.csv", "scorecard"), KEYS))

    (gender,) = card["protected"]
    assert [(one["group"], one["rows"]) for one in gender["groups"]] == [("female", 271), ("male", 29), ("not known", 300)]
    assert gender["groups"][1] == {"group": "male", "rows": 29}
    assert any("whatever their Age was not tested" in one for one in card["limits"])


def test_groups_are_judged_at_the_cut_offs_against_the_most_approved() -> None:
    counted = {"bad": 10, "auc": 0.7, "mean": 0.2}
    groups = [
        {"group": "a", "rows": 200, "scores": [[500, 50], [600, 150]], **counted},
        {"group": "b", "rows": 100, "scores": [[500, 60], [600, 40]], **counted},
        {"group": "c", "rows": 40, "scores": [[500, 40]], **counted},
        {"group": "d", "rows": 29},
    ]

    a, b, c, d = by_group(groups, POLICY)

    assert (a.approved_share, a.bad_share, a.ratio, a.low, a.high) == (0.75, 0.05, 1.0, None, None)
    assert b.ratio == pytest.approx(0.4 / 0.75)
    # Katz: exp(ln 0.5333 -+ 1.96 * sqrt(1/40 - 1/100 + 1/150 - 1/200))
    assert b.low == pytest.approx(0.4141, abs=1e-4)
    assert b.high == pytest.approx(0.6869, abs=1e-4)
    assert (c.ratio, c.low is not None and c.low > 0, c.high is not None and c.high < FOUR_FIFTHS) == (0.0, True, True)
    assert (d.is_small, d.cases, d.approved_share, d.ratio) == (True, 29, None, None)
    nobody = by_group(groups, replace(POLICY, approve_from=700))
    assert [one.ratio for one in nobody] == [None] * 4


def test_intervals_of_the_ratio_cover_what_is_true() -> None:
    draw, true, hits = np.random.default_rng(11), 0.5 / 0.7, 0
    for _ in range(400):
        approved = draw.binomial([300, 200], [0.7, 0.5]).tolist()
        groups = [
            {"group": str(place), "rows": rows, "scores": [[600, count], [400, rows - count]], "bad": 1, "auc": None, "mean": 0.1}
            for place, (rows, count) in enumerate(zip((300, 200), approved, strict=True))
        ]
        low, high = (getattr(by_group(groups, POLICY)[1], end) for end in ("low", "high"))
        hits += low <= true <= high

    assert 0.92 <= hits / 400 <= 0.98


# personal data


def test_no_applicant_can_be_followed_from_feature_to_feature(table: Path, card: dict[str, Any]) -> None:
    swarm = card["explained"]["swarm"]

    assert 0 < len(swarm) <= SWARM_FEATURES
    for one in swarm:
        assert len(one["points"]) == SWARM_ROWS
        assert one["points"] == sorted(one["points"])
        assert all(isinstance(part, int) and -1 <= quantile <= 100 for part, quantile in one["points"])


def test_a_step_of_a_dependence_picture_is_many_people(tmp_path: Path) -> None:
    rows = market_loans(ROWS, seed=5)
    for place, row in enumerate(rows):
        row["stall"] = "electronics" if place < 9 else "food" if row["stall"] == "electronics" else row["stall"]
    write_table(tmp_path / "rare.csv", rows)

    pictures = json.loads(read_card(bundle_of(tmp_path / "rare.csv", "scorecard"), KEYS))["explained"]["dependence"]

    (stalls,) = (one["steps"] for one in pictures if one["feature"] == "stall")
    assert {step.get("is") for step in stalls} == {"food", "clothing", "household", "services"}
    steps = [step for one in pictures for step in one["steps"]]
    assert min(step["rows"] for step in steps) >= 10
    assert all(step["low"] <= step["mean"] <= step["high"] or step["low"] == step["high"] for step in steps)


def test_a_card_is_small(bundle: bytes) -> None:
    assert len(read_card(bundle, KEYS)) < 64_000


# the signature covers it


def test_a_card_that_was_changed_is_refused(bundle: bytes) -> None:
    at = bundle.index(b'"limits":["') + 12
    changed = bundle[:at] + b"X" + bundle[at + 1 :]

    for read in (read_card, read_bundle):
        with pytest.raises(BundleRefused, match="signature"):
            read(changed, KEYS)


# intervals


def test_intervals_are_those_of_rows_drawn_again_and_again() -> None:
    draw = np.random.default_rng(1)
    target = (draw.random(700) < 0.3).astype(np.int8)
    probability = np.round(np.clip(0.25 + 0.15 * target + 0.15 * draw.normal(size=700), 0.01, 0.99), 2).astype(np.float64)    # with ties
    found = intervals(target, probability, seed=7, resamples=1000)

    rows = [draw.integers(0, 700, 700) for _ in range(1000)]
    again = [quality(target[one], probability[one]) for one in rows]
    for name, (low, high) in found.items():
        expected = np.quantile([getattr(one, name) for one in again], [0.025, 0.975])
        assert [low, high] == pytest.approx(expected, abs=0.006), name
        assert low < getattr(quality(target, probability), name) < high
    assert intervals(target, probability, seed=7, resamples=50) == intervals(target, probability, seed=7, resamples=50)


def test_few_of_one_outcome_still_have_intervals() -> None:
    target = np.array([1, *[0] * 9], np.int8)

    assert intervals(target, np.linspace(0.9, 0.1, 10), seed=1)["auc"] == (1.0, 1.0)


# what follows from the counts


def test_every_held_out_case_meets_one_outcome(card: dict[str, Any]) -> None:
    found = {one.outcome: one for one in reading.decided(card["scores"], POLICY)}

    assert sum(one.cases for one in found.values()) == card["figures"]["rows"] == ROWS
    assert sum(one.bad for one in found.values()) == card["data"]["bad"]
    assert found[Outcome.APPROVE].cases == sum(good + bad for score, good, bad in card["scores"] if score >= 520)
    assert found[Outcome.DECLINE].bad == sum(bad for score, _, bad in card["scores"] if score < 480)


def test_the_curve_of_scores_parts_as_ks_says(card: dict[str, Any]) -> None:
    parting = reading.parting(card["scores"])

    _, bad, good = parting.widest
    assert bad - good == pytest.approx(card["figures"]["together"]["ks"], abs=0.02)    # whole scores against probabilities
    assert parting.points[-1][1:] == (1.0, 1.0)


def test_tenths_hold_all_cases_and_find_all_bad_ones() -> None:
    scores = [[300, 1, 9], [400, 15, 15], [500, 27, 3], [600, 29, 2]]

    found = reading.tenths(scores)

    assert [one.cases for one in found] == [10, 10, 10, 10, 10, 10, 10, 10, 10, 11]
    assert found[0].bad == 9
    assert (found[0].lowest, found[0].highest, found[1].lowest) == (300, 300, 400)
    assert found[0].lift == pytest.approx(0.9 / (29 / 101))
    assert found[1].lift == found[2].lift
    assert found[-1].bad_found == pytest.approx(1.0)


def test_a_handful_of_cases_has_fewer_tenths() -> None:
    assert len(reading.tenths([[400, 1, 1], [500, 1, 0]])) == 3
