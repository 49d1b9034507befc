"""Batches: tables that people bring to the portal, from the upload to the result."""

import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import uuid7
from audit.vault import keyring
from scoring.models.job import Job
from scoring.models.product import Product

REMOVED = "—"    # what a batch is called whose name is gone
NAMELESS: dict[str, Any] = {"plain_name": REMOVED, "sealed_name": None}


class Batch(models.Model):
    """A table that somebody brought: what it is called, how its columns are meant, and the jobs that check it and work on it.

    The table itself is a file of the partner's; it goes when it was read, and after a day in any case."""

    class Kind(models.TextChoices):
        APPLICANTS = "applicants", "Applicants"
        OUTCOMES = "outcomes", "Outcomes"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.APPLICANTS)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="batches", db_index=False)
    plain_name = models.CharField(max_length=200, db_column="name", db_default="")    # before names were sealed; a dash: it is gone
    sealed_name = models.BinaryField(null=True)    # what the file was called, which may be somebody's name
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
        return f"{self.kind} {self.id}"

    @property
    def name(self) -> str:
        """What the file was called. Raises SealBroken."""
        ring = keyring()
        if self.sealed_name is None:
            return self.plain_name
        return ring.unseal(ring.partner_key, self.sealed_name, table=self._meta.db_table, column="sealed_name", owner=self.id).decode()

    @classmethod
    def seal_name(cls, batch_id: uuid.UUID, name: str) -> bytes:
        """As it is kept."""
        ring = keyring()
        return ring.seal(ring.partner_key, name.encode(), table=cls._meta.db_table, column="sealed_name", owner=batch_id)
