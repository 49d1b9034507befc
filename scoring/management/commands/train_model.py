"""`manage.py train_model`: a new model version from a table, cross-validated, signed and stored as a candidate or a draft."""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from partners.console import PartnerCommand, Result, needed
from partners.models import Partner
from scoring.engine.compile_scorecard import bins_of
from scoring.engine.training.estimators import ESTIMATORS
from scoring.models import ModelVersion
from scoring.services.models import ranks_like_chance
from scoring.services.training import TrainedVersion, train_model


class Command(PartnerCommand):
    """`manage.py train_model SLUG PRODUCT --csv FILE`."""

    help = "Train a model version, print its cross-validated figures and store it, signed, as a candidate."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        needed(parser).add_argument("--csv", required=True, type=Path, metavar="FILE", help="past cases: .csv, .csv.gz or .parquet")
        parser.add_argument("--estimator", choices=tuple(ESTIMATORS), help=_estimators())
        about = "a file of the product's events; may be given again"
        parser.add_argument("--events", type=named_file, action="append", default=[], metavar="NAME=FILE", help=about)
        parser.add_argument("--folds", type=_folds, default=5, help="folds of the cross-validation (5)")
        about = "search the settings: N trials in each fit (folds + 1, and 3 over time where the product has a time column)"
        parser.add_argument("--tune", type=_trials, default=0, metavar="N", help=about)
        parser.add_argument("--draft", action="store_true", help="keep the version a draft, until somebody offers it as a candidate")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints AUC, KS, Brier, base rate, nodes, seconds, warnings and the version's number."""
        trained = train_model(
            product_slug=options["product"], table=Path(options["csv"]), estimator=options["estimator"], folds=options["folds"],
            actor=self.actor, progress=self.progress, tune=options["tune"], events=dict(options["events"]),
            state=ModelVersion.State.DRAFT if options["draft"] else ModelVersion.State.CANDIDATE,
        )
        return Result(_values(trained, options), *_lines(trained, options))


def _estimators() -> str:
    return "; ".join(f"{name}: {kind.about}" for name, kind in ESTIMATORS.items()) + " (default: the product's)"


def _trials(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 200:
        raise ArgumentTypeError("1 to 200 trials")
    return int(text)


def named_file(text: str) -> tuple[str, Path]:
    """What --events says: a name and its file. Raises ArgumentTypeError."""
    name, _, file = text.partition("=")
    if not (name and file):
        raise ArgumentTypeError("write NAME=FILE, for example transactions=trans.csv")
    return name, Path(file)


def _folds(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 20:
        raise ArgumentTypeError("2 to 20 folds")
    return int(text)


def _values(trained: TrainedVersion, options: dict[str, Any]) -> dict[str, Any]:
    shown = ("cv", "base_rate", "rows", "dropped_rows", "trees", "nodes", "seconds")
    return {
        "product": options["product"], "version": trained.version.version, "estimator": trained.version.estimator,
        "state": trained.version.state,
        **{name: trained.metrics[name] for name in shown}, "cv_time": trained.metrics.get("cv_time"), "report": trained.metrics["report"],
        "bundle_sha256": bytes(trained.version.bundle_sha256).hex(), "warnings": list(trained.warnings), "edited": list(trained.edited),
    }


def _lines(trained: TrainedVersion, options: dict[str, Any]) -> list[str]:
    metrics, version = trained.metrics, trained.version.version
    cv = metrics["cv"]
    made = f"Version {version} of {options['product']} ({trained.version.estimator})"
    return [
        f"{made} from {metrics['rows']} rows, base rate {metrics['base_rate']:.2%}.",
        f"Cross-validated in {len(cv['folds'])} folds: AUC {cv['auc']:.4f}, KS {cv['ks']:.4f}, Brier {cv['brier']:.4f}.",
        *_over_time(metrics.get("cv_time")),
        f"{_size(trained)}; {metrics['seconds']:.1f} s.",
        *(f"Warning: {warning}" for warning in trained.warnings),
        *_next(trained, f"{options['slug']} {options['product']} {version}"),
    ]


def _size(trained: TrainedVersion) -> str:
    trees, nodes = trained.metrics["trees"], trained.metrics["nodes"]
    if trained.version.estimator == "scorecard":
        return f"{trees} features with {bins_of(trees, nodes)} ranges and categories, whose points are on the model card"
    return f"{trees} trees, {nodes} nodes"


def _next(trained: TrainedVersion, named: str) -> list[str]:
    if trained.version.state == ModelVersion.State.DRAFT:
        why = " --reason WHY" if ranks_like_chance(trained.metrics) else ""
        return [f"Next: manage.py offer_model {named}{why}"]
    return [*in_force(trained.version.version, named)]


def in_force(version: int, named: str) -> tuple[str, str]:
    """How a candidate comes in force, in lines for people."""
    return (
        f"Next: one person asks on the page of model {version} to put it in force, and another one confirms.",
        f"Before there are two people: manage.py promote_model {named} --reason WHY",
    )


def _over_time(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    first, last, steps = found["steps"][0]["from"], found["steps"][-1]["to"], len(found["steps"])
    about = f"Over time, from {first} to {last} in {steps} {'steps' if steps > 1 else 'step'}, each judged by a fit on what came before"
    return [f"{about}: AUC {found['auc']:.4f}, KS {found['ks']:.4f}, Brier {found['brier']:.4f}."]
