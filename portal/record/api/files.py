"""The record over HTTP as files: exports and the examiner bundle."""

import uuid
from datetime import UTC, datetime
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from audit import exporting
from partners.accounts.roles import Permission
from partners.api.description import described, query
from partners.api.errors import Fault, QueryRefused
from partners.api.queries import identifier, moment, one_of, read_query
from partners.api.views import ApiView, OneRenderer, principal_of
from portal.record.api.views import FILTER_PARAMETERS, FILTERS, filters_of
from portal.record.bundle import OfDecision, OfPeriod
from portal.record.files import bundle, event_table, record_lines

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class AnyAnswer(OneRenderer):
    """Files are sent whatever the caller says to accept."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        """The one renderer, for refusals."""
        return renderers[0], "application/json"


class ExportView(ApiView):
    """The record as a file."""

    permissions = {"GET": Permission.RECORD_READ}
    content_negotiation_class = AnyAnswer
    kind = ""    # where the route says it

    @described(
        "Export the record", operation="audit_export", refuses=(400, 404),
        parameters=(query("format", "`jsonl`: what verify.py checks, whole or of a period. `csv`: a table of the events.", type="string",
                          enum=["csv", "jsonl"], default="jsonl"), *FILTER_PARAMETERS),
        text="Sent while it is read, and recorded. `jsonl` takes the times and no other filter; its format is told in the first lines of "
        "verify.py. Cells of the `csv` that a spreadsheet would run are made inert.",
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        """The file."""
        wanted = read_query(request, {**FILTERS, **({} if self.kind else {"format": one_of("csv", "jsonl")})})
        kind, principal = self.kind or wanted.pop("format", "jsonl"), principal_of(request)
        if kind == "csv":
            return event_table(filters_of(wanted, principal), actor=principal.actor)
        since, until = wanted.pop("recorded_at[gte]", None), wanted.pop("recorded_at[lt]", None)
        if wanted:
            told = "Lines that can be checked are of the whole record or of a period: leave it out, or ask for csv."
            raise QueryRefused([Fault(name, "not_with_jsonl", told, is_parameter=True) for name in wanted])
        is_whole = since is None and until is None
        span = exporting.whole() if is_whole else exporting.period(since or _BEGINNING, until or datetime.now(UTC))
        return record_lines(span, actor=principal.actor)


class BundleView(ApiView):
    """The examiner bundle."""

    permissions = {"GET": Permission.RECORD_READ}
    content_negotiation_class = AnyAnswer

    @described(
        "Take an examiner bundle", operation="audit_bundle", refuses=(400, 404, 409, 413),
        parameters=(query("decision_id", "About this decision.", type="string", format="uuid"), *FILTER_PARAMETERS[-2:]),
        text="A signed ZIP about one decision or a period: events, proofs, checkpoints, model cards, policies, reasons, letter, verify.py, "
        "a README. The name, inputs and letter of an applicant are in it only for callers with `applicant.read`. Recorded.",
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        """The ZIP."""
        wanted = read_query(request, {"decision_id": identifier, "recorded_at[gte]": moment, "recorded_at[lt]": moment})
        principal = principal_of(request)
        shows = principal.allows(Permission.APPLICANT_READ)
        return bundle(_asked(wanted), actor=principal.actor, shows_personal=shows)


def _asked(wanted: dict[str, Any]) -> OfDecision | OfPeriod:
    decision: uuid.UUID | None = wanted.get("decision_id")
    since, until = wanted.get("recorded_at[gte]"), wanted.get("recorded_at[lt]")
    if decision is not None and since is None and until is None:
        return OfDecision(decision)
    if decision is None and since is not None:
        return OfPeriod(since, until or datetime.now(UTC))
    told = "Give either decision_id, or recorded_at[gte] and perhaps recorded_at[lt]."
    raise QueryRefused([Fault("decision_id", "one_is_needed", told, is_parameter=True)])
