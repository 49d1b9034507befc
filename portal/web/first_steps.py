"""What a new partner does first, with the commands that do it, and how far they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from partners.accounts.models import User
from partners.accounts.selectors import api_keys
from partners.models import Partner
from scoring import selectors
from scoring.selectors import ProductSummary

NO_NAME_YET = "first-loan"


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step: what it gives, the command on the machine of Vouch or the page that does it, and whether it was done."""

    title: str
    about: str
    command: str
    is_done: bool
    url: str = ""    # of the page that does it


def first_steps(partner: Partner, products: Sequence[ProductSummary], address: str) -> list[FirstStep]:
    """The way from a table to the first decision; empty once there was one."""
    if selectors.count_decisions(at_most=1):
        return []
    slug, versions = partner.slug, selectors.model_versions()
    product = products[0].slug if products else NO_NAME_YET
    version = versions[0].version if versions else 1
    return [
        FirstStep(
            _("Make a product"),
            _("From a table of past applicants with a column that says what happened. What it asks for is read off the table."),
            f"python manage.py create_product {slug} {product} --from-csv loans.csv --target defaulted",
            bool(products),
        ),
        FirstStep(
            _("Train a model"),
            _("It is judged on applicants that it did not see, and waits as a candidate."),
            f"python manage.py train_model {slug} {product} --csv loans.csv",
            bool(versions),
        ),
        FirstStep(
            _("Put it in force"),
            _("Until then the rules of the product answer."),
            f"python manage.py promote_model {slug} {product} {version}",
            any(one.champion_version for one in products),
        ),
        FirstStep(
            _("Invite your team"),
            _("Everybody signs in under their own name: officers decide, approvers agree as the second person. Asks for the password."),
            f"python manage.py create_user {slug} officer@{slug}.example --role officer",
            User.objects.filter(is_active=True)[:2].count() > 1,
        ),
        FirstStep(
            _("Make a key for your systems"),
            _("It is shown once; Vouch keeps only its hash."),
            f'python manage.py create_api_key {slug} --name "loan system"',
            any(key.revoked_at is None for key in api_keys()),
        ),
        FirstStep(
            _("Bring a table of applicants"),
            _("Drop a CSV or XLSX; it is checked before anything is decided, and you get it back with scores and reasons."),
            "", False, reverse("scoring:batch-new") if products else "",
        ),  # fmt: skip
        FirstStep(
            _("Score the first applicant"),
            _("By hand here, or through the API: this shows the request to send, ready to copy."),
            f'curl -sS {address}/api/v1/products/{product} -H "X-API-Key: $KEY"',
            False,
            reverse("scoring:decision-new") if products else "",
        ),
    ]
