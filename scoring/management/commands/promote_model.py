"""`manage.py promote_model`: a model version answers from the next decision on, by the act of one person."""

from argparse import ArgumentParser
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring import selectors
from scoring.services.models import promote_model


class Command(PartnerCommand):
    """`manage.py promote_model SLUG PRODUCT VERSION`."""

    help = (
        "Put a model version in force as the operator of this machine: every worker answers with it from its next decision on. "
        "One person does it, and the record says so. Where there are two people, one asks on the version's page and another one confirms."
    )

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("version", metavar="VERSION", type=int, help="the model version's number, as train_model printed it")
        parser.add_argument("--reason", default="", help="why, for the record; it says that none was given otherwise")
        parser.add_argument("--card", default="", metavar="SHA256", help="the model card that was read; refused when it is another one")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints what answers now, and what the record says of who did it."""
        product, version, reason, card = (options[name] for name in ("product", "version", "reason", "card"))
        promotion = promote_model(product_slug=product, version=version, actor=self.actor, reason=reason, card_sha256=card)
        previous = promotion.previous.version if promotion.previous else None
        values = {
            "product": product, "version": version, "previous": previous, "revision": promotion.product.revision,
            "by": promotion.actor, "is_confirmed_by_another": False, "reason": reason or None, "card_sha256": card or None,
        }  # fmt: skip
        before = f"version {previous}" if previous else "the rules"
        read = f"--card {selectors.card_digest(product, version)} says that it was read"
        return Result(
            values, f"Version {version} of {product} is in force; before it, {before} answered.",
            f"One person did this, and the record says so: {promotion.actor}. Nobody confirmed it.",
            *([] if reason else ["Warning: the record holds no reason; say it with --reason."]),
            *([] if card else [f"Warning: the record names no card; {read}."]),
        )  # fmt: skip
