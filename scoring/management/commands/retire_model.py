"""`manage.py retire_model`: a version that is not in force waits for nothing any more."""

from argparse import ArgumentParser
from typing import Any

from partners.console import PartnerCommand, Result, needed
from partners.models import Partner
from scoring.services.models import retire_model


class Command(PartnerCommand):
    """`manage.py retire_model SLUG PRODUCT VERSION --reason TEXT`."""

    help = "Retire a draft, a candidate or a challenger; what is in force is rolled back instead."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("version", metavar="VERSION", type=int, help="the model version's number")
        needed(parser).add_argument("--reason", required=True, help="why, for the record")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints the version's new state."""
        product = options["product"]
        version = retire_model(product_slug=product, version=options["version"], actor=self.actor, reason=options["reason"])
        values = {"product": product, "version": version.version, "state": version.state}
        return Result(values, f"Version {version.version} of {product} is retired; what it decided stays.")
