"""Exports over HTTP: ask for one, see how far it is, and open its file once."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from django.http import HttpResponse, StreamingHttpResponse
from msgspec import Meta
from rest_framework.request import Request

from partners.api.bodies import decode, read_body
from partners.api.description import PAGING as PAGING_PARAMETERS
from partners.api.description import described, path, query
from partners.api.errors import Fault, RequestRefused
from partners.api.idempotency import answer_once, attempt_of
from partners.api.queries import PAGE, PAGING, Reader, read_query, text
from partners.api.queries import identifier as id_parameter
from partners.api.views import ApiView, answer, identifier, principal_of
from portal.exports.attachment import attachment
from portal.exports.errors import ExportRefused, ExportUnknown
from portal.exports.models import Export as Row
from portal.exports.services.asking import Asked, ask_export
from portal.exports.services.opening import KEPT, export_of, open_link, take_file

_ROUTE = "POST /api/v1/exports"
_ID = (path("export_id", "The export.", type="string", format="uuid"),)
_PAGING: Mapping[str, Reader] = {**PAGING, "cursor": id_parameter}
EXAMPLE = {"list": "decisions", "format": "csv", "filters": {"outcome": "decline", "since": "2026-11-01"}}


class ExportRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to take away: decisions, applicants, applications, batches, letters, outcomes, models, events, or any other list or card of the
    pages, by the name that its button Export has in its address. `filters` are those of the list's page, as texts. `with_applicants` adds
    reference, name, phone, national_id and birth_date, and needs applicant.read."""

    list: Annotated[str, Meta(min_length=1, max_length=30)]
    format: Literal["csv", "xlsx", "json", "parquet"]
    filters: Annotated[dict[str, str], Meta(max_length=20)] = {}
    with_applicants: bool = False


class Export(msgspec.Struct, frozen=True):
    """An export. State: queued, running, done or failed, then `problem` says why. The file is there until `kept_until`."""

    id: str
    list: str
    format: str
    with_applicants: bool
    state: str
    rows: int
    size_bytes: int
    problem: str | None
    created_at: datetime
    finished_at: datetime | None
    kept_until: datetime | None


class ExportPage(msgspec.Struct, frozen=True):
    """Exports of this caller, newest first."""

    data: list[Export]
    next_cursor: str | None
    has_more: bool


class ExportLinkRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing has to be said."""


class ExportLink(msgspec.Struct, frozen=True):
    """What opens the file once, for this caller, until `expires_at`."""

    url: str
    expires_at: datetime


class ExportsView(ApiView):
    """The exports of this caller."""

    permissions = {"POST": None, "GET": None}    # each list has a permission of its own: the service sees to it

    @described(
        "Export a list", operation="export_create", takes=ExportRequest, gives=Export, status=202, refuses=(404,), example=EXAMPLE,
        text="A worker writes the file, however long the list is; the event export.ready tells when it is there.",
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """202 with the export, which waits for a worker."""
        raw = read_body(request)
        asked, actor = decode(raw, ExportRequest), principal_of(request).actor
        currency = str(request._request.partner.currency)  # type: ignore[attr-defined]
        wish = Asked(
            list_name=asked.list, kind=asked.format, filters=asked.filters, with_applicants=asked.with_applicants, currency=currency
        )

        def perform() -> bytes:
            try:
                return msgspec.json.encode(_told(ask_export(asked=wish, actor=actor)))
            except ExportRefused as refusal:
                if not refusal.fields:
                    raise
                raise RequestRefused([Fault(f"/{name}", "invalid_value", said) for name, said in refusal.fields.items()]) from refusal

        return answer_once(attempt_of(request, route=_ROUTE, actor=actor, body=raw), status=202, perform=perform)

    @described("List your exports", operation="export_list", gives=ExportPage, refuses=(400,), parameters=PAGING_PARAMETERS)
    def get(self, request: Request) -> HttpResponse:
        """A page of them, newest first."""
        wanted, actor = read_query(request, _PAGING), principal_of(request).actor
        limit, mine = wanted.get("limit", PAGE), Row.objects.filter(owner_kind=actor.kind, owner_id=actor.id)
        rows = list((mine.filter(id__lt=wanted["cursor"]) if "cursor" in wanted else mine).order_by("-id")[: limit + 1])
        more = len(rows) > limit
        return answer(ExportPage([_told(one) for one in rows[:limit]], str(rows[limit - 1].id) if more else None, more))


class ExportView(ApiView):
    """One export."""

    permissions = {"GET": None}

    @described("Look at one export", operation="export_read", gives=Export, refuses=(404,), parameters=_ID)
    def get(self, request: Request, export_id: str) -> HttpResponse:
        """How far it is."""
        return answer(_told(export_of(_id(export_id), principal_of(request).actor)))


class ExportLinkView(ApiView):
    """A link to the file."""

    permissions = {"POST": None}

    @described(
        "Ask for a link to the file", operation="export_link_create", takes=ExportLinkRequest, gives=ExportLink, status=201,
        refuses=(404, 409), parameters=_ID, example={},
        text="The link opens the file once, with the credential that asked for it, for 15 minutes. An earlier link ends.",
    )  # fmt: skip
    def post(self, request: Request, export_id: str) -> HttpResponse:
        """201 with the link."""
        raw, wanted, actor = read_body(request, may_be_empty=True), _id(export_id), principal_of(request).actor
        decode(raw, ExportLinkRequest)

        def perform() -> bytes:
            link = open_link(export_id=wanted, actor=actor)
            return msgspec.json.encode(ExportLink(f"/api/v1/exports/{wanted}/file?link={link.token}", link.until))

        attempt = attempt_of(request, route=f"{_ROUTE}/{wanted}/link", actor=actor, body=raw)
        return answer_once(attempt, status=201, perform=perform)


class ExportFileView(ApiView):
    """The file."""

    permissions = {"GET": None}

    @described(
        "Download the file", operation="export_file", refuses=(400, 404, 409),
        parameters=(*_ID, query("link", "What the link says.")), text="The file itself, as an attachment, once.",
    )  # fmt: skip
    def get(self, request: Request, export_id: str) -> StreamingHttpResponse:
        """The bytes."""
        token = read_query(request, {"link": text}).get("link", "")
        return attachment(take_file(export_id=_id(export_id), token=token, actor=principal_of(request).actor))


def _told(one: Row) -> Export:
    kept = one.finished_at + KEPT if one.finished_at and one.is_there else None
    return Export(
        str(one.id), one.list, one.kind, one.with_applicants, one.state, one.rows, one.size_bytes, one.problem or None, one.created_at,
        one.finished_at, kept,
    )  # fmt: skip


def _id(told: str) -> uuid.UUID:
    found = identifier(told)
    if found is None:
        raise ExportUnknown
    return found
