"""`manage.py change_product`: what a person edited in the product's file is in force, its rules above all."""

from argparse import ArgumentParser
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring.models import Product
from scoring.selectors import product as one_product
from scoring.services.definitions import definition_file, take_up_edits


class Command(PartnerCommand):
    """`manage.py change_product SLUG PRODUCT`."""

    help = "Take up what was edited in the product's definition file; written first if it is not there."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("--reason", default="", help="why, for the record")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints what changed, and where the file is."""
        slug = one_product(options["product"]).slug
        path = definition_file(slug)
        changed = take_up_edits(product=Product.objects.get(slug=slug), actor=self.actor, reason=options["reason"])
        values = {"product": slug, "changed": changed, "revision": one_product(slug).revision, "file": str(path)}
        told = f"Changed: {', '.join(changed)}." if changed else "Nothing was edited."
        return Result(values, f"{told} The file is {path}.")
