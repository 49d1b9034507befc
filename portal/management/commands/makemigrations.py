"""Django's own command, with the right to read which migrations have run."""

from typing import Any

from django.core.management.commands import makemigrations

from partners.tenancy import as_owner


class Command(makemigrations.Command):
    """`manage.py makemigrations`."""

    def handle(self, *app_labels: Any, **options: Any) -> None:
        """As Django does, in the owner's state."""
        with as_owner("public"):
            super().handle(*app_labels, **options)
