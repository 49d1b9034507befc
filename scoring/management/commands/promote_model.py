"""`manage.py promote_model`: a model version answers from the next decision on."""

from argparse import ArgumentParser
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.services.models import promote_model


class Command(PartnerCommand):
    """`manage.py promote_model SLUG PRODUCT VERSION`."""

    help = "Put a model version in force: every worker answers with it from its next decision on."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("version", metavar="VERSION", type=int, help="the model version's number, as train_model printed it")
        parser.add_argument("--reason", default="", help="why, for the record")
        parser.add_argument("--card", default="", metavar="SHA256", help="the model card that was read; refused when it is another one")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints what answers now."""
        promotion = promote_model(
            product_slug=options["product"], version=options["version"], actor=self.actor, reason=options["reason"],
            card_sha256=options["card"],
        )
        previous = promotion.previous.version if promotion.previous else None
        revision = promotion.product.revision
        values = {"product": options["product"], "version": options["version"], "previous": previous, "revision": revision}
        before = f"version {previous}" if previous else "the rules"
        return Result(values, f"Version {options['version']} of {options['product']} is in force; before it, {before} answered.")
