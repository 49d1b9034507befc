"""`manage.py score_file`: a table of applicants in, a table of decisions out."""

import contextlib
import subprocess
import sys
import uuid
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings

from partners.console import PartnerCommand, Result, needed
from partners.models import Partner
from scoring.management.commands.train_model import named_file
from scoring.services.files import WAIT_SECONDS, Fault, score_file

MOST_WORKERS = 64


class Command(PartnerCommand):
    """`manage.py score_file SLUG PRODUCT --in FILE --out FILE`."""

    help = "Score every row of a table: .csv, .csv.gz or .parquet, in and out. Bad rows are listed beside OUT and stop nothing."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        required = needed(parser)
        required.add_argument("--in", dest="source", required=True, type=Path, metavar="FILE", help="the applicants, one per row")
        required.add_argument("--out", dest="destination", required=True, type=Path, metavar="FILE", help="where the decisions go")
        parser.add_argument(
            "--workers", type=_workers, default=1, metavar="N", help="processes that work on it (1: this one; 0: the workers of the portal)"
        )

        about = "a file of the events that the product reads, held in memory whole; may be given again"
        parser.add_argument("--events", type=named_file, action="append", default=[], metavar="NAME=FILE", help=about)

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints how many rows were scored and what is wrong with the others."""
        done = score_file(
            product_slug=options["product"], source=Path(options["source"]), destination=Path(options["destination"]),
            actor=self.actor, progress=self.progress, workers=options["workers"], helper=self._helper,
            events=dict(options["events"]),
        )
        values = {
            "product": options["product"], "scored": done.scored, "bad_rows": done.bad_rows, "out": str(options["destination"]),
            "answered_by_rules": done.by_rules, "errors": str(done.errors) if done.errors else None,
            "problems": [{**asdict(fault), "row": fault.rows[0]} for fault in done.faults], "repeated_references": asdict(done.repeated),
        }
        lines = [f"{done.scored} rows scored into {options['destination']}."]
        if done.errors:
            lines.append(f"{done.bad_rows} rows could not be scored; each is listed in {done.errors}:")
            lines += [f"  {_place(fault)}: {fault.problem}. {fault.fix.rstrip('.')}." for fault in done.faults]
        if done.repeated.count:
            rows = _rows(done.repeated.count, done.repeated.rows)
            lines.append(f"Warning: the reference of an earlier row again in {rows}; each is one more decision about the same applicant.")
        if done.by_rules:
            promote = f"manage.py promote_model {options['slug']} {options['product']} VERSION"
            lines.append(f"Warning: no model but the product's rules answered {done.by_rules} of these rows; {promote} puts one in force.")
        return Result(values, *lines, succeeded=done.scored > 0)

    @contextlib.contextmanager
    def _helper(self, job_id: uuid.UUID) -> Iterator[None]:
        """Another process works on the job; it ends with the job, or with this process."""
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "work_on_job", self.partner.slug, str(job_id)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603
        try:
            yield
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(WAIT_SECONDS * 50)
            process.terminate()
            process.wait()


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) > MOST_WORKERS:
        raise ArgumentTypeError(f"{text!r} is not a number of processes from 0 to {MOST_WORKERS}")
    return int(text)


def _place(fault: Fault) -> str:
    rows = _rows(fault.count, fault.rows)
    return f"{rows}, column {fault.column}" if fault.column else rows


def _rows(count: int, first: tuple[int, ...]) -> str:
    named = ", ".join(map(str, first))
    if count == 1:
        return f"row {named}"
    return f"rows {named}" if count == len(first) else f"{count} rows, the first {named}"
