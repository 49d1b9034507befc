"""The ledger of erasures: a file outside the database, so that a backup restored later does not bring anybody back."""

import fcntl
import hmac
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from audit.actions import Action
from audit.alerts import LEDGER_BROKEN, raise_alert
from audit.context import SYSTEM, Actor
from audit.models import Erasure, Event
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


@dataclass(frozen=True, slots=True)
class Under:
    """What somebody was erased under: the applicant's own request, or a run of retention."""

    request: int | None = None
    run: int | None = None

    def __str__(self) -> str:
        return f"request {self.request}" if self.request else f"retention run {self.run}"

    @property
    def facts(self) -> dict[str, int]:
        """For the record."""
        return {"request": self.request} if self.request else {"run": self.run or 0}


def entomb(subjects: Sequence[Subject], *, under: Under, actor: Actor) -> tuple[dict[str, int], list[Event]]:
    """These applicants are erased, each with an event that stays and a line of the ledger, in the caller's transaction.

    How many of what went, and the events. The one way to erase: whoever was is erased again after a restore."""
    if not subjects:
        return {}, []
    counts = _erase(subjects)
    transaction.on_commit(lambda: _forget(subjects), robust=True)
    more = counts if len(subjects) == 1 else {}
    events = [
        record(
            action=Action.APPLICANT_ERASED, actor=actor, object_kind="applicant", object_id=one.id, detail={**under.facts, **more}
        )
        for one in subjects
    ]
    Erasure.objects.bulk_create([
        Erasure(applicant_id=one.id, request_number=under.request, run_number=under.run, event_id=made.id, erased_at=made.recorded_at)
        for one, made in zip(subjects, events, strict=True)
    ])    # fmt: skip
    transaction.on_commit(publish_erasures, robust=True)
    return counts, events


def _erase(subjects: Sequence[Subject]) -> dict[str, int]:
    """Every app's keys, indexes and rows of these are gone, in the caller's transaction."""
    counts: dict[str, int] = {}
    for holder in holders():
        for what, number in holder.erase(subjects).items():
            counts[what] = counts.get(what, 0) + number
    return counts


def forget_erased() -> None:
    """Files of whoever was ever erased are gone: a restore may have brought some back. To be called once it is committed."""
    _forget([Subject(one) for one in Erasure.objects.values_list("applicant_id", flat=True)])


def _forget(subjects: Sequence[Subject]) -> None:
    """Files, and what this process remembers, are gone too. Safe to repeat."""
    for holder in holders():
        holder.forget(subjects)


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
        written = {line["applicant_id"] for line in _lines(content) if _is_ours(ring, line)}
        missing = [row for row in rows if str(row.applicant_id) not in written]
        if missing and content and not content.endswith(b"\n"):
            log.write(b"\n")    # a line that a crash cut off counts for nothing
        for row in missing:
            log.write(_line(ring, row))
        log.flush()
        os.fsync(log.fileno())
    if missing:
        _forget([Subject(row.applicant_id) for row in missing])
    return len(missing)


def replay_erasures() -> Replayed:
    """Whoever the ledger says was erased is erased, also after an older state of the tables was restored. For `restore`; safe to repeat.

    Files follow by `forget_erased`. A line that is not the partner's erases nobody and raises an alert."""
    ring, found = keyring(), Replayed()
    place = path_of(ring.schema)
    for line in _lines(place.read_bytes()) if place.exists() else ():
        if not _is_ours(ring, line):
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
                _erase([subject])
    publish_erasures()
    return found


def erased_under(applicant_ids: set[uuid.UUID]) -> dict[uuid.UUID, Under]:
    """What each of them was erased under."""
    rows = Erasure.objects.filter(applicant_id__in=applicant_ids).values_list("applicant_id", "request_number", "run_number")
    return {applicant_id: Under(request, run) for applicant_id, request, run in rows}


@transaction.atomic
def _replay(line: dict[str, str]) -> int:
    applicant_id = uuid.UUID(line["applicant_id"])
    under = Under(run=int(line["run"])) if "run" in line else Under(request=int(line["request"]))
    subject = keeper().subject(applicant_id)
    # Who is not in this backup, or erased in it, is not scored again, and files that came back with it are gone.
    counts = _erase([subject or Subject(applicant_id)])
    if subject is not None:
        facts = {**under.facts, "is_after_restore": True, **counts}
        record(action=Action.APPLICANT_ERASED, actor=SYSTEM, object_kind="applicant", object_id=applicant_id, detail=facts)
    row = {
        "request_number": under.request, "run_number": under.run, "event_id": uuid.UUID(line["event_id"]),
        "erased_at": datetime.fromisoformat(line["erased_at"]),
    }  # fmt: skip
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
    under = {"request": str(row.request_number)} if row.request_number else {"run": str(row.run_number)}
    line = {"applicant_id": str(row.applicant_id), **under, "event_id": str(row.event_id), "erased_at": timestamp(row.erased_at)}
    return json.dumps({**line, "seal": _seal_of(ring, line)}).encode() + b"\n"


def _is_ours(ring: Keyring, line: dict[str, str]) -> bool:
    return hmac.compare_digest(_seal_of(ring, line), str(line.get("seal", "")))


def _seal_of(ring: Keyring, line: dict[str, str]) -> str:
    """By the one key that is never changed, so that a keyring of any backup can check it."""
    names = ("applicant_id", "request", "event_id", "erased_at", *(("run",) if "run" in line else ()))
    said = "\n".join([ring.schema, *(str(line.get(name, "")) for name in names)])
    return hmac.digest(ring.index_key, b"erasure\0" + said.encode(), "sha256").hex()
