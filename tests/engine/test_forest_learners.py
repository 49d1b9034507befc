"""XGBoost, CatBoost, isolation forests and stacks as one forest: their libraries' bits, shap's values, and what cannot be one refused."""

import json
from dataclasses import replace
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pytest
import shap
import xgboost
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from scoring.engine.compile_catboost import compile_catboost
from scoring.engine.compile_isolation import compile_isolation
from scoring.engine.compile_stack import compile_stack
from scoring.engine.compile_xgboost import compile_xgboost
from scoring.engine.forest import CATEGORY, LEAF, Forest, UnsupportedModel, at_most, below
from scoring.engine.kernel import Plan, explain, margins
from scoring.engine.training.isolation import judge_isolation
from scoring.engine.training.judge import CompilationFailed, judge_bits, judge_float32, judge_sum, leaf_values
from scoring.engine.training.metrics import Floats
from tests.engine.test_forest import CATEGORIES, COLUMNS, hostile, rows_of

KINDS = ["c" if place in CATEGORIES else "q" for place in range(COLUMNS)]
SIGNS = (1, -1, 0, 0, 1, 0, 0)
PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def target_of(rows: Floats, seed: int) -> np.ndarray:
    known = np.nan_to_num(rows)
    noise = np.random.default_rng(seed).normal(size=len(rows))
    return (np.sign(known[:, 0]) + known[:, 2] % 3 + known[:, 5] % 4 + noise > 2.5).astype(int)


def for_xgboost(rows: Floats, target: np.ndarray | None = None) -> xgboost.DMatrix:
    return xgboost.DMatrix(rows, target, feature_types=KINDS, enable_categorical=True, nthread=1)


def grown_xgboost(seed: int, **given: Any) -> xgboost.Booster:
    """`stop`: rows that early stopping looks at; the booster ends at the best round."""
    rows, stop, trees = rows_of(seed, 400), given.pop("stop", False), given.pop("trees", 12)
    wanted = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1, "seed": seed, "verbosity": 0, "max_depth": 4, **given}
    data = for_xgboost(rows, target_of(rows, seed))
    if not stop:
        return xgboost.train(wanted, data, trees)
    other = rows_of(seed + 1, 200)
    judged = [(for_xgboost(other, target_of(other, 0)), "judge")]
    found = xgboost.train(wanted, data, 60, evals=judged, early_stopping_rounds=3, verbose_eval=False)
    return found[: found.best_iteration + 1]


def for_catboost(rows: Floats, target: np.ndarray | None = None) -> catboost.Pool:
    whole = [[int(np.nan_to_num(cell, nan=-1)) if place in CATEGORIES else cell for place, cell in enumerate(row)] for row in rows]
    return catboost.Pool(whole, target, cat_features=list(CATEGORIES), thread_count=1)


def grown_catboost(seed: int, **given: Any) -> tuple[catboost.CatBoost, catboost.Pool]:
    rows, stop = rows_of(seed, 400), given.pop("stop", False)
    pool = for_catboost(rows, target_of(rows, seed))
    other = rows_of(seed + 1, 200)
    wanted = {
        "loss_function": "Logloss", "iterations": 60 if stop else 12, "depth": 4, "one_hot_max_size": 100, "thread_count": 1,
        "random_seed": seed, "allow_writing_files": False, "logging_level": "Silent", "boosting_type": "Plain", **given,
    }    # fmt: skip
    model = catboost.CatBoost(wanted)
    model.fit(pool, eval_set=for_catboost(other, target_of(other, 0)) if stop else None, early_stopping_rounds=3 if stop else None)
    return model, pool


def written(model: catboost.CatBoost, pool: catboost.Pool, folder: Path) -> dict[str, Any]:
    model.save_model(str(folder / "model.json"), format="json", pool=pool)
    found: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return found


def codes_known_to_catboost(rows: Floats) -> Floats:
    """The same rows, category cells as whole numbers from 0, or missing: what a product's contract lets through."""
    rows = rows.copy()
    for place in CATEGORIES:
        column = rows[:, place]
        rows[:, place] = np.where(np.isfinite(column) & (column >= 0) & (column < 2**31), np.floor(column), np.nan)
    return rows


