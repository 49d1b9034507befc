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


def schema_of(slug: str) -> str:
    """The schema of the partner with this slug."""
    return f"t_{slug.replace('-', '_')}"


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
    """The schemas, public among them, in which a migration on disk has not run yet; one query."""
    wanted = set(MigrationLoader(None).disk_migrations)
    with as_owner(PUBLIC), connection.cursor() as cursor:
        cursor.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'django_migrations'")
        migrated = {schema for (schema,) in cursor.fetchall()}
        if PUBLIC not in migrated:
            return [PUBLIC]
        cursor.execute("SELECT schema_name FROM public.partners_partner") if _has_partners(cursor) else None
        known = [PUBLIC, *sorted(schema for (schema,) in cursor.fetchall())] if cursor.description else [PUBLIC]
        behind = [schema for schema in known if schema not in migrated]
        parts = [
            sql.SQL("SELECT {} AS s, app, name FROM {}").format(sql.Literal(schema), sql.Identifier(schema, "django_migrations"))
            for schema in known if schema in migrated
        ]
        cursor.execute(sql.SQL(" UNION ALL ").join(parts).as_string(connection.connection))
        done: dict[str, set[tuple[str, str]]] = {}
        for schema, app, name in cursor.fetchall():
            done.setdefault(schema, set()).add((app, name))
    return behind + [schema for schema in known if schema in migrated and not wanted <= done.get(schema, set())]


def _has_partners(cursor: Any) -> bool:
    cursor.execute("SELECT to_regclass('public.partners_partner') IS NOT NULL")
    return bool(cursor.fetchone()[0])
