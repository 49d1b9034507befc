"""A schema made by a recipe is the schema that migrations make; and what a recipe must not be made of."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection, migrations, models, transaction
from django.db.models import CharField, Index, UUIDField

from audit.ids import uuid7
from partners.migrating import make_tenant
from partners.models import SchemaRecipe
from partners.postgres.roles import PUBLIC, current_role_name
from partners.recipes import is_replayable, kept_recipe, recipe_of, recording
from partners.tenancy import as_owner, outdated_schemas
from tests.conftest import House

# Every catalogue that says something about a schema; {s} is its name, and what is told names neither it nor its role.
CATALOGUES = {
    "tables": """SELECT c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.reloptions, c.relowner::regrole, c.relacl,
        a.amname, (SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid)
        FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam WHERE c.relnamespace = '{s}'::regnamespace ORDER BY 1""",
    "columns": """SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
        a.attstorage, a.attcompression, a.attstattarget, a.attacl, a.attoptions, a.attcollation::regcollation, a.attisdropped,
        pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        WHERE c.relnamespace = '{s}'::regnamespace ORDER BY 1, 2""",
    "constraints": """SELECT conrelid::regclass, conname, contype, condeferrable, condeferred, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = '{s}'::regnamespace ORDER BY 1, 2""",
    "indexes": """SELECT indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid, indisclustered, indisreplident
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = '{s}'::regnamespace ORDER BY 1""",
    "triggers": """SELECT tgrelid::regclass, tgname, tgenabled, tgisinternal, pg_get_triggerdef(t.oid) FROM pg_trigger t
        JOIN pg_class c ON c.oid = tgrelid WHERE c.relnamespace = '{s}'::regnamespace AND NOT tgisinternal ORDER BY 1, 2""",
    "functions": """SELECT proname, pg_get_functiondef(oid), proowner::regrole, proacl FROM pg_proc
        WHERE pronamespace = '{s}'::regnamespace ORDER BY 1""",
    "sequences": """SELECT sequencename, data_type, start_value, min_value, max_value, increment_by, cycle, cache_size, last_value,
        sequenceowner FROM pg_sequences WHERE schemaname = '{s}' ORDER BY 1""",
    "types": """SELECT typname, typtype, typowner::regrole, typacl FROM pg_type WHERE typnamespace = '{s}'::regnamespace ORDER BY 1""",
    "comments": """SELECT c.relname, d.objsubid, d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid
        WHERE c.relnamespace = '{s}'::regnamespace ORDER BY 1, 2""",
    "schema": """SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = '{s}'""",
    "policies": """SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies WHERE schemaname = '{s}' ORDER BY 1, 2""",
    "migrations": "SELECT id, app, name FROM {s}.django_migrations ORDER BY id",
    "content types": "SELECT id, app_label, model FROM {s}.django_content_type ORDER BY id",
    "permissions": "SELECT id, name, content_type_id, codename FROM {s}.auth_permission ORDER BY id",
}  # fmt: skip


@pytest.fixture
def schemas(north: House) -> tuple[str, str]:
    """Names of two schemas that are not there; the test's transaction takes back what is made."""
    return f"t_a{uuid7().hex[-8:]}", f"t_b{uuid7().hex[-8:]}"


def forget() -> None:
    with as_owner(PUBLIC):
        SchemaRecipe.objects.all().delete()


def described(schema: str) -> dict[str, list[str]]:
    """What the catalogues say, without the names of the schema and its role."""
    found = {}
    with as_owner(PUBLIC), connection.cursor() as cursor:
        for name, query in CATALOGUES.items():
            cursor.execute(query.format(s=schema))
            found[name] = [str(row).replace(current_role_name(schema), "ROLE").replace(schema, "SCHEMA") for row in cursor.fetchall()]
    return found


def counted(schema: str) -> int:
    """How many statements it took to make the schema."""
    seen: list[str] = []

    def watch(execute: Any, statement: Any, parameters: Any, many: bool, context: Any) -> Any:
        seen.append(str(statement))
        return execute(statement, parameters, many, context)

    with connection.execute_wrapper(watch):
        make_tenant(schema)
    return len(seen)


def test_a_recipe_makes_what_migrations_make(schemas: tuple[str, str]) -> None:
    migrated, replayed = schemas
    forget()

    first, second = counted(migrated), counted(replayed)

    assert second < 30 < 150 < first
    ours, theirs = described(migrated), described(replayed)
    for name in CATALOGUES:
        assert theirs[name] == ours[name], name
    for name in {"tables", "columns", "constraints", "indexes", "triggers", "functions", "sequences", "migrations", "permissions"}:
        assert len(ours[name]) > 1, name


