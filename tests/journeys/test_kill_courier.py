"""Kill -9 of whoever carries events, again and again: every event is delivered, always under the same webhook-id, none is made up."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from standardwebhooks import Webhook

from audit.context import SYSTEM
from audit.models import Outbox
from audit.services import announce
from audit.topics import Topic
from partners.tenancy import tenant_context
from partners.webhooks.models import Delivery
from partners.webhooks.services import create_endpoint
from portal.waiting import wait_until
from tests.conftest import ROOT, House, address_of
from tests.partners.receivers import Received, receiver

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("crash")]
KILLS = 5
EVENTS = 750
PATIENCE_SECONDS = 90.0
CLOCK = ["manage.py", "run_scheduler"]


@contextmanager
def scheduler(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real scheduler on the test's database. It is killed in the end."""
    environment = {
        **os.environ, "DATABASE_URL": address_of(connection.settings_dict["NAME"]), "DJANGO_SETTINGS_MODULE": "portal.settings",
        "VOUCH_JOB_LEASE_SECONDS": "1", "VOUCH_WEBHOOKS_TO_LOCALHOST": "1", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    with log.open("ab") as out:
        process = subprocess.Popen([sys.executable, *CLOCK], cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_scheduler_that_is_killed_again_and_again_delivers_every_event(
    new_partner: Callable[..., House], settings: object, tmp_path: Path
) -> None:
    settings.WEBHOOKS_TO_LOCALHOST = True    # type: ignore[attr-defined]
    draw, log = random.Random(20261123), tmp_path / "log"

    def slowly(_got: Received) -> tuple[int, dict[str, str], bytes]:
        time.sleep(draw.uniform(0.0, 0.02))    # a receiver that takes its time, so that kills meet events under way
        return 200, {}, b""

    with receiver(slowly) as server, tenant_context(new_partner().partner):
        made = create_endpoint(url=server.url, event_types=[Topic.ALERT_RAISED], actor=SYSTEM)
        begun = 0
        for _kill in range(KILLS):
            for number in range(EVENTS // KILLS):
                announce(topic=Topic.ALERT_RAISED, object_id=f"{number % 40}", body={})
            with scheduler(log) as process:
                before = len(server.received)
                assert wait_until(lambda before=before: len(server.received) > before, PATIENCE_SECONDS), log.read_text()[-3_000:]    # type: ignore[misc]
                time.sleep(draw.uniform(0.0, 0.6))    # any moment of its work: which one is drawn, and every one has to do
                assert process.poll() is None, log.read_text()[-3_000:]
            begun += Delivery.objects.filter(attempts=0).exists()
        with scheduler(log):
            left = Delivery.objects.exclude(state="delivered")
            done = lambda: not left.exists() and not Outbox.objects.filter(delivered_at=None).exists()  # noqa: E731
            assert wait_until(done, PATIENCE_SECONDS), log.read_text()[-3_000:]
        wanted = {str(one) for one in Outbox.objects.filter(topic=Topic.ALERT_RAISED).values_list("id", flat=True)}

        assert begun >= KILLS // 2    # they died in the middle
        assert len(wanted) == EVENTS
        assert {got.id for got in server.received} == wanted
        assert Delivery.objects.count() == EVENTS
        bodies = {(got.id, got.body) for got in server.received}
        assert len(bodies) == EVENTS    # what came twice came with the same words
        for got in server.received[::50]:
            Webhook(made.secret).verify(got.body, got.headers)
