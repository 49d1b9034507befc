"""Looking at a decision where it shows somebody's data: who, when, by which request."""

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from scoring.selectors import DecisionDetail


def note_look(detail: DecisionDetail, *, actor: Actor) -> None:
    """The record says that this person or program was shown the applicant and the inputs of this decision; nothing where none are left."""
    if detail.explanation is not None:
        record(action=Action.DECISION_VIEWED, actor=actor, object_kind="decision", object_id=detail.summary.id)
