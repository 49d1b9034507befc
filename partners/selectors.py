"""Reads about partners, from the shared schema."""

from datetime import date
from decimal import Decimal

from django.db.models import Q

from partners.errors import PartnerUnknown
from partners.models import ExchangeRate, Partner
from partners.tenancy import current_schema, public_context


def partner(slug: str) -> Partner:
    """The partner with this slug. Raises PartnerUnknown."""
    with public_context():
        found: Partner | None = Partner.objects.filter(slug=slug).first()
        if found is None:
            known = ", ".join(Partner.objects.order_by("slug").values_list("slug", flat=True)[:10])
            hint = f"There are: {known}." if known else "There is none yet: make one with `manage.py create_partner`."
            raise PartnerUnknown(f"There is no partner '{slug}'. {hint}")
    return found


def other_side(partner: Partner) -> Partner | None:
    """The partner's sandbox, or the partner whose sandbox this is."""
    with public_context():
        found: Partner | None = Partner.objects.filter(Q(sandbox_of=partner.id) | Q(sandbox=partner.id), is_active=True).first()
    return found


def sandbox_beside(schema: str) -> str | None:
    """The schema of the sandbox of the partner with this one."""
    with public_context():
        found: str | None = Partner.objects.filter(sandbox_of__schema_name=schema).values_list("schema_name", flat=True).first()
    return found


def current_partner() -> Partner:
    """The partner in whose schema the caller is. Raises NoPartner outside one."""
    schema = current_schema()
    with public_context():
        found: Partner = Partner.objects.get(schema_name=schema)
    return found


def exchange_rate(base: str, quote: str, on: date) -> Decimal | None:
    """Units of `quote` for one of `base` on that day, as operators set it; None where they set none."""
    with public_context():
        rates = ExchangeRate.objects.filter(base=base, quote=quote, valid_from__lte=on).order_by("-valid_from")
        return rates.values_list("rate", flat=True).first()
