"""`manage.py set_challenger`: a model version scores in shadow, or none does."""

from argparse import ArgumentParser
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.services.challengers import remove_challenger, set_challenger


class Command(PartnerCommand):
    """`manage.py set_challenger SLUG PRODUCT VERSION|none`."""

    help = "Let a model version score every decision again in shadow, beside the champion; `none` ends it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("version", metavar="VERSION", help="the model version's number, or none")
        parser.add_argument("--reason", default="", help="why, for the record")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints what scores in shadow now."""
        product, wanted = options["product"], options["version"]
        if wanted == "none":
            rested = remove_challenger(product_slug=product, actor=self.actor, reason=options["reason"])
            return Result({"product": product, "challenger": None, "previous": rested.version}, f"Version {rested.version} scores no more.")
        number = int(wanted) if wanted.isdecimal() and len(wanted) < 10 else 0
        version = set_challenger(product_slug=product, version=number, actor=self.actor, reason=options["reason"])
        values = {"product": product, "challenger": version.version, "since": version.challenged_at}
        return Result(values, f"Version {number} of {product} scores in shadow from now on; `manage.py compare` shows what came of it.")
