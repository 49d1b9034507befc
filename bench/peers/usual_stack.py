"""The usual way to serve an explained score: a joblib model, a one-row pandas frame, a cached shap.TreeExplainer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import shap

MOST_REASONS = 4


class UsualStack:
    """What a request handler holds after start-up: the model from its file and an explainer that was built once."""

    def __init__(self, file: Path, dtypes: Mapping[str, Any]) -> None:
        self.model = joblib.load(file)
        self.explainer = shap.TreeExplainer(self.model)
        self.dtypes = dict(dtypes)

    def score(self, record: Mapping[str, Any]) -> tuple[float, list[str]]:
        """The probability of the bad outcome and the features that raise it most."""
        frame = pd.DataFrame([record]).astype(self.dtypes)
        probability = float(self.model.predict_proba(frame)[0, 1])
        values = np.asarray(self.explainer.shap_values(frame))[..., :].reshape(-1, frame.shape[1])[-1]
        heaviest = np.argsort(-values)[:MOST_REASONS]
        return probability, [frame.columns[place] for place in heaviest]
