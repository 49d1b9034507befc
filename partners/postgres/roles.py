"""Database roles: one that owns everything, one for the shared tables, one for each partner; and what each may do."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

from django.apps import apps
from django.db import connection
from psycopg import sql

PUBLIC = "public"
_LONGEST = 63
_INHERIT_SYNTAX = 16_00_00    # GRANT ... WITH INHERIT came with PostgreSQL 16; before, NOINHERIT on the login alone decides
_OWNERS_OWN = frozenset({"django_migrations", "partners_schemarecipe"})    # what is run, or says what was run, as the owner
_EVERYTHING: LiteralString = "SELECT, INSERT, UPDATE, DELETE"


def role_name(database: str, part: str) -> str:
    """The role of a schema (or "owner") in this database; roles are shared by all databases of a server."""
    name = f"{database}_{part}"
    if len(name.encode()) <= _LONGEST:
        return name
    return f"{hashlib.sha256(database.encode()).hexdigest()[:12]}_{part}"


def current_role_name(part: str) -> str:
    """`role_name` in the database of the default connection."""
    return role_name(roles_of(connection.settings_dict), part)


def roles_of(settings: Mapping[str, Any]) -> str:
    """The database whose roles a connection takes: its own, or the one in whose place it is being restored."""
    return str(settings.get("ROLES_OF") or settings["NAME"])


def ensure_shared_roles() -> None:
    """The owner and the role of the public state exist, and the login may take them. Call in the login state."""
    database = sql.Identifier(str(connection.settings_dict["NAME"]))
    owner = _ensure_role(current_role_name("owner"))
    shared = _ensure_role(current_role_name(PUBLIC))
    _run(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, owner))
    _run(sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    _run(sql.SQL("GRANT ALL ON SCHEMA public TO {}").format(owner))
    _run(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(shared))


def ensure_partner_role(schema: str) -> None:
    """The partner's role exists and the login may take it. Call in the login state."""
    _ensure_role(current_role_name(schema))


def make_schema(schema: str) -> None:
    """The schema exists and its role may look into it. Call in the owner state."""
    _run(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    _run(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(current_role_name(schema))))


def relations_of(schema: str) -> tuple[list[str], list[str]]:
    """Its tables and its sequences. Reads the catalogue of the whole database: with 1,000 schemas that takes its time."""
    query = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relkind = %s ORDER BY relname"
    found: list[list[str]] = []
    with connection.cursor() as cursor:
        for kind in ("r", "S"):
            cursor.execute(query, [schema, kind])
            found.append([name for (name,) in cursor.fetchall()])
    return found[0], found[1]


def grant_tables(schema: str) -> None:
    """The schema's role may do with each table what its app says, and nothing else. Call in the owner state, after migrating."""
    grant(schema, *relations_of(schema))


def grant(schema: str, tables: Sequence[str], sequences: Sequence[str]) -> None:
    """The same for these tables and sequences, which are named because "all in the schema" would read the whole catalogue."""
    role = sql.Identifier(current_role_name(schema))
    statements = [sql.SQL("REVOKE ALL ON {} FROM {}").format(_named(schema, tables), role)] if tables else []
    by_rights: dict[LiteralString, list[str]] = {}
    for table in tables:
        by_rights.setdefault(_rights(schema, table), []).append(table)
    for rights, named in by_rights.items():
        if rights:
            statements.append(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), _named(schema, named), role))
    if sequences:
        statements.append(sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(_named(schema, sequences), role))
    if statements:
        _run(sql.SQL("; ").join(statements))


def _named(schema: str, names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(schema, name) for name in names)


def _rights(schema: str, table: str) -> LiteralString:
    if table in _OWNERS_OWN:
        return ""
    if table in _declared("append_only_tables"):
        return "SELECT, INSERT"
    if schema == PUBLIC and table in _declared("read_only_tables"):
        return "SELECT"
    return _EVERYTHING


def _declared(attribute: str) -> set[str]:
    """The tables that apps declare under this attribute of their AppConfig."""
    declared: Iterable[Iterable[str]] = (getattr(app, attribute, ()) for app in apps.get_app_configs())
    return {table for tables in declared for table in tables}


def _ensure_role(name: str) -> sql.Identifier:
    role = sql.Identifier(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
        if cursor.fetchone() is None:
            _run(sql.SQL("CREATE ROLE {} NOLOGIN NOINHERIT").format(role))
    if _is_taken(name):
        return role
    if _server_version() >= _INHERIT_SYNTAX:
        _run(sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE").format(role))
    else:
        _run(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    return role


def _is_taken(name: str) -> bool:
    """Whether the login may take the role already, and inherits nothing by it."""
    query = (
        "SELECT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles l ON l.oid = m.member"
        " WHERE r.rolname = %s AND l.rolname = current_user"
    )
    query += " AND m.set_option AND NOT m.inherit_option)" if _server_version() >= _INHERIT_SYNTAX else ")"
    with connection.cursor() as cursor:
        cursor.execute(query, [name])
        return bool(cursor.fetchone()[0])


def _server_version() -> int:
    connection.ensure_connection()
    return int(connection.connection.info.server_version)


def _run(statement: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.as_string(connection.connection))
