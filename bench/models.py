"""A synthetic table, and on it the models that are measured: what our bundle holds and what the usual service would load."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from scoring.engine.bundle import BundleContent
from scoring.engine.contract import Contract, Input, InputKind
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.forest import Forest
from scoring.engine.product import Product

TODAY = date(2026, 1, 1)
RECORDS = 170
DEPTH = 6    # of the members of a stack that grow by levels


@dataclass(frozen=True, slots=True)
class Case:
    """One model to serve, and how many times faster than the usual way it must be; `tolerance`: how far probabilities may differ."""

    name: str
    kind: str
    trees: int
    leaves: int
    columns: int
    categories: int
    rows: int
    required: float
    tolerance: float = 1e-12


HTTP_CASE = Case("explained score, 300 trees x 31 leaves, categories", "boosted", 300, 31, 60, 10, 20_000, 25.0)
CASES = (
    HTTP_CASE,
    Case("explained score, 300 trees x 31 leaves, floats only", "boosted", 300, 31, 60, 0, 20_000, 12.0),
    Case("explained score, 1500 trees x 63 leaves", "boosted", 1500, 63, 100, 10, 20_000, 8.0),
    # XGBoost adds in float32, we add the same leaves in float64.
    Case("explained score, stack of three, 300 trees each, floats only", "stack", 300, 31, 60, 0, 10_000, 12.0, 1e-6),
    Case("explained score, scorecard of 60 columns, categories", "scorecard", 0, 0, 60, 10, 20_000, 25.0),
)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to fit on, some of them as a client sends them, and the product that describes the same columns."""

    frame: pd.DataFrame
    target: np.ndarray
    records: list[dict[str, Any]]
    product: Product


@dataclass(frozen=True, slots=True)
class Fitted:
    """One model twice: the forest that a bundle holds, and `peer`, which goes into the usual service's joblib file."""

    case: Case
    table: Table
    forest: Forest
    peer: Any

    @property
    def dtypes(self) -> dict[str, Any]:
        """How the usual service types its frame of one row."""
        return dict(self.table.frame.dtypes)

    def content(self, product: Product | None = None) -> BundleContent:
        """What a bundle of this model holds."""
        product = product or self.table.product
        rows = FeaturePlan(product.contract, product.features).matrix(self.table.records[-10:], TODAY)
        usual = {one.name: float(value) for one, value in zip(product.features, np.nanmedian(rows, axis=0), strict=True)}
        return BundleContent(
            product=product, forest=self.forest, slope=1.0, intercept=0.0, usual=usual, golden=rows, estimator=self.case.kind, seed=42
        )


def fitted(case: Case) -> Fitted:
    """The case's model, fitted here and now; the same for the same libraries."""
    table = table_of(case)
    return Fitted(case, table, *_FIT[case.kind](case, table))


def table_of(case: Case) -> Table:
    """Skewed amounts, normal columns, categories and missing values, and a target that depends on most of them."""
    draw = np.random.default_rng(42)
    texts = {place: [f"c{code}" for code in range(5 + 6 * place)] for place in range(case.categories)}
    columns: dict[str, Any] = {}
    margin = np.full(case.rows, -2.6)
    for place in range(case.columns):
        if place in texts:
            codes = draw.integers(0, len(texts[place]), case.rows)
            margin += draw.normal(0, 0.5, len(texts[place]))[codes]
            columns[f"f{place}"] = pd.Categorical.from_codes(codes, categories=pd.Index(texts[place]))
        else:
            column = draw.lognormal(3, 1, case.rows) if place % 2 else draw.normal(size=case.rows)
            margin += draw.normal(0, 0.25) * (np.log(column) - 3 if place % 2 else column)
            column[draw.random(case.rows) < 0.05] = np.nan
            columns[f"f{place}"] = column
    frame = pd.DataFrame(columns)
    target = (draw.random(case.rows) < 1 / (1 + np.exp(-margin))).astype(int)
    return Table(frame, target, records_of(frame.head(RECORDS)), _product(case, texts))


