"""`manage.py create_partner`: a lender with its schema, role, keys and host."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from partners.console import PartnerCommand, Result, needed
from partners.models import Partner, Plan
from partners.sandboxes import refresh_sandbox
from partners.services import PLANS, create_partner


class Command(PartnerCommand):
    """`manage.py create_partner SLUG --name NAME --country CC --currency CUR`."""

    help = "Make a partner: a lender with its own schema, database role, keys and host."
    takes_existing_partner = False

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        required = needed(parser)
        required.add_argument("--name", required=True, help="the lender's name, as people read it")
        required.add_argument("--country", required=True, metavar="CC", help="ISO 3166 code, for example KE")
        required.add_argument("--currency", required=True, metavar="CUR", help="ISO 4217 code, for example KES")
        parser.add_argument("--plan", choices=PLANS, default=Plan.FREE.value, help="what the partner's keys may do per hour (free)")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints the host and what comes next."""
        made = create_partner(
            slug=options["slug"], name=options["name"], country=options["country"], currency=options["currency"],
            plan=options["plan"], actor=self.actor,
        )  # fmt: skip
        sandbox = refresh_sandbox(made, actor=self.actor)
        host = f"{made.slug}.{settings.BASE_DOMAIN}"
        values = {"slug": made.slug, "name": made.name, "country": made.country, "currency": made.currency, "plan": made.plan, "host": host,
                  "sandbox": f"{sandbox.slug}.{settings.BASE_DOMAIN}"}
        answers = f"{made.name} answers on {host}, its sandbox on {values['sandbox']}."
        return Result(values, answers, f"Next: manage.py create_user {made.slug} EMAIL --role admin")
