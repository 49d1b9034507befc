"""The doctor finds each fault and names its fix."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from audit.models import Keyring
from partners.tenancy import as_owner, tenant_context
from portal.checks import refuse_wrong_keys
from portal.management.commands import doctor
from tests.conftest import House


def look() -> tuple[dict[str, Any], int]:
    """The doctor's answer and exit code."""
    out, code = StringIO(), 0
    try:
        call_command("doctor", "--json", stdout=out)
    except SystemExit as stop:
        code = int(str(stop.code))
    return json.loads(out.getvalue()), code


def faults(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding["part"], finding["fix"]) for finding in answer["findings"] if finding["fix"]]


def test_a_sound_installation_has_no_fault(north: House, south: House) -> None:
    answer, code = look()

    assert (faults(answer), code, answer["healthy"]) == ([], 0, True)
    assert [finding["part"] for finding in answer["findings"]] == ["settings", "database", "redis", "migrations", "keys", "clock", "disk"]


def test_a_schema_that_is_behind_is_named(north: House) -> None:
    with as_owner(north.schema), connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'audit'")

    answer, code = look()

    assert (faults(answer), code) == ([("migrations", "Run `manage.py migrate`.")], 1)
    assert "t_north" in str(answer)


def test_another_root_key_is_noticed_for_each_partner(north: House, south: House) -> None:
    with override_settings(ROOT_KEY="cd" * 32):
        answer, code = look()

    assert code == 1
    assert {part for part, _ in faults(answer)} == {"keys"}
    assert all("VOUCH_ROOT_KEY" in fix for _, fix in faults(answer))


def test_nothing_starts_with_a_root_key_that_opens_no_partners_keys(
    north: House, south: House, capsys: pytest.CaptureFixture[str]
) -> None:
    with tenant_context(south.partner):
        Keyring.objects.update(wrapped=b"x" * 60)
    refuse_wrong_keys()
    warned = capsys.readouterr().err

    with override_settings(ROOT_KEY="cd" * 32), pytest.raises(SystemExit) as stop:
        refuse_wrong_keys()

    assert warned.startswith("vouch.E013: south: The root key does not open this partner's keys")
    assert len(warned.splitlines()) == 1
    assert "vouch.E013: north: " in str(stop.value)
    assert "Give back the root key" in str(stop.value)


def test_redis_away_is_a_fault_of_its_own(north: House) -> None:
    with override_settings(REDIS_URL="unix:///nowhere/redis.sock"):
        answer, code = look()

    assert (faults(answer), code) == ([("redis", "Start Redis, or correct REDIS_URL. Decisions go on without it.")], 1)


def test_database_away_is_one_fault_and_not_three(north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "HOST", "/nowhere")
        answer, code = look()

    assert (faults(answer), code) == ([("database", "Start PostgreSQL, or correct host and port in DATABASE_URL.")], 1)


def test_a_database_that_forgets_is_a_fault(north: House) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")

    answer, code = look()

    assert (faults(answer), code) == ([("database", "Set synchronous_commit = on. (vouch.E011)")], 1)


def test_a_full_disk_is_a_fault(north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 2**60)

    answer, code = look()

    assert (faults(answer), code) == ([("disk", "Free some space: PostgreSQL stops when the disk is full.")], 1)


def test_a_clock_that_differs_is_a_fault(north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LARGEST_CLOCK_GAP_SECONDS", -1.0)

    answer, code = look()

    assert ([part for part, _ in faults(answer)], code) == (["clock"], 1)


def test_unsafe_settings_are_faults_with_their_fix(north: House) -> None:
    with override_settings(PRODUCTION=True, DEBUG=True, ALLOWED_HOSTS=["*"]):
        answer, code = look()

    fixes = {fix for part, fix in faults(answer) if part == "settings"}
    assert code == 1
    assert {"Unset VOUCH_DEBUG. (vouch.E004)", "Name your hosts in VOUCH_ALLOWED_HOSTS. (vouch.E005)"} <= fixes


def test_people_read_one_line_per_part(north: House) -> None:
    out = StringIO()

    call_command("doctor", stdout=out)

    lines = out.getvalue().splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", part] for part in ("settings", "database", "redis", "migrations", "keys", "clock", "disk")
    ]
