"""`manage.py create_product`: a product whose contract is read off a table, or a ready-made one."""

from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from partners.console import PartnerCommand, Result, needed
from partners.models import Partner
from scoring.engine.products.ready import READY
from scoring.engine.synthetic import write_table
from scoring.engine.tables import TableError
from scoring.engine.training.draft import Draft, draft_product
from scoring.engine.training.events import EventsFile
from scoring.engine.training.infer import Roles
from scoring.engine.training.matrix import TrainingError
from scoring.errors import ProductExists, TableRefused
from scoring.models import Product
from scoring.services.definitions import definition_file, write_definition
from scoring.services.products import create_product

TRIAL_ROWS = 3_000
_OF_TABLES = ("target", "positive", "id", "time", "protected", "exclude", "events")
_HEADINGS = {"assumed": "Assumed:", "left_out": "Left out:", "looks_wrong": "Looks wrong:"}


class Command(PartnerCommand):
    """`manage.py create_product SLUG PRODUCT --from-csv FILE --target COL`, or with `--ready NAME`."""

    help = (
        "Make a product from a table: its contract is inferred, written to a file you can edit, and what was assumed is said. "
        "Or take a ready-made one."
    )

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug, for example stall-loan")
        source = needed(parser).add_mutually_exclusive_group(required=True)
        source.add_argument("--from-csv", type=Path, metavar="FILE", help="past cases: .csv, .csv.gz or .parquet")
        ready = "; ".join(f"{name}: {one.about}" for name, one in READY.items())
        source.add_argument("--ready", metavar="NAME", help=f"a ready-made product ({ready})")
        parser.add_argument("--write-table", type=Path, metavar="FILE", help=f"with --ready: write {TRIAL_ROWS:,} invented cases")
        parser.add_argument("--target", metavar="COL", help="the column that says what happened; needed with --from-csv")
        parser.add_argument("--positive", metavar="VALUE", help="the value of the target that is predicted, where it is not clear")
        parser.add_argument("--id", metavar="COL", help="the column with your own reference of the applicant")
        parser.add_argument("--time", metavar="COL", help="the column with the date of the case")
        parser.add_argument("--protected", type=_names, default=(), metavar="A,B", help="columns kept for fairness, never a feature")
        parser.add_argument("--exclude", type=_names, default=(), metavar="A,B", help="columns to leave out")
        about = "events of the applicants, their column that joins both files, and that of the day; may be given again"
        parser.add_argument("--events", type=_events_file, action="append", default=[], metavar="NAME=FILE:KEY:TIME", help=about)
        parser.add_argument("--title", default="", help="the product's name as people read it")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints the inputs, what was assumed, left out and looks wrong, and where to edit it."""
        _check_together(options)
        return self._ready(partner, options) if options["ready"] else self._from_table(options)

    def _ready(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        assert partner is not None
        ready, table = READY[options["ready"]], options["write_table"]
        definition = replace(ready.product(partner.currency), slug=options["product"])
        definition = replace(definition, title=options["title"]) if options["title"] else definition
        if table:
            _write_new(Path(table), ready.table(TRIAL_ROWS, seed=1))
        try:
            path = write_definition(create_product(definition=definition, policy=ready.policy, actor=self.actor))
        except ProductExists as refusal:
            raise ProductExists(f"{refusal.detail} Choose another slug.{f' The table {table} is written.' if table else ''}") from refusal
        values = {
            "product": definition.slug, "ready": options["ready"], "inputs": [asdict(one) for one in definition.contract.inputs],
            "definition": str(path), "table": str(table) if table else None,
        }  # fmt: skip
        train = f"manage.py train_model {options['slug']} {definition.slug} --csv {table or 'FILE'}"
        inputs = [f"  {one.name}: {one.title}, {one.help}" for one in definition.contract.inputs]
        wanted = f"a table with these columns, {definition.id_column} and {definition.target} (1: it happened)"
        table_told = f"{TRIAL_ROWS:,} invented cases are in {table}: for trials only." if table else f"FILE is {wanted}."
        return Result(
            values, f"Product {definition.slug}, ready-made ({options['ready']}); its rules answer until a model is in force.", "",
            "Inputs:", *inputs, "", f"The definition is {path}: edit it if you like.", f"Next: {train}", table_told,
        )  # fmt: skip

    def _from_table(self, options: dict[str, Any]) -> Result:
        roles = Roles(id=options["id"], time=options["time"], protected=_names(options["protected"]), exclude=_names(options["exclude"]))
        self.progress(f"reading {options['from_csv']}")
        try:
            draft = draft_product(
                Path(options["from_csv"]), slug=options["product"], title=options["title"], target=options["target"],
                positive=options["positive"], roles=roles, events=options["events"], memory=settings.TRAINING_MEMORY_MB * 1024**2 or None,
            )
        except (TableError, TrainingError) as refusal:
            raise TableRefused(str(refusal)) from refusal
        try:
            path = write_definition(create_product(definition=draft.product, policy=draft.policy, actor=self.actor))
        except ProductExists as refusal:
            raise ProductExists(_instead(refusal, options)) from refusal
        return Result(_values(draft, path), *_lines(draft, path, options))


def _check_together(options: dict[str, Any]) -> None:
    """Raises TableRefused for options that do not go together."""
    if options["ready"]:
        if options["ready"] not in READY:
            raise TableRefused(f"There is no ready-made product {options['ready']!r}; choose one of {', '.join(READY)}.")
        if idle := [f"--{name}" for name in _OF_TABLES if options[name]]:
            raise TableRefused(f"{', '.join(idle)}: only with --from-csv; edit a ready-made product's definition afterwards.")
    elif not options["target"]:
        raise TableRefused("Say with --target which column of the table tells what happened.")
    elif options["write_table"]:
        raise TableRefused("--write-table goes with --ready; with --from-csv the table is there already.")


def _write_new(path: Path, rows: list[dict[str, Any]]) -> None:
    """The rows are in a file that was not there before. Raises TableRefused."""
    try:
        path.open("x").close()
        write_table(path, rows)
    except FileExistsError as error:
        raise TableRefused(f"{path} is there already; name a file that is not.") from error
    except OSError as error:
        raise TableRefused(f"{path} cannot be written: {error.strerror}; name a file in a folder of yours.") from error


def _instead(refusal: ProductExists, options: dict[str, Any]) -> str:
    path = definition_file(options["product"])
    if not path.exists():
        write_definition(Product.objects.get(slug=options["product"]))
    train = f"manage.py train_model {options['slug']} {options['product']} --csv {options['from_csv']}"
    return f"{refusal.detail} To change it, edit {path}, then {train}; for a new product choose another slug."


def _events_file(text: str) -> EventsFile:
    try:
        return EventsFile.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def _names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for name in given.split(",") if name.strip()) if isinstance(given, str) else given


def _values(draft: Draft, path: Path) -> dict[str, Any]:
    found: dict[str, list[dict[str, str]]] = {kind: [] for kind in _HEADINGS}
    for finding in draft.findings:
        found[finding.kind].append({"column": finding.column, "text": finding.text})
    contract = draft.product.contract
    return {
        "product": draft.product.slug, "rows": draft.rows, "target": draft.target.name, "positive": draft.target.positive,
        "base_rate": draft.target.base_rate, "inputs": [asdict(one) for one in contract.inputs], "definition": str(path), **found,
    }


def _lines(draft: Draft, path: Path, options: dict[str, Any]) -> list[str]:
    event = f"{draft.target.name} = {draft.target.positive}"
    lines = [
        f"Product {draft.product.slug} from {draft.rows} rows; {event} in {draft.target.base_rate:.2%} of them.",
        "", "Inputs:", *(f"  {line}" for line in draft.described_inputs()),
    ]
    for kind, heading in _HEADINGS.items():
        if found := [f"  {finding}" for finding in draft.findings if finding.kind == kind]:
            lines += ["", heading, *found]
    train = f"manage.py train_model {options['slug']} {draft.product.slug} --csv {options['from_csv']}"
    train += "".join(f" --events {one.name}={one.file}" for one in options["events"])
    return [*lines, "", f"The definition is {path}: edit it, then train.", f"Next: {train}"]
