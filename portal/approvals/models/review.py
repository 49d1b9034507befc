"""What people did with an application: every move, every proposal to a second person, every note."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from audit.ids import uuid7
from portal.approvals.models.application import Application
from portal.approvals.transitions import MoveName, State


class SecondOpinion(models.Model):
    """One person proposes an outcome, another one agrees or refuses. It is answered once and never changed after.

    Notes are sealed under the applicant's key, so that erasing the applicant ends them too."""

    class Answer(models.TextChoices):
        OPEN = "open", "Open"
        AGREED = "agreed", "Agreed"
        REFUSED = "refused", "Refused"
        RETRACTED = "retracted", "Taken back"
        LAPSED = "lapsed", "Lapsed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="second_opinions", db_index=False)
    move = models.CharField(max_length=20, choices=MoveName)
    because = models.JSONField(default=list)    # above_limit, override, always
    reason_code = models.CharField(max_length=60)
    sealed_note = models.BinaryField(null=True)
    offered_minor = models.BigIntegerField(null=True)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=Answer, default=Answer.OPEN)
    answered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["application", "id"], name="secondopinion_by_application"),
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="secondopinion_open"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["application"], condition=Q(state="open"), name="secondopinion_one_open"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "agreed", "refused", "retracted", "lapsed"]), name="secondopinion_state_known"
            ),
            models.CheckConstraint(condition=Q(move__in=["approve", "decline", "counter_offer"]), name="secondopinion_move_decides"),
            models.CheckConstraint(
                condition=Q(state="open", answered_at=None) | (~Q(state="open") & Q(answered_at__isnull=False)),
                name="secondopinion_answered_once",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["agreed", "refused"]) | (Q(answered_by__isnull=False) & ~Q(answered_by=F("proposed_by"))),
                name="secondopinion_second_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} proposal to {self.move}"


class Review(models.Model):
    """One move of an application, never changed: who, when, from where to where, why. The note is sealed under the applicant's key."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="reviews", db_index=False)
    revision = models.PositiveIntegerField()    # of the application after the move
    move = models.CharField(max_length=20, choices=MoveName)
    from_state = models.CharField(max_length=17, choices=State)
    to_state = models.CharField(max_length=17, choices=State)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=200, blank=True)
    reason_code = models.CharField(max_length=60)
    sealed_note = models.BinaryField(null=True)
    offered_minor = models.BigIntegerField(null=True)
    second_opinion = models.ForeignKey(SecondOpinion, null=True, on_delete=models.PROTECT, related_name="reviews", db_index=False)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["application", "revision"], name="review_one_per_revision"),
            models.CheckConstraint(condition=~Q(reason_code=""), name="review_has_reason"),
            models.CheckConstraint(condition=Q(move__in=MoveName.values), name="review_move_known"),
            models.CheckConstraint(condition=Q(from_state__in=State.values, to_state__in=State.values), name="review_states_known"),
        ]

    def __str__(self) -> str:
        return f"{self.move}: {self.from_state} to {self.to_state}"


class Note(models.Model):
    """What somebody wrote down about an application, sealed under the applicant's key; never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="notes", db_index=False)
    sealed_text = models.BinaryField()
    written_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["application", "id"], name="note_by_application")]

    def __str__(self) -> str:
        return str(self.id)
