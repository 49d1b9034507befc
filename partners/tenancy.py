"""Whose data the current thread works on: contexts that switch it, and the one builder of keys that belong to a partner."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

from partners.errors import NoPartner
from partners.postgres.roles import PUBLIC

if TYPE_CHECKING:
    from partners.models import Partner


_APPLIED = sql.SQL("SELECT {}, array_agg(ARRAY[app, name]) FROM {}")


def schema_of(slug: str) -> str:
    """The schema of the partner with this slug."""
    return f"t_{slug.replace('-', '_')}"


def is_sandbox(schema: str) -> bool:
    """Whether a sandbox has this schema: no other slug may end as theirs do."""
    return schema.endswith("_sandbox")


def slug_of(schema: str) -> str:
    """The slug of the partner with this schema."""
    return schema.removeprefix("t_").replace("_", "-")


@contextmanager
def tenant_context(partner: "Partner | str") -> Iterator[None]:
    """Everything inside happens in this partner's schema (a partner or a schema's name), under its role."""
    schema = partner if isinstance(partner, str) else partner.schema_name
    with _state(schema, "partner"):
        yield


@contextmanager
def public_context() -> Iterator[None]:
    """Everything inside happens in the shared schema, under its role."""
    with _state(PUBLIC, "partner"):
        yield


@contextmanager
def as_owner(schema: str | None = None) -> Iterator[None]:
    """Everything inside may change tables. For migrations and for making a partner; never for a request."""
    with _state(schema or in_force(), "owner"):
        yield


@contextmanager
def as_login() -> Iterator[None]:
    """Everything inside is done by the login itself, which may make roles and nothing else."""
    with _state(PUBLIC, "login"):
        yield


@contextmanager
def _state(schema: str, acting: str) -> Iterator[None]:
    wrapper: Any = connections["default"]
    before_schema, before_acting = wrapper.schema_name, wrapper.acting
    wrapper.set_schema(schema)
    wrapper.acting = acting
    try:
        yield
    finally:
        wrapper.set_schema(before_schema)
        wrapper.acting = before_acting


def in_force() -> str:
    """The schema in force, the shared one included."""
    return str(connection.schema_name)    # type: ignore[attr-defined]


def current_schema() -> str:
    """The schema in force. Raises NoPartner outside a partner's."""
    schema = in_force()
    if schema == PUBLIC:
        raise NoPartner
    return schema


def scoped(kind: str, *parts: object) -> str:
    """A key that belongs to the current partner: for caches, files, queues, limits and signed links alike. Raises NoPartner."""
    return ":".join([current_schema(), kind, *(str(part).replace("%", "%25").replace(":", "%3A") for part in parts)])


def cache_key(key: str, prefix: str, version: int) -> str:
    """Django's KEY_FUNCTION: inside a partner's schema the key is the partner's; outside it is the shared part's own."""
    return f"{in_force()}:cache:{prefix}:{version}:{key}"


def outdated_schemas() -> list[str]:
    """The schemas, public among them, in which a migration on disk has not run yet, or whose role lacks a right on a table."""
    wanted = set(MigrationLoader(None).disk_migrations)
    done = applied_migrations()
    if not done.get(PUBLIC):
        return [PUBLIC]
    lacking = _lacking_rights()
    behind = [schema for schema, applied in done.items() if not applied]
    return behind + [schema for schema, applied in done.items() if applied and (not wanted <= applied or schema in lacking)]


def applied_migrations() -> dict[str, frozenset[tuple[str, str]]]:
    """What has run in the shared schema and in each partner's; nothing in one that was never migrated. One query for all."""
    with as_owner(PUBLIC), connection.cursor() as cursor:
        cursor.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'django_migrations'")
        migrated = {schema for (schema,) in cursor.fetchall()}
        known = [PUBLIC]
        if PUBLIC in migrated and _has_partners(cursor):
            cursor.execute("SELECT schema_name FROM public.partners_partner")
            known += sorted(schema for (schema,) in cursor.fetchall())
        parts = [
            _APPLIED.format(sql.Literal(schema), sql.Identifier(schema, "django_migrations"))
            for schema in known if schema in migrated
        ]
        done: dict[str, frozenset[tuple[str, str]]] = dict.fromkeys(known, frozenset())
        if parts:
            cursor.execute(sql.SQL(" UNION ALL ").join(parts).as_string(connection.connection))
            done.update({schema: frozenset((app, name) for app, name in applied or ()) for schema, applied in cursor.fetchall()})
    return done


def _lacking_rights() -> set[str]:
    """The schemas with a table on which nobody was granted anything yet: somebody was killed between making it and granting it."""
    with as_owner(PUBLIC), connection.cursor() as cursor:
        if not _has_partners(cursor):
            return set()
        cursor.execute(
            "SELECT DISTINCT p.schema_name FROM public.partners_partner p JOIN pg_namespace n ON n.nspname = p.schema_name"
            " JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'"
            " WHERE c.relacl IS NULL AND c.relname <> 'django_migrations'"
        )
        return {schema for (schema,) in cursor.fetchall()}


def _has_partners(cursor: Any) -> bool:
    cursor.execute("SELECT to_regclass('public.partners_partner') IS NOT NULL")
    return bool(cursor.fetchone()[0])
