"""Applications: somebody asks for money, with the decision about them and where people stand with it."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from audit.ids import uuid7
from partners.money import to_text
from portal.approvals.models.policy import ApprovalPolicy
from portal.approvals.transitions import OVER, TOLD, WAITING, State
from scoring.models import Applicant, BandCode, Channel, Decision, OutcomeCode, Product

_SPOKEN = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"    # no I, L, O, U: nothing to mix up on the telephone


def new_number() -> str:
    """A number that people can read to one another, such as 7KQ2-M9XP; it tells nothing and follows no order."""
    drawn = "".join(secrets.choice(_SPOKEN) for _ in range(8))
    return f"{drawn[:4]}-{drawn[4:]}"


class Application(models.Model):
    """One request for money. `revision` goes up by one with every change a person could see: who decides names the one they saw.

    Until it is scored it has `sealed_request` and nothing of the decision, and nobody is shown it; afterwards the other way round."""

    class Because(models.TextChoices):
        """Why a person has to decide."""

        REFERRED = "referred", "The policy refers it to a person"
        ABOVE_LIMIT = "above_limit", "The amount is above the limit"
        ALWAYS = "always", "The policy always asks two people"
        OWN = "own", "It looks like the own application of whoever entered it"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.CharField(max_length=9, unique=True, default=new_number, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="applications", db_index=False)
    applicant = models.ForeignKey(Applicant, null=True, on_delete=models.PROTECT, related_name="applications", db_index=False)
    decision = models.OneToOneField(Decision, null=True, on_delete=models.PROTECT, related_name="application")
    band = models.CharField(max_length=10, choices=BandCode, blank=True)    # of the decision, for lists
    outcome = models.CharField(max_length=10, choices=OutcomeCode, blank=True)
    policy = models.ForeignKey(ApprovalPolicy, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    offered_minor = models.BigIntegerField(null=True)
    state = models.CharField(max_length=17, choices=State, default=State.NEW)
    because = models.CharField(max_length=12, choices=Because, blank=True)
    channel = models.CharField(max_length=10, choices=Channel)
    priority = models.SmallIntegerField(default=0)
    tags = models.JSONField(default=list, blank=True)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="assigned_applications", db_index=False
    )
    locked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    locked_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    notice_due_at = models.DateTimeField(null=True)
    notice_sent_at = models.DateTimeField(null=True)    # of the decision that stands
    created_at = models.DateTimeField()
    created_by_kind = models.CharField(max_length=10)
    created_by_id = models.CharField(max_length=64, blank=True)
    created_by = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    decided_at = models.DateTimeField(null=True)
    revision = models.PositiveIntegerField(default=1)
    attempt = models.BinaryField(null=True, max_length=32, unique=True)    # whose Idempotency-Key it came under, as a digest
    attempt_body = models.BinaryField(null=True, max_length=32)
    sealed_request = models.BinaryField(null=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["created_at", "id"], name="application_by_time"),
            models.Index(fields=["state", "created_at", "id"], name="application_by_state"),
            models.Index(fields=["product", "created_at", "id"], name="application_by_product"),
            models.Index(fields=["band", "created_at", "id"], name="application_by_band"),
            models.Index(fields=["applicant", "created_at"], name="application_by_applicant"),
            models.Index(
                fields=["assigned_to", "created_at", "id"], condition=Q(assigned_to__isnull=False), name="application_by_assignee"
            ),
            models.Index(
                fields=["assigned_to", "state", "due_at"], condition=Q(state__in=sorted(WAITING), assigned_to__isnull=False),
                name="application_of_person",
            ),  # fmt: skip
            models.Index(fields=["-priority", "due_at", "id"], condition=Q(state__in=sorted(WAITING)), name="application_queue"),
            models.Index(fields=["due_at", "id"], condition=Q(state__in=sorted(WAITING)), name="application_by_due"),
            models.Index(
                Coalesce("decided_at", "created_at").desc(), F("id").desc(),
                condition=~Q(state__in=sorted(WAITING)), name="application_by_end",
            ),  # fmt: skip
            models.Index(fields=["amount_minor", "id"], name="application_by_amount"),
            models.Index(fields=["snoozed_until"], condition=Q(snoozed_until__isnull=False), name="application_by_snooze"),
            models.Index(fields=["expires_at"], condition=~Q(state__in=sorted(OVER)), name="application_by_expiry"),
            models.Index(fields=["created_at"], condition=Q(decision=None), name="application_unscored"),
            models.Index(
                fields=["notice_due_at", "id"], condition=Q(state__in=sorted(TOLD), notice_sent_at=None), name="application_by_notice"
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="application_state_known"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="application_amount_positive"),
            models.CheckConstraint(condition=Q(offered_minor=None) | Q(offered_minor__gt=0), name="application_offer_positive"),
            models.CheckConstraint(condition=Q(currency__regex=r"^[A-Z]{3}$"), name="application_currency_well_formed"),
            models.CheckConstraint(condition=Q(revision__gte=1), name="application_revision_counts_up"),
            models.CheckConstraint(
                condition=Q(decision=None, applicant=None, state="new", sealed_request__isnull=False)
                | Q(decision__isnull=False, applicant__isnull=False, sealed_request=None),
                name="application_scored_whole",
            ),
            models.CheckConstraint(
                condition=~Q(state="counter_offered") | Q(offered_minor__isnull=False), name="application_offer_has_amount"
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_waiting(self) -> bool:
        """Whether a person has to do something."""
        return self.state in WAITING

    @property
    def amount(self) -> str:
        """What is asked for, with the currency's decimals."""
        return to_text(self.amount_minor, self.currency)

    @property
    def offered(self) -> str | None:
        """What was offered instead."""
        return None if self.offered_minor is None else to_text(self.offered_minor, self.currency)
