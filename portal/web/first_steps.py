"""What a new partner does first, with the commands that do it, and how far they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from partners.accounts.models import User
from partners.accounts.selectors import api_keys
from partners.models import Partner
from scoring import selectors
from scoring.selectors import ModelVersionSummary, ProductSummary, RequestSummary

NO_NAME_YET = "first-loan"


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One step: what it gives, the command on the machine of Vouch or the page that does it, and whether it was done.

    `version`: on whose page people do it, without the command; `asked`: who has asked there and waits for a second person."""

    title: str
    about: str
    command: str
    is_done: bool
    url: str = ""    # of the page that does it
    version: ModelVersionSummary | None = None
    asked: RequestSummary | None = None


def first_steps(partner: Partner, products: Sequence[ProductSummary], address: str) -> list[FirstStep]:
    """The way from a table to the first decision; empty once there was one."""
    if selectors.count_decisions(at_most=1):
        return []
    slug, versions = partner.slug, selectors.model_versions()
    newest, asked = (versions[0] if versions else None), next(iter(selectors.promotion_requests(state="open")), None)
    product = newest.product if newest else products[0].slug if products else NO_NAME_YET
    version = newest.version if newest else 1
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
            _(
                "One person reads the model card and asks, on the page of the version; another one confirms there. Until then the rules of "
                "the product answer. Before there are two people, one with this command, and the record says that it was one."
            ),
            f'python manage.py promote_model {slug} {product} {version} --reason "the first model"',
            any(one.champion_version for one in products),
            version=newest,
            asked=asked,
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
