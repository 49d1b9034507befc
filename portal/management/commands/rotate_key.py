"""`manage.py rotate_key SLUG PURPOSE`: a new key of the partner takes the place of the one in use."""

from argparse import ArgumentParser
from typing import Any

from audit.rotation import PURPOSES, change_key
from partners.console import PartnerCommand, Result
from partners.models import Partner


class Command(PartnerCommand):
    help = "Puts a new key in use. Whatever was sealed or signed with earlier ones stays readable and checkable."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("purpose", choices=PURPOSES, help="sign: receipts and checkpoints; wrap: personal data; token: access tokens")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        ring = change_key(options["purpose"], actor=self.actor)
        values = {"purpose": options["purpose"], "key_id": ring.key_id}
        return Result(values, f"A new key is in use for: {options['purpose']}. Receipts and checkpoints are signed with {ring.key_id}.")
