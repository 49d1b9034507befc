"""Prepared statements in binary: every type arrives as it was sent, few stay prepared, plans follow the tables."""

import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.pq import TransactionStatus

from scoring import wire
from scoring.wire import Statement
from tests.conftest import House

MOMENT = datetime(2026, 11, 21, 4, 20, 1, 123456, tzinfo=UTC)


def driver() -> psycopg.Connection[Any]:
    with connection.cursor():
        return connection.connection  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("bool", True, "true"),
        ("bool", False, "false"),
        ("bytea", b"\x00\xff", r"'\x00ff'"),
        ("int2", -300, "(-300)"),
        ("int4", -(2**31), "(-2147483648)"),
        ("text", "é\u2028'", "'é\u2028'''"),
        ("float8", 0.1, "0.1"),
        ("float8", -1e-308, "-1e-308"),
        ("timestamptz", MOMENT, "'2026-11-21T04:20:01.123456Z'"),
        ("timestamptz", datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "'1999-12-31T23:59:59.999999Z'"),
        ("uuid", uuid.UUID(int=7), "'00000000-0000-0000-0000-000000000007'"),
    ],
)
def test_a_parameter_arrives_as_the_server_writes_it(in_north: House, kind: str, value: Any, written: str) -> None:
    row = Statement(f"SELECT :value::{kind} = {written}::{kind}, :value::{kind} IS NULL").run(driver(), "public", {"value": value})
    assert row == (True, False)
    row = Statement(f"SELECT :values::{kind}[] = ARRAY[{written}, {written}]::{kind}[]").run(driver(), "public", {"values": [value, value]})
    assert row == (True,)


@pytest.mark.parametrize("kind", ["bool", "bytea", "int2", "int4", "text", "uuid"])
def test_null_arrives_alone_and_in_arrays(in_north: House, kind: str) -> None:
    values = {"value": None, "values": [None, None]}
    row = Statement(f"SELECT :value::{kind}, (:values::{kind}[])[2] IS NULL, cardinality(:values::{kind}[])").run(
        driver(), "public", values
    )

    assert row == (None, True, 2)


def test_answers_are_read_by_type(in_north: House) -> None:
    row = Statement(
        "SELECT true, 7::int2, -7::int4, 'é'::text, '\\x00ff'::bytea, :id::uuid, array[:id::uuid, NULL], array['\\x01'::bytea],"
        " NULL::uuid[]"
    ).run(driver(), "public", {"id": uuid.UUID(int=7)})

    assert row == (True, 7, -7, "é", b"\x00\xff", uuid.UUID(int=7), [uuid.UUID(int=7), None], [b"\x01"], None)


def test_a_parameter_has_one_type(in_north: House) -> None:
    with pytest.raises(TypeError, match="one is int4 and text"):
        Statement("SELECT :one::text, :one::int4")


def test_an_error_of_the_server_is_the_drivers(in_north: House) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        Statement("SELECT 1 / :zero::int4").run(driver(), "public", {"zero": 0})


def test_at_most_so_many_stay_prepared_per_connection(in_north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_PREPARED_AT_MOST", 3)
    statement = Statement("SELECT '{s}', :one::int4")

    for schema in ("a", "b", "c", "a", "d", "a"):
        statement.run(driver(), schema, {"one": 1})

    assert prepared("SELECT '\"_\".'%") == ["SELECT '\"a\".', $1::int4", "SELECT '\"c\".', $1::int4", "SELECT '\"d\".', $1::int4"]


def test_a_plan_is_made_again_as_runs_add_up(in_north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_PLANNED_AGAIN_AFTER", {8})
    statement = Statement("SELECT 'planned again', :one::int4")
    runs = "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement LIKE %s"

    for _ in range(11):
        statement.run(driver(), "public", {"one": 1})

    with connection.cursor() as cursor:
        cursor.execute(runs, ["SELECT 'planned again'%"])
        assert cursor.fetchall() == [(3,)]


def prepared(pattern: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE statement LIKE %s ORDER BY 1", [pattern])
        return [statement for (statement,) in cursor.fetchall()]


def test_a_statement_opens_the_transaction_that_the_driver_has_not_begun(in_north: House) -> None:
    begun = Statement("SELECT pg_current_xact_id()::text = :own::text")
    connection.connection.rollback()  # Django is in a transaction of which the server knows nothing yet
    assert connection.connection.pgconn.transaction_status == TransactionStatus.IDLE

    begun.run(connection.connection, "public", {"own": ""})

    assert connection.connection.pgconn.transaction_status == TransactionStatus.INTRANS
