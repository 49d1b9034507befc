"""Proof: how fast verify.py reads an export, what a leaf adds to an insert, and how soon an event is under a checkpoint.

`python -m bench verify`; `python -m bench.verify` is the part with a database, run in a process of its own."""

import base64
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.site import ROOT, output, row, services, state_folder
from portal.waiting import wait_until

EVENTS = int(os.environ.get("BENCH_VERIFY_EVENTS", "1000000"))
BATCH = 1_000    # events under one checkpoint
ROUNDS, EACH = 30, 100
WRITERS, LOAD_SECONDS = 4, 10.0
ORIGIN = "vouch/t_bench"


def run() -> list[dict[str, Any]]:
    """A row for each figure."""
    with state_folder() as (folder, environment):
        seconds, processor, megabytes = _verifying(folder)
        with services(environment, folder):
            found = json.loads(output([sys.executable, "-m", "bench.verify"], environment).splitlines()[-1])
    return [
        row(f"verify.py, {EVENTS:,} events, half of them decisions", seconds, "s", at_most=30.0),
        row("the same, processor time", processor, "s CPU"),
        row("verify.py, memory at most", megabytes, "MB"),
        row("insert of an event with its leaf, against without", found["ratio"], "times", at_most=1.10),
        row("checkpoint over an event under load, at most", found["delay"], "s", at_most=2.0),
        row("events written meanwhile", found["written"], "1/s"),
        row("audit_verify, against the database", found["checked"], "events/s"),
    ]


def _verifying(folder: Path) -> tuple[float, float, float]:
    """Seconds, seconds of the processor and most memory of the verifier on an export of EVENTS."""
    export, keys = folder / "export.jsonl", folder / "keys.json"
    _write(export, keys)
    program = (
        "import resource, runpy, sys; sys.argv = sys.argv[1:]\ntry: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "finally:\n used = resource.getrusage(resource.RUSAGE_SELF)\n"
        " sys.stderr.write(f'{used.ru_utime + used.ru_stime} {used.ru_maxrss // 1024}')"
    )
    command = [sys.executable, "-c", program, str(ROOT / "audit" / "verify.py"), str(export), "--key", str(keys)]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - began
    processor, megabytes = done.stderr.rsplit("\n", 1)[-1].split()
    return seconds, float(processor), float(megabytes)


def _write(export: Path, keys: Path) -> None:
    """An export as the house writes it, without a database."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from audit.tree import Frontier

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    named = hashlib.sha256(f"{ORIGIN}\n".encode() + b"\x01" + public).digest()[:4]
    body = export.with_suffix(".body")
    frontier, lines = Frontier(), body.open("wb", buffering=1 << 20)
    for first in range(0, EVENTS, BATCH):
        leaves = []
        for position in range(first, first + BATCH):
            text, decision = _event(position)
            leaf = hashlib.sha256(b"\0" + text).digest()
            leaves.append(leaf)
            lines.write(b'{"event":%s,"leaf":"%s","position":%d}\n%s' % (text, base64.b64encode(leaf), position, decision))
        frontier = frontier.extended(leaves)
        signed = f"{ORIGIN}\n{frontier.size}\n{base64.b64encode(frontier.root()).decode()}\n"
        note = f"{signed}\n\u2014 {ORIGIN} {base64.b64encode(named + key.sign(signed.encode())).decode()}\n"
        lines.write(_line({"checkpoint": note}))
    lines.close()
    with body.open("rb") as read, export.open("wb") as whole:    # the head names the last checkpoint; nothing large is in memory
        whole.write(_line({"vouch_export": 1, "origin": ORIGIN, "checkpoint": note, "first": 0, "subtrees": []}))
        shutil.copyfileobj(read, whole, 1 << 20)
    told = {"key_id": hashlib.sha256(public).hexdigest()[:16], "public_key": base64.b64encode(public).decode()}
    keys.write_text(json.dumps({"data": [told]}))


def _event(position: int) -> tuple[bytes, bytes]:
    """An event's bytes as they are attested, and the line of its decision."""
    name = f"01a1ff93-bda6-742a-abe4-{position:012x}"
    head = f'["vouch event v1","{name}",'
    tail = f',"2026-11-21T08:00:00.{position % 10**6:06d}Z"]'
    if position % 2:
        text = f'{head}"product.changed","user","7","Amina","203.0.113.9","req-{position}","product","x",{{"version":{position}}}{tail}'
        return text.encode(), b""
    row_text = json.dumps({"id": name, "score": 600, "outcome": "approve", "probability": "0x1.9p-4", "sealed": name}, sort_keys=True,
                          separators=(",", ":")).encode()  # fmt: skip
    decision = b'{"decision":%s}\n' % row_text
    detail = f'{{"digest":"{hashlib.sha256(row_text).hexdigest()}","outcome":"approve","product":"loan"}}'
    return f'{head}"decision.made","api_key","7","Key","203.0.113.9","req-{position}","decision","{name}",{detail}{tail}'.encode(), decision


