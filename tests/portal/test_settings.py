"""Settings: typed readers, secrets from files, and the values that stop a start."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal import env
from portal.logs import logging_config, without_rows

ROOT = Path(__file__).resolve().parents[2]
SAFE = {
    "VOUCH_ENV": "production",
    "VOUCH_SECRET_KEY": "s" * 40,
    "VOUCH_ROOT_KEY": "ab" * 32,
    "VOUCH_BASE_DOMAIN": "vouch.example",
    "DATABASE_URL": "postgresql://vouch:secret@127.0.0.1:1/vouch",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}


def check(**changes: str) -> subprocess.CompletedProcess[str]:
    """`manage.py check` with the safe production settings, changed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VOUCH_", "DJANGO_", "DATABASE_", "REDIS_"))}
    environment = {**kept, "VOUCH_HOME": os.environ["VOUCH_HOME"], **SAFE, **changes}
    return subprocess.run([sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("yes", True), ("Off", False), ("0", False), ("", False)])
def test_a_flag_is_yes_or_no(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("THING", value)

    assert env.flag("THING") is expected


@pytest.mark.parametrize(
    ("read", "value", "problem"),
    [
        (lambda: env.flag("THING"), "maybe", "THING is 'maybe'; write 1 or 0."),
        (lambda: env.number("THING", 1), "many", "THING is 'many'; write a whole number."),
        (lambda: env.number("THING", 1, maximum=9), "10", "THING is 10; it must lie between 0 and 9."),
        (lambda: env.one_of("THING", ("a", "b"), "a"), "c", "THING is 'c'; write one of a, b."),
    ],
)
def test_a_value_that_cannot_be_read_stops_the_start(monkeypatch: pytest.MonkeyPatch, read: object, value: str, problem: str) -> None:
    monkeypatch.setenv("THING", value)

    with pytest.raises(SystemExit) as stop:
        read()  # type: ignore[operator]

    assert str(stop.value) == problem


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "key"))

    assert env.secret("THING") == "from the file"


def test_a_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", "here")
    monkeypatch.setenv("THING_FILE", "/there")

    with pytest.raises(SystemExit, match="THING and THING_FILE are both set; keep one."):
        env.secret("THING")


def test_a_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THING_FILE", str(tmp_path / "absent"))

    with pytest.raises(SystemExit, match=f"THING_FILE names {tmp_path}/absent, which cannot be read"):
        env.secret("THING")


def test_safe_production_settings_pass() -> None:
    done = check()

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"VOUCH_SECRET_KEY": ""}, {"E001"}),
        ({"VOUCH_ROOT_KEY": ""}, {"E002"}),
        ({"VOUCH_SECRET_KEY": "ab" * 32}, {"E003"}),
        ({"VOUCH_DEBUG": "1"}, {"E004"}),
        ({"VOUCH_ALLOWED_HOSTS": "*"}, {"E005"}),
        ({"VOUCH_BASE_DOMAIN": "localhost"}, {"E006"}),
        ({"VOUCH_TLS": "0"}, {"E007"}),
        ({"DATABASE_URL": "", "REDIS_URL": ""}, {"E008", "E009"}),
    ],
)
def test_production_refuses(changes: dict[str, str], codes: set[str]) -> None:
    done = check(**changes)

    assert {code for code in (f"E{number:03d}" for number in range(1, 20)) if f"vouch.{code}" in done.stderr} == codes
    assert done.returncode == 1


@pytest.mark.parametrize(("tls", "prefix"), [("1", "__Host-"), ("0", "")])
def test_cookies_stay_on_their_host(tls: str, prefix: str) -> None:
    names = ("COOKIE_NAME", "COOKIE_DOMAIN", "COOKIE_PATH", "COOKIE_SECURE", "COOKIE_HTTPONLY", "COOKIE_SAMESITE")
    program = (
        "import django; django.setup(); from django.conf import settings\n"
        f"print([[getattr(settings, f'{{kind}}_{{name}}') for name in {names}] for kind in ('SESSION', 'CSRF')])"
    )
    environment = {**os.environ, "VOUCH_TLS": tls, "DJANGO_SETTINGS_MODULE": "portal.settings"}

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)

    secure = tls == "1"
    assert done.stdout.strip() == str([[f"{prefix}{name}", None, "/", secure, True, "Lax"] for name in ("session", "csrf")])


def test_logs_hold_no_rows_of_a_database_error() -> None:
    text = 'UniqueViolation: duplicate key\nDETAIL:  Key (email)=(ada@lender.example) already exists.\nCONTEXT:  COPY people, line 1: "Ada"'

    event = without_rows(None, "error", {"event": text, "exception": text})

    assert event == {"event": event["event"], "exception": event["event"]}
    assert "ada" not in str(event).lower()


def test_a_log_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    formatter = logging_config(level="INFO")["formatters"]["json"]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter["()"](processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]))
    record = logging.LogRecord("scoring", logging.WARNING, __file__, 1, "took %s ms", (7,), None)
    record.duty, record.person = "seal", "Ada"

    handler.handle(record)

    line = json.loads(capsys.readouterr().out)
    assert line["event"] == "took 7 ms"
    assert line["level"] == "warning"
    assert line["logger"] == "scoring"
    assert line["duty"] == "seal"
    assert "person" not in line
