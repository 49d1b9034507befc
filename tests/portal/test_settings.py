"""Settings: typed readers, secrets from files, and the values that stop a start."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import DatabaseError

from portal import addresses, env
from portal.logs import WithoutValues, logging_config, trace_of, without_rows

ROOT = Path(__file__).resolve().parents[2]
SAFE = {
    "VOUCH_ENV": "production",
    "VOUCH_SECRET_KEY": "s" * 40,
    "VOUCH_ROOT_KEY": "ab" * 32,
    "VOUCH_BASE_DOMAIN": "vouch.example",
    "VOUCH_TRUSTED_PROXIES": "1",
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
        ({"VOUCH_ROOT_KEY": "forty characters of nonsense are no key!!"}, {"E002"}),
        ({"VOUCH_SECRET_KEY": "ab" * 32}, {"E003"}),
        ({"VOUCH_DEBUG": "1"}, {"E004"}),
        ({"VOUCH_RELAXED_SIGN_IN": "1"}, {"E016"}),
        ({"VOUCH_ALLOWED_HOSTS": "*"}, {"E005"}),
        ({"VOUCH_BASE_DOMAIN": "localhost"}, {"E006"}),
        ({"VOUCH_TLS": "0"}, {"E007"}),
        ({"DATABASE_URL": "", "REDIS_URL": ""}, {"E008", "E009"}),
        ({"VOUCH_WEBHOOKS_TO_LOCALHOST": "1"}, {"E016"}),
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
        f"print([*[[getattr(settings, f'{{kind}}_{{name}}') for name in {names}] for kind in ('SESSION', 'CSRF')],"
        " settings.LANGUAGE_COOKIE_NAME])"
    )
    environment = {**os.environ, "VOUCH_TLS": tls, "DJANGO_SETTINGS_MODULE": "portal.settings"}

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)

    secure = tls == "1"
    of_both = [[f"{prefix}{name}", None, "/", secure, True, "Lax"] for name in ("session", "csrf")]
    assert done.stdout.strip() == str([*of_both, f"{prefix}language"])


def test_logs_hold_no_rows_of_a_database_error() -> None:
    text = 'UniqueViolation: duplicate key\nDETAIL:  Key (email)=(ada@lender.example) already exists.\nCONTEXT:  COPY people, line 1: "Ada"'

    event = without_rows(None, "error", {"event": text, "exception": text})

    assert event == {"event": event["event"], "exception": event["event"]}
    assert "ada" not in str(event).lower()


def test_a_trace_says_where_and_what_kind_and_quotes_nobody() -> None:
    said = 'null value in column "x"; "Ada Obi", 254700000111\nDETAIL: Ada Obi'
    try:
        try:
            int(said)
        except ValueError as error:
            raise DatabaseError(said) from error
    except DatabaseError as error:
        told = trace_of((type(error), error, error.__traceback__))

    assert "DatabaseError: null value in column ...; ..., ..." in told
    assert told.endswith("ValueError")
    assert "test_settings.py" in told
    assert not any(one in told for one in ("Ada", "254700000111"))


def test_a_task_that_fails_is_told_without_what_its_error_quotes() -> None:
    error = ValueError("no number: 'Ada Obi'")
    said = ({"name": "t", "exc": repr(error)},)
    record = logging.LogRecord("celery.app.trace", logging.ERROR, __file__, 1, "Task %(name)s failed: %(exc)s", said, None)
    record.exc_info = (ValueError, error, None)

    assert WithoutValues().filter(record)
    assert record.getMessage() == "Task t failed: ValueError"


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://vouch:hunter2@host:port/vouch"),
        ("DATABASE_URL", "postgresql://vouch:hunter2@host:99999/vouch"),
        ("DATABASE_URL", "postgresql://vouch:hun[ter2@host/vouch"),
        ("DATABASE_URL", "postgresql://vouch:hun/ter2@host/vouch"),
        ("DATABASE_URL", "postgresql://vouch:12/hunter2@host/vouch"),
        ("DATABASE_URL", "postgresql://vouch:hun#ter2@host/vouch"),
        ("DATABASE_URL", "postgresql://vouch:hunter2@host"),
        ("DATABASE_URL", "postgresql://vouch:hunter2@host/"),
        ("DATABASE_URL", "mysql://vouch:hunter2@host/vouch"),
        ("REDIS_URL", "http://x"),
        ("REDIS_URL", "127.0.0.1:8233"),
        ("REDIS_URL", "redis://:hunter2@host:x/0"),
        ("REDIS_URL", "redis://:hunter2@host/abc"),
        ("REDIS_URL", "redis:///0"),
        ("REDIS_URL", "unix:"),
    ],
)
def test_an_address_that_cannot_be_read_is_one_line_without_its_password(name: str, value: str) -> None:
    read = {"DATABASE_URL": addresses.postgres_address, "REDIS_URL": addresses.redis_address}[name]

    with pytest.raises(SystemExit) as stop:
        read(value)

    said = str(stop.value)
    assert said.startswith(f"{name} ")
    assert "percent-encoded" in said
    assert len(said.splitlines()) == 1
    assert not any(part in said for part in ("hunter", "ter2", "hun["))
    assert stop.value.__suppress_context__ or stop.value.__context__ is None


def test_addresses_are_taken_apart() -> None:
    plain = addresses.postgres_address("postgresql://ada:p%40ss%2F@db.example:6432/credit?sslmode=require")
    socket = addresses.postgres_address("postgresql://vouch@/vouch?host=%2Fmy%20folder")

    assert plain == addresses.PostgresAddress("credit", "ada", "p@ss/", "db.example", "6432", {"sslmode": "require"})
    assert (socket.host, socket.port, socket.options) == ("/my folder", "", {})
    for url in ("redis://h:6379/0", "rediss://:secret@h", "unix:///run/redis.sock?db=0"):
        assert addresses.redis_address(url) == url


@pytest.mark.parametrize("value", ["http://x.y/", ".vouch.example", "vouch.example:8000", "*", "a..b", "-x.example", "x_y.example"])
def test_a_base_domain_is_a_bare_host_name(value: str) -> None:
    with pytest.raises(SystemExit, match="^VOUCH_BASE_DOMAIN is .*bare host name"):
        addresses.host_name("VOUCH_BASE_DOMAIN", value)


def test_allowed_hosts_are_names_addresses_or_all() -> None:
    good = ["vouch.example", ".vouch.example", "10.0.0.1", "[::1]", "*", "localhost"]

    assert addresses.allowed_hosts("VOUCH_ALLOWED_HOSTS", good) == good
    with pytest.raises(SystemExit, match="^VOUCH_ALLOWED_HOSTS holds 'http://foo'"):
        addresses.allowed_hosts("VOUCH_ALLOWED_HOSTS", [*good, "http://foo"])


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"DATABASE_URL": "postgresql://vouch:hun/ter2@host/vouch"}, "DATABASE_URL cannot be read."),
        ({"VOUCH_LOG_LEVEL": "loud"}, "VOUCH_LOG_LEVEL is 'loud'; write one of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
    ],
)
def test_a_bad_setting_is_one_line_of_the_command(changes: dict[str, str], line: str) -> None:
    done = check(**changes)

    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1


def test_production_without_a_trusted_proxy_is_a_warning() -> None:
    done = check(VOUCH_TRUSTED_PROXIES="0")

    assert done.returncode == 0
    assert "vouch.W001" in done.stderr
    assert "VOUCH_TRUSTED_PROXIES=1" in done.stderr


@pytest.mark.parametrize("command", ["createsuperuser", "flush"])
def test_commands_that_make_no_sense_here_say_what_does(command: str) -> None:
    done = subprocess.run([sys.executable, "manage.py", command], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"`{command}` is not for this portal: ")
    assert len(done.stderr.splitlines()) == 1
