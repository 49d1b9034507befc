"""What migrations did to one schema, done to another in one round trip: recorded where they ran, replayed where it would be the same."""

import hashlib
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import django
from django.db import connections
from django.db.migrations import Migration, RunPython, RunSQL, SeparateDatabaseAndState, operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from psycopg import sql

from partners.models import SchemaRecipe
from partners.postgres.roles import PUBLIC, relations_of
from partners.tenancy import as_owner

_REPLAYABLE = {
    operations.CreateModel, operations.DeleteModel, operations.AlterModelTable, operations.AlterModelTableComment,
    operations.AlterModelOptions, operations.AlterModelManagers, operations.AlterUniqueTogether, operations.AlterIndexTogether,
    operations.AddField, operations.RemoveField, operations.AlterField, operations.RenameField, operations.AddIndex,
    operations.RemoveIndex, operations.RenameIndex, operations.AddConstraint, operations.RemoveConstraint, operations.AlterConstraint,
    RunSQL,
}  # fmt: skip
_SAME_EACH_TIME = (dict, list, str, int, float, bool)
_KEPT_BY_DJANGO = re.compile(r'INSERT INTO "(django_migrations|django_content_type|auth_permission)"')
_WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|COPY|CREATE|ALTER|DROP|WITH|DO|CALL)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Statements with unqualified names, in their order, and the rows that Django keeps about itself, without their numbers."""

    statements: Sequence[str]
    migrations: Sequence[Sequence[str]]    # app, name
    content_types: Sequence[Sequence[str]]    # app, model
    permissions: Sequence[Sequence[str]]    # app, model, code name, name
    tables: Sequence[str]
    sequences: Sequence[str]


class Recording:
    """What was done since the recording began."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.is_whole = True    # False once something wrote that the statements do not hold
        self._in_editor = False

    def watch(self, execute: Any, statement: Any, parameters: Any, many: bool, context: Any) -> Any:
        """Sees every statement of the connection; those that write beside the schema editor cannot be repeated elsewhere."""
        if not self._in_editor and _WRITES.match(str(statement)) and not _KEPT_BY_DJANGO.match(str(statement)):
            self.is_whole = False
        return execute(statement, parameters, many, context)

    def editor(self, base: type[Any]) -> type[Any]:
        """A schema editor that notes what it executes."""
        recording = self

        class Noting(base):    # type: ignore[misc]
            def execute(self, statement: Any, params: Any = ()) -> Any:
                recording.note(str(statement) if params is None else str(self.connection.ops.compose_sql(str(statement), params)))
                recording._in_editor = True
                try:
                    return super().execute(statement, params)
                finally:
                    recording._in_editor = False

        return Noting

    def note(self, statement: str) -> None:
        """One statement more."""
        self.statements.append(statement.strip().rstrip(";"))


@contextmanager
def recording() -> Iterator[Recording]:
    """Notes what migrations do inside."""
    connection: Any = connections["default"]
    found, before = Recording(), connection.SchemaEditorClass
    connection.SchemaEditorClass = found.editor(before)
    try:
        with connection.execute_wrapper(found.watch):
            yield found
    finally:
        connection.SchemaEditorClass = before


def recipe_of(found: Recording, schema: str) -> Recipe | None:
    """What was recorded in this schema, None where it would not do the same elsewhere. Call in the owner state of the schema."""
    if not found.is_whole or any(re.search(rf"\b{schema}\b", statement) for statement in found.statements):
        return None
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations ORDER BY id")
        migrations = cursor.fetchall()
        cursor.execute("SELECT app_label, model FROM django_content_type ORDER BY id")
        types = cursor.fetchall()
        cursor.execute(
            "SELECT t.app_label, t.model, p.codename, p.name FROM auth_permission p JOIN django_content_type t ON t.id = p.content_type_id"
            " ORDER BY p.id"
        )
        return Recipe(found.statements, migrations, types, cursor.fetchall(), *relations_of(schema))


