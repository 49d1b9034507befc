"""The reasons of many decisions, opened a few thousand at a time: codes and points, and nothing else of what is sealed."""

from collections.abc import Iterator
from typing import Any

import msgspec
from django.db.models import QuerySet

from audit.vault import Kept, keyring
from scoring.models import Decision
from scoring.sealed import TABLE, DecisionContent

_AT_ONCE = 2_000
_KEPT = ("applicant_id", "applicant__data_key_id", "applicant__wrapped_key", "id", "sealed")


def reasons_kept(found: QuerySet[Decision]) -> Iterator[dict[str, Any]]:
    """The id of each decision with its reasons, oldest first; None for an erased applicant, and for what was moved or changed."""
    ring, last = keyring(), None
    while rows := list((found if last is None else found.filter(id__gt=last)).order_by("id").values_list(*_KEPT)[:_AT_ONCE]):
        last = rows[-1][3]
        for row, opened in zip(rows, ring.unseal_many(map(_kept, rows), table=TABLE, column="sealed"), strict=True):
            yield {"id": str(row[3]), "reasons": None if opened is None else _reasons(opened)}


def _kept(row: tuple[Any, ...]) -> Kept:
    applicant_id, key_id, wrapped, decision_id, sealed = row
    return str(applicant_id), key_id and str(key_id), wrapped and bytes(wrapped), str(decision_id), bytes(sealed)


def _reasons(opened: bytes) -> list[dict[str, Any]]:
    content = msgspec.msgpack.decode(opened, type=DecisionContent)
    return [{"code": one.code, "points": one.points} for one in content.reasons]