def enumerated(forest: Forest, row: Floats) -> Floats:
    """Shapley values by their definition: over all subsets of the features, the mean margin when only the subset is known."""
    width = int(forest.n_features)

    def value(node: int, known: tuple[int, ...]) -> float:
        if forest.kind[node] == LEAF:
            return float(forest.value[node])
        children = (node + 1, int(forest.right[node]))
        cell, feature = row[forest.feature[node]], int(forest.feature[node])
        if feature not in known:
            return sum(float(forest.share[child]) * value(child, known) for child in children)
        if np.isnan(cell):
            goes_left = forest.missing_left[node] == 1
        elif forest.kind[node] == CATEGORY:
            words = forest.categories[forest.category_start[node] : forest.category_start[node + 1]]
            goes_left = 0 <= cell < 32 * len(words) and bool(words[int(cell) // 32] >> np.uint32(int(cell) % 32) & 1)
        else:
            goes_left = cell <= forest.threshold[node]
        return value(children[0 if goes_left else 1], known)

    worth = {
        known: sum(value(int(root), known) for root in forest.start[:-1])
        for size in range(width + 1) for known in combinations(range(width), size)
    }
    found = np.zeros(width)
    for known, amount in worth.items():
        for feature in set(range(width)) - set(known):
            weight = factorial(len(known)) * factorial(width - len(known) - 1) / factorial(width)
            found[feature] += weight * (worth[tuple(sorted((*known, feature)))] - amount)
    return float(forest.scale) * found


@settings(max_examples=300, deadline=None)
@given(bound=st.floats(width=32, allow_nan=False), cell=st.floats(allow_nan=False), steps=st.integers(-3, 3))
@example(bound=float(np.finfo(np.float32).min), cell=0.0, steps=0)
@example(bound=float(np.finfo(np.float32).max), cell=1e39, steps=1)
def test_float32_comparisons_move_into_the_threshold(bound: float, cell: float, steps: int) -> None:
    """Also at the ends of float32, where what is rounded becomes infinite, and one step beside every tie."""
    near = float(at_most(np.array(bound)))
    for _ in range(abs(steps)):
        near = float(np.nextafter(near, np.copysign(np.inf, steps)))

    for number in (cell, near, bound):
        with np.errstate(over="ignore"):
            rounded = np.float64(number).astype(np.float32)
        assert (rounded <= bound) == (number <= at_most(np.array(bound)))
        assert bound == -np.inf or (rounded < bound) == (number <= below(np.array(bound)))


@PROPERTY
@given(
    seed=st.integers(0, 10_000), stop=st.booleans(), signs=st.sampled_from([{}, {"monotone_constraints": SIGNS}]),
    wanted=st.fixed_dictionaries({
        "max_depth": st.sampled_from([1, 2, 4, 7]), "max_cat_to_onehot": st.sampled_from([1, 100]),
        "grow_policy": st.sampled_from(["depthwise", "lossguide"]), "min_child_weight": st.sampled_from([1, 60, 100_000]),
    }),
)    # fmt: skip
def test_leaves_added_in_float32_have_xgboosts_bits(seed: int, stop: bool, signs: dict[str, Any], wanted: dict[str, Any]) -> None:
    library = grown_xgboost(seed, stop=stop, **wanted, **signs)
    rows = np.concatenate([rows_of(seed + 2, 80), hostile(seed)])
    data = for_xgboost(rows)

    forest = compile_xgboost(bytes(library.save_raw("json")))

    judge_float32("XGBoost", forest, rows, library.predict(data, output_margin=True), library.predict(data, pred_contribs=True))
    found, contributions = explain(Plan.of(forest), rows)
    assert np.abs(forest.mean() + contributions.sum(axis=1) - found).max() < 1e-9
    assert np.abs(found - library.predict(data, output_margin=True)).max() < 1e-4


@PROPERTY
@given(
    seed=st.integers(0, 10_000), depth=st.sampled_from([1, 2, 4, 6]), missing=st.sampled_from(["Min", "Max"]), signs=st.booleans(),
    stop=st.booleans(), rate=st.sampled_from([0.03, 0.3]),
)    # fmt: skip
def test_margins_have_catboosts_bits_and_contributions_its_values(
    seed: int, depth: int, missing: str, signs: bool, stop: bool, rate: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monotone = {"monotone_constraints": list(SIGNS)} if signs else {}
    library, pool = grown_catboost(seed, depth=depth, nan_mode=missing, stop=stop, learning_rate=rate, **monotone)
    rows = codes_known_to_catboost(np.concatenate([rows_of(seed + 2, 80), hostile(seed)]))
    unseen = for_catboost(rows)

    forest = compile_catboost(written(library, pool, tmp_path_factory.mktemp("catboost")), COLUMNS)

    scores = np.asarray(library.predict(unseen, prediction_type="RawFormulaVal"))
    # Where a leaf that no row reached has a value, the library's ShapValues depend on the rows asked about: the definition judges.
    is_sound = not np.any(library.get_leaf_values()[library.get_leaf_weights() == 0])
    assert is_sound or signs
    shapley = np.asarray(library.get_feature_importance(unseen, type="ShapValues")) if is_sound else None
    judge_bits("CatBoost", forest, rows, scores, shapley)


@PROPERTY
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.5, 1.0]), bootstrap=st.booleans(), size=st.sampled_from([1, 2, 64, 256]))
def test_isolation_forests_score_like_scikit_learn_and_explain_like_shap(seed: int, share: float, bootstrap: bool, size: int) -> None:
    rows = rows_of(seed, 400, 0.0)
    wanted = {"max_samples": size, "max_features": share, "bootstrap": bootstrap, "random_state": seed}
    library = IsolationForest(n_estimators=20, n_jobs=1, **wanted).fit(rows)

    judge_isolation(library, compile_isolation(library), np.nan_to_num(np.concatenate([rows_of(seed + 1, 60), hostile(seed)])))


