"""The compiled forest: LightGBM's bits, shap's values, the same for one row and many, on any thread and after a fork."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pytest
import shap
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.engine.compile_lightgbm import compile_lightgbm
from scoring.engine.compile_scorecard import compile_scorecard, points_table
from scoring.engine.forest import FIELDS, Forest, UnsupportedModel
from scoring.engine.kernel import Plan, explain, margins
from scoring.engine.policy import ScoreScale
from scoring.engine.training.scorecard import BinnedFeature

CATEGORIES, COLUMNS = (2, 5), 7


def rows_of(seed: int, count: int, missing: float = 0.1) -> np.ndarray:
    """Numbers of many sizes, two columns of codes, cells that are missing."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(count, COLUMNS)) * 10.0 ** draw.integers(-3, 4, COLUMNS)
    rows[:, 2], rows[:, 5] = draw.integers(0, 6, count), draw.integers(0, 70, count)
    rows[draw.random(rows.shape) < missing] = np.nan
    return rows


def hostile(seed: int) -> np.ndarray:
    """Rows nobody trained on: unknown and negative codes, zeros, huge numbers, everything missing."""
    rows = rows_of(seed, 120, 0.3)
    draw = np.random.default_rng(seed)
    rows[:40][draw.random((40, COLUMNS)) < 0.4] = draw.choice([0.0, -0.0, 1e30, -1e30, 1e-36, -1.0, 99.0, 2.0**31, 4e9])
    rows[0] = np.nan
    return rows


def booster(seed: int, **given: Any) -> lightgbm.Booster:
    rows = rows_of(seed, 500)
    known = np.nan_to_num(rows)
    target = (np.sign(known[:, 0]) + known[:, 2] % 3 + known[:, 5] % 4 + np.random.default_rng(seed).normal(size=500) > 2.5).astype(int)
    trees = given.pop("trees", 12)
    wanted = {"objective": "binary", "verbosity": -1, "num_threads": 1, "seed": seed, "min_data_in_leaf": 5, **given}
    return lightgbm.train(wanted, lightgbm.Dataset(rows, target, categorical_feature=list(CATEGORIES), params={"verbosity": -1}), trees)


def compiled(model: lightgbm.Booster) -> Plan:
    return Plan.of(compile_lightgbm(model.model_to_string()))


@pytest.fixture(scope="module")
def model() -> lightgbm.Booster:
    return booster(1, num_leaves=31, trees=60)


@pytest.fixture(scope="module")
def plan(model: lightgbm.Booster) -> Plan:
    return compiled(model)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    leaves=st.sampled_from([2, 3, 8, 31, 90]),
    sets=st.sampled_from([1, 4, 100]),
    missing=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
    signs=st.sampled_from([None, "basic", "advanced"]),
)
def test_margins_have_lightgbms_bits_and_contributions_its_values(
    seed: int, leaves: int, sets: int, missing: dict[str, bool], signs: str | None
) -> None:
    monotone = {"monotone_constraints": [1, -1, 0, 0, 1, 0, 0], "monotone_constraints_method": signs} if signs else {}
    library = booster(seed, num_leaves=leaves, max_cat_to_onehot=sets, **missing, **monotone)
    rows = np.concatenate([rows_of(seed + 1, 80), hostile(seed)])

    plan = compiled(library)
    found, contributions = explain(plan, rows)

    assert found.tobytes() == np.asarray(library.predict(rows, raw_score=True)).tobytes()
    assert margins(plan, rows).tobytes() == found.tobytes()
    expected = np.asarray(library.predict(rows, pred_contrib=True))
    assert np.abs(contributions - expected[:, :-1]).max() < 1e-9
    assert abs(plan.mean - expected[0, -1]) < 1e-9
    assert np.abs(plan.mean + contributions.sum(axis=1) - found).max() < 1e-9


def test_contributions_are_those_of_shap(model: lightgbm.Booster, plan: Plan) -> None:
    rows = hostile(3)

    expected = np.asarray(shap.TreeExplainer(model)(rows).values).reshape(len(rows), COLUMNS)

    assert np.abs(explain(plan, rows)[1] - expected).max() < 1e-9


def test_one_row_has_the_bits_it_has_among_many(plan: Plan) -> None:
    rows = np.concatenate([rows_of(7, 5_000), hostile(7)])

    found, contributions = explain(plan, rows)

    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = explain(plan, rows[order])
    assert shuffled[0].tobytes() == found[order].tobytes()
    assert shuffled[1].tobytes() == contributions[order].tobytes()
    for place in range(0, len(rows), 97):
        one, parts = explain(plan, rows[place : place + 1])
        assert (one.tobytes(), parts.tobytes()) == (found[place : place + 1].tobytes(), contributions[place : place + 1].tobytes())


def test_eight_threads_share_a_plan_and_no_buffer(plan: Plan) -> None:
    parts = [rows_of(seed, 150) for seed in range(24)]
    alone = [explain(plan, part)[1].tobytes() for part in parts]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda part: explain(plan, part)[1].tobytes(), parts * 4))

    assert together == alone * 4


def test_a_forked_worker_answers_with_the_same_bits(plan: Plan) -> None:
    rows = hostile(5)
    expected = explain(plan, rows)[1].tobytes()
    reading, writing = os.pipe()

    child = os.fork() if sys.version_info < (3, 12) else _fork_quietly()
    if child == 0:
        os.write(writing, b"same" if explain(plan, rows)[1].tobytes() == expected else b"else")
        os._exit(0)

    os.close(writing)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reading, 10) == b"same"
    os.close(reading)


def _fork_quietly() -> int:
    with pytest.warns(DeprecationWarning, match="fork"):    # that threads are running is what this test is about
        return os.fork()


