"""`manage.py examiner_bundle SLUG --to FILE.zip`: what a stranger needs to check a decision or a period."""

import uuid
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from partners.console import PartnerCommand, Result, needed
from partners.models import Partner
from portal.record.bundle import OfDecision, OfPeriod, write_bundle
from portal.record.periods import add_period, period_of


class Command(PartnerCommand):
    help = "Writes a signed ZIP about a decision or a period: events, proofs, checkpoints, models, policies, reasons, letter, verifier."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        needed(parser).add_argument("--to", type=Path, required=True, metavar="FILE", help="where to, a .zip")
        parser.add_argument("--decision", type=uuid.UUID, metavar="ID", help="about this decision")
        parser.add_argument("--with-personal-data", action="store_true", help="with the applicant's name, inputs and letter")
        add_period(parser)

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        since, until = period_of(options)
        asked: OfDecision | OfPeriod
        if options["decision"]:
            asked = OfDecision(options["decision"])
        elif since:
            asked = OfPeriod(since, until or datetime.now(UTC))
        else:
            raise CommandError("Say what about: --decision ID, or --since DAY and perhaps --until DAY.")
        path: Path = options["to"]
        with path.open("w+b") as file:
            write_bundle(asked, file, actor=self.actor, shows_personal=options["with_personal_data"])
        return Result({"file": str(path), "bytes": path.stat().st_size}, f"{path}: check it with `verify.py {path.name} --key KEYS`.")
