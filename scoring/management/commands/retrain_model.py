"""`manage.py retrain_model`: a product trained again on how its own decisions turned out, now or every week."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring import selectors
from scoring.errors import TrainingRefused
from scoring.management.commands.train_model import named_file
from scoring.models import Job
from scoring.services import jobs
from scoring.services.files import WAIT_SECONDS
from scoring.services.retraining import DAYS, begin_retraining, plan_retraining
from scoring.services.work import work_on

NEVER = "never"


class Command(PartnerCommand):
    """`manage.py retrain_model SLUG PRODUCT`."""

    help = "Train a product again on its decisions whose outcomes are known, and compare the result with the model in force."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        about = "plan it for every week on this day instead of doing it now; never: only when somebody asks"
        parser.add_argument("--every", choices=(*DAYS, NEVER), help=about)
        about = "the table of past cases to join from now on, on this machine; an empty name forgets it"
        parser.add_argument("--csv", metavar="FILE", help=about)
        about = "a file of that table's events; may be given again"
        parser.add_argument("--events", type=named_file, action="append", default=[], metavar="NAME=FILE", help=about)

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints the plan, or the version that was made with both models' figures on the newest outcomes."""
        product, tables = options["product"], _tables(options)
        if options["every"] or tables is not None:
            weekday = _weekday(options["every"]) if options["every"] else selectors.retraining_plan(product).weekday
            plan = plan_retraining(product_slug=product, weekday=weekday, tables=tables, actor=self.actor)
            if options["every"]:
                values = {"product": product, "every": options["every"], "next_on": plan.next_on, "tables": plan.tables}
                return Result(values, _planned(product, options["every"], plan.next_on))
        job = begin_retraining(product_slug=product, actor=self.actor)
        self._work(job)
        job.refresh_from_db()
        if job.state == Job.State.FAILED:
            raise TrainingRefused(job.problem)
        version = selectors.model_version(product, job.body["version"])
        newest = version.metrics["retrained"]["newest"]
        values = {"product": product, "version": version.version, "state": version.state, **version.metrics["retrained"]}
        return Result(values, *_lines(version, newest, f"{options['slug']} {product} {version.version}"))

    def _work(self, job: Job) -> None:
        """The job is over, whoever did it: a worker of the portal may be quicker."""
        while not jobs.finish_job(job.id).is_over:
            if not work_on(job):
                time.sleep(WAIT_SECONDS)    # a worker of the portal has it; no signal says when it is through, or its lease runs out


def _weekday(every: str) -> int | None:
    return None if every == NEVER else DAYS.index(every)


def _tables(options: dict[str, Any]) -> dict[str, Any] | None:
    """What the plan keeps of the files; None when none was named."""
    if options["csv"] is None:
        if options["events"]:
            raise TrainingRefused("--events belong to a table: name it with --csv.")
        return None
    if not options["csv"]:
        return {}
    for file in (Path(options["csv"]), *dict(options["events"]).values()):
        if not file.is_file():
            raise TrainingRefused(f"There is no file {file}.")
    events = {name: str(file.resolve()) for name, file in options["events"]}
    return {"csv": str(Path(options["csv"]).resolve()), "events": events}


def _planned(product: str, every: str, next_on: Any) -> str:
    if every == NEVER:
        return f"'{product}' is trained again only when somebody asks."
    return f"'{product}' is trained again every {every.capitalize()}, first on {next_on}, while `manage.py up` runs."


def _lines(version: selectors.ModelVersionSummary, newest: dict[str, Any], named: str) -> list[str]:
    told = version.metrics["retrained"]
    joined = f" and {told['original_rows']:,} rows of the original table" if told["original_rows"] else ""
    made = f"Version {version.version} of {version.product} ({version.estimator})"
    return [
        f"{made} from {told['cases']:,} decisions{joined}; it is a {version.state}.",
        against(newest),
        f"Next: manage.py {'offer_model' if version.state == 'draft' else 'set_challenger'} {named}",
    ]


def against(newest: dict[str, Any]) -> str:
    """Both models on the newest outcomes, in a sentence."""
    about = f"On the newest {newest['rows']:,} outcomes ({newest['bad']:,} bad), which it has not seen"
    if "new_auc" not in newest:
        return f"{about}, nothing can be compared: they all ended alike."
    if newest["champion"] is None:
        return f"{about}: AUC {newest['new_auc']:.4f}, Brier {newest['new_brier']:.4f}; no model is in force to compare with."
    gained = f"{newest['new_auc'] - newest['old_auc']:+.4f}, {newest['low']:+.4f} to {newest['high']:+.4f} with 95% certainty"
    return f"{about}: AUC {newest['new_auc']:.4f}, model {newest['champion']} in force {newest['old_auc']:.4f} ({gained})."
