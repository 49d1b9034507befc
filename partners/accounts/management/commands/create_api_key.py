"""`manage.py create_api_key`: a machine's access to the partner's API."""

from argparse import ArgumentParser
from typing import Any

from partners.accounts.services import create_api_key
from partners.console import PartnerCommand, Result, needed
from partners.models import Partner


class Command(PartnerCommand):
    """`manage.py create_api_key SLUG --name NAME`."""

    help = "Make an API key of a partner. It is shown once and stored as a hash only."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        needed(parser).add_argument("--name", required=True, help="what the key is for")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints the key."""
        made = create_api_key(name=options["name"], actor=self.actor)
        values = {"id": str(made.key.id), "name": made.key.name, "api_key": made.secret, "scopes": made.key.scopes}
        return Result(values, made.secret, "Keep it now: it is not shown again.")
