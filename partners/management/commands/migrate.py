"""`manage.py migrate`: the shared schema and every partner's, resumable; replaces the commands of Django and django-tenants."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db.migrations.autodetector import MigrationAutodetector

from partners.console import told_in_one_line
from partners.migrating import migrate_all, prepare_recipe


class Command(BaseCommand):
    """`manage.py migrate`."""

    help = "Bring the shared schema and every partner's schema up to date. Stopped half-way, run it again."
    requires_system_checks: list[str] = []
    autodetector = MigrationAutodetector    # Django's own checks look for it

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--noinput", "--no-input", action="store_false", dest="interactive", help="accepted for compatibility")
        parser.add_argument("--database", default="default", help="accepted for compatibility")
        parser.add_argument("--run-syncdb", action="store_true", help="accepted for compatibility")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints each schema it changes."""
        quiet = options["verbosity"] == 0
        with told_in_one_line():
            changed = migrate_all(report=lambda line: None if quiet else self.stderr.write(line))
            prepare_recipe()
        if not quiet:
            self.stdout.write(f"{len(changed)} schemas brought up to date." if changed else "Every schema is up to date.")
