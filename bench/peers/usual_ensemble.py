"""The usual way to serve a stack: three libraries, a cached shap.TreeExplainer for each, and a logistic meta-learner over their margins."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import shap

MOST_REASONS = 4
RAW: tuple[Mapping[str, Any], ...] = ({"raw_score": True}, {"output_margin": True}, {"prediction_type": "RawFormulaVal"})


class UsualEnsemble:
    """What a request handler holds after start-up: the members from their file and an explainer of each."""

    def __init__(self, file: Path, dtypes: Mapping[str, Any]) -> None:
        loaded = joblib.load(file)
        self.members, self.meta = loaded["members"], loaded["meta"]
        self.explainers = [shap.TreeExplainer(member) for member in self.members]
        self.dtypes = dict(dtypes)

    def score(self, record: Mapping[str, Any]) -> tuple[float, list[str]]:
        """The probability of the bad outcome, and the columns that raise it most over all members."""
        frame = pd.DataFrame([record]).astype(self.dtypes)
        margins = [float(member.predict(frame, **raw)[0]) for member, raw in zip(self.members, RAW, strict=True)]
        probability = float(self.meta.predict_proba([margins])[0, 1])
        parts = [np.asarray(one.shap_values(frame)).reshape(-1, frame.shape[1])[-1] for one in self.explainers]
        heaviest = np.argsort(-(self.meta.coef_[0] @ np.array(parts)))[:MOST_REASONS]
        return probability, [frame.columns[place] for place in heaviest]
