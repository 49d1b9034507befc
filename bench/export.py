"""Taking 1,000,000 decisions away: `python -m bench export`, only by name, since it takes minutes. Each format in a process of its own."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.growth import COPIES, copies
from bench.site import made_partners, output, postgres_socket, row, services, state_folder

ROWS = int(os.environ.get("BENCH_EXPORT_ROWS", "1000000"))
ASKED = 100_000    # rows/s to CSV
FLAT = 100         # MB that a worker may grow, however many rows there are; pyarrow alone is 80
_SETTINGS = ("csv", "csv with applicants", "json", "xlsx", "parquet")


def run() -> list[dict[str, Any]]:
    """A row for the rate and one for the memory of each format."""
    with state_folder() as (folder, environment), services(environment, folder):
        host = made_partners(environment, folder)[0]["headers"]["Host"]
        schema = f"t_{host.partition('.')[0].replace('-', '_')}"
        decide(environment, schema)
        _fill(postgres_socket(environment), schema)
        found = {setting: _measured(environment, schema, setting) for setting in _SETTINGS}
    rows = []
    for setting, one in found.items():
        asked, most = {"at_least": ASKED} if setting == "csv" else {}, 2 * FLAT if setting == "parquet" else FLAT
        rows.append(row(f"export of {ROWS:,} rows, {setting}", one["rows"] / one["seconds"], "rows/s", **asked))
        rows.append(row(f"export of {ROWS:,} rows, {setting}, application and PostgreSQL", 1e6 * one["processor"] / one["rows"], "us CPU"))
        rows.append(row(f"export of {ROWS:,} rows, {setting}, growth of the worker", one["grown"] / 1024**2, "MB", at_most=most))
    return rows


def decide(environment: Mapping[str, str], schema: str) -> None:
    """One decision, which the others are copies of."""
    output([sys.executable, "-m", "bench.export", "decide", schema], environment)


def _measured(environment: Mapping[str, str], schema: str, setting: str) -> dict[str, float]:
    told = output([sys.executable, "-m", "bench.export", "export", schema, setting], environment)
    print(f"{setting}: {told.splitlines()[-1]}", file=sys.stderr)
    found: dict[str, float] = json.loads(told.splitlines()[-1])
    return found


def _fill(host: str, schema: str) -> None:
    """So many copies of the one decision, each about an applicant of its own."""
    with psycopg.connect(host=host, user="postgres", dbname="vouch", autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        copies(connection, "scoring_decision", COPIES["scoring_decision"], ROWS - 1)
        connection.execute("VACUUM ANALYZE")


def main() -> None:
    """In the partner's schema: `decide SCHEMA`, or `export SCHEMA SETTING`, which prints JSON."""
    what, schema, *rest = sys.argv[1:]
    import django

    from portal import embedded

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    embedded.start()
    django.setup()
    from partners.tenancy import tenant_context

    with tenant_context(schema):
        print(json.dumps(_decide() if what == "decide" else _export(*rest)))


def _decide() -> int:
    from audit.context import SYSTEM
    from bench.models import HTTP_CASE, fitted
    from scoring import registry
    from scoring.models import Channel
    from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants

    record = fitted(HTTP_CASE).table.records[0]
    values = registry.current("bench").validator.check(record)
    applicant = ApplicantDetails(reference="A-1001", name="Zuri Ali", phone="+254711223344", national_id="12345678")
    score_applicants(product_slug="bench", items=[ScoreItem(applicant, values)], actor=SYSTEM, channel=Channel.API)
    return _applicants(applicant)


def _applicants(like: Any) -> int:
    """Sealed each under a key of their own, as the portal does it; ids as the copied decisions name them."""
    import hashlib
    import uuid

    import msgspec
    from django.db import connection

    from audit.vault import keyring

    ring, profile = keyring(), msgspec.json.encode(like)
    with connection.cursor() as cursor, cursor.copy(
        "COPY scoring_applicant (id, data_key_id, wrapped_key, sealed_profile) FROM STDIN"
    ) as copy:
        for number in range(ROWS - 1):
            applicant, key = uuid.UUID(hashlib.md5(str(number).encode()).hexdigest()), ring.new_data_key()
            sealed = ring.seal(key, profile, table="scoring_applicant", column="sealed_profile", owner=applicant)
            copy.write_row((applicant, key.id, ring.wrap(key, owner=applicant), sealed))
    return ROWS


def _export(setting: str) -> dict[str, float]:
    import gc
    import time
    import uuid

    import psutil
    from django.db import connection

    from audit.context import Actor
    from partners.accounts.models import ApiKey
    from portal.exports.models import Export
    from portal.exports.services.asking import Asked, ask_export
    from portal.exports.services.writing import write_export

    key = ApiKey.objects.get()
    kind, _, people = setting.partition(" ")
    asked = Asked(list_name="decisions", kind=kind, filters={}, with_applicants=bool(people), currency="KES")
    made = ask_export(asked=asked, actor=Actor("api_key", str(key.id), key.name))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = psutil.Process(cursor.fetchone()[0])
    before, began, spent = _memory("VmRSS"), time.perf_counter(), sum(server.cpu_times()[:2]) + time.process_time()
    write_export(uuid.UUID(str(made.id)))
    seconds, grown = time.perf_counter() - began, _memory("VmHWM") - before
    spent = sum(server.cpu_times()[:2]) + time.process_time() - spent
    done = Export.objects.get(id=made.id)
    if done.state != "done":
        raise AssertionError(done.problem)
    return {"rows": done.rows, "seconds": seconds, "processor": spent, "grown": grown, "bytes": done.size_bytes}


def _memory(name: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
