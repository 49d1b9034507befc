"""`manage.py rollback_model`: what answered before the current model version answers again."""

from argparse import ArgumentParser
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.services.models import rollback_model


class Command(PartnerCommand):
    """`manage.py rollback_model SLUG PRODUCT`."""

    help = "Take the model version in force back: the one before it answers again, or the product's rules if there was none."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("--reason", default="", help="why, for the record")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints what answers now."""
        rollback = rollback_model(product_slug=options["product"], actor=self.actor, reason=options["reason"])
        version, taken = rollback.version and rollback.version.version, rollback.previous and rollback.previous.version
        values = {"product": options["product"], "version": version, "previous": taken, "revision": rollback.product.revision}
        now = f"version {version} is in force again" if version else "no model is in force: the product's rules answer"
        return Result(values, f"Version {taken} of {options['product']} was taken back; {now}.")
