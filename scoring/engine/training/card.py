"""The model card's immutable part, made once when a version is trained: what it is for, from what, how good, why, and its limits."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from scoring.engine.bundle import BundleContent
from scoring.engine.card import CHANCE, FORMAT
from scoring.engine.contract import Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.kernel import Plan, explain
from scoring.engine.policy import HIGHEST_SCORE, LOWEST_SCORE, ScoreScale
from scoring.engine.product import Product
from scoring.engine.training.estimators import ESTIMATORS
from scoring.engine.training.intervals import LEVEL, RESAMPLES, Interval
from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Flags, Floats, quality
from scoring.engine.training.points import points_of
from scoring.engine.training.rows import TrainingRows
from scoring.engine.training.shapley import agreement, by_shap
from scoring.engine.training.validate import CrossValidation

SHOWN = 20               # features by importance; the rest is told together
SWARM_FEATURES = 12
SWARM_ROWS = 300
EXPLAINED_ROWS = 2_000
STEPS = 10               # steps of a dependence picture, equally filled
SMALLEST_STEP = 10       # rows; fewer are shown with no step of their own
THOUSANDTHS = 1_000      # contributions are stored as whole thousandths of log-odds
UNKNOWN = -1             # the quantile of a missing value, and of a category, which has none
FEW_ROWS, FEW_BAD, OFTEN_MISSING = 2_000, 200, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What one run knows when it is over."""

    content: BundleContent
    rows: TrainingRows
    figures: CrossValidation
    bounds: Mapping[str, Interval]
    model: Any


