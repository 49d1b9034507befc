"""Alerts: what should not happen is recorded once, counted, and stays open until a person has looked at it."""

import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from audit import vault
from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.models import Alert
from audit.services import announce, record
from audit.topics import Topic

SEAL_BROKEN = "seal_broken"
REPLAY_DIFFERS = "replay_differs"
LEDGER_BROKEN = "ledger_broken"
_PLAIN = re.compile(r"[0-9a-f-]{1,36}(:[0-9a-f-]{1,27})?")
logger = structlog.get_logger(__name__)


@transaction.atomic
def raise_alert(*, kind: str, object_kind: str, object_id: str, detail: Mapping[str, Any], actor: Actor = SYSTEM) -> Alert:
    """The alert is open; the first time recorded and announced, afterwards counted. `detail` holds nothing personal."""
    now = timezone.now()
    place = {"kind": kind, "object_kind": object_kind[:60], "object_id": object_id[:64], "closed_at": None}
    if Alert.objects.filter(**place).update(times=F("times") + 1, last_at=now):
        return Alert.objects.get(**place)
    made = Alert.objects.create(**place, detail=dict(detail), raised_at=now, last_at=now)
    facts = {"kind": kind, "about": place["object_kind"], "id": place["object_id"], **detail}
    record(action=Action.ALERT_RAISED, actor=actor, object_kind="alert", object_id=made.id, detail=facts)
    body = {"kind": kind, "about": place["object_kind"], "about_id": place["object_id"]}
    announce(topic=Topic.ALERT_RAISED, object_id=made.id, body=body)
    logger.error("alert_raised", kind=kind, about=place["object_kind"], id=place["object_id"])
    return made


@transaction.atomic
def close_alert(*, alert_id: uuid.UUID, actor: Actor) -> None:
    """Somebody has looked at it; nothing happens to one that is closed or not there."""
    if Alert.objects.filter(id=alert_id, closed_at=None).update(closed_at=timezone.now(), closed_by=actor.label[:200]):
        record(action=Action.ALERT_CLOSED, actor=actor, object_kind="alert", object_id=alert_id)


def open_alerts(at_most: int = 20) -> list[Alert]:
    """The newest that nobody has looked at."""
    return list(Alert.objects.filter(closed_at=None)[:at_most])


def raise_noted() -> int:
    """An alert for each seal of the current partner that did not hold in this process since the last call. Cheap when there is none."""
    if not vault.broken:
        return 0
    schema = str(getattr(connection, "schema_name", ""))
    noted = {vault.broken.popleft() for _ in range(len(vault.broken))}
    ours = sorted(one for one in noted if one[0] == schema)
    vault.broken.extend(noted.difference(ours))
    for _, table, column, owner in ours:
        detail = {"table": table, "column": column, "row": _plain(owner)}
        raise_alert(kind=SEAL_BROKEN, object_kind=f"{table}.{column}", object_id=_plain(owner), detail=detail)
    return len(ours)


def tell_of_broken_seals() -> None:
    """The same where something else ends: what stands against telling is logged, and nothing else fails for it."""
    if not vault.broken:
        return
    try:
        raise_noted()
    except (DatabaseError, TransactionManagementError):
        logger.exception("alert_not_raised")


def _plain(owner: str) -> str:
    """The row's id; a digest of an owner that says more."""
    return owner if _PLAIN.fullmatch(owner) else hashlib.sha256(owner.encode()).hexdigest()[:32]
