"""The whole system, in a state folder of its own: lost and restored, refused under another root key, and taken back to a moment."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LOOK = """
import json
from portal.backups.facts import facts_of, partner_rows
from partners.accounts.models import User
from partners.tenancy import tenant_context
found = {}
for schema in partner_rows(None):
    with tenant_context(schema):
        found[schema] = {**facts_of(schema), "people": sorted(User.objects.values_list("email", flat=True))}
print(json.dumps(found))
"""

USE = "from portal import embedded; embedded.start(); import sys; sys.stdin.read(); embedded.stop()"


class Portal:
    """Commands on a state folder that nothing else uses."""

    def __init__(self, home: Path, **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("VOUCH_", "DATABASE_URL", "REDIS_URL"))}
        own = {"VOUCH_HOME": str(home), "NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"], "DJANGO_SETTINGS_MODULE": "portal.settings"}
        self.home, self.environment = home, {**kept, **own, **settings}
        home.mkdir(mode=0o755, exist_ok=True)

    def __enter__(self) -> "Portal":
        """The services stay up between commands."""
        self.user = subprocess.Popen([sys.executable, "-c", USE], env=self.environment, cwd=ROOT, stdin=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        self.user.communicate(timeout=60)

    def tell(self, *arguments: object, given: str | None = None) -> str:
        done = self.attempt(*arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def attempt(self, *arguments: object, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)]
        return subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False, input=given)

    def kill_at(self, moment: str, *arguments: object) -> None:
        """The command is killed a little after it said this; what it began may go on without it."""
        command = [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, env=self.environment, cwd=ROOT, text=True, **pipes) as process:    # type: ignore[call-overload]
            assert any(moment in line for line in process.stderr), moment
            time.sleep(random.uniform(0, 0.2))
            process.kill()
        assert process.returncode == -signal.SIGKILL

    def asked(self, *arguments: object) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.tell(*arguments, "--json"))
        return found

    def look(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.tell("shell", "--no-imports", "-c", LOOK).splitlines()[-1])
        return found

    def add_partner(self, slug: str) -> None:
        self.tell("create_partner", slug, "--name", slug.title(), "--country", "KE", "--currency", "KES")

    def add_person(self, slug: str, name: str) -> None:
        options = ("--role", "admin", "--password-stdin")
        self.tell("create_user", slug, f"{name}@example.org", *options, given="correct horse battery staple")


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vouch-backup-", dir="/tmp") as name:    # pytest's own folders are closed to PostgreSQL's user
        Path(name).chmod(0o755)
        yield Path(name)


def people(found: dict[str, Any]) -> dict[str, Any]:
    return {schema: one["people"] for schema, one in found.items() if not schema.endswith("_sandbox")}


def grown(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Which tables do not have the rows that they had."""
    changed = {table for schema, found in before.items() for table, rows in found["rows"].items() if after[schema]["rows"][table] != rows}
    return changed - {"audit_subtree"}    # whether a leaf completes one depends on how many there are


def test_a_lost_system_comes_back_from_its_archive_and_its_root_key(place: Path) -> None:
    key = place / "key"
    key.write_text("ab" * 32)
    with Portal(place / "first") as first:
        first.add_partner("north")
        first.add_partner("south")
        first.add_person("north", "amina")
        before = first.look()
        drill = first.asked("restore_drill", "--key-file", key)
        # Each has a sandbox.
        assert (drill["equal"], drill["partners"], drill["bytes"] > 10_000, drill["restore_seconds"] > 0) == (True, 4, True, True)
        assert not list((place / "first" / "backups").iterdir())
        made = first.asked("backup", "--key-file", key, "--out", place)
    root_key = (place / "first" / "keys" / "root").read_text()
    shutil.rmtree(place / "first")

    with Portal(place / "second") as second:
        refused = second.attempt("restore", made["file"], "--key-file", key, "--yes")
        second.environment["VOUCH_ROOT_KEY"] = root_key
        for moment in ("reading the archive", "restoring the database", "checking t_south", "checking public"):
            second.kill_at(moment, "restore", made["file"], "--key-file", key, "--yes")
            assert second.look() == {}    # the empty system that was there
        found = second.asked("restore", made["file"], "--key-file", key, "--yes")
        after = second.look()

        assert (refused.returncode, "Give back the root key of that time" in refused.stderr) == (1, True)
        assert found["partners"] == ["north", "north-sandbox", "south", "south-sandbox"]
        assert grown(before, after) == {"audit_event", "audit_leaf", "audit_checkpoint"}
        assert people(after) == people(before) == {"t_north": ["amina@example.org"], "t_south": []}
        assert all(after[schema]["tree"]["size"] == before[schema]["rows"]["audit_event"] + 2 for schema in before)    # with the drill
        assert json.loads(second.tell("doctor", "--json"))["healthy"] is True


def test_the_system_and_a_partner_go_back_to_a_moment(place: Path) -> None:
    with Portal(place / "home", VOUCH_WAL_ARCHIVE="1") as portal:
        portal.add_partner("north")
        portal.add_partner("south")
        portal.tell("backup", "--base")
        portal.add_person("north", "before")
        portal.add_person("south", "before")
        before, moment = portal.look(), datetime.now(UTC).isoformat()
        portal.add_person("north", "after")
        portal.add_person("south", "after")
        later = portal.look()

        one = portal.asked("restore", "--at", moment, "--partner", "north", "--yes")
        half = portal.look()
        everything = portal.asked("restore", "--at", moment, "--yes")
        after = portal.look()

        assert (one["partners"], everything["partners"]) == (
            ["north"], ["north", "north-sandbox", "south", "south-sandbox"],
        )  # fmt: skip
        assert people(half) == {"t_north": ["before@example.org"], "t_south": ["after@example.org", "before@example.org"]}
        assert half["t_south"] == later["t_south"]
        assert people(after) == people(before)
        assert grown(before, after) <= {"audit_event", "audit_leaf", "audit_checkpoint"}
        for wrong, words in (("2020-01-01T00:00:00Z", "no base backup"), ("2120-01-01T00:00:00Z", "still to come"), ("noon", "RFC 3339")):
            refused = portal.attempt("restore", "--at", wrong, "--yes")
            assert (refused.returncode, words in refused.stderr) == (1, True), refused.stderr
        assert not list((place / "home" / "history").glob("side*"))
        assert json.loads(portal.tell("doctor", "--json"))["healthy"] is True
