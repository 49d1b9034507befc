"""The compliance report as a page and as files."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from audit.errors import PeriodRefused
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.compliance.files import as_csv, as_json, as_pdf, sheets
from portal.compliance.report import Period, compliance_report, last_month, period_of

TYPES: Mapping[str, str] = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8", "json": "application/json"}


class ComplianceReportPage(Page):
    """/compliance-report: what happened in a period, on one page or as a file (`format`)."""

    permission = Permission.RECORD_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The period that the address names; without one the month that is over."""
        usual, problem = last_month(timezone.now().date()), ""
        try:
            period = _asked(request, usual)
        except PeriodRefused as refusal:
            period, problem = usual, refusal.detail
        kind = request.GET.get("format", "")
        context: dict[str, Any] = {"period": period, "problem": problem, "formats": TYPES}
        if problem:
            return render(request, "portal/compliance_report.html", context, status=422)
        report = compliance_report(period, actor=self.actor)
        if kind in TYPES:
            partner = request.partner.name  # type: ignore[attr-defined]
            made = as_pdf(report, partner) if kind == "pdf" else as_csv(report) if kind == "csv" else as_json(report)
            name = f"compliance-{period.first}-{period.last}.{kind}"
            return HttpResponse(made, content_type=TYPES[kind], headers={"Content-Disposition": f'attachment; filename="{name}"'})
        return render(request, "portal/compliance_report.html", {**context, "report": report, "sheets": sheets(report)})


def _asked(request: HttpRequest, usual: Period) -> Period:
    """Raises PeriodRefused."""
    given = {name: request.GET.get(name, "") for name in ("since", "until")}
    if not any(given.values()):
        return usual
    try:
        first, last = (datetime.strptime(given[name], "%Y-%m-%d").date() for name in ("since", "until"))  # noqa: DTZ007 - days, in UTC
    except ValueError as error:
        raise PeriodRefused(fields={"since": "Give both days, such as 2026-10-01."}) from error
    return period_of(_within(first), _within(last))


def _within(day: date) -> date:
    """Raises PeriodRefused for a year that no record can be of."""
    if not 1900 <= day.year <= 9000:
        raise PeriodRefused(fields={"since": "Give both days, such as 2026-10-01."})
    return day
