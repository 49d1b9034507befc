"""What of an application is sealed: free text under the applicant's key, and a request that is not scored yet under the partner's."""

import uuid
from typing import Any

import msgspec

from audit.vault import DataKey, keyring
from portal.approvals.models import Application, Note, Notice, Review, SecondOpinion
from scoring.applicants import ApplicantDetails, key_of
from scoring.errors import ApplicantErased

_TABLE = "approvals_application"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, until it is scored."""

    applicant: ApplicantDetails
    values: dict[str, Any]
    language: str


def seal_request(application_id: uuid.UUID, request: Request) -> bytes:
    """The request under the partner's key: the applicant may have none yet. It is gone once the application is scored."""
    ring = keyring()
    content = msgspec.msgpack.encode(request)
    return ring.seal(ring.partner_key, content, table=_TABLE, column="sealed_request", owner=application_id)


def open_request(application: Application) -> Request:
    """What was asked for. Raises SealBroken."""
    ring, sealed = keyring(), application.sealed_request or b""
    content = ring.unseal(ring.partner_key, sealed, table=_TABLE, column="sealed_request", owner=application.id)
    return msgspec.msgpack.decode(content, type=Request)


def applicants_key(application: Application) -> DataKey:
    """The applicant's own key. Raises ApplicantErased."""
    key = None if application.applicant is None else key_of(keyring(), application.applicant)
    if key is None:
        raise ApplicantErased
    return key


def seal_answer(application: Application, body: bytes) -> bytes:
    """The answer to the request that made the application: a repeat is answered with it, until the applicant is erased."""
    return keyring().seal(applicants_key(application), body, table=_TABLE, column="answer", owner=application.id)


def open_answer(application: Application, sealed: bytes) -> bytes:
    """The answer again. Raises ApplicantErased."""
    return keyring().unseal(applicants_key(application), sealed, table=_TABLE, column="answer", owner=application.id)


def seal_text(application: Application, kind: type[Review | SecondOpinion | Note], row_id: uuid.UUID, text: str) -> bytes:
    """The text for this row only. Raises ApplicantErased."""
    place = {"table": kind._meta.db_table, "column": "note", "owner": row_id}
    return keyring().seal(applicants_key(application), text.encode(), **place)  # type: ignore[arg-type]


def open_text(application: Application, row: Review | SecondOpinion | Note) -> str | None:
    """What somebody wrote; None when nothing was, or when the applicant was erased."""
    sealed = row.sealed_text if isinstance(row, Note) else row.sealed_note
    ring = keyring()
    key = None if application.applicant is None else key_of(ring, application.applicant)
    if sealed is None or key is None:
        return None
    return ring.unseal(key, sealed, table=row._meta.db_table, column="note", owner=row.id).decode()


class SentLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter as it went out: its words, and the file."""

    letter: dict[str, Any]
    pdf: bytes


def seal_letter(application: Application, notice_id: uuid.UUID, sent: SentLetter) -> bytes:
    """The letter under the applicant's key, for this row only. Raises ApplicantErased."""
    content = msgspec.msgpack.encode(sent)
    return keyring().seal(applicants_key(application), content, table=Notice._meta.db_table, column="sealed_letter", owner=notice_id)


def open_letter(application: Application, notice: Notice) -> SentLetter:
    """The letter as it went out. Raises ApplicantErased, SealBroken."""
    place = {"table": Notice._meta.db_table, "column": "sealed_letter"}
    content = keyring().unseal(applicants_key(application), bytes(notice.sealed_letter), owner=notice.id, **place)
    return msgspec.msgpack.decode(content, type=SentLetter)
