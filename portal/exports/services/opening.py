"""Opening an export: a link for whoever asked for it, once and for 15 minutes; files go after three days."""

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from partners.accounts.standing import permissions_now
from portal.exports import storage
from portal.exports.errors import ExportNotReady, ExportUnknown, LinkSpent, ListNotYours
from portal.exports.lists import list_of
from portal.exports.models import Export
from portal.exports.services import asking
from scoring.engine.writing import MEDIA_TYPES

LINK_HOLDS = timedelta(minutes=15)
KEPT = timedelta(days=3)
FORGOTTEN: dict[str, Any] = {"link_digest": None, "link_until": None, "sealed_filters": b""}    # they may name a person


@dataclass(frozen=True, slots=True)
class Link:
    """What opens the file once, until when."""

    token: str
    until: datetime


@dataclass(frozen=True, slots=True)
class File:
    """A file in clear, frame by frame."""

    name: str
    media_type: str
    size: int
    frames: storage.OpenedFile


def export_of(export_id: uuid.UUID, actor: Actor) -> Export:
    """The export, if this actor asked for it. Raises ExportUnknown."""
    found = Export.objects.filter(id=export_id, owner_kind=actor.kind, owner_id=actor.id).first()
    if found is None:
        raise ExportUnknown
    return found


def open_link(*, export_id: uuid.UUID, actor: Actor) -> Link:
    """A new link; an earlier one opens nothing any more. Raises ExportUnknown, ExportNotReady, ListNotYours."""
    export = export_of(export_id, actor)
    _check(export)
    link = Link(secrets.token_urlsafe(32), timezone.now() + LINK_HOLDS)
    Export.objects.filter(id=export.id).update(link_digest=_digest(link.token), link_until=link.until)
    return link


def take_file(*, export_id: uuid.UUID, token: str, actor: Actor) -> File:
    """The file, and the link is spent, recorded. Raises ExportUnknown, LinkSpent, ExportNotReady, ListNotYours."""
    with transaction.atomic():
        mine = Export.objects.select_for_update().filter(id=export_id, owner_kind=actor.kind, owner_id=actor.id).first()
        if mine is None:
            raise ExportUnknown
        is_good = mine.link_digest is not None and hmac.compare_digest(bytes(mine.link_digest), _digest(token))
        if not is_good or mine.link_until is None or mine.link_until <= timezone.now():
            raise LinkSpent
        _check(mine)
        assert mine.lease is not None
        try:
            frames = storage.OpenedFile(mine.lease, mine.size_bytes)
        except FileNotFoundError as error:
            raise ExportNotReady("The file is not where it was kept; tell whoever runs Vouch.") from error
        mine.link_digest = mine.link_until = None
        mine.save(update_fields=["link_digest", "link_until"])
        detail = {"list": mine.list, "format": mine.kind, "rows": mine.rows}
        record(action=Action.EXPORT_DOWNLOADED, actor=actor, object_kind="export", object_id=mine.id, detail=detail)
    name = f"{mine.list}-{mine.created_at:%Y-%m-%d}.{mine.kind}"
    return File(name, MEDIA_TYPES[mine.kind], mine.size_bytes, frames)


def forget_old_exports() -> None:
    """Files that were kept long enough are gone, and so are those that no export names."""
    for one in Export.objects.filter(finished_at__lt=timezone.now() - KEPT, forgotten_at=None):
        storage.forget(one.lease)
        Export.objects.filter(id=one.id).update(forgotten_at=timezone.now(), **FORGOTTEN)
    kept = Export.objects.filter(lease__isnull=False, forgotten_at=None).values_list("lease", flat=True)
    storage.forget_all_but({str(lease) for lease in kept})


def _check(export: Export) -> None:
    """There is a file, and whoever asked for it may still see what is in it."""
    if not export.is_there:
        raise ExportNotReady
    needed = list_of(export.list).needs(asking.filters_of(export), with_applicants=export.with_applicants)
    if needed - permissions_now(export.owner_kind, export.owner_id):
        raise ListNotYours


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
