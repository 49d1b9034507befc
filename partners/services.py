"""Writes about partners: making one, with its schema, role, keys and host; exchange rates, which all of them share."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from audit.vault import ensure_keyring
from partners.codes import COUNTRIES, CURRENCIES
from partners.errors import PartnerExists, PartnerRefused, RateRefused
from partners.migrating import make_tenant
from partners.models import SANDBOX, Domain, ExchangeRate, Partner, Plan
from partners.postgres.roles import PUBLIC
from partners.tenancy import as_owner, is_sandbox, public_context, schema_of, tenant_context

SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,29}")
PLANS = tuple(str(plan) for plan in Plan if plan != Plan.SANDBOX)    # that a partner may have
RESERVED = {"public", "www", "api", "admin", "app", "static", "docs", "status", "mail"}


def create_partner(*, slug: str, name: str, country: str, currency: str, plan: str = Plan.FREE, actor: Actor) -> Partner:
    """The partner exists with its schema, role, keys and host; a half-made one is completed. Raises PartnerRefused or PartnerExists."""
    country, currency = country.upper(), currency.upper()
    _check(slug=slug, name=name, country=country, currency=currency, plan=plan)
    schema = schema_of(slug)
    if Partner.objects.filter(slug=slug).exists():
        raise PartnerExists(f"A partner {slug} exists already; choose another slug.")
    return _made(Partner(slug=slug, schema_name=schema, name=name.strip(), country=country, currency=currency, plan=plan), actor)


def ensure_sandbox(partner: Partner, *, actor: Actor) -> Partner:
    """The partner's sandbox: a schema, role, keys and host of its own (ADR 19), made where there is none.

    Raises PartnerRefused for a sandbox, and PartnerExists where a partner of before has the name."""
    if is_sandbox(partner.schema_name):
        raise PartnerRefused("This is a sandbox itself; name the partner whose it is.")
    with public_context():
        return _sandbox_of(partner) or _made(_sandbox_for(partner), actor)


def _sandbox_of(partner: Partner) -> Partner | None:
    return Partner.objects.filter(sandbox_of=partner).first()  # type: ignore[no-any-return]


def _sandbox_for(partner: Partner) -> Partner:
    slug = partner.slug + SANDBOX
    if Partner.objects.filter(slug=slug).exists():
        raise PartnerExists(f"A partner {slug} exists already, so {partner.slug} can have no sandbox.")
    sandbox = Partner(slug=slug, schema_name=schema_of(slug), name=partner.name, country=partner.country, currency=partner.currency)
    sandbox.plan, sandbox.sandbox_of = Plan.SANDBOX, partner
    return sandbox


def _made(partner: Partner, actor: Actor) -> Partner:
    slug, schema = partner.slug, partner.schema_name
    make_tenant(schema)
    with as_owner(PUBLIC), transaction.atomic():
        partner.save(force_insert=True)
        Domain(domain=f"{slug}.{settings.BASE_DOMAIN}", tenant=partner, is_primary=True).save(force_insert=True)
        with tenant_context(schema):
            ensure_keyring()
            detail = {"plan": str(partner.plan), "country": partner.country, "currency": partner.currency}
            record(action=Action.PARTNER_CREATED, actor=actor, object_kind="partner", object_id=slug, detail=detail)
    return partner


def _check(*, slug: str, name: str, country: str, currency: str, plan: str) -> None:
    if not SLUG.fullmatch(slug) or slug in RESERVED or slug.endswith(SANDBOX):
        reserved = f"{', '.join(sorted(RESERVED))}, and not ending in {SANDBOX}"
        raise PartnerRefused(f"{slug!r} cannot be a slug: 2 to 30 small letters, digits or single hyphens, a letter first, not {reserved}.")
    if not name.strip() or len(name) > 100:
        raise PartnerRefused("The name needs 1 to 100 characters.")
    if country not in COUNTRIES:
        raise PartnerRefused(f"{country!r} is not an ISO 3166 country code; Kenya is KE, Senegal SN, Brazil BR.")
    if currency not in CURRENCIES:
        raise PartnerRefused(f"{currency!r} is not an ISO 4217 currency code; the Kenyan shilling is KES, the West African franc XOF.")
    if plan not in PLANS:
        raise PartnerRefused(f"{plan!r} is not a plan: {', '.join(PLANS)}.")


def set_exchange_rate(*, base: str, quote: str, valid_from: date, rate: Decimal, source: str, actor: Actor) -> ExchangeRate:
    """The rate holds from that day on, in place of what was set for it before. Raises RateRefused with every fault."""
    source = source.strip()
    if faults := _faults_of_rate(base, quote, valid_from, rate, source):
        raise RateRefused(fields=faults)
    with public_context(), transaction.atomic():
        values = {"rate": rate, "source": source, "set_by": actor.label[:200], "set_at": datetime.now(UTC)}
        made, _is_new = ExchangeRate.objects.update_or_create(base=base, quote=quote, valid_from=valid_from, defaults=values)
        detail = {"base": base, "quote": quote, "valid_from": valid_from.isoformat(), "rate": f"{rate:f}", "source": source}
        record(action=Action.EXCHANGE_RATE_SET, actor=actor, object_kind="exchange_rate", object_id=f"{base}-{quote}", detail=detail)
    return made


def _faults_of_rate(base: str, quote: str, valid_from: date, rate: Decimal, source: str) -> dict[str, str]:
    faults = {name: f"{code!r} is not a currency: send its three letters, such as KES." for name, code in (("base", base), ("quote", quote))
              if code not in CURRENCIES}  # fmt: skip
    if base == quote and not faults:
        faults["quote"] = "Name two different currencies."
    if not 1990 <= valid_from.year <= 2200:
        faults["valid_from"] = "Give a day such as 2026-11-21."
    exponent = rate.as_tuple().exponent
    if not isinstance(exponent, int) or rate <= 0 or rate >= 10**7 or exponent < -8:
        faults["rate"] = "Give a number above zero and below 10,000,000, with at most 8 decimals, such as 0.0077."
    if not 0 < len(source) <= 200 or "\0" in source:
        faults["source"] = "Say whose rate it is, in 1 to 200 characters."
    return faults
