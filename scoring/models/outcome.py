"""Outcomes: what really happened to those who were decided about."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import uuid7
from scoring.models.decision import Decision


class OutcomeKind(models.TextChoices):
    """What happened, in a lender's words."""

    REPAID = "repaid", "Repaid"
    LATE = "late", "Repaid late"
    DEFAULTED = "defaulted", "Defaulted"
    WRITTEN_OFF = "written_off", "Written off"


# 1 is what the models predict: the bad outcome.
TARGET_OF = {OutcomeKind.REPAID: 0, OutcomeKind.LATE: 0, OutcomeKind.DEFAULTED: 1, OutcomeKind.WRITTEN_OFF: 1}


class OutcomeSource(models.TextChoices):
    API = "api", "API"
    FILE = "file", "File"
    FORM = "form", "Form"


class Outcome(models.Model):
    """What was learnt of one decision, never changed: what is learnt later is a row of its own that supersedes the one before.

    The row that nothing supersedes is what holds. `value` is 1 for the bad outcome; `amount` is what was lost or is owed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="outcomes", db_index=False)
    kind = models.CharField(max_length=12, choices=OutcomeKind)
    value = models.PositiveSmallIntegerField()
    amount = models.DecimalField(max_digits=18, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, blank=True)
    observed_on = models.DateField()
    recorded_at = models.DateTimeField(db_default=Now())
    source = models.CharField(max_length=5, choices=OutcomeSource)
    supersedes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="superseded_by")
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["recorded_at", "id"]
        indexes = [models.Index(fields=["decision", "id"], name="outcome_by_decision")]
        constraints = [
            # One line of rows for each decision: one first, and each superseded once.
            models.UniqueConstraint(fields=["decision"], condition=Q(supersedes=None), name="outcome_one_first"),
            models.CheckConstraint(condition=Q(kind__in=OutcomeKind.values), name="outcome_kind_known"),
            models.CheckConstraint(condition=Q(source__in=OutcomeSource.values), name="outcome_source_known"),
            models.CheckConstraint(condition=Q(value__in=[0, 1]), name="outcome_value_is_target"),
            models.CheckConstraint(
                condition=Q(amount=None, currency="") | Q(amount__gte=0) & ~Q(currency=""), name="outcome_amount_has_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.observed_on}"
