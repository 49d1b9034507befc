"""The judge of a compiled isolation forest: scikit-learn for its scores, shap for its contributions."""

from typing import Any

import numpy as np
import shap

from scoring.engine.forest import Forest
from scoring.engine.kernel import Plan, explain
from scoring.engine.training.judge import agree
from scoring.engine.training.metrics import Floats


def judge_isolation(model: Any, forest: Forest, rows: Floats) -> None:
    """-(2 ** margin) is scikit-learn's score_samples, and contributions are shap's of the path lengths times the forest's scale, to 1e-9.

    Raises CompilationFailed."""
    margins, contributions = explain(Plan.of(forest), rows)
    agree(-(2.0**margins), model.score_samples(rows), "scores")
    lengths = np.asarray(shap.TreeExplainer(model).shap_values(rows, check_additivity=False))
    agree(contributions, lengths * float(forest.scale) * forest.trees, "contributions")