def test_migrating_kept_a_recipe_before_the_first_partner(schemas: tuple[str, str]) -> None:
    assert kept_recipe() is not None
    assert counted(schemas[0]) < 30


def test_a_recipe_of_other_migrations_is_not_used(schemas: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.VERSION", (5, 2, 999, "final", 0))

    assert kept_recipe() is None
    assert counted(schemas[0]) > 150


def test_a_recipe_that_fails_leaves_nothing_and_migrations_do_it(schemas: tuple[str, str]) -> None:
    with as_owner(PUBLIC):
        kept = SchemaRecipe.objects.get()
        kept.content["statements"].append("SELECT 1/0")
        kept.save()

    make_tenant(schemas[0])

    forget()
    make_tenant(schemas[1])
    assert described(schemas[0]) == described(schemas[1])


def test_a_half_made_schema_is_completed(schemas: tuple[str, str]) -> None:
    whole, half = schemas
    make_tenant(whole)
    make_tenant(half)
    with as_owner(half), connection.cursor() as cursor:    # as when killed before the rights were granted
        cursor.execute(f'REVOKE ALL ON ALL TABLES IN SCHEMA {half} FROM "{current_role_name(half)}"')

    make_tenant(half)

    assert described(half) == described(whole)


def test_nobody_but_the_owner_reads_or_writes_recipes(north: House) -> None:
    with pytest.raises(Exception, match="permission denied for table partners_schemarecipe"), transaction.atomic():
        SchemaRecipe.objects.count()


def test_a_schema_without_its_rights_is_outdated(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    assert house.schema not in outdated_schemas()

    with as_owner(house.schema), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE just_made (id int)")    # as when killed before it was granted
        assert house.schema in outdated_schemas()
        transaction.set_rollback(True)


class Renamed(migrations.AddField):
    """An operation nobody has looked at."""


def migration(*operations: Any, atomic: bool = True) -> migrations.Migration:
    made: type[migrations.Migration] = type("Migration", (migrations.Migration,), {"operations": list(operations), "atomic": atomic})
    return made("0001", "audit")


@pytest.mark.parametrize(
    ("made_of", "expected"),
    [
        (migration(migrations.AddField("event", "note", CharField(max_length=9, null=True))), True),
        (migration(migrations.AddField("event", "note", CharField(max_length=9, default=""))), True),
        (migration(migrations.AddField("event", "note", models.JSONField(default=dict))), True),
        (migration(migrations.AddField("event", "note", UUIDField(default=uuid7))), False),
        (migration(migrations.AlterField("event", "note", UUIDField(default=uuid7))), False),
        (migration(migrations.CreateModel("Note", [("id", UUIDField(primary_key=True, default=uuid7))])), True),
        (migration(migrations.RunSQL("SELECT 1")), True),
        (migration(migrations.RunPython(migrations.RunPython.noop)), True),
        (migration(migrations.RunPython(lambda apps, editor: None)), False),
        (migration(migrations.SeparateDatabaseAndState([migrations.RunPython(lambda apps, editor: None)])), False),
        (migration(migrations.SeparateDatabaseAndState([migrations.RunSQL("SELECT 1")], [Renamed("event", "a", CharField())])), True),
        (migration(migrations.RenameModel("Event", "Happening")), False),
        (migration(AddIndexConcurrently("event", Index(fields=["action"], name="x")), atomic=False), False),
        (migration(migrations.RunSQL("SELECT 1"), atomic=False), False),
    ],
)
def test_only_what_is_the_same_everywhere_is_replayed(made_of: migrations.Migration, expected: bool) -> None:
    assert is_replayable([made_of]) is expected


def test_what_was_written_beside_the_schema_editor_makes_no_recipe(in_north: House) -> None:
    with as_owner(in_north.schema):
        for statement, is_whole in (
            ("SELECT 1", True),
            ("INSERT INTO \"django_content_type\" (app_label, model) VALUES ('x', 'y')", True),
            ("INSERT INTO auth_group (name) VALUES ('x')", False),
        ):
            with recording() as found, connection.cursor() as cursor:
                cursor.execute(statement)
            assert found.is_whole is is_whole
            assert (recipe_of(found, in_north.schema) is not None) is is_whole
        with recording() as found, connection.schema_editor() as editor:
            editor.execute(f"COMMENT ON TABLE {in_north.schema}.auth_group IS 'ours'")
        assert found.statements
        assert recipe_of(found, in_north.schema) is None    # it names the schema
