"""The embedded services: shared by several processes, revived when killed, stopped when the last user has left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from django.db import connection
from redis import Redis

from portal import embedded
from portal.embedded import postgres
from portal.embedded.place import lock_file, socket_folder
from tests.conftest import House, address_of
from tests.waiting import until

SECRET = "ab" * 32
USE = """
import sys
from portal import embedded
try:
    embedded.start({})
except embedded.EmbeddedFault as fault:
    raise SystemExit(str(fault))
print("up", flush=True)
for line in sys.stdin:
    embedded.restart_dead_keepers()
    print("revived", flush=True)
embedded.stop()
print("left", flush=True)
"""


class User:
    """Another process that uses the services."""

    def __init__(self, home: Path) -> None:
        environment = {**os.environ, "VOUCH_HOME": str(home), "VOUCH_ROOT_KEY": SECRET, "VOUCH_SECRET_KEY": SECRET}
        self.process = subprocess.Popen(
            [sys.executable, "-c", USE], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.line() == "up"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def revive(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.line() == "revived"

    def leave(self) -> None:
        output, _ = self.process.communicate(timeout=30)
        assert output.strip() == "left"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vouch-home-", dir="/tmp") as name:  # pytest's own folders are closed to PostgreSQL's user
        folder = Path(name)
        folder.chmod(0o755)
        monkeypatch.setenv("VOUCH_HOME", name)
        yield folder
        until(lambda: not servers(folder))


def servers(home: Path) -> dict[str, int]:
    """The servers' process ids, by name, while they run."""
    found = {}
    for process in psutil.process_iter(["name", "cmdline", "ppid"]):
        command = process.info["cmdline"] or []
        if process.info["name"] == "postgres" and str(home / "postgres") in command:
            found["postgres"] = process.pid
        if process.info["name"] == "redis-server" and any(str(home) in part for part in command):
            found["redis"] = process.pid
    return found


