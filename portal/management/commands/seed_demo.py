"""Makes the two demo partners, or finds them as they are."""

import signal
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from partners.console import told_in_one_line
from portal import demo


class Command(BaseCommand):
    """`manage.py seed_demo`."""

    help = "Make two demo partners with people of every role, a promoted model and 300 scored applicants. Running it twice changes nothing."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="the port to print (8000)")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints addresses, logins, a key and a curl line."""
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that training ends, and its folder goes
        with told_in_one_line():
            access = demo.seed(report=lambda line: self.stderr.write(line))
        for line in demo.instructions(access, options["port"]):
            self.stdout.write(line)