def _line(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def main() -> None:
    """Prints what was found over a partner of its own."""
    import django

    from portal import embedded

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    embedded.start()
    django.setup()
    from audit.context import SYSTEM
    from partners.migrating import migrate_all
    from partners.services import create_partner
    from partners.tenancy import tenant_context

    migrate_all(report=lambda _line: None)
    partner = create_partner(slug="bench", name="Bench", country="KE", currency="KES", plan="enterprise", actor=SYSTEM)
    with tenant_context(partner):
        written, delay = _under_load(partner)
        checked = _checking()
        ratio = _inserting()    # last: events without their hash are no record
    print(json.dumps({"ratio": ratio, "written": written, "delay": delay, "checked": checked}))


def _record(count: int) -> float:
    from audit.actions import Action
    from audit.context import SYSTEM
    from audit.services import record

    began = time.perf_counter()
    for number in range(count):
        detail = {"digest": "0" * 64, "outcome": "approve", "product": "loan"}
        record(action=Action.PRODUCT_CHANGED, actor=SYSTEM, object_kind="product", object_id=number, detail=detail)
    return time.perf_counter() - began


def _inserting() -> float:
    """How many times as long inserts take with the leaf hash as without, in turns."""
    from audit import services as recording

    found = []
    for _ in range(ROUNDS):
        with patch.object(recording, "attested_text", lambda *_: b""), patch.object(recording, "leaf_hash", lambda _: bytes(32)):
            without = _record(EACH)
        found.append(_record(EACH) / without)
    return statistics.median(found)


def _under_load(partner: Any) -> tuple[float, float]:
    """Events a second that several wrote while the clock sealed, and the longest that one waited for a checkpoint."""
    from django.db import connection

    from audit import sealer
    from audit.models import Event
    from partners.tenancy import tenant_context
    from portal.scheduler import Duty, Scheduler

    sealer.seal()
    before, until = Event.objects.count(), time.monotonic() + LOAD_SECONDS
    clock = Scheduler([Duty("seal", 1.0, sealer.seal)])

    def writing() -> None:
        with tenant_context(partner):
            while time.monotonic() < until:
                _record(10)

    threads = [threading.Thread(target=writing) for _ in range(WRITERS)]
    beside = threading.Thread(target=clock.run)
    for thread in (beside, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: not Event.objects.filter(leaf=None).exists(), LOAD_SECONDS)    # the clock itself seals what is left
    clock.stopping.set()
    beside.join()
    sealer.seal()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM max(c.created_at - e.recorded_at)) FROM audit_event e JOIN audit_leaf l ON l.event_id = e.id"
            " JOIN LATERAL (SELECT created_at FROM audit_checkpoint WHERE size > l.position ORDER BY size LIMIT 1) c ON true"
            " WHERE l.position >= %s", [before],
        )  # fmt: skip
        delay = float(cursor.fetchone()[0])
    return (Event.objects.count() - before) / LOAD_SECONDS, delay


def _checking() -> float:
    """Events a second that a check of the tables reads."""
    from audit.verification import check_record

    began = time.perf_counter()
    found = check_record(lambda _: None)
    return found.events / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
