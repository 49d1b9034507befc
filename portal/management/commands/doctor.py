"""Looks at everything a decision needs, and names the fix for each fault."""

import json
import shutil
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.core.checks import run_checks
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from redis import Redis, RedisError

from partners.models import Partner
from partners.postgres import faults
from partners.tenancy import as_login, outdated_schemas
from portal import embedded
from portal.backups import copies
from portal.checks import database_faults, keyring_faults

LEAST_FREE_BYTES = 2 * 1024**3
LARGEST_CLOCK_GAP_SECONDS = 2.0
OLDEST_POSTGRES = 140000
PARTS = {"postgres": "database"}


@dataclass(frozen=True)
class Finding:
    """What was looked at, what was seen, and what to do about it when it is a fault."""

    part: str
    seen: str
    fix: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether something has to be done."""
        return bool(self.fix)


class Command(BaseCommand):
    """`manage.py doctor`."""

    help = "Check settings, database, Redis, keys, migrations of every schema, disk and clock; names the fix for each fault."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints the findings; exit code 1 when one of them is a fault."""
        findings = list(examine())
        healthy = not any(finding.is_fault for finding in findings)
        if options["json"]:
            self.stdout.write(json.dumps({"healthy": healthy, "findings": [asdict(finding) for finding in findings]}))
        else:
            for finding in findings:
                self.stdout.write(f"{'FAULT' if finding.is_fault else 'ok   '}  {finding.part:<11} {finding.seen}")
                if finding.is_fault:
                    self.stdout.write(f"       {'':<11} -> {finding.fix}")
        if not healthy:
            sys.exit(1)


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which a start needs the parts."""
    yield from _settings()
    absent = {fault.part for fault in embedded.met}
    for fault in embedded.met:
        yield Finding(PARTS.get(fault.part, fault.part), fault.seen, fault.fix or "Mend that, then look again.")
    reachable = False
    if not absent & {"postgres", "state"}:
        for finding in _guarded("database", _database):
            reachable = reachable or not finding.is_fault
            yield finding
    if not absent & {"redis", "state"}:
        yield from _guarded("redis", _redis)
    if reachable:
        yield from _guarded("migrations", _migrations)
        if "keys" not in absent:
            yield from _guarded("keys", _keys)
        yield from _guarded("clock", _clock)
    yield _disk()
    if settings.BACKUPS:
        yield _backups()


def _guarded(part: str, look: Callable[[], Iterable[Finding]]) -> Iterable[Finding]:
    try:
        return list(look())
    except RedisError as error:
        return [Finding(part, faults.what(error), "Start Redis, or correct REDIS_URL. Decisions go on without it.")]
    except DatabaseError as error:
        connection.close()
        return [Finding(part, faults.what(error), faults.fix(error))]


def _settings() -> Iterator[Finding]:
    messages = run_checks()
    for message in messages:
        yield Finding("settings", str(message.msg), str(message.hint or "See the documentation of this check.") + f" ({message.id})")
    if not messages:
        yield Finding("settings", f"{settings.ENVIRONMENT}, partners below {settings.BASE_DOMAIN}, state in {settings.VOUCH_HOME}")


def _database() -> Iterator[Finding]:
    started = time.perf_counter()
    with as_login(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('max_connections')::int"
        )
        number, version, connections = cursor.fetchone()
    if number < OLDEST_POSTGRES:
        yield Finding("database", f"PostgreSQL {version}", "Upgrade to PostgreSQL 14 or newer; 18 is what Vouch is tested with.")
    for fault in database_faults():
        yield Finding("database", str(fault.msg), f"{fault.hint} ({fault.id})")
    milliseconds = (time.perf_counter() - started) * 1000
    yield Finding("database", f"PostgreSQL {version}, {connections} connections, answers in {milliseconds:.1f} ms")


def _redis() -> Iterator[Finding]:
    with Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2, decode_responses=True) as client:
        facts = dict(client.info())
        policy = dict(client.config_get("maxmemory-policy")).get("maxmemory-policy", "noeviction")
    if not int(facts.get("aof_enabled", 0)):
        yield Finding("redis", "a killed Redis forgets queued tasks", "Set appendonly yes.")
    if policy != "noeviction":
        yield Finding("redis", f"maxmemory-policy is {policy}: tasks may be evicted", "Set maxmemory-policy noeviction.")
    yield Finding("redis", f"Redis {facts['redis_version']}, {facts['used_memory_human']} in use")


def _migrations() -> Iterator[Finding]:
    outdated = sorted(outdated_schemas())
    if outdated:
        yield Finding("migrations", f"{len(outdated)} schemas are behind: {', '.join(outdated[:5])}", "Run `manage.py migrate`.")
    else:
        yield Finding("migrations", f"public and {_partners().count()} partners' schemas are up to date")


def _partners() -> QuerySet[Partner]:
    partners: QuerySet[Partner] = Partner.objects.exclude(schema_name="public").order_by("slug")
    return partners


def _keys() -> Iterator[Finding]:
    if "public" in outdated_schemas():
        return
    found = list(keyring_faults(_partners()))
    for fault in found:
        yield Finding("keys", str(fault.msg), str(fault.hint))
    yield Finding("keys", f"the root key opens the keys of {_partners().count() - len(found)} partners")


def _clock() -> Iterator[Finding]:
    with as_login(), connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        gap = abs(cursor.fetchone()[0] - time.time())
    fix = "Synchronise the clocks of this machine and the database (chrony, systemd-timesyncd)." if gap > LARGEST_CLOCK_GAP_SECONDS else ""
    yield Finding("clock", f"{gap:.2f} s from the database's", fix)


def _backups() -> Finding:
    newest = copies.age()
    if newest is None:
        return Finding("backups", f"there is no copy in {settings.BACKUPS}", "Let the scheduler run; `manage.py backup` makes one now.")
    hours = newest.total_seconds() / 3600
    fix = "See why the scheduler makes none; `manage.py backup` makes one now." if hours > 2 * settings.BACKUP_HOURS else ""
    return Finding("backups", f"the newest of {len(copies.copies())} copies in {settings.BACKUPS} is {hours:.0f} hours old", fix)


def _disk() -> Finding:
    folder = settings.VOUCH_HOME if settings.VOUCH_HOME.exists() else settings.BASE_DIR
    free = shutil.disk_usage(folder).free
    fix = "Free some space: PostgreSQL stops when the disk is full." if free < LEAST_FREE_BYTES else ""
    return Finding("disk", f"{free / 1024**3:.1f} GiB free at {folder}", fix)
