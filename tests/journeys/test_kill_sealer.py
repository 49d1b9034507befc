"""Kill -9 of whoever seals, twenty times at any moment: the tree has no gap, nothing twice, and the log tells of every checkpoint."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from audit.models import Checkpoint, Event, Leaf
from audit.sealer import checkpoint_log, seal
from partners.tenancy import tenant_context
from portal.waiting import wait_until
from tests.audit.test_sealer import assert_sealed_whole, write
from tests.conftest import ROOT, House, address_of

KILLS = 20
SEALING = """
import os, sys, django
django.setup()
from audit import sealer
from partners.tenancy import tenant_context
sealer._AT_ONCE = 3
for schema in sys.stdin:
    child = os.fork()    # begun in a moment: what takes seconds was done before
    if child == 0:
        with tenant_context(schema.strip()):
            while True:
                sealer.seal()
    print(child, flush=True)
    os.waitpid(child, 0)
"""


@contextmanager
def sealers(house: House) -> Iterator[Callable[[], int]]:
    """Each call begins a process that seals and seals; its id."""
    environment = {**os.environ, "DATABASE_URL": address_of(connection.settings_dict["NAME"]), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    command = [sys.executable, "-c", SEALING]
    with subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout

        def begin() -> int:
            process.stdin.write(f"{house.schema}\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            return int(process.stdout.readline())  # type: ignore[union-attr]

        try:
            yield begin
        finally:
            process.stdin.close()
            process.wait(20)


def test_a_sealer_that_is_killed_twenty_times_leaves_one_whole_tree(new_partner: Callable[..., House]) -> None:
    house, draw, interrupted = new_partner(), random.Random(7), 0

    with tenant_context(house.partner), sealers(house) as begin:
        for _ in range(KILLS):
            write(30)
            before, sealer = Leaf.objects.count(), begin()
            patience = time.monotonic() + 20
            while Leaf.objects.count() == before and time.monotonic() < patience:    # it works, and somewhere in its work it dies
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.05))
            os.kill(sealer, signal.SIGKILL)
            interrupted += before < Leaf.objects.count() < Event.objects.count()
        # The backend of the one killed last may hold its lock a moment longer; then nothing is sealed, and the clock comes again.
        assert wait_until(lambda: seal() is not None, 30)

        assert_sealed_whole()
        logged = [json.loads(line)["size"] for line in checkpoint_log(house.schema).read_text(encoding="utf-8").splitlines()]
        assert logged == list(Checkpoint.objects.order_by("size").values_list("size", flat=True))
    assert interrupted >= KILLS // 4    # it was killed in the middle, not before or after
