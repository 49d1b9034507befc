"""The judge of compilation: a forest is used only when it says what the training library says."""

import numpy as np

from scoring.engine.forest import Forest
from scoring.engine.kernel import Plan, explain, margins
from scoring.engine.training.boosted import Boosted
from scoring.engine.training.metrics import Floats
from scoring.engine.training.scorecard import Scorecard

TOLERANCE = 1e-9


class CompilationFailed(RuntimeError):
    """The compiled forest differs from the model it was made from; nothing may be stored."""

    code = "compilation_failed"


def judge_boosted(model: Boosted, forest: Forest, rows: Floats) -> None:
    """The uncalibrated forest scores bit for bit like LightGBM and explains like its pred_contrib. Raises CompilationFailed."""
    plan = Plan.of(forest)
    expected = np.asarray(model.booster.predict(rows, raw_score=True))
    if margins(plan, rows).tobytes() != expected.tobytes():
        raise CompilationFailed("the compiled forest does not score bit for bit like LightGBM")
    library = np.asarray(model.booster.predict(rows, pred_contrib=True))
    _agree(explain(plan, rows)[1], library[:, :-1], "contributions")
    _agree(np.array([plan.mean]), library[:1, -1], "base")


def judge_scorecard(model: Scorecard, forest: Forest, rows: Floats) -> None:
    """The forest gives the sum of the scorecard's points and each feature its own, measured from its mean. Raises CompilationFailed."""
    plan = Plan.of(forest)
    found, contributions = explain(plan, rows)
    _agree(found, model.margins(rows), "margins")
    points = np.column_stack([feature.read(rows[:, place]) for place, feature in enumerate(model.features)])
    _agree(np.diff(contributions, axis=0), np.diff(points, axis=0), "contributions")


def _agree(ours: Floats, theirs: Floats, what: str) -> None:
    worst = float(np.abs(ours - theirs).max(initial=0.0))
    if not worst <= TOLERANCE:
        raise CompilationFailed(f"the compiled forest's {what} differ from the library's by {worst:.1e}")
