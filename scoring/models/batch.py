"""Batches: tables that people bring to the portal, from the upload to the result."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import uuid7
from scoring.models.job import Job
from scoring.models.product import Product


class Batch(models.Model):
    """A table that somebody brought: what it is called, how its columns are meant, and the jobs that check it and work on it.

    The table itself is a file of the partner's; it goes when it was read, and after a day in any case."""

    class Kind(models.TextChoices):
        APPLICANTS = "applicants", "Applicants"
        OUTCOMES = "outcomes", "Outcomes"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.APPLICANTS)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="batches", db_index=False)
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    columns = models.JSONField()
    columns_digest = models.CharField(max_length=64)
    # Name of what is asked for -> name of the column; empty until a person has looked at it.
    mapping = models.JSONField(default=dict)
    checking = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    working = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    # What a check found, sealed because it quotes cells; and what became of all, in figures.
    sealed_findings = models.BinaryField(null=True)
    figures = models.JSONField(null=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["created_at", "id"], name="batch_by_time"),
            models.Index(fields=["product", "kind", "columns_digest", "created_at"], condition=~Q(mapping={}), name="batch_mapped"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["applicants", "outcomes"]), name="batch_kind_known"),
            models.CheckConstraint(condition=Q(checking=None) | ~Q(mapping={}), name="batch_checked_as_mapped"),
        ]

    def __str__(self) -> str:
        return self.name
