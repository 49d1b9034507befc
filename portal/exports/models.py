"""Exports asked for, and those that come again by the clock."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from audit.ids import uuid7


class Every(models.TextChoices):
    DAY = "day", "Every day"
    WEEK = "week", "Every week"
    MONTH = "month", "Every month"


class Wish(models.Model):
    """What is wanted and for whom: a list, its filters (sealed, since they may name a person), a format."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    list = models.CharField(max_length=30)
    kind = models.CharField(max_length=8)
    with_applicants = models.BooleanField(default=False)
    sealed_filters = models.BinaryField()
    # Whose words days and money are in: time_zone, currency; and the actor as the record knows them.
    body = models.JSONField(default=dict)
    owner_kind = models.CharField(max_length=10)
    owner_id = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.list}.{self.kind}"


class Schedule(Wish):
    """An export that is made again and again, as long as the person may see the list."""

    every = models.CharField(max_length=5, choices=Every)
    next_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    because = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=Q(stopped_at=None), name="schedule_due"),
            models.Index(fields=["owner_id", "id"], name="schedule_by_owner"),
        ]
        constraints = [models.CheckConstraint(condition=Q(every__in=Every.values), name="schedule_every_known")]


class Export(Wish):
    """One file: a job whose lease a worker holds, then rows and size of what it wrote, then the one link that opens it.

    The file is named after the lease it was written under, so two workers never write into one."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    schedule = models.ForeignKey(Schedule, null=True, on_delete=models.PROTECT, related_name="exports", db_index=False)
    rows = models.PositiveBigIntegerField(default=0)
    size_bytes = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, default="")
    finished_at = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(null=True)
    link_digest = models.BinaryField(max_length=32, null=True)
    link_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["owner_id", "id"], name="export_by_owner"),
            models.Index(fields=["created_at"], condition=Q(finished_at=None), name="export_open"),
            models.Index(fields=["finished_at"], condition=Q(finished_at__isnull=False, forgotten_at=None), name="export_kept"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["queued", "running", "done", "failed"]), name="export_state_known"),
            models.CheckConstraint(condition=Q(finished_at=None) | Q(finished_at__gte=F("created_at")), name="export_ends_after_it_began"),
            models.CheckConstraint(condition=Q(link_digest=None) | Q(state="done", link_until__isnull=False), name="export_link_ends"),
        ]

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None

    @property
    def is_there(self) -> bool:
        """Whether there is a file to take away."""
        return self.state == self.State.DONE and self.forgotten_at is None
