"""`manage.py rotate_root_key`: every partner's keys are wrapped by the root key in use, while the portal works."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from audit.context import Actor
from audit.models import Keyring
from audit.privacy.rotation import rewrap_keyring
from partners.console import told_in_one_line
from partners.migrating import migrate_all
from partners.models import Partner
from partners.tenancy import public_context, tenant_context


class Command(BaseCommand):
    help = (
        "Wraps every partner's keys by the root key in use. Before: set VOUCH_ROOT_KEY (or VOUCH_ROOT_KEY_COMMAND) to the new one and "
        "VOUCH_ROOT_KEY_PREVIOUS to the old one, and restart every process. After: unset VOUCH_ROOT_KEY_PREVIOUS. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json."""
        parser.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Partner by partner, each in one transaction."""
        actor, done = Actor(kind="operator", label="command line"), 0
        with told_in_one_line():
            migrate_all(report=self.stderr.write)
            with public_context():
                partners = list(Partner.objects.exclude(schema_name="public").order_by("slug"))
            for number, partner in enumerate(partners, start=1):
                with tenant_context(partner):
                    done += rewrap_keyring(actor=actor)
                self.stderr.write(f"{number} of {len(partners)} partners")
            with public_context():
                if Keyring.objects.exists():    # the operators' own, which come with the first of them
                    done += rewrap_keyring(actor=actor)
        said = {"partners": len(partners), "rewrapped": done}
        self.stdout.write(json.dumps(said) if options["json"] else f"{done} keys of {len(partners)} partners were wrapped again.")
