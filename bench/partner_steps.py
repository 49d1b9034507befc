"""Steps with many partners, each in a process of its own: `main` with STEP and its numbers as arguments; the last line printed is JSON."""

import json
import os
import signal
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

CHECK = """
SELECT count(*) FILTER (WHERE {seen}), count(DISTINCT told) FROM (
    SELECT n.nspname AS schema, md5(string_agg(c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' '
        || replace(coalesce(c.relacl::text, 'nothing'), n.nspname, ''), '; ' ORDER BY c.relname, a.attnum)) AS told,
        {counted}
    FROM public.partners_partner p JOIN pg_namespace n ON n.nspname = p.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    GROUP BY n.nspname) schemas"""


def make(partners: int) -> dict[str, Any]:
    """That many partners more; how long the first took, and the others."""
    from audit.context import SYSTEM
    from audit.ids import uuid7
    from partners.migrating import migrate_all
    from partners.services import create_partner

    migrate_all(report=_quiet)
    seconds = []
    for _ in range(partners):
        slug = f"p{uuid7().hex[-12:]}"
        began = time.perf_counter()
        create_partner(slug=slug, name="Bench", country="KE", currency="KES", actor=SYSTEM)
        seconds.append(time.perf_counter() - began)
    p99 = sorted(seconds)[min(len(seconds) - 1, len(seconds) * 99 // 100)]
    return {"first": seconds[0], "median": statistics.median(seconds), "p99": p99, "slowest": max(seconds)}


def make_by_django(partners: int) -> dict[str, Any]:
    """The same by Django's migrations alone: no recipe is kept between them."""
    from partners.migrating import migrate_all
    from partners.models import SchemaRecipe
    from partners.tenancy import as_owner

    migrate_all(report=_quiet)
    found = []
    for _ in range(partners):
        with as_owner("public"):
            SchemaRecipe.objects.all().delete()
        found.append(make(1)["first"])
    return {"median": statistics.median(found)}


def migrate(die_at_report: int = 0, die_at_statement: int = 0) -> dict[str, Any]:
    """Every schema is up to date; or this process is dead, killed before that schema or statement."""
    from django.db import connection

    from partners.migrating import migrate_all

    left = {"reports": die_at_report, "statements": die_at_statement}

    def count(what: str) -> None:
        left[what] -= 1
        if left[what] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(execute: Callable[..., Any], *arguments: Any) -> Any:
        count("statements")
        return execute(*arguments)

    began = time.perf_counter()
    with connection.execute_wrapper(watch):
        changed = migrate_all(report=lambda _line: count("reports"))
    return {"seconds": time.perf_counter() - began, "changed": len(changed)}


def migrate_by_django(schemas: int) -> dict[str, Any]:
    """Seconds per schema when each is migrated by Django's command."""
    from partners.migrating import migrate_schema
    from partners.models import Partner
    from partners.postgres.roles import grant_tables
    from partners.tenancy import as_owner, public_context

    with public_context():
        chosen = list(Partner.objects.order_by("id").values_list("schema_name", flat=True)[:schemas])
    began = time.perf_counter()
    for schema in chosen:
        with as_owner(schema):
            migrate_schema()
            grant_tables(schema)
    return {"seconds": (time.perf_counter() - began) / len(chosen)}


def check(*columns: str) -> dict[str, Any]:
    """How many partners there are, how many have all these columns of audit_outbox, and how many kinds of schema there are."""
    from django.db import connection

    from partners.models import Partner
    from partners.tenancy import as_owner, outdated_schemas

    counted = "count(*) FILTER (WHERE c.relname = 'audit_outbox' AND a.attname = any(%s)) AS found"
    with as_owner("public"), connection.cursor() as cursor:
        cursor.execute(CHECK.format(seen="found = %s", counted=counted), [len(columns), list(columns)])
        complete, kinds = cursor.fetchone()
        partners = Partner.objects.count()
    return {"partners": partners, "complete": complete, "kinds": kinds, "outdated": len(outdated_schemas())}


def hold() -> dict[str, Any]:
    """Keeps the services of this state folder until standard input ends, so that no step waits for their start."""
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.read()
    return {}


def _quiet(_line: str) -> None:
    """Says nothing."""


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "make": make, "make_by_django": make_by_django, "migrate": migrate, "migrate_by_django": migrate_by_django, "hold": hold,
}  # fmt: skip


def main() -> None:
    """Runs one step."""
    warnings.simplefilter("ignore")
    from portal import embedded

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    embedded.start()
    import django

    django.setup()
    step, *arguments = sys.argv[1:]
    done = check(*arguments) if step == "check" else STEPS[step](*map(int, arguments))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
