"""Restoring: beside what is there, checked, and only then in its place. Killed at any moment, the tables are as before or as restored, and
the same command given again ends what was begun.

One partner comes back in one transaction, beside the others, who go on. The whole system comes back as another database, which takes the
name of the first when it has been found right; the first stays under a name of its own until somebody drops it."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from django.db import DatabaseError, connection, transaction
from psycopg import sql

from audit import sealer
from audit.actions import Action
from audit.context import Actor
from audit.errors import DomainError
from audit.privacy.ledger import forget_erased, replay_erasures
from audit.services import record
from audit.vault import check_keyring, refresh_keyring
from partners.migrating import migrate_all
from partners.models import Domain, Partner
from partners.postgres.roles import PUBLIC, current_role_name, ensure_partner_role, ensure_shared_roles, grant_tables, make_schema
from partners.tenancy import as_login, as_owner, tenant_context
from portal.backups import facts, place, programs
from portal.backups.archive import DUMP
from portal.backups.errors import BackupRefused
from portal.backups.making import Report, stamp
from portal.waiting import wait_until

# Called for each restored partner, in its schema and before anybody else sees it: what was erased since must not come back.
AFTER_RESTORE: list[Callable[[], object]] = [replay_erasures]
_COPY = re.compile(rb"COPY .* FROM stdin;\n")
LEAVE_SECONDS = 5
_BEFORE = "__before"    # no slug ends like this


@dataclass(frozen=True)
class Restored:
    """What came back: which partners, how many rows, in how many seconds, and what the database before is called now."""

    partners: list[str]
    rows: int
    seconds: float
    kept_database: str = ""


def refuse_unfit(manifest: Mapping[str, Any]) -> None:
    """Raises BackupRefused for an archive of a newer Vouch or of a newer PostgreSQL."""
    facts.refuse_newer(manifest["facts"])
    theirs, ours = manifest["postgres"] // 10_000, programs.server_version() // 10_000
    if theirs > ours:
        raise BackupRefused(f"The backup is of PostgreSQL {theirs}, and this server is PostgreSQL {ours}: restore it on {theirs} or newer.")


# ---- one partner


def restore_partner(staged: Path, manifest: Mapping[str, Any], slug: str, *, actor: Actor, report: Report) -> Restored:
    """The partner is as it was; the others are not touched. Raises BackupRefused, and then nothing was changed."""
    schema = next((schema for schema, known in manifest["partners"].items() if known["slug"] == slug), None)
    if schema is None:
        held = ", ".join(known["slug"] for known in manifest["partners"].values())
        raise BackupRefused(f"There is no partner '{slug}' in this backup. There is: {held}.")
    began = time.monotonic()
    refuse_unfit(manifest)
    with as_login():
        ensure_partner_role(schema)
    report(f"restoring {schema}")
    place.put_back(staged, Path("files", schema))
    with as_owner(PUBLIC), transaction.atomic():
        replaced = _put_aside(schema)
        _replay(staged / DUMP, schema)
        make_schema(schema)
        grant_tables(schema)
        report(f"checking {schema}")
        facts.refuse_other(schema, manifest["facts"][schema])
        _ensure_partner(schema, manifest["partners"][schema])
        _finish(schema, manifest, actor, replaced)
        with connection.cursor() as cursor:
            cursor.execute(f'DROP SCHEMA IF EXISTS "{schema}{_BEFORE}" CASCADE')
    connection.close()
    _publish(staged, schema, slug)
    migrate_all(report=report)
    return Restored([slug], _count(manifest, [schema]), time.monotonic() - began)


def _put_aside(schema: str) -> dict[str, Any]:
    """The schema that is there has another name in this transaction, and nobody seals it meanwhile; returns its tree."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f'"{schema}".audit_leaf'])
        if not cursor.fetchone()[0]:
            cursor.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
            return {}
        with as_owner(schema):
            sealer.wait_alone(schema)
            replaced = facts.tree()
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER SCHEMA "{schema}" RENAME TO "{schema}{_BEFORE}"')
    return replaced


