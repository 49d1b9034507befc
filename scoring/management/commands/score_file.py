"""`manage.py score_file`: a table of applicants in, a table of decisions out."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.services.files import BadRow, score_file


class Command(PartnerCommand):
    """`manage.py score_file SLUG PRODUCT --in FILE --out FILE`."""

    help = "Score every row of a table: .csv, .csv.gz or .parquet, in and out. Bad rows are listed beside OUT and stop nothing."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("--in", dest="source", required=True, type=Path, metavar="FILE", help="the applicants, one per row")
        parser.add_argument("--out", dest="destination", required=True, type=Path, metavar="FILE", help="where the decisions go")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints how many rows were scored and what is wrong with the others."""
        done = score_file(
            product_slug=options["product"], source=Path(options["source"]), destination=Path(options["destination"]),
            actor=self.actor, progress=self.progress,
        )
        values = {
            "product": options["product"], "scored": done.scored, "bad_rows": done.bad_rows, "out": str(options["destination"]),
            "errors": str(done.errors) if done.errors else None,
            "problems": [{"row": bad.row, "column": bad.column, "problem": bad.problem, "fix": bad.fix} for bad in done.shown],
        }
        lines = [f"{done.scored} rows scored into {options['destination']}."]
        if done.errors:
            lines.append(f"{done.bad_rows} rows could not be scored; each is listed in {done.errors}, the first are:")
            lines += [f"  {_place(bad)}: {bad.problem}. {bad.fix.rstrip('.')}." for bad in done.shown]
        return Result(values, *lines, succeeded=done.scored > 0)


def _place(bad: BadRow) -> str:
    return f"row {bad.row}, column {bad.column}" if bad.column else f"row {bad.row}"