def records_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as a client sends them."""
    return [
        {str(name): None if isinstance(value, float) and value != value else value for name, value in record.items()}
        for record in frame.to_dict("records")
    ]


def _product(case: Case, texts: Mapping[int, list[str]]) -> Product:
    inputs = tuple(
        Input(name=f"f{place}", kind=InputKind.CATEGORY, categories=tuple(texts[place]), required=False) if place in texts
        else Input(name=f"f{place}", kind=InputKind.NUMBER, required=False)
        for place in range(case.columns)
    )
    return Product(slug="bench", title="Bench", contract=Contract(inputs), features=tuple(Feature(name=one.name) for one in inputs))


def _boosted(case: Case, table: Table) -> tuple[Forest, Any]:
    import lightgbm

    from scoring.engine.compile_lightgbm import compile_lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=case.trees, num_leaves=case.leaves, learning_rate=0.03, n_jobs=1, random_state=42, verbosity=-1,
    ).fit(table.frame, table.target)
    return compile_lightgbm(model.booster_.model_to_string()), model


def _stack(case: Case, table: Table) -> tuple[Forest, Any]:
    import json
    import tempfile
    from pathlib import Path

    import catboost
    import xgboost
    from sklearn.linear_model import LogisticRegression

    from scoring.engine.compile_catboost import compile_catboost
    from scoring.engine.compile_stack import compile_stack
    from scoring.engine.compile_xgboost import compile_xgboost

    forest, boosted = _boosted(case, table)
    deep = xgboost.XGBClassifier(n_estimators=case.trees, max_depth=DEPTH, learning_rate=0.03, n_jobs=1, random_state=42)
    symmetric = catboost.CatBoostClassifier(
        iterations=case.trees, depth=DEPTH, learning_rate=0.05, thread_count=1, random_seed=42, logging_level="Silent",
        allow_writing_files=False,
    )
    members = [boosted, deep.fit(table.frame, table.target), symmetric.fit(table.frame, table.target)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.json"
        symmetric.save_model(str(file), format="json")
        written = json.loads(file.read_text())
    forests = [forest, compile_xgboost(bytes(deep.get_booster().save_raw("json"))), compile_catboost(written, case.columns)]
    margins = np.column_stack([
        boosted.predict(table.frame, raw_score=True), deep.predict(table.frame, output_margin=True),
        symmetric.predict(table.frame, prediction_type="RawFormulaVal"),
    ])    # fmt: skip
    meta = LogisticRegression().fit(margins, table.target)
    return compile_stack(forests, meta.coef_[0].tolist(), float(meta.intercept_[0])), {"members": members, "meta": meta}


def _scorecard(case: Case, table: Table) -> tuple[Forest, Any]:
    from bench.peers.usual_scorecard import scorecard_pipeline
    from scoring.engine.training.estimators import ESTIMATORS
    from scoring.engine.training.matrix import Samples
    from scoring.engine.training.trials import Candidates

    plan = FeaturePlan(table.product.contract, table.product.features)
    rows = plan.matrix(records_of(table.frame), TODAY)
    samples = Samples(rows, table.target, plan.names, plan.is_category, (0,) * len(plan.names))
    scorecard = ESTIMATORS["scorecard"].load()
    model = scorecard.fit(samples, seed=42, threads=1, search=Candidates())
    bins = {one.name: (_found(one, texts), one.values) for one, texts in zip(model.features, plan.categories, strict=True)}
    return scorecard.compile(model, samples).forest, scorecard_pipeline(bins, model.intercept, table.frame.head())


def _found(bins: Any, texts: tuple[str, ...]) -> Any:
    """How a cell of this column is found: by edges, or each category's value."""
    return {text: bins.values[group] for text, group in zip(texts, bins.groups, strict=False)} if bins.is_category else bins.edges


_FIT: Mapping[str, Callable[[Case, Table], tuple[Forest, Any]]] = {"boosted": _boosted, "stack": _stack, "scorecard": _scorecard}
