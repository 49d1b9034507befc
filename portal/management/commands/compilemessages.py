"""Compiled catalogues, by Python alone: takes the place of Django's command, which needs gettext's programs."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.management.commands.makemessages import catalogue_path, compiled, languages


class Command(BaseCommand):
    """`manage.py compilemessages`."""

    help = "Compiles locale/*/LC_MESSAGES/django.po as they are; makemessages does so too."

    def handle(self, **options: Any) -> None:
        """Every catalogue's compiled form stands beside it."""
        for language in languages():
            catalogue_path(language).with_suffix(".mo").write_bytes(compiled(language))