@pytest.mark.parametrize("kind", ["xgboost", "catboost"])
def test_contributions_are_shapley_values_by_definition(kind: str, tmp_path: Path) -> None:
    if kind == "xgboost":
        forest = compile_xgboost(bytes(grown_xgboost(3, trees=4, max_depth=3, max_cat_to_onehot=1).save_raw("json")))
    else:
        forest = compile_catboost(written(*grown_catboost(3, iterations=4, depth=3), tmp_path), COLUMNS)
    rows = hostile(4)[:25]

    contributions = explain(Plan.of(forest), rows)[1]

    assert np.abs(contributions - [enumerated(forest, row) for row in rows]).max() < 1e-12


def test_contributions_of_xgboost_are_those_of_shap_in_float64() -> None:
    rows = rows_of(3, 500)[:, [0, 1, 3, 4, 6]].astype(np.float32).astype(np.float64)
    data = xgboost.DMatrix(rows, (np.nan_to_num(rows).sum(axis=1) > 0).astype(int))
    library = xgboost.train({"objective": "binary:logistic", "nthread": 1, "max_depth": 5, "seed": 1}, data, 30)
    explainer = shap.TreeExplainer(library)
    explainer.model.model_type = "internal"    # shap's own float64 code, not XGBoost's float32 pred_contribs

    contributions = explain(Plan.of(compile_xgboost(bytes(library.save_raw("json")))), rows)[1]

    assert np.abs(contributions - explainer.shap_values(rows, check_additivity=False)).max() < 1e-9


def test_contributions_of_catboost_are_those_of_shap(tmp_path: Path) -> None:
    library, pool = grown_catboost(5)
    rows = codes_known_to_catboost(hostile(5))

    contributions = explain(Plan.of(compile_catboost(written(library, pool, tmp_path), COLUMNS)), rows)[1]

    assert np.abs(contributions - shap.TreeExplainer(library).shap_values(for_catboost(rows))).max() < 1e-9


@PROPERTY
@given(seed=st.integers(0, 10_000), weights=st.lists(st.floats(0, 3), min_size=3, max_size=3), intercept=st.floats(-3, 3))
def test_a_stack_is_the_weighted_sum_of_its_members(seed: int, weights: list[float], intercept: float) -> None:
    members = [compile_xgboost(bytes(grown_xgboost(seed + k, trees=5, max_depth=3).save_raw("json"))) for k in range(2)]
    members.append(compile_isolation(IsolationForest(n_estimators=5, random_state=seed).fit(rows_of(seed, 100, 0.0))))

    joint = compile_stack(members, weights, intercept)

    judge_sum("stack", joint, list(zip(weights, members, strict=True)), intercept, np.concatenate([rows_of(seed + 2, 50), hostile(seed)]))
    assert Forest(**joint.arrays()).digest() == joint.digest()


def test_leaves_are_read_without_the_kernel() -> None:
    forest = compile_xgboost(bytes(grown_xgboost(2, trees=30, max_depth=6, max_cat_to_onehot=1).save_raw("json")))
    rows = hostile(2)

    assert np.abs(float(forest.base) + leaf_values(forest, rows).sum(axis=1) - margins(Plan.of(forest), rows)).max() < 1e-12


