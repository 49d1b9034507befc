"""One training run: a table and a product in, an unsigned bundle with everything it should know about itself out."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.engine.bundle import BundleContent, write_bundle
from scoring.engine.card import CHANCE
from scoring.engine.compile_scorecard import bins_of
from scoring.engine.contract import InputKind
from scoring.engine.forest import Forest
from scoring.engine.kernel import Plan, explain
from scoring.engine.memory import Memory
from scoring.engine.product import Product
from scoring.engine.training.card import Training, write_card
from scoring.engine.training.estimators import ESTIMATORS, Kind, load_optional
from scoring.engine.training.evidence import fingerprint, golden_rows, histograms
from scoring.engine.training.forward import ForwardValidation, validate_forward
from scoring.engine.training.intervals import LEVEL, intervals
from scoring.engine.training.leakage import suspects, told
from scoring.engine.training.matrix import Samples, TrainingError, check_target
from scoring.engine.training.memory import TrainingMemory
from scoring.engine.training.rows import TrainingRows, read_training_rows
from scoring.engine.training.trials import Candidates
from scoring.engine.training.validate import CrossValidation, cross_validate

if TYPE_CHECKING:
    from scoring.engine.training.tuning import Tuning

LIBRARIES = ("numpy", "scikit-learn", "scipy", "shap")
JUDGED_ROWS = 500
EXPLAINED_ROWS = 2_000
SMALL_TABLE = 500
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """What is asked of one run. `decided_on` is the day ages are counted at where the table tells none."""

    product: Product
    table: Path
    estimator: str
    folds: int
    seed: int
    threads: int
    decided_on: date
    tune: int = 0                   # trials of the search in each fit; 0: none
    journals: Path | None = None    # where a search keeps what it tried
    events: Mapping[str, Path] = field(default_factory=dict)
    memory: int | None = None       # bytes that the run may take; None: what the machine has to spare

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "TrainingRequest":
        return cls(
            product=Product.from_dict(given["product"]), table=Path(given["table"]), estimator=given["estimator"], folds=given["folds"],
            seed=given["seed"], threads=given["threads"], decided_on=date.fromisoformat(given["decided_on"]),
            tune=given.get("tune", 0), journals=Path(given["journals"]) if given.get("journals") else None,
            events={name: Path(file) for name, file in given.get("events", {}).items()}, memory=given.get("memory"),
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """The unsigned bundle, what the product should show about it, and what a person should hear."""

    bundle: bytes
    metrics: dict[str, Any]
    warnings: list[str]


def train(request: TrainingRequest, progress: Progress) -> Trained:
    """Cross-validates, fits on all rows, compiles and judges. The same table, product, seed and libraries give the same bundle.

    Raises TableError, TrainingError, LearnerMissing and CompilationFailed."""
    began = time.monotonic()
    kind = _kind(request.estimator)
    estimator, tuning = kind.load(), _tuning(request, kind, progress)
    rows = _read(request, progress)
    samples, leaks = rows.samples, suspects(rows.samples)
    for line in (*rows.duplicates.told(), *told(leaks)):
        progress(f"look at this: {line}")
    fit = partial(estimator.fit, search=tuning or Candidates())
    figures = cross_validate(samples, fit, folds=request.folds, seed=request.seed, threads=request.threads, progress=progress)
    forward = None
    if rows.days is not None:
        forward = validate_forward(samples, rows.days, fit, seed=request.seed, threads=request.threads, progress=progress)
    progress("fitting on all rows")
    model = fit(samples, seed=request.seed, threads=request.threads)
    golden = golden_rows(samples, seed=request.seed)
    compiled = estimator.compile(model, samples)
    estimator.judge(model, compiled, np.concatenate([golden, samples.values[:JUDGED_ROWS]]))
    forest, slope, intercept = compiled.forest, compiled.slope, compiled.intercept
    progress(f"compiled: {made_of(request.estimator, forest.trees, forest.nodes)}, judged by the library")
    metrics = _metrics(rows, figures, forest, samples, slope, request.seed)
    bounds = intervals(figures.target, figures.probability, seed=request.seed)
    metrics |= {"auc_interval": list(bounds["auc"]), "report": {"duplicates": rows.duplicates.to_dict(), "leakage": dict(leaks)}}
    if forward:
        metrics["cv_time"] = forward.to_dict()
    content = BundleContent(
        product=request.product, forest=forest, slope=slope, intercept=intercept, usual=_usual(samples, request.product), golden=golden,
        estimator=request.estimator, seed=request.seed, metrics=metrics, data=_data(rows),
        settings={**model.settings, **({"tuned_trials": request.tune} if tuning else {})},
        versions=_versions(*LIBRARIES, *kind.packages, *(["optuna"] if tuning else [])),
    )
    progress("writing the model card")
    body = write_bundle(content, card=write_card(Training(content=content, rows=rows, figures=figures, bounds=bounds, model=model)))
    if tuning:
        tuning.forget()
    # Seconds differ from run to run, so they are told but are no part of the bundle.
    warnings = [*_warnings(rows, figures), *without_signal(metrics), *rows.duplicates.told(), *told(leaks)]
    warnings += _over_time(rows, figures, forward)
    return Trained(body, {**metrics, "seconds": round(time.monotonic() - began, 2)}, warnings)


def made_of(estimator: str, trees: int, nodes: int) -> str:
    """The size of a model in words; a scorecard is compiled to trees and is none."""
    if estimator == "scorecard":
        return f"{trees} features with {bins_of(trees, nodes)} ranges and categories"
    return f"{trees} trees, {nodes} nodes"


def without_signal(metrics: Mapping[str, Any]) -> list[str]:
    """Why the version is no candidate and what to try, where its ranking cannot be told from chance; else nothing."""
    low, high = metrics["auc_interval"]
    if low > CHANCE:
        return []
    return [
        f"its ranking cannot be told from chance (AUC {low:.3f} to {high:.3f} with {LEVEL:.0%} certainty), so it stays a draft: look "
        "whether the target is the right column, add inputs or events that are known before the decision, or train on more cases"
    ]


def _read(request: TrainingRequest, progress: Progress) -> TrainingRows:
    """The rows, if they and the fit on them have room in memory, and both outcomes. Raises TableError and TrainingError."""
    progress(f"reading {request.table.name}")
    features = len(request.product.features)
    memory = TrainingMemory(Memory.of_this_machine(request.memory), features=features, estimator=request.estimator)
    rows = read_training_rows(request.table, request.product, decided_on=request.decided_on, events=request.events, memory=memory)
    samples = rows.samples
    if not len(samples.target) and rows.dropped:
        raise TrainingError(f"no row can be used: {'; '.join(rows.reasons)}", fix="repair the table, or edit the product's definition")
    check_target(samples.target, folds=request.folds)
    memory.check(len(samples.target))
    progress(f"{len(samples.target)} rows, {len(samples.names)} features, base rate {samples.base_rate:.2%}")
    return rows


def _kind(estimator: str) -> Kind:
    if estimator not in ESTIMATORS:
        raise TrainingError(f"there is no estimator {estimator!r}", fix=f"use one of {', '.join(ESTIMATORS)}")
    return ESTIMATORS[estimator]


def _tuning(request: TrainingRequest, kind: Kind, progress: Progress) -> "Tuning | None":
    if not request.tune:
        return None
    if not kind.is_tunable:
        raise TrainingError(f"{kind.about} has no settings to search", fix="leave out --tune, or name another --estimator")
    if request.journals is None:
        raise ValueError("a search needs a folder for its journals")
    tuning: Tuning = load_optional("scoring.engine.training.tuning").Tuning(request.tune, request.journals, progress)
    return tuning


def _versions(*packages: str) -> dict[str, str]:
    return {"python": ".".join(map(str, sys.version_info[:3])), **{name: version(name) for name in packages}}


def _metrics(rows: TrainingRows, figures: CrossValidation, forest: Forest, samples: Samples, slope: float, seed: int) -> dict[str, Any]:
    return {
        "cv": figures.to_dict(), "base_rate": round(samples.base_rate, 6), "rows": len(samples.target), "dropped_rows": rows.dropped,
        "trees": forest.trees, "nodes": forest.nodes, "calibration": figures.calibration, "roc": figures.roc,
        "importance": _importance(forest, samples, slope, seed),
    }


def _importance(forest: Forest, samples: Samples, slope: float, seed: int) -> dict[str, float]:
    """Mean absolute contribution to the log-odds, over a sample of the rows; heaviest first."""
    chosen = np.random.default_rng(seed).permutation(len(samples.target))[:EXPLAINED_ROWS]
    _, contributions = explain(Plan.of(forest), samples.values[np.sort(chosen)])
    weights = (slope * np.abs(contributions).mean(axis=0)).tolist()
    heaviest = sorted(zip(samples.names, weights, strict=True), key=lambda pair: (-pair[1], pair[0]))
    return {name: round(weight, 6) for name, weight in heaviest}


def _usual(samples: Samples, product: Product) -> dict[str, float]:
    """What is usual among those without the event: the middle of numbers, the most frequent of categories and of yes and no."""
    good, usual = samples.values[samples.target == 0], {}
    kinds = {one.name: one.kind for one in product.contract.inputs}
    for place, feature in enumerate(product.features):
        column = good[:, place]
        column = column[~np.isnan(column)]
        if not len(column):
            continue
        is_answer = samples.is_category[place] or (feature.kind == "input" and kinds[feature.sources[0]] is InputKind.BOOLEAN)
        texts, counts = np.unique(column, return_counts=True)
        usual[feature.name] = float(texts[counts.argmax()] if is_answer else np.median(column))
    return usual


def _data(rows: TrainingRows) -> dict[str, Any]:
    about = {"fingerprint": fingerprint(rows.samples), "rows": len(rows.samples.target), "histograms": histograms(rows.samples)}
    return {**about, "span": list(rows.span)} if rows.span else about


def _warnings(rows: TrainingRows, figures: CrossValidation) -> list[str]:
    found = list(rows.warnings)
    if rows.dropped:
        found.append(f"{rows.dropped} rows were dropped: {'; '.join(rows.reasons)}")
    if len(rows.samples.target) < SMALL_TABLE:
        found.append(f"{len(rows.samples.target)} rows are few: the figures may be off by several points")
    if figures.mean.auc > 0.98:
        found.append(f"an AUC of {figures.mean.auc:.3f} is too good to be true: look for a column that gives the target away")
    if figures.mean.auc < 0.55:
        found.append("the inputs tell hardly anything about the target")
    if figures.rows < len(rows.samples.target):
        found.append(f"cross-validated on a stratified sample of {figures.rows} rows; the model is fitted on all")
    return found


def _over_time(rows: TrainingRows, figures: CrossValidation, forward: ForwardValidation | None) -> list[str]:
    if rows.days is None:
        return []
    if forward is None:
        return ["too few days, rows or outcomes to validate over time: the figures are those of shuffled folds only"]
    undated = f"{forward.undated} rows tell no day: they are not validated over time, and ages in them are counted at today"
    return [told for told in (undated if forward.undated else "", forward.worse(figures)) if told]
