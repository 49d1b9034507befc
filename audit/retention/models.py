"""Rules of retention, legal holds, runs that let go of what was due, and what each let go."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7
from audit.retention.rules import Removal, Trigger, Unit


class RetentionPolicy(models.Model):
    """How long records of a class stay after something happened. Of several about one class, the one that ends last counts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    record_class = models.CharField(max_length=40)
    trigger = models.CharField(max_length=12, choices=Trigger)
    period = models.PositiveSmallIntegerField()
    unit = models.CharField(max_length=6, choices=Unit)
    citation = models.CharField(max_length=300)
    action = models.CharField(max_length=9, choices=Removal)
    changed_at = models.DateTimeField(db_default=Now())
    changed_by = models.CharField(max_length=200, blank=True, db_default="")

    class Meta:
        ordering = ["record_class", "trigger"]
        constraints = [
            models.UniqueConstraint(fields=["record_class", "trigger"], name="retentionpolicy_one_per_event"),
            models.CheckConstraint(condition=Q(period__gte=1), name="retentionpolicy_period_positive"),
            models.CheckConstraint(condition=Q(unit__in=["days", "months", "years"]), name="retentionpolicy_unit_known"),
            models.CheckConstraint(condition=~Q(citation=""), name="retentionpolicy_says_why"),
            models.CheckConstraint(condition=Q(action__in=["erase", "anonymise", "delete"]), name="retentionpolicy_action_known"),
        ]

    def __str__(self) -> str:
        return f"{self.record_class}: {self.period} {self.unit} after {self.trigger}"


class Hold(models.Model):
    """Nothing of this applicant goes: a person said so, and two people lift it. It names an applicant, an application or a decision."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=12)
    object_id = models.UUIDField()
    applicant_id = models.UUIDField()
    reason = models.CharField(max_length=500)
    until = models.DateField(null=True)
    placed_at = models.DateTimeField(db_default=Now())
    placed_by = models.CharField(max_length=200)
    lift_reason = models.CharField(max_length=500, blank=True)
    lift_asked_by_id = models.CharField(max_length=64, blank=True)
    lift_asked_by = models.CharField(max_length=200, blank=True)
    lifted_at = models.DateTimeField(null=True)
    lifted_by_id = models.CharField(max_length=64, blank=True)
    lifted_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["applicant_id"], condition=Q(lifted_at=None), name="hold_standing")]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="hold_has_reason"),
            models.CheckConstraint(
                condition=Q(lifted_at=None, lifted_by_id="")
                | Q(lifted_at__isnull=False) & ~Q(lifted_by_id="") & ~Q(lift_asked_by_id="") & ~Q(lifted_by_id=F("lift_asked_by_id")),
                name="hold_lifted_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"hold on {self.kind} {self.object_id}"


class RetentionRun(models.Model):
    """What was due at one moment under rules of that moment: one person proposes it, another confirms it, a worker does it."""

    class State(models.TextChoices):
        PROPOSED = "proposed", _("Waits for a second person")
        CONFIRMED = "confirmed", _("Under way")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")
        OUTDATED = "outdated", _("Outdated")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(unique=True)
    state = models.CharField(max_length=9, choices=State, default=State.PROPOSED)
    as_of = models.DateTimeField()
    rules = models.JSONField()
    counts = models.JSONField()    # class -> why -> how many, when it was proposed
    proposed_by_id = models.CharField(max_length=64)
    proposed_by = models.CharField(max_length=200)
    answered_by_id = models.CharField(max_length=64, blank=True)
    answered_by = models.CharField(max_length=200, blank=True)
    answered_at = models.DateTimeField(null=True)
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    certificate = models.TextField(blank=True)    # canonical JSON, as it was signed
    signature = models.JSONField(null=True)    # {key_id, signature}

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="proposed"), name="retentionrun_one_proposed"),
            models.UniqueConstraint(fields=["state"], condition=Q(state="confirmed"), name="retentionrun_one_under_way"),
            models.CheckConstraint(
                condition=Q(state__in=["proposed", "refused", "outdated"])
                | Q(state__in=["confirmed", "done"]) & ~Q(answered_by_id="") & ~Q(answered_by_id=F("proposed_by_id")),
                name="retentionrun_two_people",
            ),
            models.CheckConstraint(
                condition=Q(state="done", finished_at__isnull=False) & ~Q(certificate="") | ~Q(state="done") & Q(finished_at=None),
                name="retentionrun_done_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"retention run {self.number}"


class Gone(models.Model):
    """One thing that a run let go of, written in the commit that did it; never changed."""

    run = models.ForeignKey(RetentionRun, on_delete=models.PROTECT, related_name="gone", db_index=False)
    record_class = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["run", "record_class", "object_id"], name="gone_once")]

    def __str__(self) -> str:
        return f"{self.record_class} {self.object_id}"
