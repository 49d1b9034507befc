"""Going back to a moment: a server beside ours shows it, and an archive of that is restored like any other."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from partners.models import Partner
from partners.postgres.roles import PUBLIC
from partners.tenancy import tenant_context
from portal import embedded
from portal.backups.archive import extract
from portal.backups.errors import BackupRefused
from portal.backups.making import Report, make_backup
from portal.backups.place import in_database
from portal.embedded import EmbeddedFault, history


def make_base(*, actor: Actor) -> Path:
    """A base backup of the embedded server stands, and every partner's record says so. Raises BackupRefused."""
    try:
        made = history.make_base()
    except EmbeddedFault as fault:
        raise BackupRefused(str(fault)) from fault
    for partner in Partner.objects.exclude(schema_name=PUBLIC).order_by("slug"):
        with tenant_context(partner):
            record(action=Action.BACKUP_MADE, actor=actor, object_kind="backup", object_id=made.name, detail={"scope": "base"})
    return made


def moment_of(text: str) -> datetime:
    """The moment, with its zone. Raises BackupRefused."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BackupRefused(f"--at {text!r} is no moment: write RFC 3339 with a zone, such as 2026-11-21T09:30:00+03:00.")
    return moment


def as_of(moment: datetime, staged: Path, *, slug: str | None, report: Report) -> dict[str, Any]:
    """An archive of the system, or of one partner, as of that moment lies unpacked in the folder. Its manifest. Raises BackupRefused."""
    if embedded.database_url() != settings.DATABASE_URL:
        raise BackupRefused("Only the embedded PostgreSQL keeps its history here: roll yours to that moment beside, and back that up.")
    archive = staged / "moment.vouch-backup"
    report(f"rolling a second server to {moment.isoformat()}")
    try:
        with history.server_at(moment) as sockets, in_database(str(connection.settings_dict["NAME"]), HOST=sockets):
            make_backup(slug=slug, target=archive, key=None, actor=None, report=report)
    except EmbeddedFault as fault:
        raise BackupRefused(str(fault)) from fault
    manifest = extract(archive, staged, None)
    archive.unlink()
    return {**manifest, "made_at": moment.isoformat()}
