"""Bringing schemas up to date: the shared one, then each partner's, each on its own, so that a broken-off run is simply repeated."""

from collections.abc import Callable
from typing import Any

from django.core.management.commands.migrate import Command as MigrateOne

from partners.postgres.roles import PUBLIC, ensure_partner_role, ensure_shared_roles, grant_tables, make_schema
from partners.tenancy import as_login, as_owner, outdated_schemas


def migrate_schema(**options: Any) -> None:
    """The current schema has every table of its apps. Call in the owner state."""
    command = MigrateOne()
    defaults = vars(command.create_parser("manage.py", "migrate").parse_args([]))
    command.execute(**{**defaults, "verbosity": 0, "interactive": False, "skip_checks": True, **options})


def migrate_all(*, report: Callable[[str], None], **options: Any) -> list[str]:
    """The shared schema and every partner's are up to date, roles and rights included; returns those that were not."""
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
