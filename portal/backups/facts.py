"""What an archive must give back: the rows of each table, the tree over the record, the migrations, and the keys as they lie."""

import base64
from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from audit.models import Keyring as KeyringRow
from audit.tree import Frontier
from partners.models import Domain, Partner
from partners.postgres.roles import PUBLIC, relations_of
from partners.tenancy import as_owner, public_context, tenant_context
from portal.backups.errors import BackupRefused

Facts = dict[str, Any]
_AT_ONCE = 50_000


def facts_of(schema: str) -> Facts:
    """`rows` by table, `tree` (size, root as hex, worked out again from the leaves) and `migrations` of this schema."""
    with as_owner(schema):
        tables = relations_of(schema)[0]
        found: Facts = {"rows": _rows(tables), "migrations": _migrations()}
        if "audit_leaf" in tables:
            found["tree"] = tree()
    return found


def _rows(tables: list[str]) -> dict[str, int]:
    counts = [sql.SQL("SELECT {}, count(*) FROM {}").format(sql.Literal(table), sql.Identifier(table)) for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(" UNION ALL ").join(counts).as_string(connection.connection))
        return dict(sorted(cursor.fetchall()))


def _migrations() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1")
        return [name for (name,) in cursor.fetchall()]


def tree() -> Facts:
    """The tree of the current schema over its leaves as they are."""
    frontier, position = Frontier(), -1
    query = "SELECT position, leaf_hash FROM audit_leaf WHERE position > %s ORDER BY position LIMIT %s"
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query, [position, _AT_ONCE])
            leaves = cursor.fetchall()
        if not leaves:
            return {"size": frontier.size, "root": frontier.root().hex()}
        frontier, position = frontier.extended(bytes(leaf) for _, leaf in leaves), leaves[-1][0]


def partner_rows(slug: str | None) -> dict[str, Facts]:
    """Each partner's shared row and hosts, by schema: of one, or of all."""
    with public_context():
        found = Partner.objects.exclude(schema_name=PUBLIC).order_by("slug")
        return {
            str(partner.schema_name): {
                **{name: getattr(partner, name) for name in ("slug", "name", "country", "currency", "plan", "is_active")},
                "domains": list(Domain.objects.filter(tenant=partner).order_by("-is_primary", "domain").values_list("domain", flat=True)),
            }
            for partner in (found if slug is None else found.filter(slug=slug))
        }


def keys_of(schema: str) -> list[Facts]:
    """The partner's keys, wrapped by the root key as they lie."""
    with tenant_context(schema):
        return [
            {
                "id": str(row.id), "purpose": row.purpose, "version": row.version, "wrapped": _text(row.wrapped),
                "public_key": _text(row.public_key), "is_retired": row.retired_at is not None,
            }
            for row in KeyringRow.objects.order_by("version", "purpose")
        ]  # fmt: skip


def _text(value: bytes | memoryview | None) -> str | None:
    return None if value is None else base64.b64encode(bytes(value)).decode()


def refuse_newer(facts: Mapping[str, Facts]) -> None:
    """Raises BackupRefused for what a newer Vouch has written: this one has no code for it."""
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    unknown = sorted({name for one in facts.values() for name in one["migrations"]} - known)
    if unknown:
        raise BackupRefused(f"The backup was made by a newer Vouch ({unknown[0]} is not known here): install that version, then restore.")


def refuse_other(schema: str, wanted: Facts) -> None:
    """What was restored is what was backed up, row counts and tree alike. Raises BackupRefused."""
    found = facts_of(schema)
    if found != wanted:
        differing = [table for table in wanted["rows"] if found["rows"].get(table) != wanted["rows"][table]] or ["tree or migrations"]
        raise BackupRefused(f"What came back of {schema} is not what the manifest says ({', '.join(differing[:3])}): nothing was changed.")
