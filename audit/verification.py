"""Checking the whole record of the current partner: asked for by a person, worked on in the background, its result kept."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from audit import exporting
from audit.actions import Action
from audit.context import Actor
from audit.errors import CheckpointUnknown, VerificationRunning
from audit.models import Event, Verification
from audit.proofs import newest_checkpoint
from audit.sealer import checkpoint_log
from audit.services import record
from audit.vault import keyring
from audit.verify import Verified, Wrong, verify

LEFT_AFTER = timedelta(seconds=60)    # without a sign of life
State = Verification.State


def check_record(report: Callable[[int], None]) -> Verified:
    """The record, event by event, under the checkpoints that were published outside the database. Raises Wrong and CheckpointUnknown."""
    older = _published()    # first: whatever is published later is not in the export
    return verify(exporting.lines(exporting.whole()), keyring().public_keys(), older=older, report=report)


def ask_verification(*, actor: Actor) -> Verification:
    """A check of the whole record waits for a worker. Raises VerificationRunning, and CheckpointUnknown where nothing is sealed yet."""
    total = newest_checkpoint().size
    try:
        with transaction.atomic():
            return Verification.objects.create(total=total, asked_by=_by(actor))
    except IntegrityError as error:
        raise VerificationRunning from error


def verifications_left() -> bool:
    """Whether a check waits that nobody works on."""
    return _left().exists()


def work_on_verification() -> Verification | None:
    """The check that waits is done and recorded; None where none waits. Safe to run twice, and beside itself."""
    found = _left().first()
    if found is None or not _left().filter(id=found.id).update(state=State.RUNNING, seen_at=datetime.now(UTC)):
        return None

    def report(checked: int) -> None:
        Verification.objects.filter(id=found.id).update(checked=checked, seen_at=datetime.now(UTC))

    try:
        checked: Verified | Wrong = check_record(report)
    except (Wrong, CheckpointUnknown) as wrong:
        checked = wrong if isinstance(wrong, Wrong) else Wrong(wrong.detail)
    return _finish(found.id, checked)


def record_verification(checked: Verified | Wrong, *, actor: Actor) -> None:
    """The result is an event: what was found in order, or the first thing that was not."""
    facts: dict[str, Any] = {"holds": False, "position": checked.position, "problem": checked.detail} if isinstance(checked, Wrong) else {
        "holds": True, "events": checked.events, "decisions": checked.decisions, "checkpoints": checked.checkpoints,
    }  # fmt: skip
    record(action=Action.RECORD_VERIFIED, actor=actor, object_kind="record", object_id=keyring().schema, detail=facts)


def last_verification() -> Verification | None:
    """The newest check, done or not."""
    return Verification.objects.order_by("-id").first()


def last_result() -> Event | None:
    """The event of the newest check that ended, whoever ran it: a page, the admin or a command."""
    return Event.objects.filter(action=Action.RECORD_VERIFIED).order_by("-id").first()


def _left() -> QuerySet[Verification]:
    stale = Q(state=State.RUNNING, seen_at__lt=datetime.now(UTC) - LEFT_AFTER)
    return Verification.objects.filter(Q(state=State.WAITING) | stale)


@transaction.atomic
def _finish(verification_id: uuid.UUID, checked: Verified | Wrong) -> Verification | None:
    row = Verification.objects.select_for_update().get(id=verification_id)
    if row.finished_at is not None:
        return None    # somebody who was thought dead was not
    row.finished_at = datetime.now(UTC)
    if isinstance(checked, Wrong):
        row.state, row.problem, row.position = State.FAILED, checked.detail, checked.position
    else:
        row.state, row.checked, row.total, row.decisions = State.HELD, checked.events, checked.events, checked.decisions
    row.save()
    record_verification(checked, actor=Actor(**row.asked_by))
    return row


def _by(actor: Actor) -> dict[str, str]:
    return {name: getattr(actor, name) for name in ("kind", "id", "label", "address", "request_id")}


def _published() -> list[str]:
    """The signed notes of the log outside the database, where this machine has it."""
    path = checkpoint_log(keyring().schema)
    if not path.exists():
        return []
    return [str(json.loads(line)["note"]) for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
