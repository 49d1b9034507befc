"""Partners and the hosts they answer on: the only business tables of the public schema."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_tenants.models import DomainMixin, TenantMixin

SANDBOX = "-sandbox"    # what the slug of a sandbox ends in, and no other


class Plan(models.TextChoices):
    """What a partner pays for; settings.PLAN_REQUESTS_PER_HOUR says what it allows."""

    FREE = "free", "Free"
    PRO = "pro", "Pro"
    ENTERPRISE = "enterprise", "Enterprise"
    SANDBOX = "sandbox", "Sandbox"    # of every partner's sandbox, and of nothing else


class Partner(TenantMixin):    # type: ignore[misc]
    """A lender: a row here, a schema and a database role. `slug` is its host name and is never changed.

    A sandbox is one too (ADR 19), `sandbox_of` the lender whose trials happen there."""

    slug = models.SlugField(max_length=38, unique=True)
    name = models.CharField(max_length=100)
    country = models.CharField(max_length=2)
    currency = models.CharField(max_length=3)
    plan = models.CharField(max_length=12, choices=Plan, default=Plan.FREE)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now())
    sandbox_of = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="sandbox")

    auto_create_schema = False    # partners.services.create_partner makes it, as the owner
    auto_drop_schema = False

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(plan__in=Plan.values), name="partner_plan_known"),
            models.CheckConstraint(condition=Q(slug__regex=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"), name="partner_slug_well_formed"),
            models.CheckConstraint(condition=Q(country__regex=r"^[A-Z]{2}$"), name="partner_country_well_formed"),
            models.CheckConstraint(
                condition=Q(sandbox_of=None) ^ Q(plan=Plan.SANDBOX, slug__endswith=SANDBOX), name="partner_sandbox_named"
            ),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="partner_currency_well_formed"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_sandbox(self) -> bool:
        """Whether trials happen here."""
        return str(self.slug).endswith(SANDBOX)

    @property
    def key_slug(self) -> str:
        """What its keys name after vk_live_ or vk_test_."""
        return str(self.slug).removesuffix(SANDBOX)

    @property
    def host(self) -> str:
        """Its own host name."""
        return f"{self.slug}.{settings.BASE_DOMAIN}"

    def save(self, *arguments: Any, **named: Any) -> None:
        """Writes the row alone; the library would also want to make the schema here."""
        models.Model.save(self, *arguments, **named)


class ExchangeRate(models.Model):
    """How much of one currency another is worth, from a day on until the next row; shared by all partners, written by operators."""

    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    valid_from = models.DateField()
    rate = models.DecimalField(max_digits=15, decimal_places=8)    # of `quote` for one of `base`; a sheet keeps 15 digits exactly
    source = models.CharField(max_length=200)
    set_at = models.DateTimeField(db_default=Now())
    set_by = models.CharField(max_length=200)

    class Meta:
        ordering = ["base", "quote", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["base", "quote", "valid_from"], name="exchangerate_one_a_day"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="exchangerate_positive"),
            models.CheckConstraint(condition=~Q(base=F("quote")), name="exchangerate_of_two_currencies"),
        ]

    def __str__(self) -> str:
        return f"1 {self.base} = {self.rate.normalize():f} {self.quote}"


class SchemaRecipe(models.Model):
    """What the migrations on disk do to an empty schema, as statements: for the next partner. Only the owner writes or reads it."""

    digest = models.CharField(max_length=64, primary_key=True)    # of the migrations and of what turns them into statements
    content = models.JSONField()
    made_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.digest


class Domain(DomainMixin):    # type: ignore[misc]
    """A host name that leads to a partner."""

    def __str__(self) -> str:
        return str(self.domain)

    def save(self, *arguments: Any, **named: Any) -> None:
        """Writes the row alone."""
        models.Model.save(self, *arguments, **named)
