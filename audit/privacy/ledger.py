"""The ledger of erasures: a file outside the database, so that a backup restored later does not bring anybody back."""

import fcntl
import hmac
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from audit.actions import Action
from audit.alerts import LEDGER_BROKEN, raise_alert
from audit.context import SYSTEM
from audit.models import Erasure
from audit.privacy.holders import Subject, holders, keeper
from audit.services import record, timestamp
from audit.vault import Keyring, keyring


@dataclass(slots=True)
class Replayed:
    """What replaying the ledger did: erasures it knows, persons it erased again, lines that are not the partner's."""

    known: int = 0
    again: int = 0
    refused: int = 0


def path_of(schema: str) -> Path:
    """Where the ledger of a partner is. One JSON object on each line."""
    return Path(settings.VOUCH_HOME, "erasures", f"{schema}.log")


def erase_everywhere(subject: Subject) -> dict[str, int]:
    """Every app's keys, indexes and rows of this applicant are gone, in the caller's transaction; files and memory follow its commit."""
    counts: dict[str, int] = {}
    for holder in holders():
        for what, number in holder.erase(subject).items():
            counts[what] = counts.get(what, 0) + number
    transaction.on_commit(lambda: forget_everywhere(subject), robust=True)
    return counts


def forget_everywhere(subject: Subject) -> None:
    """Files, and what this process remembers, are gone too. Safe to repeat."""
    for holder in holders():
        holder.forget(subject)


def publish_erasures() -> int:
    """Every erasure of the current partner stands in the file, for good; how many did not. What a crash left of their files is gone."""
    ring = keyring()
    place = path_of(ring.schema)
    rows = list(Erasure.objects.order_by("erased_at"))
    if not rows:
        return 0
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(place, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "rb+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        content = log.read()
        written = {line["applicant_id"] for line in _lines(content)}
        missing = [row for row in rows if str(row.applicant_id) not in written]
        if missing and content and not content.endswith(b"\n"):
            log.write(b"\n")    # a line that a crash cut off counts for nothing
        for row in missing:
            log.write(_line(ring, row))
        log.flush()
        os.fsync(log.fileno())
    for row in missing:
        forget_everywhere(Subject(row.applicant_id, ""))
    return len(missing)


def replay_erasures() -> Replayed:
    """Whoever the ledger says was erased is erased, also after an older state of the tables was restored. For `restore`; safe to repeat.

    A line that is not the partner's erases nobody and raises an alert."""
    ring, found = keyring(), Replayed()
    place = path_of(ring.schema)
    for line in _lines(place.read_bytes()) if place.exists() else ():
        if not hmac.compare_digest(_seal_of(ring, line), str(line.get("seal", ""))):
            found.refused += 1
            continue
        found.known += 1
        found.again += _replay(line)
    if found.refused:
        raise_alert(kind=LEDGER_BROKEN, object_kind="erasures", object_id=ring.schema, detail={"lines": found.refused})
    for row in Erasure.objects.order_by("erased_at"):    # of a commit whose line a crash kept from the file
        subject = keeper().subject(row.applicant_id)
        if subject is not None:
            with transaction.atomic():
                erase_everywhere(subject)
    publish_erasures()
    return found


def erased_under(applicant_ids: set[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The number of the request under which each of them was erased."""
    return dict(Erasure.objects.filter(applicant_id__in=applicant_ids).values_list("applicant_id", "request_number"))


@transaction.atomic
def _replay(line: dict[str, str]) -> int:
    applicant_id, request = uuid.UUID(line["applicant_id"]), int(line["request"])
    subject = keeper().subject(applicant_id)
    if subject is not None:
        counts = erase_everywhere(subject)
        facts = {"request": request, "is_after_restore": True, **counts}
        record(action=Action.APPLICANT_ERASED, actor=SYSTEM, object_kind="applicant", object_id=applicant_id, detail=facts)
    else:    # not in this backup, or erased in it: they are not scored again, and files that came back with it are gone
        erase_everywhere(Subject(applicant_id, ""))
    moment = datetime.fromisoformat(line["erased_at"])
    row = {"request_number": request, "event_id": uuid.UUID(line["event_id"]), "erased_at": moment}
    Erasure.objects.get_or_create(applicant_id=applicant_id, defaults=row)
    return int(subject is not None)


def _lines(content: bytes) -> Iterator[dict[str, str]]:
    for text in content.splitlines():
        try:
            line = json.loads(text)
            uuid.UUID(line["applicant_id"])
        except (ValueError, KeyError, TypeError):    # cut off by a crash; the table has it
            continue
        yield line


def _line(ring: Keyring, row: Erasure) -> bytes:
    line = {
        "applicant_id": str(row.applicant_id), "request": str(row.request_number), "event_id": str(row.event_id),
        "erased_at": timestamp(row.erased_at),
    }  # fmt: skip
    return json.dumps({**line, "seal": _seal_of(ring, line)}).encode() + b"\n"


def _seal_of(ring: Keyring, line: dict[str, str]) -> str:
    """By the one key that is never changed, so that a keyring of any backup can check it."""
    said = "\n".join([ring.schema, *(str(line.get(name, "")) for name in ("applicant_id", "request", "event_id", "erased_at"))])
    return hmac.digest(ring.index_key, b"erasure\0" + said.encode(), "sha256").hex()
