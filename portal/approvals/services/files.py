"""Files on applications: checked, sealed under the applicant's key, kept in the partner's own folder."""

import hashlib
import os
import re
import unicodedata
import uuid
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.ids import uuid7
from audit.vault import keyring
from partners.accounts.roles import Permission
from partners.tenancy import scoped
from portal.approvals.errors import FileMissing, FileRefused
from portal.approvals.models import Application, ApplicationFile
from portal.approvals.people import acting_person
from portal.approvals.sealed import applicants_key
from portal.approvals.services.moves import locked, tell

LARGEST = 10 * 1024 * 1024
MOST = 50    # on one application
_LONGEST_NAME = 120
_Kind = ApplicationFile.Kind
_ENDINGS = {"pdf": _Kind.PDF, "png": _Kind.PNG, "jpg": _Kind.JPEG, "jpeg": _Kind.JPEG, "txt": _Kind.TEXT}
_BEGINNINGS = {_Kind.PDF: b"%PDF-", _Kind.PNG: b"\x89PNG\r\n\x1a\n", _Kind.JPEG: b"\xff\xd8\xff"}
MEDIA_TYPES = {_Kind.PDF: "application/pdf", _Kind.PNG: "image/png", _Kind.JPEG: "image/jpeg", _Kind.TEXT: "text/plain; charset=utf-8"}
_TABLE = "approvals_applicationfile"
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file as it was given."""

    name: str
    media_type: str
    content: bytes


def add_file(*, application_id: uuid.UUID, name: str, content: bytes, actor: Actor) -> ApplicationFile:
    """The file is kept, sealed, and recorded. Raises FileRefused, PersonNeeded, ApplicationUnknown, ApplicantErased."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    name = _plain(name)
    kind, file_id = _kind_of(name, content), uuid7()
    place = path_of(file_id)
    try:
        with transaction.atomic():
            application = locked(application_id)
            if application.files.count() >= MOST:
                raise FileRefused(fields={"file": f"There are {MOST} files on this application, and that is all it can have."})
            sealed = _seal(application, file_id, "content", content)
            _write(place, sealed)
            made = ApplicationFile.objects.create(
                id=file_id, application=application, kind=kind, sealed_name=_seal(application, file_id, "name", name.encode()),
                size_bytes=len(content), digest=hashlib.sha256(sealed).digest(), uploaded_by=person,
            )  # fmt: skip
            facts = {"file": str(file_id), "kind": str(kind), "size_bytes": len(content), "sealed_sha256": made.digest.hex()}
            tell(application, Action.APPLICATION_FILE_ADDED, actor, **facts)
    except BaseException:
        place.unlink(missing_ok=True)
        raise
    return made


def read_file(*, application_id: uuid.UUID, file_id: uuid.UUID, actor: Actor) -> OpenFile:
    """The file in clear; that this person read it is recorded first. Raises PersonNeeded, FileMissing, ApplicantErased, SealBroken."""
    acting_person(actor, Permission.APPLICANT_READ)
    found = ApplicationFile.objects.select_related("application__applicant").filter(id=file_id, application_id=application_id).first()
    if found is None:
        raise FileMissing
    try:
        sealed = path_of(file_id).read_bytes()
    except FileNotFoundError as error:
        raise FileMissing("The file is not where it was kept; tell whoever runs Vouch.") from error
    if hashlib.sha256(sealed).digest() != bytes(found.digest):
        raise keyring().refused(_TABLE, "content", file_id)
    content = _unseal(found, "content", sealed)
    with transaction.atomic():
        tell(found.application, Action.APPLICATION_FILE_READ, actor, file=str(file_id))
    return OpenFile(name_of(found) or str(file_id), MEDIA_TYPES[_Kind(found.kind)], content)


def name_of(file: ApplicationFile) -> str | None:
    """What the file is called. Raises ApplicantErased, SealBroken."""
    return _unseal(file, "name", bytes(file.sealed_name)).decode()


def path_of(file_id: uuid.UUID) -> Path:
    """Where the sealed content of a file of the current partner is."""
    return Path(settings.VOUCH_HOME, "files", *scoped("application", file_id.hex[-2:], file_id).split(":"))


def remove_content(applicant_id: uuid.UUID) -> int:
    """No file about this applicant is on the disk any more. How many were.

    Called by their erasure, which destroys the key and is recorded: names of files, notes, reasons and letters are sealed under it."""
    places = [path_of(one) for one in ApplicationFile.objects.filter(application__applicant_id=applicant_id).values_list("id", flat=True)]
    there = [place for place in places if place.exists()]
    for place in there:
        place.unlink(missing_ok=True)
    return len(there)


def _plain(name: str) -> str:
    """The last part of the name, without characters that hide or turn what it says, and not too long."""
    last = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    shown = "".join(one for one in last if unicodedata.category(one)[0] != "C").strip(" .")
    stem, dot, ending = shown.rpartition(".")
    return f"{stem[: _LONGEST_NAME - len(ending) - 1]}{dot}{ending}" if len(shown) > _LONGEST_NAME else shown


def _kind_of(name: str, content: bytes) -> ApplicationFile.Kind:
    """What the name's ending and the first bytes agree on. Raises FileRefused."""
    kind = _ENDINGS.get(name.rpartition(".")[2].lower()) if "." in name[1:] else None
    if kind is None:
        raise _refused("Bring a PDF, PNG, JPEG or text file, with an ending that says so: .pdf, .png, .jpg or .txt.")
    if not content:
        raise _refused("The file is empty: choose another one.")
    if len(content) > LARGEST:
        raise _refused("The file is larger than 10 MB: make it smaller, or bring it in parts.")
    if not _is_text(content) if kind is _Kind.TEXT else not content.startswith(_BEGINNINGS[kind]):
        raise _refused(f"The ending says {kind.label}, but what is in the file is not: save it again as {kind.label}.")
    return kind


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return _CONTROLS.search(content) is None and not content.startswith(_BEGINNINGS[_Kind.PDF])


def _refused(why: str) -> FileRefused:
    return FileRefused(fields={"file": why})


def _seal(application: Application, file_id: uuid.UUID, column: str, content: bytes) -> bytes:
    return keyring().seal(applicants_key(application), content, table=_TABLE, column=column, owner=file_id)


def _unseal(file: ApplicationFile, column: str, sealed: bytes) -> bytes:
    return keyring().unseal(applicants_key(file.application), sealed, table=_TABLE, column=column, owner=file.id)


def _write(place: Path, sealed: bytes) -> None:
    """On the disk for good before the row that names it is."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(sealed)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
