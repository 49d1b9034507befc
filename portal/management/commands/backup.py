"""`manage.py backup`: one file with the whole system, or with one partner."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from partners.console import Result
from partners.models import Partner
from portal.backups.console import WITHOUT_ROOT_KEY, SystemCommand, size_of
from portal.backups.copies import make_due
from portal.backups.making import make_backup
from portal.backups.moments import make_base
from portal.backups.place import read_key


class Command(SystemCommand):
    """`manage.py backup [--partner SLUG] [--out PLACE]`."""

    help = "Write one file with the whole system, or with one partner: database, files, published checkpoints and wrapped keys."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        base = "a base backup of the embedded server instead: `restore --at` begins at one"
        parser.add_argument("--base", action="store_true", help=base)
        parser.add_argument("--due", action="store_true", help="what the scheduler calls: the copy by the clock, when it is time for one")
        parser.add_argument("--partner", metavar="SLUG", help="this partner alone")
        place = "a folder, or a file to write (VOUCH_BACKUPS, or backups in the state folder)"
        parser.add_argument("--out", type=Path, metavar="PLACE", help=place)

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints where it is, its size and its digest."""
        if options["base"]:
            base = make_base(actor=self.actor)
            return Result({"base": str(base)}, f"{base}", "Any later moment can be gone back to: manage.py restore --at TIME --yes")
        if options["due"]:
            due = make_due(report=self.progress)
            return Result({"file": due and str(due.path)}, str(due.path) if due else "No copy is due.")
        began, key = time.monotonic(), read_key(options["key_file"])
        target = options["out"] or Path(settings.BACKUPS or settings.VOUCH_HOME / "backups")
        if options["out"] is None:
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = make_backup(slug=options["partner"], target=target, key=key, actor=self.actor, report=self.progress)
        seconds = round(time.monotonic() - began, 2)
        values = {"file": str(made.path), "scope": made.scope, "partners": made.partners, "bytes": made.bytes, "sha256": made.sha256,
                  "is_sealed": made.is_sealed, "seconds": seconds}  # fmt: skip
        sealed = "sealed under your key" if made.is_sealed else "not sealed as a whole: name a --key-file"
        return Result(
            values, str(made.path), f"{size_of(made.bytes)} in {seconds} s, {made.partners} partners, {sealed}.",
            f"SHA-256 {made.sha256}", WITHOUT_ROOT_KEY,
        )  # fmt: skip
