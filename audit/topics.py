"""Everything that the world outside can be told of, as `noun.past_verb`: the topics of the outbox and the event types of webhooks."""

from enum import StrEnum


class Topic(StrEnum):
    """What an outbox row says. Its body holds ids and results, never personal data."""

    DECISION_MADE = "decision.made"
    APPLICATION_SCORED = "application.scored"
    APPLICATION_DECIDED = "application.decided"
    BATCH_COMPLETED = "batch.completed"
    MODEL_PROMOTED = "model.promoted"
    MODEL_ROLLED_BACK = "model.rolled_back"
    ALERT_RAISED = "alert.raised"
    EXPORT_READY = "export.ready"
    CHECKPOINT_SIGNED = "checkpoint.signed"
