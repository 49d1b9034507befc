"""The database fence: a connection is one partner's, whatever happened on it before, and fails closed."""

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, OperationalError, connection, transaction

from partners.models import Partner
from partners.postgres.roles import current_role_name
from partners.tenancy import as_owner, public_context, tenant_context
from tests.conftest import House

THREADS = 4
STEPS = 250


def who_am_i() -> tuple[str, str]:
    """The schema that an unqualified table is read from, and the role in force, as the server says."""
    created = "SELECT object_id FROM audit_event WHERE action = 'partner.created' LIMIT 1"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT current_schema(), current_user, ({created})")
        schema, role, slug = cursor.fetchone()
    assert role == current_role_name(schema)
    return schema, slug


def expect_refusal(statement: str, message: str) -> None:
    with pytest.raises(DatabaseError, match=message), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT * FROM {south}.accounts_user", "permission denied for schema"),
        ("INSERT INTO {south}.audit_outbox SELECT * FROM audit_outbox", "permission denied for schema"),
        ("SELECT * FROM public.partners_partner", "permission denied for schema public"),
        ("SELECT * FROM partners_partner", "does not exist"),
        ("UPDATE audit_event SET action = 'a.b'", "permission denied for table audit_event"),
        ("DELETE FROM scoring_decision", "permission denied for table scoring_decision"),
        ("UPDATE scoring_decision SET score = 850", "permission denied for table scoring_decision"),
        ("TRUNCATE scoring_applicant CASCADE", "permission denied"),
        ("CREATE TABLE mine (id int)", "permission denied for schema"),
        ("DROP TABLE scoring_applicant", "must be owner"),
        ("SELECT * FROM django_migrations", "permission denied for table django_migrations"),
        ("SELECT * FROM pg_authid", "permission denied for table pg_authid"),
    ],
)
def test_a_partners_role_stays_in_its_schema(in_north: House, south: House, statement: str, message: str) -> None:
    expect_refusal(statement.format(south=south.schema), message)


def test_a_connection_without_a_cursor_is_the_partners_too(north: House, south: House) -> None:
    for house in (north, south, north):
        with tenant_context(house.partner):
            told = connection.entered().pgconn.exec_(b"SELECT current_schema(), current_user")    # type: ignore[attr-defined]

            schema, role = (bytes(told.get_value(0, column)).decode() for column in (0, 1))
            assert (schema, role) == (house.schema, current_role_name(house.schema))


def test_the_shared_role_sees_no_partners_table(north: House) -> None:
    with public_context():
        expect_refusal(f"SELECT * FROM {north.schema}.accounts_user", "permission denied for schema")
        expect_refusal("UPDATE partners_partner SET plan = 'pro'", "permission denied for table")


def test_the_login_alone_has_no_rights(north: House) -> None:
    with tenant_context(north.partner), connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        try:
            expect_refusal(f"SELECT * FROM {north.schema}.accounts_user", "permission denied for schema")
        finally:
            connection.forget()  # type: ignore[attr-defined]


def test_a_partner_without_a_role_is_refused_and_not_answered_as_another(north: House) -> None:
    with tenant_context(north.partner):
        who_am_i()
        with pytest.raises(OperationalError, match="cannot enter t_ghost"), tenant_context("t_ghost"):
            who_am_i()


def test_the_owner_state_ends_with_its_context(in_north: House) -> None:
    with as_owner():
        pass

    expect_refusal("CREATE TABLE mine (id int)", "permission denied for schema")


def _succeed() -> None:
    who_am_i()


def _fail() -> None:
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM nothing_of_the_kind")


def _roll_back() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        _look_and_fail()


def _look_and_fail() -> None:
    who_am_i()
    raise RuntimeError


def _roll_back_to_savepoint() -> None:
    with transaction.atomic():
        with pytest.raises(RuntimeError), transaction.atomic():
            _look_and_fail()
        who_am_i()


def _go_on_after_an_error() -> None:
    with transaction.atomic():
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        who_am_i()


def _lose_the_backend() -> None:
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    connection.close()


def _close() -> None:
    connection.close()


def _switch_inside_a_transaction_that_fails(other: Partner) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        _visit_and_fail(other)


def _visit_and_fail(other: Partner) -> None:
    with tenant_context(other):
        assert who_am_i() == (other.schema_name, other.slug)
    raise RuntimeError


@pytest.fixture
def partners(new_partner: Callable[..., House]) -> Iterator[list[Partner]]:
    yield [new_partner().partner for _ in range(3)]
    connection.close()


@pytest.mark.slow
def test_whatever_happens_on_a_connection_the_next_statement_is_the_right_partners(partners: list[Partner]) -> None:
    steps: list[Callable[[], None]] = [
        _succeed, _fail, _roll_back, _roll_back_to_savepoint, _go_on_after_an_error, _close, _lose_the_backend,
    ]    # fmt: skip
    wrong: list[Any] = []
    begun = {partner.schema_name: partner.slug for partner in partners}

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(STEPS):
                partner = chance.choice(partners)
                with tenant_context(partner):
                    step = chance.choice([*steps, None])
                    if step is None:
                        _switch_inside_a_transaction_that_fails(chance.choice(partners))
                    else:
                        step()
                    schema, slug = who_am_i()
                if (schema, slug) != (partner.schema_name, begun[partner.schema_name]):
                    wrong.append((partner.slug, schema, slug))
        except BaseException as error:
            wrong.append(repr(error))
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_new_thread_begins_in_the_shared_schema(north: House) -> None:
    seen: list[str] = []

    def look() -> None:
        seen.append(str(connection.schema_name))  # type: ignore[attr-defined]

    with tenant_context(north.partner):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    assert seen == ["public"]


def test_what_is_append_only_is_refused_to_the_role_and_to_the_owner(in_north: House) -> None:
    declared = {table for app in apps.get_app_configs() for table in getattr(app, "append_only_tables", ())}
    loose = set()

    for table in sorted(declared):
        column = _first_column(table)
        for act in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            if not _is_refused(act, "permission denied"):
                loose.add(f"the role: {act}")
            with as_owner(in_north.schema):
                if not _is_refused(act, "append-only"):
                    loose.add(f"the owner: {act}")

    assert len(declared) > 15
    assert loose == set()


def _first_column(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1", [table])
        return str(cursor.fetchone()[0])


def _is_refused(statement: str, reason: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
            transaction.set_rollback(True)
    except DatabaseError as refusal:
        return reason in str(refusal)
    return False