def replay(recipe: Recipe) -> None:
    """The current schema is as the recorded one: one message, to be sent inside a transaction. Call in the owner state."""
    parts = [
        *recipe.statements,
        *_rows("django_migrations (app, name, applied)", "app, name, now()", "app, name", recipe.migrations,
               "WHERE NOT EXISTS (SELECT FROM django_migrations m WHERE (m.app, m.name) = (r.app, r.name))"),
        *_rows("django_content_type (app_label, model)", "app, model", "app, model", recipe.content_types,
               "WHERE NOT EXISTS (SELECT FROM django_content_type t WHERE (t.app_label, t.model) = (r.app, r.model))"),
        *_rows("auth_permission (name, content_type_id, codename)", "r.name, t.id, r.codename", "app, model, codename, name",
               recipe.permissions, "JOIN django_content_type t ON (t.app_label, t.model) = (r.app, r.model)"
               " WHERE NOT EXISTS (SELECT FROM auth_permission p WHERE (p.content_type_id, p.codename) = (t.id, r.codename))"),
    ]  # fmt: skip
    with connections["default"].cursor() as cursor:
        cursor.execute(";\n".join(parts))


def _rows(into: str, chosen: str, names: str, rows: Iterable[Sequence[str]], where: str) -> Iterator[str]:
    """An INSERT of the rows that are not there yet, in their order; none for no rows."""
    told = [", ".join([str(place), *(sql.Literal(cell).as_string() for cell in row)]) for place, row in enumerate(rows)]
    if told:
        values = ", ".join(f"({one})" for one in told)
        insert = f"INSERT INTO {into} SELECT {chosen} FROM (VALUES {values}) r (place, {names}) {where}"  # nosec B608 # noqa: S608 - quoted
        yield f"{insert} ORDER BY r.place"


def is_replayable(migrations: Iterable[Migration]) -> bool:
    """Whether these migrations do the same to every schema that is as far: no Python that reads rows, no default drawn anew each time."""
    return all(one.atomic and all(map(_is_same_everywhere, one.operations)) for one in migrations)


def _is_same_everywhere(operation: Operation) -> bool:
    if isinstance(operation, SeparateDatabaseAndState):
        return all(map(_is_same_everywhere, operation.database_operations))
    if isinstance(operation, RunPython):
        return operation.code is RunPython.noop
    if isinstance(operation, operations.AddField | operations.AlterField) and operation.field.has_default():
        default = operation.field.default
        return not callable(default) or default in _SAME_EACH_TIME
    return type(operation) in _REPLAYABLE


def kept_recipe() -> Recipe | None:
    """The recipe of an empty schema for the migrations on disk, if one was kept."""
    with as_owner(PUBLIC):
        found = SchemaRecipe.objects.filter(digest=_digest()).values_list("content", flat=True).first()
    return None if found is None else Recipe(**found)


def keep_recipe(recipe: Recipe) -> None:
    """The next partner is made by this recipe; those of other migrations are forgotten."""
    digest = _digest()
    with as_owner(PUBLIC):
        SchemaRecipe.objects.exclude(digest=digest).delete()
        SchemaRecipe.objects.update_or_create(digest=digest, defaults={"content": asdict(recipe)})


def _digest() -> str:
    """Of everything that decides which statements migrations become: their files, Django, and the server."""
    connection: Any = connections["default"]
    connection.ensure_connection()
    found = hashlib.sha256(f"{django.VERSION} {connection.connection.info.server_version // 10_000} {Path(__file__).read_text()}".encode())
    for key, migration in sorted(MigrationLoader(None).disk_migrations.items()):
        found.update(f"{key}".encode())
        found.update(Path(str(sys.modules[type(migration).__module__].__file__)).read_bytes())
    return found.hexdigest()


def to_run(applied: Collection[tuple[str, str]]) -> list[Migration]:
    """The migrations on disk that are not among these."""
    return [migration for key, migration in MigrationLoader(None).disk_migrations.items() if key not in applied]