def _replay(dump: Path, schema: str) -> None:
    """The script that pg_restore makes of the dump is done in this transaction, which keeps its own settings."""
    command = [programs.program("pg_restore"), f"--schema={schema}", "--no-owner", "--no-privileges", "--file=-", str(dump)]
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE SCHEMA "{schema}"')
        raw = connection.connection
        with programs.output_of(command) as script:
            for statements, rows in _steps(script):
                _do(raw, statements)
                if rows is not None:
                    with raw.cursor() as copying, copying.copy(rows) as copy:
                        for line in _until_end(script):
                            copy.write(line)
        cursor.execute("RESET ALL; SET LOCAL statement_timeout = 0")
    connection.forget()    # type: ignore[attr-defined]


def _steps(script: IO[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
    """Statements, each time with the COPY that follows them; its rows are to be read from the script before going on."""
    statements: list[bytes] = []
    for line in script:
        if _COPY.fullmatch(line):
            yield b"".join(statements), line
            statements = []
        elif not line.startswith((b"\\restrict", b"\\unrestrict", b"--")):
            statements.append(line)
    yield b"".join(statements), None


def _until_end(script: IO[bytes]) -> Iterator[bytes]:
    for line in script:
        if line == b"\\.\n":
            return
        yield line
    raise BackupRefused("The archive's dump ends too early: use another copy.")


def _do(raw: psycopg.Connection[Any], statements: bytes) -> None:
    result = raw.pgconn.exec_(statements)
    if result.status not in {psycopg.pq.ExecStatus.COMMAND_OK, psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.EMPTY_QUERY}:
        raise BackupRefused(f"PostgreSQL refused the dump: {result.error_message.decode(errors='replace').splitlines()[0]}")


def _ensure_partner(schema: str, known: Mapping[str, Any]) -> None:
    """The partner's shared row and hosts are there; those that are stay as they are."""
    row = {name: value for name, value in known.items() if name != "domains"}
    with as_owner(PUBLIC):
        partner, _ = Partner.objects.get_or_create(schema_name=schema, defaults=row)
        for number, domain in enumerate(known["domains"]):
            Domain.objects.get_or_create(domain=domain, defaults={"tenant": partner, "is_primary": number == 0})


def _finish(schema: str, manifest: Mapping[str, Any], actor: Actor, replaced: Mapping[str, Any]) -> None:
    """The keys open, who was erased since is erased again, and the record says what happened to it."""
    with tenant_context(schema):
        check_keyring()
        refresh_keyring()
        for hook in AFTER_RESTORE:
            hook()
        tree, slug = manifest["facts"][schema]["tree"], manifest["partners"][schema]["slug"]
        detail = {"scope": manifest["scope"], "made_at": manifest["made_at"], "size": tree["size"], "root": tree["root"],
                  "replaced_size": replaced.get("size", 0), "replaced_root": replaced.get("root", "")}  # fmt: skip
        record(action=Action.BACKUP_RESTORED, actor=actor, object_kind="partner", object_id=slug, detail=detail)


def _publish(staged: Path, schema: str, slug: str) -> None:
    place.put_back_log(staged, schema, stamp())
    place.put_back(staged, Path("partners", slug))
    with tenant_context(schema):
        refresh_keyring()
        forget_erased()
        sealer.seal()


def _count(manifest: Mapping[str, Any], schemas: list[str]) -> int:
    return sum(sum(manifest["facts"][schema]["rows"].values()) for schema in schemas)


# ---- the whole system


@contextmanager
def side_database(staged: Path, manifest: Mapping[str, Any], *, report: Report) -> Iterator[str]:
    """A database with what the archive holds, checked; gone afterwards, unless it was given another name."""
    if manifest["scope"] != "system":
        raise BackupRefused(f"This backup is of one partner: restore it with --partner {manifest['scope']}.")
    refuse_unfit(manifest)
    side = f"{connection.settings_dict['NAME']}_restoring"
    with place.alone():
        with maintenance() as server:
            # By force: a killed restore may have left a pg_restore that still fills it.
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(side)))
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(side)))
        try:
            with place.in_database(side):
                _fill(side, staged, manifest, report)
            yield side
        finally:
            with maintenance() as server:
                server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(side)))


