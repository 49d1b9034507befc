"""`manage.py offer_model`: a draft becomes a candidate."""

from argparse import ArgumentParser
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.management.commands.train_model import in_force
from scoring.services.models import offer_model


class Command(PartnerCommand):
    """`manage.py offer_model SLUG PRODUCT VERSION`."""

    help = "Offer a draft as a candidate: people may ask to put it in force, or let it score in shadow."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("version", metavar="VERSION", type=int, help="the draft's number, as train_model printed it")
        about = "why it is offered; needed where its ranking cannot be told from chance, and shown on its card"
        parser.add_argument("--reason", default="", metavar="WHY", help=about)

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints the version's new state."""
        version = offer_model(product_slug=options["product"], version=options["version"], actor=self.actor, reason=options["reason"])
        next_steps = in_force(version.version, f"{options['slug']} {options['product']} {version.version}")
        values = {"product": options["product"], "version": version.version, "state": version.state}
        return Result(values, f"Version {version.version} of {options['product']} is a candidate.", *next_steps)