def write_card(run: Training) -> bytes:
    """The card as JSON with sorted keys and no spaces: the same bytes for the same run. It holds no row of anybody: contributions stand
    beside the quantile of their value, feature by feature, in an order of their own, so that nothing of two features can be joined."""
    content, samples = run.content, run.rows.samples
    product, importance = content.product, content.metrics["importance"]
    chosen = np.sort(np.random.default_rng(content.seed).permutation(len(samples.target))[:EXPLAINED_ROWS])
    rows = samples.values[chosen]
    served = content.slope * explain(Plan.of(content.forest), rows)[1]
    heaviest = [samples.names.index(name) for name in list(importance)[:SWARM_FEATURES]]
    card = {
        "format": FORMAT,
        "purpose": _purpose(product),
        "data": {**{name: content.data[name] for name in ("fingerprint", "rows", "span") if name in content.data},
                 "bad": int(samples.target.sum()), "dropped_rows": run.rows.dropped, "time_column": product.time_column},
        "features": [_feature(product, feature) for feature in product.features],
        "left_out": _left_out(product),
        "learner": _learner(content),
        "figures": _figures(run.figures, run.bounds),
        "over_time": content.metrics.get("cv_time"),
        "roc": run.figures.roc, "calibration": run.figures.calibration,
        "scores": _scores(run.figures.target, _score(run.figures.probability, product.scale)),
        "protected": _protected(run),
        "scale": asdict(product.scale),
        "importance": _importance(product, importance),
        "explained": {
            "library": f"shap {version('shap')}", "rows": len(rows), "judged_rows": len(rows[:SWARM_ROWS]),
            "agrees_within": agreement(served[:SWARM_ROWS], by_shap(content.estimator, run.model, samples, rows[:SWARM_ROWS])),
            "swarm": [_swarm(samples, place, rows[:SWARM_ROWS], served) for place in heaviest],
            "dependence": [_dependence(product, samples, place, rows, served) for place in heaviest],
        },
        "limits": limits(run),
        **({"points": points_of(run.model, product, samples)} if content.estimator == "scorecard" else {}),
    }    # fmt: skip
    return json.dumps(card, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()


def _purpose(product: Product) -> dict[str, Any]:
    return {"product": product.slug, "title": product.title, "kind": product.kind, "target": product.target, "positive": product.positive}


def _feature(product: Product, feature: Feature) -> dict[str, Any]:
    said = {"name": feature.name, "label": product.label(feature, "en"), "kind": feature.kind, "inputs": list(feature.sources)}
    return {**said, "group": feature.group, "unit": feature.unit, "monotone": feature.monotone}


def _left_out(product: Product) -> list[dict[str, str]]:
    """Inputs that are asked for and that no feature looks at."""
    used = {name for feature in product.features for name in feature.sources}
    unused = [one for one in product.contract.inputs if one.name not in used]
    return [{"name": one.name, "label": one.title, "why": _why(one)} for one in unused]


def _why(one: Input) -> str:
    return "protected" if one.is_protected else "personal" if one.is_personal else "not used"


def _learner(content: BundleContent) -> dict[str, Any]:
    return {
        "estimator": content.estimator, "about": ESTIMATORS[content.estimator].about, "settings": dict(content.settings),
        "seed": content.seed, "versions": dict(content.versions), "trees": content.forest.trees, "nodes": content.forest.nodes,
        "slope": content.slope, "intercept": content.intercept, "forest": content.forest.digest(),
    }    # fmt: skip


def _figures(figures: CrossValidation, bounds: Mapping[str, Interval]) -> dict[str, Any]:
    """Means and spread of the folds; over all rows, each held out once, with intervals."""
    told = figures.to_dict()
    names = ("auc", "ks", "brier")
    spread = {name: round(float(np.std([fold[name] for fold in told["folds"]], ddof=1)), 6) for name in names}
    together = quality(figures.target, figures.probability)
    return {
        "folds": told["folds"], "mean": {name: told[name] for name in names}, "spread": spread, "rows": told["rows"],
        "together": {name: round(getattr(together, name), 6) for name in names},
        "interval": {name: list(bounds[name]) for name in names}, "level": LEVEL, "resamples": RESAMPLES,
    }    # fmt: skip


def _protected(run: Training) -> list[dict[str, Any]]:
    """How each protected input's groups fared while they were held out; no model looks at them."""
    figures, score = run.figures, _score(run.figures.probability, run.content.product.scale)
    return [
        {"name": one.name, "label": one.label, "groups": one.figures(figures.held, figures.target, figures.probability, score)}
        for one in run.rows.groupings
    ]


def _score(probability: Floats, scale: ScoreScale) -> NDArray[np.int64]:
    exact = scale.anchor_score - scale.factor * (logit(probability) + np.log(scale.anchor_odds))
    score: NDArray[np.int64] = np.rint(np.clip(exact, LOWEST_SCORE, HIGHEST_SCORE)).astype(np.int64)
    return score


def _scores(target: Flags, score: NDArray[np.int64]) -> list[list[int]]:
    """[score, good, bad]: how many held-out rows had this score. Every cut-off can be judged from it."""
    bad, good = (np.bincount(score[target == one], minlength=HIGHEST_SCORE + 1) for one in (1, 0))
    return [[at, int(good[at]), int(bad[at])] for at in range(LOWEST_SCORE, HIGHEST_SCORE + 1) if good[at] or bad[at]]


def _importance(product: Product, importance: Mapping[str, float]) -> dict[str, Any]:
    """Mean absolute contributions in log-odds: the heaviest features, the rest together, and groups with all of their features."""
    groups: defaultdict[str, float] = defaultdict(float)
    for feature in product.features:
        groups[feature.group or product.label(feature, "en")] += importance[feature.name]
    ordered = sorted(groups.items(), key=lambda one: (-one[1], one[0]))
    return {
        "features": [[name, weight] for name, weight in list(importance.items())[:SHOWN]],
        "others": [len(importance) - min(SHOWN, len(importance)), round(sum(list(importance.values())[SHOWN:]), 6)],
        "groups": [[name, round(weight, 6)] for name, weight in ordered[:SHOWN]],
    }    # fmt: skip


def _swarm(samples: Samples, place: int, rows: Floats, served: Floats) -> dict[str, Any]:
    """Points [contribution in thousandths of log-odds, quantile of the value in per cent], sorted, so that no row can be followed."""
    parts = np.rint(served[: len(rows), place] * THOUSANDTHS).astype(np.int64)
    quantiles = np.full(len(rows), UNKNOWN) if samples.is_category[place] else _quantiles(samples.values[:, place], rows[:, place])
    return {"feature": samples.names[place], "points": sorted(map(list, zip(parts.tolist(), quantiles.tolist(), strict=True)))}


def _quantiles(column: Floats, cells: Floats) -> np.ndarray:
    """In per cent: the middle of the places that the cell's value takes among all known values of its column."""
    known = np.sort(column[~np.isnan(column)])
    if not len(known):
        return np.full(len(cells), UNKNOWN)
    middle = (np.searchsorted(known, cells, side="left") + np.searchsorted(known, cells, side="right")) / (2 * len(known))
    return np.where(np.isnan(cells), UNKNOWN, np.rint(100 * middle)).astype(np.int64)


def _dependence(product: Product, samples: Samples, place: int, rows: Floats, served: Floats) -> dict[str, Any]:
    """The mean contribution and its middle 80 % for each step of the value; steps of few rows are left out."""
    column, parts = rows[:, place], served[:, place]
    told = [_step(label, parts[chosen]) for label, chosen in _parted(product, samples, place, column) if chosen.sum() >= SMALLEST_STEP]
    return {"feature": samples.names[place], "steps": told}


def _step(label: dict[str, Any], parts: Floats) -> dict[str, Any]:
    low, high = np.quantile(parts, [0.1, 0.9])
    told = {name: round(float(value), 4) for name, value in (("mean", parts.mean()), ("low", low), ("high", high))}
    return {**label, "rows": len(parts), **told}


def _parted(product: Product, samples: Samples, place: int, column: Floats) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Each step with the rows that are in it: words by themselves, numbers `above` one edge and up to the next, missing last."""
    feature, known = product.features[place], column[~np.isnan(column)]
    source = next(one for one in product.contract.inputs if one.name == feature.sources[0])
    missing = ({"missing": True}, np.isnan(column))
    if samples.is_category[place] or (feature.kind == "input" and source.kind is InputKind.BOOLEAN):
        words = source.categories if samples.is_category[place] else ("no", "yes")
        return [*(({"is": word}, column == code) for code, word in enumerate(words)), missing]
    steps = max(1, min(STEPS, len(known) // SMALLEST_STEP))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, steps + 1)[1:-1], method="lower")) if len(known) else np.empty(0)
    ends = [None, *(float(edge) for edge in edges if edge < known.max()), None]
    found = []
    for above, upto in pairwise(ends):
        inside = ~np.isnan(column) & (column > (-np.inf if above is None else above)) & (column <= (np.inf if upto is None else upto))
        found.append(({"above": above, "upto": upto}, inside))
    return [*found, missing]


def limits(run: Training) -> list[str]:
    """What the figures do not say and where the model is weak, in sentences a reader of the card can act on."""
    samples, product = run.rows.samples, run.content.product
    said = [*_of_size(run), *_of_time(run), *_of_repeats(run.content.metrics["report"]), *_of_groups(run)]
    said.append(
        "It learned from cases whose outcome is known. Who was refused before is not among them, so it says less about people like them."
    )
    missing = [name for place, name in enumerate(samples.names) if np.isnan(samples.values[:, place]).mean() > OFTEN_MISSING]
    if missing:
        said.append(f"Often not known (more than {OFTEN_MISSING:.0%} of the rows): {_listed(product, missing)}.")
    if not any(samples.monotone):
        said.append("No feature is held to a direction: more of something may count for a person here and against them there.")
    said += [f"{one[0].upper()}{one[1:]}." for one in run.rows.warnings]
    said.append("Values beyond those of the table are answered like the nearest ones that were there; that was not tested.")
    return said


def _of_size(run: Training) -> list[str]:
    target, figures, said = run.rows.samples.target, run.figures, []
    bad = int(target.sum())
    rare = min(bad, len(target) - bad)
    if len(target) < FEW_ROWS or rare < FEW_BAD:
        said.append(
            f"The table is small ({len(target)} rows, {rare} of the rarer outcome): the figures may be as far off as their intervals."
        )
    if figures.rows < len(target):
        said.append(f"The figures are those of a sample of {figures.rows} rows; the model is fitted on all {len(target)}.")
    if run.rows.dropped:
        share = run.rows.dropped / (run.rows.dropped + len(target))
        said.append(f"{run.rows.dropped} rows of the table ({share:.1%}) could not be used; the model knows nothing of cases like them.")
    if figures.mean.auc > 0.98:
        said.append("It ranks too well to be true: a column may give the outcome away.")
    if run.bounds["auc"][0] <= CHANCE:
        said.append("It cannot be told from chance: the interval of its AUC includes 0.5.")
    elif figures.mean.auc < 0.55:
        said.append("It ranks hardly better than chance.")
    return said


def _of_time(run: Training) -> list[str]:
    if run.rows.span is None:
        return ["The table tells no dates: the model was judged on cases of the same time as those it learned from, not on later ones."]
    span, over_time = " to ".join(text[:10] for text in run.rows.span), run.content.metrics.get("cv_time")
    if over_time is None:
        return [f"Its cases are from {span}, and the folds mix them: they were too few to judge it on later cases only."]
    against = f"against {run.figures.mean.auc:.3f} in shuffled folds"
    return [f"Its cases are from {span}. Fitted on the past and judged on what followed, its AUC is {over_time['auc']:.3f}, {against}."]


def _of_repeats(report: Mapping[str, Any]) -> list[str]:
    """What training reported of the table: rows that come twice, features that rank the outcome alone."""
    words = {
        "copies": ("are exact copies of another", "a copy in another fold makes the figures too good"),
        "contradictions": ("have the inputs of another but the other outcome", "no model can tell them apart"),
        "references": ("repeat the reference of another", "applicants who come more than once are known from one fold to another"),
    }
    counts = {name: report["duplicates"][name]["rows"] for name in words}
    said = [f"Rows that {words[name][0]}: {count}; {words[name][1]}." for name, count in counts.items() if count]
    leaks = [f"“{name}” alone ranks the outcome with an AUC of {one:.3f}: it may give it away." for name, one in report["leakage"].items()]
    return said + leaks


def _of_groups(run: Training) -> list[str]:
    protected = [one.title for one in run.content.product.contract.inputs if one.is_protected]
    compared, said = [one.label for one in run.rows.groupings], []
    if compared:
        said.append(f"Groups by {', '.join(compared)} are compared on cases with a known outcome only; why they differ is not told.")
    if missing := [title for title in protected if title not in compared]:
        said.append(f"Whether it treats people alike whatever their {', '.join(missing)} was not tested.")
    if protected:
        return said
    return ["No input is marked as protected: whether it treats groups of people alike was not tested and cannot be told from this card."]


def _listed(product: Product, names: Sequence[str]) -> str:
    labels = {feature.name: product.label(feature, "en") for feature in product.features}
    rest = f" and {len(names) - SWARM_FEATURES} more" if len(names) > SWARM_FEATURES else ""
    return ", ".join(labels[name] for name in names[:SWARM_FEATURES]) + rest
