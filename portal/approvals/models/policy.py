"""When one person is not enough, and how long things may take: per product, each version kept."""

from collections.abc import Mapping

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import uuid7
from scoring.models import Product


def usual_override_reasons() -> dict[str, dict[str, str]]:
    """Reasons to decide otherwise than the model, for a partner that has written none."""
    return {
        "income_proven": {"en": "Income was proven by documents.", "fr": "Les revenus ont été prouvés par des documents."},
        "guarantee_given": {"en": "A guarantee was given.", "fr": "Une garantie a été donnée."},
        "good_history_here": {"en": "Earlier loans here were repaid.", "fr": "Les prêts précédents ici ont été remboursés."},
        "documents_in_doubt": {"en": "Documents could not be confirmed.", "fr": "Des documents n'ont pas pu être confirmés."},
        "debts_elsewhere": {"en": "There are debts with other lenders.", "fr": "Il y a des dettes chez d'autres prêteurs."},
    }    # fmt: skip


class ApprovalPolicy(models.Model):
    """One version of a product's rules for people, never changed; the highest is in force. Cut-offs are in scoring's Policy.

    `limits`: the most that one person may lend, in the currency's smallest unit, by currency; where there are any, a currency without one
    needs two people for every amount. `override_reasons`: texts by language, by code."""

    class FourEyes(models.TextChoices):
        NEVER = "never", "Only above the limit"
        OVERRIDE = "override", "Above the limit, and on an override of the model's outcome"
        ALWAYS = "always", "Always"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="approval_policies")
    version = models.PositiveIntegerField()
    four_eyes = models.CharField(max_length=8, choices=FourEyes, default=FourEyes.OVERRIDE)
    limits = models.JSONField(default=dict)
    override_reasons = models.JSONField(default=usual_override_reasons)
    proposal_hours = models.PositiveSmallIntegerField(default=72)
    due_hours = models.PositiveSmallIntegerField(default=48)
    lifetime_days = models.PositiveSmallIntegerField(default=90)
    notice_days = models.PositiveSmallIntegerField(default=30)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["product", "version"], name="approvalpolicy_one_number"),
            models.CheckConstraint(condition=Q(version__gte=1), name="approvalpolicy_version_counts_up"),
            models.CheckConstraint(condition=Q(four_eyes__in=["never", "override", "always"]), name="approvalpolicy_four_eyes_known"),
            models.CheckConstraint(
                condition=Q(proposal_hours__gte=1, due_hours__gte=1, lifetime_days__gte=1, notice_days__gte=1),
                name="approvalpolicy_times_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"approval policy {self.version}"

    def is_above_limit(self, amount_minor: int, currency: str) -> bool:
        """Whether so much is more than one person may lend."""
        limits: Mapping[str, int] = self.limits
        return bool(limits) and amount_minor > limits.get(currency, -1)
