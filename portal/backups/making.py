"""Making an archive: one snapshot for the dump and for what the manifest says of it."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from audit.vault import Keyring, refresh_keyring
from partners.postgres.roles import PUBLIC, current_role_name
from partners.selectors import partner
from partners.tenancy import as_owner, tenant_context
from portal.backups import facts, place, programs
from portal.backups.archive import DUMP, Writer, writing
from portal.backups.errors import BackupRefused

ENDING = ".vouch-backup"
_FORMAT = 1
Report = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """An archive that stands."""

    path: Path
    scope: str
    bytes: int
    sha256: str
    partners: int
    is_sealed: bool


def stamp() -> str:
    """This moment, as names of files have it."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


def make_backup(*, slug: str | None, target: Path, key: bytes | None, actor: Actor | None, report: Report) -> Made:
    """The archive of the whole system, or of one partner, stands at the target (a file, or a folder), whole or not at all.

    Recorded with each partner in it, unless there is no actor. Raises BackupRefused, PartnerUnknown."""
    if slug is not None:
        partner(slug)
    path = target / f"vouch-{slug or 'system'}-{stamp()}{ENDING}" if target.is_dir() or not target.suffix else target
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file, writing(file, key) as writer:
            schemas = _write(writer, slug, report)
        made = Made(path, slug or "system", part.stat().st_size, _digest(part), len(schemas), key is not None)
        part.replace(path)
    except OSError as error:
        raise BackupRefused(f"{path} cannot be written ({error.strerror}): free some space, or name another place with --out.") from None
    finally:
        part.unlink(missing_ok=True)
    if actor is not None:
        _record(made, schemas, actor)
    return made


def _record(made: Made, schemas: list[str], actor: Actor) -> None:
    name = made.path.name
    for schema in schemas:
        with tenant_context(schema):
            detail = {"scope": made.scope, "file": name, "bytes": made.bytes, "sha256": made.sha256, "is_sealed": made.is_sealed}
            record(action=Action.BACKUP_MADE, actor=actor, object_kind="backup", object_id=name[-64:], detail=detail)


def _write(writer: Writer, slug: str | None, report: Report) -> list[str]:
    with as_owner(PUBLIC), transaction.atomic():
        snapshot = _snapshot()
        manifest, rings = _manifest(slug, report)
        schemas = list(manifest["partners"])
        report("dumping the database")
        command = [programs.program("pg_dump"), "--format=custom", f"--snapshot={snapshot}", f"--role={current_role_name('owner')}",
                   "--no-owner", "--no-privileges", *(() if slug is None else [f"--schema={schema}" for schema in schemas]),
                   f"--dbname={programs.address(str(connection.settings_dict['NAME']))}"]  # fmt: skip
        with programs.output_of(command) as dump:
            writer.add_pieces(DUMP, dump)
    for schema, known in manifest["partners"].items():
        _add_files(writer, schema, known["slug"], manifest["facts"][schema]["tree"]["size"], report)
    if slug is None:
        _add_log(writer, PUBLIC, manifest["facts"][PUBLIC]["tree"]["size"])
    writer.finish(manifest, rings)
    return schemas


def _snapshot() -> str:
    """This transaction sees one moment, and pg_dump may see the same; neither has to hurry."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SELECT pg_export_snapshot()")
        return str(cursor.fetchone()[0])


def _manifest(slug: str | None, report: Report) -> tuple[dict[str, Any], dict[str, Keyring]]:
    known = facts.partner_rows(slug)
    if not known:
        raise BackupRefused("There is no partner yet: nothing is to be backed up.")
    found, keys, rings = {}, {}, {}
    for number, schema in enumerate(known, start=1):
        report(f"counting {schema} ({number} of {len(known)})")
        found[schema], keys[schema] = facts.facts_of(schema), facts.keys_of(schema)
        with tenant_context(schema):
            rings[schema] = refresh_keyring()
    if slug is None:
        found[PUBLIC] = facts.facts_of(PUBLIC)
    manifest = {
        "format": _FORMAT, "vouch": settings.VERSION, "postgres": programs.server_version(), "made_at": datetime.now(UTC).isoformat(),
        "scope": slug or "system", "partners": known, "facts": found, "keys": keys,
    }  # fmt: skip
    return manifest, rings


def _add_files(writer: Writer, schema: str, slug: str, size: int, report: Report) -> None:
    _add_log(writer, schema, size)
    count = 0
    for folder in place.folders_of(schema, slug):
        for name in place.files_below(folder):
            with suppress(FileNotFoundError), (Path(settings.VOUCH_HOME) / name).open("rb") as file:    # uploads go when they were read
                writer.add(f"{place.HOME}/{name}", file, os.fstat(file.fileno()).st_size)
                count += 1
    report(f"{slug}: {count} files")


def _add_log(writer: Writer, schema: str, size: int) -> None:
    log = place.published(schema, size)
    writer.add(f"{place.HOME}/checkpoints/{schema}.log", BytesIO(log), len(log))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
