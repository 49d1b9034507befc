"""Requests of applicants, what was done about each, every erasure, and what should not have happened."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7


class RequestKind(models.TextChoices):
    """What an applicant asks for."""

    ACCESS = "access", _("Access to their data")
    PORTABILITY = "portability", _("Their data to take elsewhere")
    RECTIFICATION = "rectification", _("Correction of their data")
    OBJECTION = "objection", _("Objection to a decision by a program")
    ERASURE = "erasure", _("Erasure")


class RequestState(models.TextChoices):
    """Where a request stands. Proposed: a second person has to agree."""

    OPEN = "open", _("Open")
    PROPOSED = "proposed", _("Waits for a second person")
    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


UNANSWERED = frozenset({RequestState.OPEN, RequestState.PROPOSED})


class PrivacyRequest(models.Model):
    """One request of an applicant. What they said is sealed under their own key, so an erasure ends it; the certificate names nobody."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.PositiveIntegerField(unique=True)    # for people
    kind = models.CharField(max_length=13, choices=RequestKind)
    applicant_id = models.UUIDField()
    decision_id = models.UUIDField(null=True)    # that an objection is about
    language = models.CharField(max_length=10, default="en")
    received_on = models.DateField()
    due_on = models.DateField()
    state = models.CharField(max_length=9, choices=RequestState, default=RequestState.OPEN)
    sealed_statement = models.BinaryField(null=True)
    proposed_by_id = models.CharField(max_length=64, blank=True)
    proposed_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=200)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=200, blank=True)
    because = models.CharField(max_length=500, blank=True)
    certificate = models.JSONField(null=True)

    class Meta:
        ordering = ["-number"]
        indexes = [
            models.Index(fields=["due_on", "number"], condition=Q(state__in=["open", "proposed"]), name="privacyrequest_open"),
            models.Index(fields=["applicant_id", "number"], name="privacyrequest_by_applicant"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=RequestKind.values), name="privacyrequest_kind_known"),
            models.CheckConstraint(condition=Q(state__in=RequestState.values), name="privacyrequest_state_known"),
            models.CheckConstraint(condition=~Q(state="proposed") | ~Q(proposed_by_id=""), name="privacyrequest_proposed"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "proposed"], closed_at=None, certificate=None)
                | Q(state__in=["done", "refused", "withdrawn"], closed_at__isnull=False, certificate__isnull=False),
                name="privacyrequest_closed_whole",
            ),
            models.UniqueConstraint(
                fields=["applicant_id"], condition=Q(kind="erasure", state__in=["open", "proposed"]), name="privacyrequest_one_erasure"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @property
    def is_open(self) -> bool:
        return self.state in UNANSWERED


class PrivacyStep(models.Model):
    """One thing that was done about a request, never changed. `detail` is the evidence: codes, counts, digests; nothing personal."""

    class Name(models.TextChoices):
        RECEIVED = "received", _("Received")
        COPIED = "copied", _("A copy of their data was made")
        RECTIFIED = "rectified", _("Their data was corrected")
        REVIEWED = "reviewed", _("A person looks at the decision again")
        PROPOSED = "proposed", _("Erasure proposed to a second person")
        DECLINED = "declined", _("The second person does not agree")
        STOPPED = "stopped", _("A rule stands against it")
        ERASED = "erased", _("Erased")
        CLOSED = "closed", _("Answered")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    request = models.ForeignKey(PrivacyRequest, on_delete=models.PROTECT, related_name="steps", db_index=False)
    name = models.CharField(max_length=9, choices=Name)
    detail = models.JSONField(default=dict)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["request", "id"], name="privacystep_by_request")]

    def __str__(self) -> str:
        return self.name


class PrivacyTerms(models.Model):
    """One version of how many days each kind of request may take, never changed; the highest is in force."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.PositiveIntegerField(unique=True)
    days = models.JSONField()    # by kind
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-version"]

    def __str__(self) -> str:
        return f"terms {self.version}"


class Erasure(models.Model):
    """One applicant who was erased, never changed: the table's part of the ledger, which also stands in a file outside the database."""

    applicant_id = models.UUIDField(primary_key=True, editable=False)
    # Under what: their own request, or a run of retention.
    request_number = models.PositiveIntegerField(null=True)
    run_number = models.PositiveIntegerField(null=True)
    event_id = models.UUIDField()
    erased_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["erased_at"], name="erasure_by_time")]
        constraints = [
            models.CheckConstraint(
                condition=Q(request_number=None, run_number__gt=0) | Q(request_number__gt=0, run_number=None), name="erasure_under_one"
            )
        ]

    def __str__(self) -> str:
        return f"erased at {self.erased_at}"


class Alert(models.Model):
    """Something that should not happen, and whether a person has looked at it. One open row for each thing it is about."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=40)
    object_kind = models.CharField(max_length=60)
    object_id = models.CharField(max_length=100)
    detail = models.JSONField(default=dict)
    times = models.PositiveIntegerField(default=1)
    raised_at = models.DateTimeField()
    last_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "object_kind", "object_id"], condition=Q(closed_at=None), name="alert_one_open")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_kind} {self.object_id}"
