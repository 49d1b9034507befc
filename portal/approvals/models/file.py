"""Files on an application: the row is here, the sealed content in a file of the partner's own folder."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import uuid7
from portal.approvals.models.application import Application


class ApplicationFile(models.Model):
    """One file, never changed. Name and content are sealed under the applicant's key; `digest` is of the sealed content."""

    class Kind(models.TextChoices):
        PDF = "pdf", "PDF"
        PNG = "png", "PNG"
        JPEG = "jpeg", "JPEG"
        TEXT = "text", "Text"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="files", db_index=False)
    kind = models.CharField(max_length=4, choices=Kind)
    sealed_name = models.BinaryField()
    size_bytes = models.PositiveIntegerField()
    digest = models.BinaryField(max_length=32)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["application", "id"], name="applicationfile_by_application")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["pdf", "png", "jpeg", "text"]), name="applicationfile_kind_known"),
            models.CheckConstraint(condition=Q(size_bytes__gte=1), name="applicationfile_not_empty"),
        ]

    def __str__(self) -> str:
        return str(self.id)
