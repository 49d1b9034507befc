"""Bringing schemas up to date: the shared one, then each partner's, each on its own, so that a broken-off run is simply repeated.

The first partner of those that are equally far is migrated by Django; what that did is replayed for the others (ADR 13)."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.management.commands.migrate import Command as MigrateOne
from django.db import Error, connection, transaction

from partners.postgres.roles import PUBLIC, ensure_partner_role, ensure_shared_roles, grant, grant_tables, make_schema
from partners.recipes import Recipe, is_replayable, keep_recipe, kept_recipe, recipe_of, recording, replay, to_run
from partners.tenancy import applied_migrations, as_login, as_owner, outdated_schemas

LOCK = int.from_bytes(b"migrate", "big")  # PostgreSQL keeps such locks apart by database
PAUSE_SECONDS = 0.2
_NOBODYS = "t__recipe"    # no slug gives this name
Key = tuple[str, str]    # app and name of a migration


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
        while not _ask("pg_try_advisory_lock"):
            time.sleep(PAUSE_SECONDS)    # asked again: a statement that waits for the lock would end at the statement timeout
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
    _forget_what_never_ran()
    behind = outdated_schemas()
    changed = [PUBLIC] if PUBLIC in behind else []
    if changed:
        report(f"migrating {PUBLIC}")
        with as_owner(PUBLIC):
            migrate_schema(**options)
            grant_tables(PUBLIC)
        behind = [schema for schema in outdated_schemas() if schema != PUBLIC]
    numbered = iter(range(1, len(behind) + 1))
    for applied, schemas in _groups(behind, applied_migrations() if behind else {}):
        _bring_up(applied, schemas, lambda schema: report(f"migrating {schema} ({next(numbered)} of {len(behind)})"), options)
    if changed:
        prepare_recipe()
    return changed + behind


def _forget_what_never_ran() -> None:
    """The operators' record came later: what was noted in the shared schema without having done anything there runs now."""
    with as_owner(PUBLIC), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.django_migrations') IS NOT NULL AND to_regclass('public.audit_event') IS NULL")
        if cursor.fetchone()[0]:
            cursor.execute("DELETE FROM public.django_migrations WHERE app = 'audit'")


def _groups(behind: Iterable[str], done: Mapping[str, frozenset[Key]]) -> Iterator[tuple[frozenset[Key], list[str]]]:
    """Those that are equally far, together."""
    groups: dict[frozenset[Key], list[str]] = {}
    for schema in behind:
        groups.setdefault(done.get(schema, frozenset()), []).append(schema)
    yield from groups.items()


def _bring_up(applied: frozenset[Key], schemas: Iterable[str], report: Callable[[str], None], options: dict[str, Any]) -> None:
    """Each schema has what is missing: the first by Django, the others by what that did, where it would be the same for them."""
    recipe: Recipe | None = None
    missing = to_run(applied)
    is_same = bool(applied) and bool(missing) and not options and is_replayable(missing)
    for schema in schemas:
        report(schema)
        if not applied:
            make_tenant(schema, **options)
        elif recipe is None or not _replayed(recipe, schema):
            found = _migrated(schema, options)
            recipe = found if is_same else None


def make_tenant(schema: str, **options: Any) -> None:
    """The partner's role, and its schema with all tables and rights; a half-made one is completed."""
    with as_login():
        ensure_partner_role(schema)
    recipe = kept_recipe()
    if recipe is not None and _is_empty(schema) and _replayed(recipe, schema):
        return
    is_whole = _is_empty(schema)
    found = _migrated(schema, options)
    if recipe is None and is_whole and found is not None:
        keep_recipe(found)


def prepare_recipe() -> None:
    """The first partner too is made by a recipe: one is recorded in a schema that is never there for anybody else."""
    if kept_recipe() is not None:
        return
    recipe: Recipe | None = None
    try:
        with as_owner(_NOBODYS), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f'CREATE SCHEMA "{_NOBODYS}"')
            with recording() as found:
                migrate_schema()
            recipe = recipe_of(found, _NOBODYS)
            transaction.set_rollback(True)
    except Error:    # a migration that cannot run inside another transaction: the first partner is made by migrations, and tells more
        return
    if recipe is not None:
        keep_recipe(recipe)


def _is_empty(schema: str) -> bool:
    with as_owner(PUBLIC), connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(quote_ident(%s))::oid", [schema])
        found = cursor.fetchone()[0]
        if found is None:
            return True
        cursor.execute("SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = %s)", [found])
        return bool(cursor.fetchone()[0])


def _migrated(schema: str, options: dict[str, Any]) -> Recipe | None:
    """The schema is up to date by Django's own migrations; what they did, if it can be repeated elsewhere."""
    with as_login():
        ensure_partner_role(schema)
    with as_owner(schema):
        make_schema(schema)
        with recording() as found:
            migrate_schema(**options)
        grant_tables(schema)
        return recipe_of(found, schema)


def _replayed(recipe: Recipe, schema: str) -> bool:
    """Whether the recipe could be done to this schema, whole; if not, nothing was done, and Django's migrations say why."""
    with as_login():
        ensure_partner_role(schema)
    try:
        with as_owner(schema), transaction.atomic():
            make_schema(schema)
            replay(recipe)
            grant(schema, recipe.tables, recipe.sequences)
    except Error:
        return False
    return True
