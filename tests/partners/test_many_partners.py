"""Many partners brought up to date: killed anywhere and run again, every schema is complete and like the others."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from audit.ids import uuid7
from bench.partners import Fleet
from tests.conftest import address_of

PARTNERS = 4

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("many_partners")]


@pytest.fixture(scope="module")
def fleet(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A database of its own on the run's server, with some partners."""
    name = f"fleet_{uuid7().hex[-8:]}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as login:
        login.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        given = {**os.environ, "DATABASE_URL": address_of(name), "DJANGO_SETTINGS_MODULE": "portal.settings"}
        made = Fleet(tmp_path_factory.mktemp("fleet"), given)
        made.do("make", PARTNERS)
        yield made
        login.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        for (role,) in login.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", [f"{name}\\_%"]).fetchall():
            login.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def killed(fleet: Fleet, *numbers: int, columns: list[str]) -> bool:
    """Whether the run was killed before its end."""
    code = 0
    try:
        fleet.do("migrate", *numbers, columns=columns)
    except subprocess.CalledProcessError as died:
        code = died.returncode
    assert code in {0, -9}
    return code != 0


def whole(fleet: Fleet, columns: list[str]) -> dict[str, Any]:
    return fleet.do("check", *columns, columns=columns)


COMPLETE = {"partners": PARTNERS, "complete": PARTNERS, "kinds": 1, "outdated": 0}


@pytest.mark.parametrize("kind", ["plain", "py"])
def test_a_run_that_is_killed_between_schemas_is_completed_by_the_next(fleet: Fleet, kind: str) -> None:
    columns = [*done(fleet), f"{kind}_between"]

    assert killed(fleet, 3, columns=columns)
    halfway = fleet.do("check", *columns)

    assert 0 < halfway["complete"] < PARTNERS
    assert fleet.do("migrate", columns=columns)["changed"] > 0
    assert whole(fleet, columns) == COMPLETE
    assert fleet.do("migrate", columns=columns)["changed"] == 0
    remember(fleet, columns)


def test_a_run_that_is_killed_before_any_statement_is_completed_by_the_next(fleet: Fleet) -> None:
    columns = [*done(fleet), "anywhere"]
    kills, statement = 0, 12

    while killed(fleet, 0, statement, columns=columns):
        kills += 1
        statement += 31

    assert kills >= 3
    assert whole(fleet, columns) == COMPLETE
    remember(fleet, columns)


def done(fleet: Fleet) -> list[str]:
    """The columns that the fleet has already: tests run in any order."""
    file = fleet.folder / "done"
    return file.read_text().split() if file.exists() else []


def remember(fleet: Fleet, columns: list[str]) -> None:
    Path(fleet.folder / "done").write_text(" ".join(columns))
