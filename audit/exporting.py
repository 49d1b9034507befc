"""The record as lines that anybody can check with verify.py: events in the order of the tree, decisions, checkpoints. Flat memory."""

import base64
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import Max, Min

from audit.actions import Action
from audit.context import Actor
from audit.errors import CheckpointUnknown, PeriodEmpty
from audit.models import Checkpoint, Event, Leaf
from audit.proofs import inclusion, newest_checkpoint, subtrees_before
from audit.registry import Attested, Columns, attested
from audit.selectors import EventFilters
from audit.services import attested_text, record
from audit.vault import keyring

AT_ONCE = 2_000
_COLUMNS = (
    "position", "leaf_hash", "event_id", "event__action", "event__actor_kind", "event__actor_id", "event__actor_label", "event__address",
    "event__request_id", "event__object_kind", "event__object_id", "event__detail", "event__recorded_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """What an export holds: the events from `first` on, to the checkpoint's last."""

    first: int
    checkpoint: Checkpoint

    @property
    def events(self) -> int:
        return self.checkpoint.size - self.first


def whole() -> Span:
    """Everything that is sealed. Raises CheckpointUnknown."""
    return Span(0, newest_checkpoint())


def period(since: datetime, until: datetime) -> Span:
    """Every sealed event of the period, and the few beside them that its proof needs. Raises PeriodEmpty."""
    found = Leaf.objects.filter(event__recorded_at__gte=since, event__recorded_at__lt=until).aggregate(
        first=Min("position"), last=Max("position")
    )
    if found["first"] is None:
        raise PeriodEmpty
    checkpoint = Checkpoint.objects.filter(size__gt=found["last"]).order_by("size").first()
    if checkpoint is None:
        raise CheckpointUnknown("The newest events are under no checkpoint yet. Ask again in a second.")
    return Span(found["first"], checkpoint)


def record_export(span: Span, *, kind: str, actor: Actor) -> None:
    """The record says who takes these events, and in which form."""
    detail = {"format": kind, "first": span.first, "events": span.events}
    record(action=Action.RECORD_EXPORTED, actor=actor, object_kind="record", object_id=keyring().schema, detail=detail)


def record_table(filters: EventFilters, *, actor: Actor) -> None:
    """The record says who takes a table of events, and which."""
    asked = {field.name: str(value) for field in fields(filters) if (value := getattr(filters, field.name)) is not None}
    detail = {"format": "csv", "filters": {name: value[:200] for name, value in asked.items()}}
    record(action=Action.RECORD_EXPORTED, actor=actor, object_kind="record", object_id=keyring().schema, detail=detail)


def lines(span: Span) -> Iterator[bytes]:
    """The export, a line at a time, each with its line feed."""
    last = span.checkpoint
    subtrees = [_base64(one) for one in subtrees_before(span.first)]
    yield _head(last, first=span.first, subtrees=subtrees)
    for first in range(span.first, last.size, AT_ONCE):
        end = min(first + AT_ONCE, last.size)
        rows = list(Leaf.objects.filter(position__gte=first, position__lt=end).order_by("position").values_list(*_COLUMNS))
        heads = dict(Checkpoint.objects.filter(size__gt=first, size__lte=end).values_list("size", "signed_note"))
        told = _told(rows)
        for row in rows:
            yield _event_line(row)
            yield from told.get(row[2], ())
            if row[0] + 1 in heads:
                yield _line({"checkpoint": heads[row[0] + 1]})
    if span.first == 0:
        for kind in attested().values():
            yield from (_line({"decision": columns}) for columns in kind.without_event())


def parts(events: Iterable[Event]) -> Iterator[bytes]:
    """Only these events, each with the proof that leads to the newest checkpoint. Raises EventNotSealed, CheckpointUnknown."""
    checkpoint = newest_checkpoint()
    found = sorted((inclusion(event, checkpoint) for event in events), key=lambda one: one.leaf.position)
    yield _head(checkpoint, parts=True)
    rows = Leaf.objects.filter(position__in=[one.leaf.position for one in found]).order_by("position").values_list(*_COLUMNS)
    told = _told(rows)
    for row, one in zip(rows, found, strict=True):
        yield _event_line(row, proof=[_base64(node) for node in one.proof])
        yield from told.get(row[2], ())


def _told(rows: Iterable[tuple[Any, ...]]) -> dict[uuid.UUID, list[bytes]]:
    """The lines that follow events about rows whose digest they name."""
    wanted: dict[str, dict[uuid.UUID, uuid.UUID]] = {}
    for row in rows:
        if row[3] in attested():
            wanted.setdefault(row[3], {})[row[2]] = uuid.UUID(row[10])
    found: dict[uuid.UUID, list[bytes]] = {}
    for action, objects in wanted.items():
        columns = _columns(attested()[action], objects)
        found |= {event: [_line({"decision": columns[one]})] for event, one in objects.items() if one in columns}
    return found


def _columns(kind: Attested, objects: Mapping[uuid.UUID, uuid.UUID]) -> Mapping[uuid.UUID, Columns]:
    return kind.rows(list(objects.values()))


def _event_line(row: tuple[Any, ...], **more: Any) -> bytes:
    position, leaf, event_id, action, *attested_values, detail, recorded_at = row
    text = attested_text(event_id, action, tuple(attested_values), detail, recorded_at)
    tail = json.dumps({"leaf": _base64(leaf), "position": position, **more}, separators=(",", ":"))
    return b'{"event":%s,%s\n' % (text, tail[1:].encode())


def _head(checkpoint: Checkpoint, **more: Any) -> bytes:
    origin = checkpoint.signed_note.partition("\n")[0]
    return _line({"vouch_export": 1, "origin": origin, "checkpoint": checkpoint.signed_note, **more})


def _line(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