def postgres_answers() -> bool:
    try:
        psycopg.connect(embedded.database_url(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_last_user_to_leave_stops_the_services(home: Path) -> None:
    first, second = User(home), User(home)
    shared = servers(home)
    keepers = [int((home / "locks" / f"{name}.keeper").read_text()) for name in shared]
    environments = [str(psutil.Process(process_id).environ()) for process_id in [*keepers, *shared.values()]]

    first.leave()
    after_first = servers(home)
    second.leave()

    assert set(shared) == {"postgres", "redis"}
    assert not any(SECRET in seen or "DATABASE_URL" in seen for seen in environments)
    assert after_first == shared
    assert servers(home) == {}


def test_services_stop_after_their_only_user_is_killed(home: Path) -> None:
    user = User(home)

    user.kill()

    until(lambda: not servers(home))


def test_killed_servers_come_back_by_themselves(home: Path) -> None:
    user = User(home)
    before = servers(home)

    for process_id in before.values():
        os.kill(process_id, signal.SIGKILL)
    until(lambda: len(servers(home)) == 2 and not set(servers(home).values()) & set(before.values()) and postgres_answers())

    user.leave()


def test_a_killed_keeper_takes_its_server_along_and_a_user_brings_both_back(home: Path) -> None:
    user = User(home)
    keeper = int((home / "locks" / "postgres.keeper").read_text())

    os.kill(keeper, signal.SIGKILL)
    until(lambda: "postgres" not in servers(home))
    user.revive()

    assert postgres_answers()
    user.leave()


def test_rows_survive_a_kill_of_everything(home: Path) -> None:
    user = User(home)
    with psycopg.connect(embedded.database_url()) as connection:
        connection.execute("CREATE TABLE kept (value int)")
        connection.execute("INSERT INTO kept VALUES (7)")

    for name in ("postgres", "redis"):
        os.kill(int((home / "locks" / f"{name}.keeper").read_text()), signal.SIGKILL)
    for process_id in servers(home).values():
        os.kill(process_id, signal.SIGKILL)
    user.kill()
    until(lambda: not servers(home))

    second = User(home)
    with psycopg.connect(embedded.database_url()) as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [(7,)]
    second.leave()


def test_login_has_no_right_by_itself(home: Path) -> None:
    user = User(home)

    with psycopg.connect(embedded.database_url()) as connection:
        rights = "SELECT rolsuper, rolinherit, rolbypassrls, rolreplication FROM pg_roles WHERE rolname = current_user"
        role = connection.execute(rights).fetchone()
        durable = connection.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')").fetchone()

    assert role == (False, False, False, False)
    assert durable == ("on", "on")
    user.leave()


def test_nothing_starts_when_both_addresses_are_given(home: Path) -> None:
    embedded.start({"DATABASE_URL": "postgresql://elsewhere/vouch", "REDIS_URL": "redis://elsewhere"})

    assert list(home.iterdir()) == []


def test_addresses_in_files_count_too(home: Path) -> None:
    for name in ("database", "redis"):
        (home / name).write_text(f"{name}://elsewhere.invalid/vouch")

    met = embedded.attempt({"DATABASE_URL_FILE": str(home / "database"), "REDIS_URL_FILE": str(home / "redis")})

    assert met == []
    assert sorted(path.name for path in home.iterdir()) == ["database", "redis"]


def test_production_starts_no_services_of_its_own(home: Path) -> None:
    met = embedded.attempt({"VOUCH_ENV": "production", "REDIS_URL": "redis://elsewhere.invalid"})

    assert [str(fault) for fault in met] == ["VOUCH_ENV=production runs no embedded PostgreSQL or Redis. Set DATABASE_URL."]
    assert list(home.iterdir()) == []
    met.clear()


def test_a_new_database_gets_a_root_key_and_one_with_partners_none(home: Path, houses: dict[str, House]) -> None:
    with_partners = address_of(str(connection.settings_dict["NAME"]))
    environment = {"DATABASE_URL": with_partners, "REDIS_URL": "redis://elsewhere.invalid"}

    refused = [str(fault) for fault in embedded.attempt(environment)]
    made = embedded.attempt({**environment, "DATABASE_URL": os.environ["DATABASE_URL"]})
    key = embedded.kept_secret("root")
    again = embedded.attempt(environment)

    assert len(refused) == 1
    assert refused[0].startswith(f"The root key {home}/keys/root is missing, and the database holds keys that only it opens.")
    assert (made, again) == ([], [])
    assert len(key) == 64
    assert embedded.kept_secret("root") == key


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_state_is_left_as_it_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = home / "theirs"
    (theirs / "locks").mkdir(parents=True)
    theirs.chmod(0o700)
    for folder in (theirs, theirs / "locks"):
        os.chown(folder, 54_321, 54_321)
    monkeypatch.setenv("VOUCH_HOME", str(theirs))

    with pytest.raises(embedded.EmbeddedFault) as fault:
        embedded.make_home()

    assert str(fault.value) == f"{theirs} belongs to user 54321. Run as user 54321, or set VOUCH_HOME to a folder of your own."
    assert theirs.stat().st_mode & 0o777 == 0o700


def test_a_lock_that_cannot_be_opened_is_one_clear_line(home: Path) -> None:
    (home / "locks").touch()

    with pytest.raises(embedded.EmbeddedFault, match=f"{home}/locks/.* cannot be opened .* set VOUCH_HOME"):
        lock_file("redis", "users")


def test_the_doctor_tells_of_a_service_that_does_not_start(home: Path) -> None:
    data = home / "postgres"
    data.mkdir(mode=0o700)
    (data / "PG_VERSION").write_text("9.1\n")
    if os.geteuid() == 0:
        for path in (data, data / "PG_VERSION"):
            os.chown(path, *postgres.owner())
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VOUCH_", "DATABASE_", "REDIS_", "DJANGO_"))}
    command = [sys.executable, "manage.py", "doctor", "--json"]

    done = subprocess.run(command, env={**kept, "VOUCH_HOME": str(home)}, capture_output=True, text=True, check=False)

    findings = {finding["part"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert done.stderr == ""
    assert "could not access the server configuration file" in findings["database"]["seen"]
    assert str(home / "postgres.log") in findings["database"]["fix"]
    assert findings["redis"]["fix"] == findings["disk"]["fix"] == ""


def test_the_doctor_tells_of_a_state_folder_that_is_none(home: Path) -> None:
    (home / "file").touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VOUCH_", "DATABASE_", "REDIS_", "DJANGO_"))}
    command = [sys.executable, "manage.py", "doctor", "--json"]

    done = subprocess.run(command, env={**kept, "VOUCH_HOME": str(home / "file")}, capture_output=True, text=True, check=False)

    findings = {finding["part"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert (done.returncode, done.stderr) == (1, "")
    assert findings["state"] == {"part": "state", "seen": f"VOUCH_HOME names {home}/file, which is no folder.", "fix": "Name a folder."}


def test_a_long_or_odd_path_moves_only_the_sockets() -> None:
    plain, long, odd = Path("/state/redis"), Path("/") / ("d" * 60) / ("e" * 60) / "redis", Path("/my state/redis")

    assert socket_folder(plain) == plain
    assert len({socket_folder(long), socket_folder(odd)}) == 2
    assert all(socket_folder(folder).parent == Path(tempfile.gettempdir()) for folder in (long, odd))


def test_a_path_may_hold_a_space_an_accent_an_apostrophe_and_a_comma(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = home / "Ma banque, l'État % #1"
    monkeypatch.setenv("VOUCH_HOME", str(odd))
    user = User(odd)

    assert postgres_answers()
    assert (odd / "postgres" / "PG_VERSION").exists()
    with Redis.from_url(embedded.redis_url()) as client:
        assert client.ping()
    user.leave()
    assert not socket_folder(odd / "redis").exists()


def test_whatever_a_keeper_meets_is_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "locks").mkdir()
    (home / "redis").touch()  # where a folder is wanted

    done = subprocess.run([sys.executable, "-m", "portal.embedded", "redis"], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("The embedded redis cannot run: ")
    assert str(home / "redis.log") in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another user")
def test_root_may_work_in_a_folder_closed_to_others(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setenv("VOUCH_HOME", str(closed / "state"))
    user = User(closed / "state")
    place = Path((closed / "state" / "postgres.place").read_text())

    try:
        assert postgres_answers()
        assert (place / "postgres" / "PG_VERSION").exists()
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        user.leave()
        shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another user")
def test_root_is_told_which_folder_is_closed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    (home / "file").touch()
    monkeypatch.setenv("VOUCH_HOME", str(closed / "state"))
    monkeypatch.setattr(postgres, "ELSEWHERE", home / "file" / "vouch")
    embedded.make_home()

    with pytest.raises(embedded.EmbeddedFault, match=f"cannot pass through {closed}, and .* cannot be written"):
        postgres.prepare()


def test_an_unwritable_state_folder_is_one_clear_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    monkeypatch.setenv("VOUCH_HOME", str(home / "file"))

    with pytest.raises(embedded.EmbeddedFault, match="VOUCH_HOME names .*/file, which is no folder"):
        embedded.make_home()


def test_local_secrets_are_made_once_and_closed_to_others(home: Path) -> None:
    first = embedded.local_secret("secret")

    assert embedded.local_secret("secret") == first
    assert len(first) == 64
    assert (home / "keys" / "secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (home / "keys").iterdir()] == ["secret"]