def test_paths_of_many_features_stay_exact() -> None:
    draw = np.random.default_rng(4)
    rows = draw.normal(size=(3_000, 40))
    target = (rows.sum(axis=1) + draw.normal(size=3_000) > 0).astype(int)
    data = lightgbm.Dataset(rows, target, params={"verbosity": -1})
    wide = {"objective": "binary", "verbosity": -1, "num_leaves": 400, "min_data_in_leaf": 1, "feature_fraction_bynode": 0.1}
    library = lightgbm.train({**wide, "num_threads": 1}, data, 3)

    plan = compiled(library)

    assert plan.blocks.max() > 1
    expected = np.asarray(library.predict(rows[:60], pred_contrib=True))[:, :-1]
    assert np.abs(explain(plan, rows[:60])[1] - expected).max() < 1e-9


@pytest.mark.parametrize("given", [{"linear_tree": True}, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}])
def test_what_a_forest_cannot_hold_is_refused(given: dict[str, Any]) -> None:
    library = booster(2, **given)

    with pytest.raises(UnsupportedModel):
        compile_lightgbm(library.model_to_string())


def test_arrays_that_are_no_forest_are_refused(model: lightgbm.Booster) -> None:
    forest = compile_lightgbm(model.model_to_string())

    def changed(name: str, place: int, value: float) -> dict[str, np.ndarray]:
        arrays = {field: np.array(array) for field, array in forest.arrays().items()}
        arrays[name][place] = value
        return arrays

    wrong = [
        ("feature", 0, COLUMNS), ("feature", 0, -1), ("right", 0, 0), ("right", 0, 10**6), ("kind", 0, 9), ("kind", 0, 0),
        ("value", 1, np.inf), ("threshold", 0, np.nan), ("share", 1, 2.0), ("start", 1, 2), ("missing_left", 0, 7),
        ("category_start", -1, 10**6),
    ]    # fmt: skip
    for name, place, value in wrong:
        with pytest.raises(UnsupportedModel):
            Forest(**changed(name, place, value))


def test_the_digest_knows_every_array(model: lightgbm.Booster) -> None:
    forest = compile_lightgbm(model.model_to_string())

    assert Forest(**forest.arrays()).digest() == forest.digest()
    assert set(forest.arrays()) == set(FIELDS)
    assert replace(forest, base=np.array(1e-300)).digest() != forest.digest()


def test_rows_of_another_width_are_refused(plan: Plan) -> None:
    with pytest.raises(ValueError, match="rows must be"):
        explain(plan, np.zeros((2, COLUMNS + 1)))


CARD = (
    BinnedFeature("months", False, (6.0, 12.0, 36.0), (), (-0.4, -0.1, 0.2, 0.9, 0.3)),
    BinnedFeature("stall", True, (), (0, 1, 1, 2, 0), (0.5, -0.6, 0.1, 0.25)),
    BinnedFeature("constant", False, (), (), (0.125, 0.5)),
    BinnedFeature("empty", True, (), (), (0.75,)),
)
COUNTS = [(10.0, 20.0, 30.0, 40.0, 0.0), (50.0, 25.0, 15.0, 10.0), (90.0, 10.0), (100.0,)]


def test_a_scorecard_is_a_forest_of_one_feature_trees() -> None:
    plan = Plan.of(compile_scorecard(CARD, -1.25, COUNTS))
    draw = np.random.default_rng(1)
    rows = np.column_stack([
        draw.choice([-1.0, 6.0, 6.0001, 12.0, 36.0, 37.0, np.nan], 400), draw.choice([0, 1, 2, 3, 4, 5, 300, -1, np.nan], 400),
        draw.choice([1.0, np.nan], 400), draw.choice([0.0, np.nan], 400),
    ])    # fmt: skip

    found, contributions = explain(plan, rows)

    values = np.column_stack([feature.read(rows[:, place]) for place, feature in enumerate(CARD)])
    usual = np.array([np.average(feature.values, weights=rows) for feature, rows in zip(CARD, COUNTS, strict=True)])
    assert np.abs(found - (values.sum(axis=1) - 1.25)).max() < 1e-12
    assert np.abs(contributions - (values - usual)).max() < 1e-12
    assert plan.mean == pytest.approx(usual.sum() - 1.25, abs=1e-12)


def test_a_scorecard_shows_its_points() -> None:
    table = points_table(CARD[:2], ScoreScale(points_to_double=40))

    assert [(row.above, row.up_to, row.codes, row.is_missing) for row in table] == [
        (None, 6.0, (), False), (6.0, 12.0, (), False), (12.0, 36.0, (), False), (36.0, None, (), False), (None, None, (), True),
        (None, None, (0, 4), False), (None, None, (1, 2), False), (None, None, (3,), False), (None, None, (), True),
    ]    # fmt: skip
    assert table[0].points == pytest.approx(0.4 * 40 / np.log(2))


def test_bins_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(UnsupportedModel):
        compile_scorecard([replace(CARD[0], edges=(6.0, 5.0, 36.0))], 0.0, COUNTS[:1])
    with pytest.raises(UnsupportedModel):
        compile_scorecard(CARD[:1], 0.0, [(1.0, 2.0)])


def test_serving_imports_no_training_library() -> None:
    code = (
        "import sys; import scoring.engine.pipeline, scoring.engine.compile_lightgbm, scoring.engine.compile_scorecard\n"
        "from scoring.engine import compile_xgboost, compile_catboost, compile_isolation, compile_stack\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'lightgbm', 'xgboost', 'catboost', 'optuna', 'pandas', 'sklearn', 'shap', 'pyarrow', 'joblib', 'django'}))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)

    assert done.stdout.strip() == "[]"
