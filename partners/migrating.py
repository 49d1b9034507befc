"""Bringing schemas up to date: the shared one, then each partner's, each on its own, so that a broken-off run is simply repeated."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands.migrate import Command as MigrateOne
from django.db import Error, connection

from partners.postgres.roles import PUBLIC, ensure_partner_role, ensure_shared_roles, grant_tables, make_schema
from partners.tenancy import as_login, as_owner, outdated_schemas

LOCK = int.from_bytes(b"migrate", "big")  # PostgreSQL keeps such locks apart by database
PAUSE_SECONDS = 0.2


def migrate_schema(**options: Any) -> None:
    """The current schema has every table of its apps. Call in the owner state."""
    command = MigrateOne()
    defaults = vars(command.create_parser("manage.py", "migrate").parse_args([]))
    command.execute(**{**defaults, "verbosity": 0, "interactive": False, "skip_checks": True, **options})


def migrate_all(*, report: Callable[[str], None], **options: Any) -> list[str]:
    """The shared schema and every partner's are up to date, roles and rights included; returns those that were not.

    One process at a time: others wait, and find nothing left to do."""
    with _alone(report):
        return _migrate_all(report, options)


@contextmanager
def _alone(report: Callable[[str], None]) -> Iterator[None]:
    if not _ask("pg_try_advisory_lock"):
        report("waiting for another process that migrates this database")
        while not _ask("pg_try_advisory_lock"):    # asked again: a statement that waits would end at the statement timeout
            time.sleep(PAUSE_SECONDS)
    try:
        yield
    finally:
        try:
            _ask("pg_advisory_unlock")
        except Error:    # a broken connection or transaction; what was told before counts, and the lock ends with the connection
            if not connection.in_atomic_block:
                connection.close()


def _ask(function: str) -> bool:
    with as_login(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _migrate_all(report: Callable[[str], None], options: dict[str, Any]) -> list[str]:
    with as_login():
        ensure_shared_roles()
    changed = [schema for schema in outdated_schemas() if schema == PUBLIC]
    if changed:
        report(f"migrating {PUBLIC}")
        with as_owner(PUBLIC):
            migrate_schema(**options)
            grant_tables(PUBLIC)
    behind = [schema for schema in outdated_schemas() if schema != PUBLIC]
    for number, schema in enumerate(behind, start=1):
        report(f"migrating {schema} ({number} of {len(behind)})")
        with as_login():
            ensure_partner_role(schema)
        with as_owner(schema):
            make_schema(schema)
            migrate_schema(**options)
            grant_tables(schema)
    return changed + behind
