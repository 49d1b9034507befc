"""Consents: what an applicant allowed, and what they took back, as somebody at the partner recorded it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7
from scoring.models.applicant import Applicant


class ConsentKind(models.TextChoices):
    """What it is about."""

    USE_OF_DATA = "use_of_data", _("Use of their data for a credit decision")
    AUTOMATED_DECISION = "automated_decision", _("A decision by a program alone")
    CREDIT_REPORT = "credit_report", _("A report from a credit bureau")
    SHARING = "sharing", _("Passing data on to others")
    CONTACT = "contact", _("Messages about other offers")


class ConsentWay(models.TextChoices):
    """How it was told."""

    SIGNED = "signed", _("Signed on paper")
    SPOKEN = "spoken", _("Told in person")
    TELEPHONE = "telephone", _("By telephone")
    WRITTEN = "written", _("By letter or message")
    ONLINE = "online", _("In an app or on a website")


class Consent(models.Model):
    """One statement of an applicant, never changed: the newest about a kind holds, those before it stay as history."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    applicant = models.ForeignKey(Applicant, on_delete=models.PROTECT, related_name="consents", db_index=False)
    kind = models.CharField(max_length=20, choices=ConsentKind)
    is_given = models.BooleanField()    # False: withdrawn
    at = models.DateTimeField()    # when the applicant said so
    how = models.CharField(max_length=10, choices=ConsentWay)
    recorded_at = models.DateTimeField(db_default=Now())
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["applicant", "at", "id"], name="consent_by_applicant")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=ConsentKind.values), name="consent_kind_known"),
            models.CheckConstraint(condition=Q(how__in=ConsentWay.values), name="consent_way_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {'given' if self.is_given else 'withdrawn'}"
