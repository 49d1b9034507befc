"""A thousand partners on one server: making one, finding nothing to do, a column more for all, and being killed in the middle."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PARTNERS = 1_000
COMPARED = 5    # schemas by Django's own command, from which the rest is reckoned
LONGEST_SECONDS = 900.0
SETTINGS = "from portal.settings import *\nMIGRATION_MODULES = {'audit': 'grown_audit'}\n"
MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "{before}")]
    operations = [migrations.AddField("{model}", "{column}", models.CharField(max_length=40, null=True)), *{more}]
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Many partners in one database; `folder` takes the migrations that are not on disk yet."""

    folder: Path
    environment: Mapping[str, str]

    def do(self, step: str, *numbers: object, columns: Sequence[str] = ()) -> dict[str, Any]:
        """What the step found, with these columns among the migrations. Raises CalledProcessError when it died."""
        answer: dict[str, Any] = json.loads(self.run(step, *numbers, columns=columns).splitlines()[-1])
        return answer

    def run(self, step: str, *numbers: object, columns: Sequence[str] = ()) -> str:
        """What the step printed."""
        environment = {**self.environment, **self._grown(columns)}
        command = [sys.executable, "-m", "bench.partner_steps", step, *map(str, numbers)]
        limit = LONGEST_SECONDS
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, text=True, stdout=subprocess.PIPE, timeout=limit).stdout

    def _grown(self, columns: Sequence[str]) -> dict[str, str]:
        """Settings under which audit has a migration more for each column; a column named py_... brings Python that must run everywhere."""
        if not columns:
            return {}
        place = self.folder / "-".join(columns)
        if not place.exists():
            package = place / "grown_audit"
            shutil.copytree(ROOT / "audit" / "migrations", package, ignore=shutil.ignore_patterns("__pycache__"))
            before = max(file.stem for file in package.glob("0*.py"))
            for number, column in enumerate(columns, start=900):
                more = "[migrations.RunPython(lambda apps, editor: None)]" if column.startswith("py_") else "[]"
                text = MIGRATION.format(before=before, model="outbox", column=column, more=more)
                before = f"{number:04d}_{column}"
                (package / f"{before}.py").write_text(text)
            (place / "grown_settings.py").write_text(SETTINGS)
        return {"DJANGO_SETTINGS_MODULE": "grown_settings", "PYTHONPATH": os.pathsep.join([str(place), str(ROOT)])}


def run(partners: int = PARTNERS) -> list[dict[str, Any]]:
    """The rows of one run, on a PostgreSQL of its own."""
    with tempfile.TemporaryDirectory(prefix="vouch-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)  # PostgreSQL runs as another user when this is root
        given = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_URL", "REDIS_URL"))}
        fleet = Fleet(place, {**given, "VOUCH_HOME": str(place / "home")})
        with _held(fleet):
            return _measured(fleet, partners)


@contextlib.contextmanager
def _held(fleet: Fleet) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.partner_steps", "hold"]
    with subprocess.Popen(command, cwd=ROOT, env=dict(fleet.environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.stdin.close()
            process.wait(60)


def _measured(fleet: Fleet, partners: int) -> list[dict[str, Any]]:
    by_django = fleet.do("make_by_django", COMPARED)
    made = fleet.do("make", partners - COMPARED)
    idle, idle_by_django = fleet.do("migrate"), fleet.do("migrate_by_django", COMPARED)
    column_by_django = fleet.do("migrate_by_django", COMPARED, columns=["one"])
    column = fleet.do("migrate", columns=["one"])
    with contextlib.suppress(subprocess.CalledProcessError):
        fleet.do("migrate", partners // 3, columns=["one", "two"])
    halfway = fleet.do("check", "one", "two")
    again = fleet.do("migrate", columns=["one", "two"])
    found = fleet.do("check", "one", "two", columns=["one", "two"])
    whole = found["complete"] if found["kinds"] == 1 and found["outdated"] == 0 else 0
    return [
        _row("partner made, p50", made["median"], by_django["median"], 1),
        _row("partner made, p99", made["p99"], None, 1),
        _row("partner made, slowest", made["slowest"], None, None),
        _row(f"{partners:,} schemas, nothing to do", idle["seconds"], idle_by_django["seconds"] * partners, 5),
        _row(f"{partners:,} schemas, a column more", column["seconds"], column_by_django["seconds"] * partners, 60),
        _row(f"the same, killed after {halfway['complete']:,}: the rest", again["seconds"], None, 60),
        {"name": "schemas complete and alike after that", "ours": whole, "peer": None, "unit": "schemas", "ratio": None,
         "required": f"= {partners}", "holds": whole == found["partners"] == partners and 0 < halfway["complete"] < partners},
    ]  # fmt: skip


def _row(name: str, ours: float, peer: float | None, below: float | None) -> dict[str, Any]:
    return {
        "name": name, "ours": round(ours, 3), "peer": None if peer is None else round(peer, 3), "unit": "s",
        "ratio": None if peer is None else round(peer / ours, 2), "required": None if below is None else f"<= {below:g}",
        "holds": None if below is None else ours <= below,
    }  # fmt: skip
