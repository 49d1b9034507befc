"""The compliance report over HTTP."""

from datetime import date, datetime

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.description import described, query
from partners.api.queries import day, read_query
from partners.api.views import ApiView, answer_bytes, principal_of
from portal.compliance.files import as_json
from portal.compliance.report import compliance_report, last_month, period_of


class ReportedPeriod(msgspec.Struct, frozen=True):
    """The first and the last day, in UTC."""

    first: date
    last: date


class ReportedRow(msgspec.Struct, frozen=True):
    """One thing, such as a product or a reason, and its figures by name."""

    item: str
    figures: dict[str, int | str]


class ComplianceReport(msgspec.Struct, frozen=True):
    """Rows by section: decisions, applications, reasons, people, models, notices, privacy, retention, record, findings."""

    period: ReportedPeriod
    made_at: datetime
    made_by: str
    sections: dict[str, list[ReportedRow]]


class ComplianceReportView(ApiView):
    """What happened in a period."""

    permissions = {"GET": Permission.RECORD_READ}

    @described(
        "Make a compliance report", operation="compliance_report", gives=ComplianceReport, refuses=(400, 422),
        parameters=(
            query("since", "The first day; without it, of the last month.", type="string", format="date"),
            query("until", "The last day.", type="string", format="date"),
        ),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """The report; that it was made is recorded."""
        wanted, usual = read_query(request, {"since": day, "until": day}), last_month(timezone.now().date())
        period = period_of(wanted.get("since", usual.first), wanted.get("until", max(usual.last, wanted.get("since", usual.last))))
        return answer_bytes(as_json(compliance_report(period, actor=principal_of(request).actor)))
