"""What a decision costs as things grow: partners, decisions stored, features. `python -m bench growth`; not part of the default run.

In process, one decision after the other, everything on; processor time of the application and of PostgreSQL. Settings are measured in
turns, so that a busy minute of the machine does not look like growth."""

import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from bench.in_process import measured
from bench.pictures import bars
from bench.site import ROOT, made_partners, postgres_socket, row, services, state_folder

STORED = int(os.environ.get("BENCH_GROWTH_DECISIONS", "5000000"))
PARTNERS = tuple(map(int, os.environ.get("BENCH_GROWTH_PARTNERS", "1 10 100").split()))
ROUNDS, EACH = 3, 1_000
IMAGES = ROOT / "docs" / "img"
AT_ONCE = 250_000    # rows of one INSERT
MOST = 1.25    # times, where the design says flat
REQUESTS = Sequence[Mapping[str, Any]]
# What differs from the row that is copied; `g` counts. Times go back half a year; ids are in order of time, applicants' are not.
_AGO = "(interval '3 seconds' * g - interval '180 days')"
COPIES = {
    "scoring_applicant": {"id": "md5(g::text)::uuid", "sealed_profile": "substr(sealed_profile, 1, 100)"},
    "scoring_decision": {
        "id": f"uuidv7{_AGO}", "created_at": f"now() + {_AGO}", "applicant_id": "md5(g::text)::uuid", "sealed": "substr(sealed, 1, 200)",
    },
    "audit_event": {
        "id": f"uuidv7{_AGO}", "recorded_at": f"now() + {_AGO}", "object_id": f"uuidv7{_AGO}::text", "leaf_hash": "sha256(g::text::bytea)",
    },
    "audit_outbox": {"id": f"uuidv7{_AGO}", "created_at": f"now() + {_AGO}", "object_id": f"uuidv7{_AGO}::text", "delivered_at": "now()"},
    "audit_idempotency": {"id": f"uuidv7{_AGO}", "key": "md5(g::text)", "sealed_response": "substr(sealed_response, 1, 100)"},
}    # fmt: skip
_KEPT_A_DAY = 200_000    # answers to repeat are forgotten after a day, so there are never more of them than of a day's decisions


@dataclass(frozen=True, slots=True)
class Point:
    """What one decision costs in one setting, in us of processor time."""

    label: str
    application: float
    postgres: float

    @property
    def whole(self) -> float:
        """Both."""
        return self.application + self.postgres


def run() -> list[dict[str, Any]]:
    """A row for each setting; tables on stderr, pictures in docs/img."""
    with state_folder() as (folder, environment), services(environment, folder):
        partners = made_partners(environment, folder, partners=max(PARTNERS) + 2)
        few = made_partners(environment, folder, first=501, columns=10, categories=2)
        many = made_partners(environment, folder, first=502, columns=500, categories=10, rows=6_000)
        hosts = list(dict.fromkeys(one["headers"]["Host"] for one in partners))
        by_host = {host: [one for one in partners if one["headers"]["Host"] == host] for host in hosts}
        empty, full = by_host[hosts[-2]], by_host[hosts[-1]]
        measured("cost", environment, folder, full, 50)
        _fill(postgres_socket(environment), f"t_{hosts[-1].partition('.')[0].replace('-', '_')}", STORED)
        settings: dict[tuple[str, str], REQUESTS] = {
            **{("partners", f"{count}"): [one for host in hosts[:count] for one in by_host[host]] for count in PARTNERS},
            ("decisions stored", "0"): empty, ("decisions stored", f"{STORED:,}"): full,
            ("features", "10"): few, ("features", "500"): many,
        }  # fmt: skip
        found: dict[tuple[str, str], list[dict[str, Any]]] = {setting: [] for setting in settings}
        for _ in range(ROUNDS):
            for setting, requests in settings.items():
                found[setting].append(measured("cost", environment, folder, requests, EACH))
    points = {setting: _point(setting[1], several) for setting, several in found.items()}
    units = dict.fromkeys(unit for unit, _ in points)
    return [one for unit in units for one in _told(unit, [points[at] for at in points if at[0] == unit])]


def _point(label: str, found: Sequence[Mapping[str, float]]) -> Point:
    return Point(label, *(statistics.median(one[part] for one in found) for part in ("median", "postgres")))


def _told(unit: str, points: Sequence[Point]) -> list[dict[str, Any]]:
    """Rows, a table and a picture."""
    parts = {"application": [one.application for one in points], "PostgreSQL": [one.postgres for one in points]}
    picture = bars(f"Cost of a decision by {unit}", unit, "us of processor time per decision", [one.label for one in points], parts)
    (IMAGES / f"growth-{unit.split()[0]}.svg").write_text(picture)
    print(_table(unit, points), file=sys.stderr)
    first, last = points[0], points[-1]
    most = None if unit == "features" else MOST    # each is read, checked, weighed and kept
    ratio = row(f"growth, {last.label} {unit} against {first.label}", last.whole / first.whole, "times", at_most=most)
    return [*(row(f"growth, {one.label} {unit}", one.whole, "us CPU") for one in points), ratio]


def _table(unit: str, points: Sequence[Point]) -> str:
    lines = [f"| {unit} | application, us CPU | PostgreSQL, us CPU | together | against the first |", "|---|---|---|---|---|"]
    for one in points:
        times = one.whole / points[0].whole
        lines.append(f"| {one.label} | {one.application:,.0f} | {one.postgres:,.0f} | {one.whole:,.0f} | {times:.2f} |")
    return "\n".join(lines)


def _fill(host: str, schema: str, rows: int) -> None:
    """The schema holds that many more decisions with their events, applicants and announcements: copies of its first, short ones."""
    began = time.monotonic()
    with psycopg.connect(host=host, user="postgres", dbname="vouch", autocommit=True) as connection:
        for setting in ("session_replication_role = replica", "maintenance_work_mem = '512MB'", "synchronous_commit = off"):
            connection.execute(f"SET {setting}")  # type: ignore[arg-type,unused-ignore] # what is copied keeps to the foreign keys
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        for table, differing in COPIES.items():
            copies(connection, table, differing, rows if table != "audit_idempotency" else min(rows, _KEPT_A_DAY))
        connection.execute("CHECKPOINT")
    print(f"{rows:,} decisions put there in {time.monotonic() - began:.0f} s", file=sys.stderr)


def copies(connection: psycopg.Connection[Any], table: str, differing: Mapping[str, str], rows: int) -> None:
    """With the indexes built once, at the end: entry by entry they take ten times as long."""
    connection.execute("UPDATE pg_index SET indisready = false WHERE indrelid = %s::regclass", [table])
    copy = _copy(connection, table, differing)
    for first in range(0, rows, AT_ONCE):
        connection.execute(copy, [first, min(first + AT_ONCE, rows) - 1])
    for work in ("REINDEX TABLE {}", "ANALYZE {}"):
        connection.execute(sql.SQL(work).format(sql.Identifier(table)))
    left = connection.execute("SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass AND NOT indisready", [table]).fetchone()
    if left != (0,):
        raise AssertionError(f"an index of {table} was not built again")


def _copy(connection: psycopg.Connection[Any], table: str, differing: Mapping[str, str]) -> sql.Composed:
    found = connection.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %s", [table]
    )
    names = [name for (name,) in found]
    return sql.SQL("INSERT INTO {} ({}) SELECT {} FROM (SELECT * FROM {} LIMIT 1) one, generate_series(%s::int, %s::int) g").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(sql.SQL(differing[name]) if name in differing else sql.Identifier(name) for name in names),
        sql.Identifier(table),
    )  # fmt: skip
