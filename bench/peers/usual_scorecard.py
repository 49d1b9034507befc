"""The usual way to serve a scorecard: a scikit-learn pipeline of evidence look-up and logistic regression over a one-row frame."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

MOST_REASONS = 4


class Evidence(TransformerMixin, BaseEstimator):    # type: ignore[misc,unused-ignore] # its library is not typed
    """Each cell's weight of evidence, by its bin; `bins`: name -> (edges, or category -> value; values, the last that of missing)."""

    def __init__(self, bins: Mapping[str, Any]) -> None:
        self.bins = bins

    def fit(self, frame: pd.DataFrame, target: Any = None) -> "Evidence":
        self.is_fitted_ = True
        return self

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """[rows, columns], numbers by one search each, categories by one look-up each."""
        columns = []
        for name, (found, values) in self.bins.items():
            if isinstance(found, Mapping):
                columns.append(frame[name].astype(object).map(found).fillna(values[-1]).to_numpy(float))
            else:
                cells = frame[name].to_numpy(float)
                columns.append(np.where(np.isnan(cells), values[-1], np.asarray(values)[np.searchsorted(found, cells, side="left")]))
        return np.column_stack(columns)


def scorecard_pipeline(bins: Mapping[str, Any], intercept: float, frame: pd.DataFrame) -> Pipeline:
    """A pipeline that says what these bins say: the coefficients are in their values already, so each is one here."""
    pipeline = Pipeline([("evidence", Evidence(bins)), ("regression", LogisticRegression())])
    pipeline.fit(frame, np.arange(len(frame)) % 2)
    pipeline["regression"].coef_ = np.ones((1, len(bins)))
    pipeline["regression"].intercept_ = np.array([intercept])
    return pipeline


class UsualScorecard:
    """What a request handler holds after start-up."""

    def __init__(self, file: Path, dtypes: Mapping[str, Any]) -> None:
        self.pipeline = joblib.load(file)
        self.dtypes = dict(dtypes)

    def score(self, record: Mapping[str, Any]) -> tuple[float, list[str]]:
        """The probability of the bad outcome, and the columns whose coefficient times evidence raises it most."""
        frame = pd.DataFrame([record]).astype(self.dtypes)
        evidence = self.pipeline["evidence"].transform(frame)
        regression = self.pipeline["regression"]
        probability = float(regression.predict_proba(evidence)[0, 1])
        heaviest = np.argsort(-(regression.coef_[0] * evidence[0]))[:MOST_REASONS]
        return probability, [frame.columns[place] for place in heaviest]
