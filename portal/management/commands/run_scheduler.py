"""Runs what happens by the clock: sealing the record, forgetting old answers."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from portal.checks import refuse_unsafe_start
from portal.scheduler import Scheduler


class Command(BaseCommand):
    """`manage.py run_scheduler`."""

    help = "Run the clock's duties for every active partner until stopped. `up` starts it; several may run at once."
    requires_system_checks: list[str] = []  # they would hold every page and model in this process

    def handle(self, *_arguments: Any, **_options: Any) -> None:
        """Returns after SIGTERM or SIGINT."""
        refuse_unsafe_start()
        scheduler = Scheduler()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: scheduler.stopping.set())
        scheduler.run()
