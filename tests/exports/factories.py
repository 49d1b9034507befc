"""Exports for tests: asked for, written and read again."""

from collections.abc import Mapping
from typing import Any

from audit.context import Actor
from audit.models import Event
from portal.exports.models import Export
from portal.exports.services.asking import Asked, ask_export
from portal.exports.services.opening import open_link, take_file
from portal.exports.services.writing import write_export


def wanted(list_name: str = "decisions", kind: str = "csv", filters: Mapping[str, str] | None = None, **more: Any) -> Asked:
    """What somebody wants."""
    return Asked(list_name=list_name, kind=kind, filters=filters or {}, currency="KES", **more)


def exported(actor: Actor, asked: Asked) -> Export:
    """An export that a worker has written, or failed to."""
    made = ask_export(asked=asked, actor=actor)
    assert write_export(made.id)
    made.refresh_from_db()
    return made


def content(export: Export, actor: Actor) -> bytes:
    """What is in its file, taken through a link."""
    link = open_link(export_id=export.id, actor=actor)
    return b"".join(take_file(export_id=export.id, token=link.token, actor=actor).frames)


def recorded(export: Export) -> list[tuple[str, dict[str, Any]]]:
    """What the record says of it."""
    return list(Event.objects.filter(object_id=str(export.id)).order_by("id").values_list("action", "detail"))
