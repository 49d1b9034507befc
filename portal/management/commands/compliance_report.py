"""`manage.py compliance_report SLUG --out FILE`: the compliance report of a period as PDF/A, CSV or JSON."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from partners.console import PartnerCommand, Result, needed
from partners.models import Partner
from portal.compliance.files import as_csv, as_json, as_pdf
from portal.compliance.report import compliance_report, last_month, period_of


class Command(PartnerCommand):
    help = "Writes the compliance report of a period; the file's ending says how: .pdf, .csv or .json."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        needed(parser).add_argument("--out", type=_file, required=True, metavar="FILE", help="where it goes: .pdf, .csv or .json")
        parser.add_argument("--since", type=_day, metavar="DAY", help="the first day, such as 2026-10-01 (else of the last month)")
        parser.add_argument("--until", type=_day, metavar="DAY", help="the last day (else of the last month)")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        assert partner is not None
        usual, file = last_month(datetime.now(UTC).date()), options["out"]
        period = period_of(options["since"] or usual.first, options["until"] or max(usual.last, options["since"] or usual.last))
        report = compliance_report(period, actor=self.actor)
        made = as_pdf(report, partner.name) if file.suffix == ".pdf" else as_csv(report) if file.suffix == ".csv" else as_json(report)
        file.write_bytes(made)
        findings = [f"{row.item}: {row.figures['times']}" for row in report.sections["findings"]]
        told = {"file": str(file), "first": str(period.first), "last": str(period.last), "findings": findings}
        return Result(told, f"{file}: {period.first} to {period.last}, {len(made)} bytes.", *(f"open: {one}" for one in findings))


def _file(text: str) -> Path:
    found = Path(text)
    if found.suffix not in {".pdf", ".csv", ".json"}:
        raise ArgumentTypeError(f"{text!r} must end in .pdf, .csv or .json")
    if not found.parent.is_dir():
        raise ArgumentTypeError(f"there is no folder {str(found.parent)!r}: make it first")
    return found


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is not a day such as 2026-10-01") from error
