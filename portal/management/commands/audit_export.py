"""`manage.py audit_export SLUG --to FILE`: the record as JSON lines that anybody can check with audit/verify.py."""

import gzip
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit import exporting
from audit.verify import EVERY
from partners.console import PartnerCommand, Result, needed
from partners.models import Partner
from portal.record.keys import keys_document
from portal.record.periods import add_period, period_of


class Command(PartnerCommand):
    takes_operators = True
    help = "Writes the record, or what was recorded in a period, as lines that `python3 verify.py FILE --key KEYS` checks without Vouch."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        needed(parser).add_argument("--to", type=Path, required=True, metavar="FILE", help="where to; a name in .gz is packed")
        parser.add_argument("--keys", type=Path, metavar="FILE", help="write the partner's public keys there too")
        add_period(parser)

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        since, until = period_of(options)
        is_whole = since is None and until is None
        span = exporting.whole() if is_whole else exporting.period(since or datetime(1900, 1, 1, tzinfo=UTC), until or datetime.now(UTC))
        exporting.record_export(span, kind="jsonl", actor=self.actor)
        path: Path = options["to"]
        with gzip.open(path, "wb") if path.suffix == ".gz" else path.open("wb") as file:
            for number, line in enumerate(exporting.lines(span), start=1):
                file.write(line)
                if number % EVERY == 0:
                    self.progress(f"{number} lines")
        if options["keys"]:
            options["keys"].write_bytes(keys_document())
        values = {"file": str(path), "events": span.events, "first": span.first, "size": span.checkpoint.size}
        return Result(values, f"{span.events} events, to the checkpoint of {span.checkpoint.size}: {path}")
