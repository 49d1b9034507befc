"""What the record itself keeps of an applicant: answers that a repeated request would get again, for a day."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q

from audit.errors import SealBroken
from audit.models import Idempotency
from audit.privacy.holders import Holder, Subject, hold, traces_of
from audit.vault import keyring


def register() -> None:
    """Called in AppConfig.ready()."""
    hold(Holder("audit", _nothing, erase, _forget))


def erase(subjects: Sequence[Subject]) -> dict[str, int]:
    """Answers about one of these applicants alone are gone, and those to a batch that mention them."""
    traces = traces_of(subjects)
    shared = [row.id for row in Idempotency.objects.filter(applicant_id=None).iterator(chunk_size=50) if _mentions(row, traces)]
    gone, _ = Idempotency.objects.filter(Q(applicant_id__in=[one.id for one in subjects]) | Q(id__in=shared)).delete()
    return {"answers": gone}


def _mentions(row: Idempotency, traces: Sequence[bytes]) -> bool:
    ring = keyring()
    owner = f"{row.route}|{row.key}|{row.actor_id}|{bytes(row.body_digest).hex()}|{row.status}"
    try:
        body = ring.unseal(ring.partner_key, row.sealed_response, table="audit_idempotency", column="sealed_response", owner=owner)
    except SealBroken:    # it can be answered to nobody any more
        return True
    return any(trace in body for trace in traces)


def _nothing(_applicant_id: uuid.UUID, _language: str) -> Mapping[str, Any]:
    """They are copies of what others tell."""
    return {}


def _forget(_subjects: Sequence[Subject]) -> None:
    """Nothing of it lies outside the database."""
