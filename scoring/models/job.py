"""Long work as rows: the row is the truth, a queue message only the doorbell."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from audit.ids import uuid7


class Job(models.Model):
    """Work that outlives a request. Whoever holds the lease works on it; a lease that ran out may be taken over."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=30)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    body = models.JSONField(default=dict)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    is_split = models.BooleanField(default=False, db_default=False)
    problem = models.CharField(max_length=500, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "created_at"], condition=Q(finished_at=None), name="job_open"),
            models.Index(fields=["finished_at"], condition=Q(state="failed"), name="job_failed"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=["queued", "running", "done", "failed"]), name="job_state_known"),
            models.CheckConstraint(condition=Q(done__lte=F("total"), failed__lte=F("total")), name="job_counts_add_up"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class JobChunk(models.Model):
    """A part of a job's rows: what goes in, who holds it until when, and what came out. Both sealed under the partner's key.

    Finished in the commit that stores its decisions, so its rows are decided exactly once, whoever dies when."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    number = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    sealed_input = models.BinaryField(null=True)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    sealed_result = models.BinaryField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["job", "number"], condition=Q(finished_at=None), name="jobchunk_open")]
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="jobchunk_one_number"),
            models.CheckConstraint(condition=Q(done__lte=F("rows"), failed__lte=F("rows")), name="jobchunk_counts_add_up"),
            models.CheckConstraint(
                condition=Q(finished_at=None, sealed_input__isnull=False, sealed_result=None)
                | Q(finished_at__isnull=False, sealed_input=None, sealed_result__isnull=False),
                name="jobchunk_finished_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.job_id}"
