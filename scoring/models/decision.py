"""Decisions: one immutable scoring result each."""

from django.db import models
from django.db.models import Q

from audit.ids import uuid7
from scoring.models.applicant import Applicant
from scoring.models.product import ModelVersion, Policy, Product


class BandCode(models.TextChoices):
    VERY_LOW = "VERY_LOW", "Very low"
    LOW = "LOW", "Low"
    MEDIUM = "MEDIUM", "Medium"
    HIGH = "HIGH", "High"
    VERY_HIGH = "VERY_HIGH", "Very high"


class OutcomeCode(models.TextChoices):
    APPROVE = "approve", "Approve"
    REFER = "refer", "Refer"
    DECLINE = "decline", "Decline"


class AnsweredBy(models.TextChoices):
    MODEL = "model", "Model"
    RULES = "rules", "Rules"


class Channel(models.TextChoices):
    API = "api", "API"
    BATCH = "batch", "Batch"
    PORTAL = "portal", "Portal"
    FILE = "file", "File"


class Decision(models.Model):
    """One scoring result, never changed. What lists and statistics need is in columns; inputs, contributions and reasons are sealed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    created_at = models.DateTimeField()
    applicant = models.ForeignKey(Applicant, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    model_version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    revision = models.PositiveIntegerField()
    probability = models.FloatField()
    score = models.SmallIntegerField()
    band = models.CharField(max_length=10, choices=BandCode)
    outcome = models.CharField(max_length=10, choices=OutcomeCode)
    answered_by = models.CharField(max_length=10, choices=AnsweredBy)
    sealed = models.BinaryField()
    channel = models.CharField(max_length=10, choices=Channel)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    processing_microseconds = models.PositiveIntegerField()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["created_at", "id"], name="decision_by_time"),
            models.Index(fields=["applicant", "created_at"], name="decision_by_applicant"),
            models.Index(fields=["product", "outcome", "band", "answered_by", "created_at", "id"], name="decision_by_kind"),
            models.Index(
                fields=["product", "score", "created_at", "id"], include=["outcome", "band", "answered_by"], name="decision_by_score"
            ),
        ]
        constraints = [
            # A NaN compares as larger than every number in PostgreSQL, so the upper bound refuses it too.
            models.CheckConstraint(condition=Q(probability__gte=0, probability__lte=1), name="decision_probability_in_range"),
            models.CheckConstraint(condition=Q(score__gte=300, score__lte=850), name="decision_score_in_range"),
            models.CheckConstraint(condition=Q(band__in=BandCode.values), name="decision_band_known"),
            models.CheckConstraint(condition=Q(outcome__in=OutcomeCode.values), name="decision_outcome_known"),
            models.CheckConstraint(condition=Q(channel__in=Channel.values), name="decision_channel_known"),
            models.CheckConstraint(
                condition=Q(answered_by="model", model_version__isnull=False) | Q(answered_by="rules", model_version=None),
                name="decision_model_or_rules",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)