@pytest.mark.parametrize(("given", "said"), [
    ({"booster": "gblinear"}, "gblinear"), ({"booster": "dart"}, "dart"), ({"objective": "multi:softprob", "num_class": 2}, "one output"),
    ({"objective": "count:poisson"}, "count:poisson"),
])
def test_what_xgboost_has_and_a_forest_cannot_hold_is_refused(given: dict[str, Any], said: str) -> None:
    rows = rows_of(1, 200)[:, [0, 1]]
    data = xgboost.DMatrix(np.nan_to_num(rows), (np.nan_to_num(rows[:, 0]) > 0).astype(int))
    wanted = {"objective": "binary:logistic", "nthread": 1, "verbosity": 0, **given}
    if given.get("booster") != "gblinear":
        wanted["tree_method"] = "hist"
    library = xgboost.train(wanted, data, 3)

    with pytest.raises(UnsupportedModel, match=said):
        compile_xgboost(bytes(library.save_raw("json")))


@pytest.mark.parametrize(("given", "said"), [
    ({"one_hot_max_size": 2}, "target statistics"), ({"grow_policy": "Lossguide"}, "not symmetric"),
    ({"grow_policy": "Depthwise"}, "not symmetric"), ({"loss_function": "MultiClass", "leaf_estimation_method": "Newton"}, "one output"),
])
def test_what_catboost_has_and_a_forest_cannot_hold_is_refused(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        compile_catboost(written(*grown_catboost(2, **given), tmp_path), COLUMNS)


def test_members_that_do_not_fit_together_are_refused() -> None:
    forest = compile_isolation(IsolationForest(n_estimators=3, random_state=1).fit(rows_of(1, 50, 0.0)))
    narrow = compile_isolation(IsolationForest(n_estimators=3, random_state=1).fit(rows_of(1, 50, 0.0)[:, :3]))

    for members, weights in (([], []), ([forest], [1.0, 2.0]), ([forest, narrow], [1.0, 1.0])):
        with pytest.raises(UnsupportedModel, match="stack"):
            compile_stack(members, weights, 0.0)
    with pytest.raises(UnsupportedModel, match="IsolationForest"):
        compile_isolation(IsolationForest(n_estimators=3))


def test_the_judges_refuse_a_forest_that_differs_in_its_last_bit(tmp_path: Path) -> None:
    rows = codes_known_to_catboost(np.concatenate([rows_of(8, 80), hostile(8)]))
    first, second = grown_xgboost(1), grown_catboost(1)
    in_float32, in_float64 = compile_xgboost(bytes(first.save_raw("json"))), compile_catboost(written(*second, tmp_path), COLUMNS)
    data, pool = for_xgboost(rows), for_catboost(rows)
    scores, shares = first.predict(data, output_margin=True), first.predict(data, pred_contribs=True)
    raw = np.asarray(second[0].predict(pool, prediction_type="RawFormulaVal"))
    shapley = np.asarray(second[0].get_feature_importance(pool, type="ShapValues"))
    isolation = IsolationForest(n_estimators=5, random_state=1).fit(rows_of(1, 100, 0.0))
    moved = compile_isolation(isolation)

    with pytest.raises(CompilationFailed, match="float32"):
        judge_float32("XGBoost", _nudged(in_float32, np.float32), rows, scores, shares)
    with pytest.raises(CompilationFailed, match="bit for bit"):
        judge_bits("CatBoost", _nudged(in_float64, np.float64), rows, raw, shapley)
    with pytest.raises(CompilationFailed, match="scores"):
        judge_isolation(isolation, replace(moved, scale=moved.scale * (1 + 1e-7)), np.nan_to_num(rows))
    with pytest.raises(CompilationFailed, match="margins"):
        judge_sum("stack", in_float64, [(1.0, in_float64)], 1e-7, rows)


def test_the_judges_refuse_covers_that_differ() -> None:
    library, rows = grown_xgboost(1), rows_of(8, 80)
    forest, data = compile_xgboost(bytes(library.save_raw("json"))), for_xgboost(rows)
    share = np.array(forest.share)
    share[1] *= 0.99
    scores, shares = library.predict(data, output_margin=True), library.predict(data, pred_contribs=True)

    with pytest.raises(CompilationFailed, match="contributions"):
        judge_float32("XGBoost", replace(forest, share=share), rows, scores, shares)


def _nudged(forest: Forest, kind: type) -> Forest:
    """The same forest, every leaf of its first tree one step of the library's float away."""
    value = np.array(forest.value)
    first = np.arange(len(value)) < forest.start[1]
    value[first] = np.where(forest.kind[first] == LEAF, np.nextafter(value[first].astype(kind), kind(np.inf)), 0.0)
    return replace(forest, value=value)
