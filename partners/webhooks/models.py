"""Endpoints of a partner, the events that are on their way to each, and every attempt to deliver one.

Rows are deleted by the thousand (`delivering.forget_deliveries`), children first: DO_NOTHING lets Django do it without reading them."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from audit.ids import uuid7


class Endpoint(models.Model):
    """A URL that is told of events. Deleted ones stay until their deliveries are forgotten, without their secrets."""

    class Pause(models.TextChoices):
        PERSON = "person", "Somebody paused it"
        FAILING = "failing", "It refused everything for three days"
        GONE = "gone", "It answered 410 Gone"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    url = models.CharField(max_length=500)
    description = models.CharField(max_length=200, blank=True)
    event_types = models.JSONField()
    paused_because = models.CharField(max_length=8, choices=Pause, blank=True)
    paused_at = models.DateTimeField(null=True)
    sealed_secret = models.BinaryField()
    sealed_previous = models.BinaryField(null=True)    # signs too, until `previous_until`
    previous_until = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)    # nothing was delivered since the first of these failures
    rests_until = models.DateTimeField(null=True)    # nothing is sent before; after that one attempt shows whether it answers again
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(paused_because__in=["", "person", "failing", "gone"]), name="endpoint_pause_known"),
            models.CheckConstraint(condition=Q(paused_because="") | Q(paused_at__isnull=False), name="endpoint_paused_at_a_time"),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def is_active(self) -> bool:
        """Whether events are sent to it."""
        return not self.paused_because and self.deleted_at is None


class Delivery(models.Model):
    """One event on its way to one endpoint. `event_id` is its webhook-id: the same at every attempt and at every endpoint."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        GIVEN_UP = "given_up", "Given up"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.DO_NOTHING, related_name="deliveries", db_index=False)
    event_id = models.UUIDField(default=uuid.uuid4)
    event_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64)
    payload = models.TextField()    # the bytes that are signed and sent
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    created_at = models.DateTimeField(db_default=Now())
    began_at = models.DateTimeField()    # when it was first wanted, or wanted again; three days later it is given up
    next_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)    # somebody sends it until then
    attempts = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="delivery_once_per_endpoint"),
            models.CheckConstraint(condition=Q(state__in=["waiting", "delivered", "given_up"]), name="delivery_state_known"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "-id"], name="delivery_by_endpoint"),
            models.Index(fields=["endpoint", "object_id", "event_id"], condition=Q(state="waiting"), name="delivery_of_object"),
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="delivery_due"),
            models.Index(fields=["created_at"], name="delivery_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.event_id}"


class Attempt(models.Model):
    """One attempt at a delivery: what was answered, or why nothing was."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    delivery = models.ForeignKey(Delivery, on_delete=models.DO_NOTHING, related_name="tries")
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField()
    answer = models.TextField(blank=True)    # its first KiB
    problem = models.CharField(max_length=20, blank=True)    # partners.webhooks.sender.Problem

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.status or self.problem} at {self.at:%Y-%m-%d %H:%M:%S}"
