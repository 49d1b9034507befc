"""Letters to applicants: what the partner says of itself in them, and each letter as it was sent."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import uuid7
from portal.approvals.models.application import Application


class NoticeSettings(models.Model):
    """One version of who writes letters and how to reach them, never changed; the highest is in force.

    `authority`: whom an applicant may complain to. `reason_texts`: own sentences for reasons, by code and language."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.PositiveIntegerField(unique=True)
    sender = models.CharField(max_length=200)
    address = models.CharField(max_length=500)
    email = models.CharField(max_length=254)
    phone = models.CharField(max_length=60, blank=True)
    authority = models.CharField(max_length=500)
    reason_texts = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-version"]
        constraints = [models.CheckConstraint(condition=Q(version__gte=1), name="noticesettings_version_counts_up")]

    def __str__(self) -> str:
        return f"notice settings {self.version}"


class Notice(models.Model):
    """One letter as it was sent, never changed; words and file sealed under the applicant's key. One for each decision of people."""

    class Way(models.TextChoices):
        """How it went out."""

        POST = "post"
        EMAIL = "email"
        SMS = "sms"
        HAND = "hand"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="notices", db_index=False)
    decided_at = models.DateTimeField()    # of the decision it tells
    language = models.CharField(max_length=10)
    settings_used = models.ForeignKey(NoticeSettings, on_delete=models.PROTECT, related_name="+", db_index=False)
    sealed_letter = models.BinaryField()
    way = models.CharField(max_length=10, choices=Way)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    sent_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["application", "decided_at"], name="notice_one_per_decision"),
            models.CheckConstraint(condition=Q(way__in=["post", "email", "sms", "hand"]), name="notice_way_known"),
        ]

    def __str__(self) -> str:
        return str(self.id)