def _fill(side: str, staged: Path, manifest: Mapping[str, Any], report: Report) -> None:
    with as_login():
        ensure_shared_roles()
    report("restoring the database")
    programs.run([programs.program("pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error",
                  f"--role={current_role_name('owner')}", f"--dbname={programs.address(side)}", str(staged / DUMP)])  # fmt: skip
    for number, schema in enumerate(manifest["facts"], start=1):
        report(f"checking {schema} ({number} of {len(manifest['facts'])})")
        facts.refuse_other(schema, manifest["facts"][schema])


def restore_system(staged: Path, manifest: Mapping[str, Any], *, actor: Actor, report: Report) -> Restored:
    """The whole system is as it was. Raises BackupRefused, and then nothing was changed; so also while anybody uses the database."""
    name, began = str(connection.settings_dict["NAME"]), time.monotonic()
    refuse_users(name)
    replaced = _trees()
    with side_database(staged, manifest, report=report) as side:
        for schema in manifest["partners"]:
            place.put_back(staged, Path("files", schema))
        with place.in_database(side):
            with as_owner(PUBLIC):
                grant_tables(PUBLIC)
            migrate_all(report=report)
            for schema in manifest["partners"]:
                with as_owner(PUBLIC), transaction.atomic():
                    _finish(schema, manifest, actor, replaced.get(schema, {}))
        kept = f"{name}_before_{stamp().lower()}"
        _swap(name, side, kept)
    for schema, known in manifest["partners"].items():
        _publish(staged, schema, known["slug"])
    place.put_back_log(staged, PUBLIC, stamp())    # of what operators did
    return Restored([known["slug"] for known in manifest["partners"].values()], _count(manifest, list(manifest["facts"])),
                    time.monotonic() - began, kept)  # fmt: skip


def _trees() -> dict[str, dict[str, Any]]:
    """The trees that are there now, as far as they can be read: a broken database is a reason to restore."""
    found = {}
    with suppress(DatabaseError, DomainError):
        for schema in facts.partner_rows(None):
            with as_owner(schema):
                found[schema] = facts.tree()
    return found


def refuse_users(name: str) -> None:
    """Raises BackupRefused while other sessions use the database."""
    query = "SELECT FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
    with maintenance() as server:
        if not wait_until(lambda: not server.execute(query, [name]).rowcount, LEAVE_SECONDS):    # our own may just be leaving
            raise BackupRefused(f"The database {name} is in use: stop the portal (web, worker, scheduler) first; nothing was changed.")


def _swap(name: str, side: str, kept: str) -> None:
    """In one transaction the database that was there gets a name of its own, and the restored one gets its name."""
    refuse_users(name)
    with maintenance() as server, server.transaction():
        for old, new in ((name, kept), (side, name)):
            server.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))


@contextmanager
def maintenance() -> Iterator[psycopg.Connection[Any]]:
    """The login in the server's own database, from where others are made and renamed. Raises BackupRefused with what it needs."""
    address = programs.address("postgres")
    connection.close()
    try:
        with psycopg.connect(address, autocommit=True, password=str(connection.settings_dict["PASSWORD"]) or None) as server:
            yield server
    except psycopg.errors.InsufficientPrivilege:
        login = connection.settings_dict["USER"]
        raise BackupRefused(f"The login may not make databases: ALTER ROLE {login} CREATEDB; for the time of the restore.") from None
    except psycopg.Error as error:
        raise BackupRefused(f"The database server refused: {str(error).splitlines()[0]}") from error

