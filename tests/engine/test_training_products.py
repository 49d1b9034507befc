"""The ready-made product: declared soundly, trainable on invented loans, repeatable to the byte, judged by the libraries."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from scoring.engine.bundle import read_bundle, sign_bundle
from scoring.engine.compile_lightgbm import compile_lightgbm
from scoring.engine.pipeline import AnsweredBy, ServingModel, score
from scoring.engine.policy import Policy
from scoring.engine.product import Product
from scoring.engine.products.credit import MARKET_LOAN, MARKET_LOAN_POLICY
from scoring.engine.products.tontine import TONTINE_CREDIT
from scoring.engine.synthetic import market_loans, write_table
from scoring.engine.training.boosted import fit_boosted, judge_boosted
from scoring.engine.training.estimators import ESTIMATORS, Compiled
from scoring.engine.training.judge import CompilationFailed
from scoring.engine.training.matrix import TrainingError
from scoring.engine.training.rows import read_training_rows
from scoring.engine.training.train import Trained, TrainingRequest, train

TODAY = date(2026, 1, 1)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loans") / "loans.csv"
    write_table(path, market_loans(600, seed=5))
    return path


def run(table: Path, estimator: str = "scorecard", product: Product = MARKET_LOAN, threads: int = 1) -> Trained:
    request = TrainingRequest(product=product, table=table, estimator=estimator, folds=2, seed=3, threads=threads, decided_on=TODAY)
    return train(request, lambda line: None)


def test_the_declaration_is_sound_and_survives_being_written() -> None:
    assert Product.from_dict(MARKET_LOAN.to_dict()) == MARKET_LOAN
    assert Policy.from_dict(MARKET_LOAN_POLICY.to_dict()) == MARKET_LOAN_POLICY
    assert not {"age", "gender"} & {source for feature in MARKET_LOAN.features for source in feature.sources}


def test_tontine_credit_asks_for_its_six_inputs() -> None:
    assert [one.name for one in TONTINE_CREDIT.contract.inputs] == [
        "tontine_contributions", "punctuality_rate", "contributions_count", "mobile_tx_volume", "avg_payment_delay_days",
        "community_endorsements",
    ]  # fmt: skip
    assert all(feature.monotone for feature in TONTINE_CREDIT.features)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_its_rules_answer_with_reasons_when_no_model_does(language: str) -> None:
    values = {one.name: market_loans(1, seed=1)[0].get(one.name) for one in MARKET_LOAN.contract.inputs}
    late = {**values, "longest_delay_days": 45.0, "months_trading": 3}

    (result,) = score(ServingModel.of_rules(MARKET_LOAN), MARKET_LOAN_POLICY, [late], decided_on=TODAY, language=language)

    assert result.answered_by is AnsweredBy.RULES
    assert [reason.code for reason in result.reasons][:2] == ["late_before", "new_trader"]
    assert all(len(reason.text) > 20 for reason in result.reasons)


@pytest.mark.parametrize("estimator", list(ESTIMATORS))
def test_the_same_table_and_seed_give_the_same_bytes_on_any_number_of_cores(table: Path, estimator: str) -> None:
    first, second = (run(table, estimator, threads=threads) for threads in (1, 2))

    assert first.bundle == second.bundle
    assert first.metrics["cv"] == second.metrics["cv"]
    assert first.metrics["cv"]["auc"] > 0.6


def test_rows_that_the_contract_refuses_are_dropped_and_told(table: Path, tmp_path: Path) -> None:
    rows = market_loans(300, seed=5)
    rows[0]["term_months"], rows[1]["stall"], rows[2]["defaulted"] = 999, "spaceship", None
    write_table(tmp_path / "t.csv", rows)

    read = read_training_rows(tmp_path / "t.csv", MARKET_LOAN, decided_on=TODAY)

    assert (len(read.samples.target), read.dropped) == (297, 3)
    assert any("term_months" in reason for reason in read.reasons)
    assert "3 rows were dropped" in run(tmp_path / "t.csv").warnings[0]


def test_a_table_whose_rows_are_all_refused_is_refused_with_the_reasons(tmp_path: Path) -> None:
    rows = [{**row, "stall": "spaceship"} for row in market_loans(50, seed=5)]
    write_table(tmp_path / "t.csv", rows)

    with pytest.raises(TrainingError, match="stall: Send one of"):
        run(tmp_path / "t.csv")


def test_a_forest_that_differs_from_its_library_is_refused(table: Path) -> None:
    samples = read_training_rows(table, MARKET_LOAN, decided_on=TODAY).samples
    model, other = (fit_boosted(samples, seed=seed, threads=1) for seed in (1, 2))
    forest = compile_lightgbm(model.text())

    judge_boosted(model, Compiled(forest, 1.0, 0.0), samples.values)
    with pytest.raises(CompilationFailed, match="bit for bit"):
        judge_boosted(other, Compiled(forest, 1.0, 0.0), samples.values)


def test_the_bundle_serves_log_odds_that_add_up(table: Path) -> None:
    key = Ed25519PrivateKey.generate()
    signed = sign_bundle(run(table, "boosted").bundle, sign=key.sign, key_id="k" * 16)
    bundle = read_bundle(signed, {"k" * 16: key.public_key().public_bytes_raw()})
    values = [{one.name: row.get(one.name) for one in MARKET_LOAN.contract.inputs} for row in market_loans(40, seed=9)]

    results = score(ServingModel.of_bundle(bundle), MARKET_LOAN_POLICY, values, decided_on=TODAY)

    for result in results:
        log_odds = np.log(result.probability / (1 - result.probability))
        assert result.base + sum(result.contributions.values()) == pytest.approx(log_odds, abs=1e-9)
    assert len({result.probability for result in results}) > 10
