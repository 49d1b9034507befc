"""What people ask of the registry, and what a challenger would have decided."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from audit.ids import uuid7
from scoring.models.decision import BandCode, Decision, OutcomeCode
from scoring.models.product import ModelVersion, Product


class PromotionRequest(models.Model):
    """One person asks to put a version in force; another one confirms or refuses. It is answered once and never changed after."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CONFIRMED = "confirmed", "Confirmed"
        REFUSED = "refused", "Refused"
        WITHDRAWN = "withdrawn", "Withdrawn"
        LAPSED = "lapsed", "Lapsed"    # something else was put in force meanwhile

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="promotion_requests")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotion_requests")
    reason = models.CharField(max_length=500)
    is_card_read = models.BooleanField()
    card_sha256 = models.CharField(max_length=64, blank=True)    # of the card that was read; empty before there were cards
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(db_default=Now())
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["product"], condition=Q(state="open"), name="promotionrequest_one_open"),
            models.CheckConstraint(condition=Q(state__in=["open", "confirmed", "refused", "withdrawn", "lapsed"]),
                                   name="promotionrequest_state_known"),
            models.CheckConstraint(condition=~Q(reason=""), name="promotionrequest_has_reason"),
            models.CheckConstraint(condition=Q(is_card_read=True), name="promotionrequest_card_read"),
            models.CheckConstraint(condition=Q(state="open", answered_at=None) | (~Q(state="open") & Q(answered_at__isnull=False)),
                                   name="promotionrequest_answered_once"),
            models.CheckConstraint(
                condition=~Q(state__in=["confirmed", "refused"]) | (Q(answered_by__isnull=False) & ~Q(answered_by=F("asked_by"))),
                name="promotionrequest_second_person",
            ),
        ]    # fmt: skip

    def __str__(self) -> str:
        return f"{self.state} request for version {self.version_id}"


class Shadow(models.Model):
    """What another version would have decided about the inputs of one decision. No decision itself: nobody was answered with it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="shadows", db_index=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="shadows", db_index=False)
    decided_at = models.DateTimeField()    # the decision's created_at, by which shadows are found and gone on from
    probability = models.FloatField()
    score = models.SmallIntegerField()
    band = models.CharField(max_length=10, choices=BandCode)
    outcome = models.CharField(max_length=10, choices=OutcomeCode)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["version", "decided_at"], name="shadow_by_time")]
        constraints = [
            models.UniqueConstraint(fields=["decision", "version"], name="shadow_one_per_version"),
            models.CheckConstraint(condition=Q(probability__gte=0, probability__lte=1), name="shadow_probability_in_range"),
            models.CheckConstraint(condition=Q(score__gte=300, score__lte=850), name="shadow_score_in_range"),
            models.CheckConstraint(condition=Q(band__in=BandCode.values), name="shadow_band_known"),
            models.CheckConstraint(condition=Q(outcome__in=OutcomeCode.values), name="shadow_outcome_known"),
        ]

    def __str__(self) -> str:
        return str(self.id)
