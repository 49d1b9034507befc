"""Fitting: honest folds, calibrated probabilities, small and repeatable models, signs kept, and tables that cannot train refused."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score, roc_curve

from scoring.engine.columns import Column
from scoring.engine.training import trials
from scoring.engine.training.boosted import fit_boosted
from scoring.engine.training.catboosted import fit_catboost
from scoring.engine.training.evidence import fingerprint, golden_rows, histograms
from scoring.engine.training.matrix import Samples, TrainingError, check_target, stratified_folds
from scoring.engine.training.metrics import Floats, auc, calibration_table, platt, quality, roc_points
from scoring.engine.training.scorecard import MAX_BINS, fit_scorecard
from scoring.engine.training.stacked import fit_stack
from scoring.engine.training.target import read_target
from scoring.engine.training.validate import cross_validate
from scoring.engine.training.xgboosted import fit_xgboost


def table(rows: int, *, seed: int = 3, monotone: tuple[int, ...] = (0, 0, 0)) -> Samples:
    draw = np.random.default_rng(seed)
    income, stall, delay = draw.lognormal(3, 1, rows), draw.integers(0, 6, rows).astype(float), draw.poisson(2, rows).astype(float)
    margin = -1.2 - 0.7 * np.log(income / 20) + 0.4 * delay + np.array([0, 0.8, -0.5, 0.2, 1.2, -0.9])[stall.astype(int)]
    target = (draw.random(rows) < expit(margin)).astype(np.int8)
    income[draw.random(rows) < 0.1] = np.nan
    return Samples(np.column_stack([income, stall, delay]), target, ("income", "stall", "delay"), (False, True, False), monotone)


def complete(values: Floats) -> set[bytes]:
    """The rows without a missing cell: their income tells them apart."""
    return {row.tobytes() for row in values if not np.isnan(row).any()}


FITS = [fit_boosted, fit_xgboost, fit_catboost, fit_stack, fit_scorecard]


@pytest.mark.parametrize("fit", FITS)
def test_the_figures_are_those_of_folds_the_model_has_not_seen(fit: object) -> None:
    samples, seen = table(1500), []

    class Watched:
        def __init__(self, part: Samples) -> None:
            self.rows, self.model = complete(part.values), fit(part, seed=1, threads=1)  # type: ignore[operator]

        def margins(self, values: Floats) -> Floats:
            seen.append(len(self.rows & complete(values)))
            return self.model.margins(values)  # type: ignore[no-any-return]

    result = cross_validate(samples, lambda part, *, seed, threads: Watched(part), folds=5, seed=1, threads=1, progress=lambda text: None)

    assert seen == [0] * 5
    assert 0.7 < result.mean.auc < 0.85
    assert result.mean.auc == pytest.approx(np.mean([fold.auc for fold in result.folds]))
    assert len(result.to_dict()["folds"]) == 5


@pytest.mark.parametrize("fit", FITS)
def test_probabilities_are_calibrated_on_rows_not_seen(fit: object) -> None:
    model, later = fit(table(3000), seed=1, threads=1), table(4000, seed=9)  # type: ignore[operator]

    probability = expit(model.margins(later.values))

    assert probability.mean() == pytest.approx(later.base_rate, abs=0.025)
    for group in calibration_table(later.target, probability, bins=5):
        assert group["predicted"] == pytest.approx(group["observed"], abs=0.06)


def test_a_boosters_bits_do_not_depend_on_its_number_of_threads() -> None:
    one, three = (fit_boosted(table(4_000), seed=5, threads=threads) for threads in (1, 3))

    assert one.text() == three.text()
    assert (one.trial.loss, one.trial.rounds) == (three.trial.loss, three.trial.rounds)


def test_a_booster_is_small_and_its_text_repeats() -> None:
    first, second = fit_boosted(table(800), seed=5, threads=1), fit_boosted(table(800), seed=5, threads=1)

    assert first.text() == second.text()
    assert first.settings["rounds"] * (2 * first.settings["num_leaves"] - 1) <= trials.MAX_NODES


@pytest.mark.parametrize("fit", FITS)
def test_a_declared_sign_holds_everywhere(fit: object) -> None:
    model = fit(table(1200, monotone=(-1, 0, 1)), seed=2, threads=1)  # type: ignore[operator]
    rows = table(300, seed=4).values
    rows[:, 0] = np.nan_to_num(rows[:, 0], nan=20.0)
    richer, later = rows.copy(), rows.copy()
    richer[:, 0] *= 1.7
    later[:, 2] += 2

    assert (model.margins(richer) <= model.margins(rows) + 1e-12).all()
    assert (model.margins(later) >= model.margins(rows) - 1e-12).all()


def test_a_scorecard_has_at_most_seven_bins_and_reads_the_unknown_as_missing() -> None:
    card = fit_scorecard(table(2000), seed=1, threads=1)
    known, unknown, missing = np.array([[20.0, 1, 1]]), np.array([[20.0, 77, 1]]), np.array([[20.0, np.nan, 1]])

    assert all(len(feature.values) <= MAX_BINS + 1 for feature in card.features)
    assert card.margins(unknown) == card.margins(missing)
    assert card.margins(known) != card.margins(missing)


@pytest.mark.parametrize("fit", FITS)
def test_odd_tables_are_fitted(fit: object) -> None:
    samples = table(120)
    values = np.column_stack([samples.values, np.full(120, np.nan), np.ones(120)])
    odd = Samples(values, samples.target, ("a", "b", "c", "empty", "constant"), (False, True, False, True, False), (0,) * 5)

    assert np.isfinite(fit(odd, seed=1, threads=1).margins(np.full((2, 5), np.nan))).all()  # type: ignore[operator]


def test_figures_agree_with_scikit_learn() -> None:
    draw = np.random.default_rng(2)
    target, score = draw.integers(0, 2, 500).astype(np.int8), draw.random(500).round(2)
    false, hit, _ = roc_curve(target, score)

    found = quality(target, score)

    assert found.auc == pytest.approx(roc_auc_score(target, score)) == auc(target, score)
    assert found.ks == pytest.approx((hit - false).max())
    assert found.brier == pytest.approx(np.mean((score - target) ** 2))
    assert roc_points(target, score)[0] == [0, 0]
    assert roc_points(target, score)[-1] == [1, 1]


def test_platt_never_turns_the_ranking_round() -> None:
    target = np.array([1, 1, 1, 0, 0, 0] * 20, np.int8)

    assert platt(target, np.array([-1.0, -2, -1, 1, 2, 1] * 20)) == (1.0, 0.0)


def test_margins_far_too_sure_of_themselves_are_calibrated_too() -> None:
    draw = np.random.default_rng(4)
    honest = draw.normal(-1, 1, 2_000)
    target = (draw.random(2_000) < expit(honest)).astype(np.int8)

    for sureness in (5, 20, 60):
        slope, intercept = platt(target, sureness * honest + 3)
        assert slope * sureness == pytest.approx(1, abs=0.2)
        assert intercept + 3 * slope == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize(("target", "said"), [
    ([], "no row"), ([1] * 50, "same outcome"), ([0] * 50, "same outcome"), ([1] * 4 + [0] * 96, "4 rows"),
])
def test_a_table_that_cannot_train_is_refused(target: list[int], said: str) -> None:
    with pytest.raises(TrainingError, match=said) as caught:
        check_target(np.array(target, np.int8), folds=5)

    assert caught.value.fix


def test_few_folds_still_leave_the_inner_folds_both_outcomes() -> None:
    enough = np.array([1] * 8 + [0] * 8, np.int8)

    check_target(enough, folds=2)
    with pytest.raises(TrainingError, match="7 rows; 2 folds need at least 8") as caught:
        check_target(enough[1:], folds=2)

    assert caught.value.fix == "give more rows"


def test_a_target_that_never_says_the_event_is_told_where_the_event_is_written() -> None:
    with pytest.raises(TrainingError, match="never says '1'; it says '0'") as caught:
        read_target(Column("bad", ("0",), np.zeros(3, np.int32)), "1")

    assert "`positive` in the definition" in caught.value.fix


def test_folds_part_the_rows_with_both_outcomes_in_each() -> None:
    target = np.array([1] * 11 + [0] * 89, np.int8)
    parts = stratified_folds(target, 4, seed=0)

    assert sorted(np.concatenate(parts)) == list(range(100))
    assert [int(target[part].sum()) for part in parts] == [3, 3, 3, 2]


def test_golden_rows_are_nobodys_and_evidence_repeats() -> None:
    samples = table(400)
    golden = golden_rows(samples, seed=1)

    assert not complete(samples.values) & complete(golden)
    assert np.isnan(golden).any()
    assert golden.tobytes() == golden_rows(samples, seed=1).tobytes()
    assert fingerprint(samples) == fingerprint(table(400)) != fingerprint(table(400, seed=4))
    assert [sum(one.get("counts") or one["codes"]) + one["missing"] for one in histograms(samples)] == [400] * 3
