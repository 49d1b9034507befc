"""Migrating: one process at a time, and every refusal of the database in one line with its own fix."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.exceptions import MigrationSchemaMissing

from partners import migrating
from partners.migrating import LOCK, migrate_all
from partners.postgres import faults
from partners.tenancy import as_owner, outdated_schemas
from portal.checks import database_faults
from tests.conftest import House, address_of

WEAK = "weak_login"


@pytest.fixture
def weak(
    houses: dict[str, House], django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., None]]:
    """Connects as a login that may do nothing, to any database."""
    with django_db_blocker.unblock(), psycopg.connect(address_of(str(connection.settings_dict["NAME"])), autocommit=True) as login:
        login.execute(f"DROP ROLE IF EXISTS {WEAK}")
        login.execute(f"CREATE ROLE {WEAK} LOGIN NOINHERIT PASSWORD 'weak'")
        connection.close()
        with monkeypatch.context() as changes:

            def enter(**settings: str) -> None:
                for name, value in {"USER": WEAK, "PASSWORD": "weak", **settings}.items():
                    changes.setitem(connection.settings_dict, name, value)

            yield enter
            connection.close()
        login.execute(f"DROP ROLE {WEAK}")


def test_a_second_migration_waits_for_the_first(north: House) -> None:
    said: list[str] = []
    with psycopg.connect(address_of(str(connection.settings_dict["NAME"])), autocommit=True) as first:
        first.execute("SELECT pg_advisory_lock(%s)", [LOCK])

        def report(line: str) -> None:
            said.append(line)
            first.execute("SELECT pg_advisory_unlock(%s)", [LOCK])

        changed = migrate_all(report=report)
        is_free = first.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()

    assert said == ["waiting for another process that migrates this database"]
    assert changed == []
    assert is_free == (True,)


@pytest.mark.parametrize(
    ("settings", "seen", "fix"),
    [
        ({"HOST": "/nowhere"}, "connection", "Start PostgreSQL, or correct host and port in DATABASE_URL."),
        ({"HOST": "nowhere.invalid"}, "nowhere.invalid", "Correct the host in DATABASE_URL."),
        ({"NAME": "absent"}, "does not exist", f"Make it: CREATE DATABASE absent OWNER {WEAK}; or correct the name in DATABASE_URL."),
        ({"NAME": "postgres"}, "permission denied to create role", f"Let the login make roles: ALTER ROLE {WEAK} CREATEROLE;"),
    ],
)
def test_a_faulty_database_is_one_line_with_its_fix(weak: Callable[..., None], settings: dict[str, str], seen: str, fix: str) -> None:
    weak(**settings)

    with pytest.raises(CommandError) as refusal:
        call_command("migrate")

    line = str(refusal.value)
    assert line.startswith("The database refused: ")
    assert seen in line
    assert line.endswith(f" -> {fix}")
    assert len(line.splitlines()) == 1


def test_a_login_without_its_rights_is_named(weak: Callable[..., None]) -> None:
    weak()
    name = connection.settings_dict["NAME"]

    found = {fault.id: fault.hint for fault in database_faults()}

    assert found == {"vouch.E014": f"ALTER ROLE {WEAK} CREATEROLE;", "vouch.E015": f"ALTER DATABASE {name} OWNER TO {WEAK};"}


@pytest.mark.parametrize(
    ("error", "fix"),
    [
        (OperationalError('FATAL:  password authentication failed for user "vouch"'), "Correct login and password in DATABASE_URL"),
        (OperationalError('no pg_hba.conf entry for host "10.0.0.1"'), "Let this login in from this machine"),
        (OperationalError("cannot enter public as partner; `manage.py migrate` makes what is missing"), "Run `manage.py migrate`."),
        (OperationalError("FATAL:  sorry, too many clients already"), "Raise max_connections"),
        (OperationalError("could not extend file: No space left on device"), "Free some space"),
        (MigrationSchemaMissing("Unable to create the table (permission denied for schema public)"), "Give the login its database"),
        (ProgrammingError("something nobody foresaw"), "`manage.py doctor` looks for the cause."),
    ],
)
def test_each_refusal_has_its_own_fix(error: Exception, fix: str) -> None:
    assert faults.fix(error).startswith(fix)


def test_the_operators_record_is_made_in_a_database_of_before(db: None) -> None:
    with as_owner("public"), connection.cursor() as cursor:
        noted = "SELECT count(*) FROM public.django_migrations WHERE app = 'audit'"
        cursor.execute(noted)
        before = cursor.fetchone()[0]
        migrating._forget_what_never_ran()
        cursor.execute(noted)
        assert cursor.fetchone()[0] == before > 0
        cursor.execute("ALTER TABLE public.audit_event RENAME TO audit_event_gone")

        migrating._forget_what_never_ran()

        cursor.execute(noted)
        assert cursor.fetchone()[0] == 0
        assert "public" in outdated_schemas()
