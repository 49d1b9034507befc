"""What would change a stored decision: its sealed inputs, and the model and policy that made it, asked again."""

import uuid

from audit.actions import Action
from audit.errors import SealBroken
from audit.models import Event
from audit.vault import keyring
from scoring.applicants import key_of
from scoring.engine.changes import change_of
from scoring.engine.product import Product as Definition
from scoring.engine.recourse import Recourse, recourse
from scoring.errors import ApplicantErased, DecisionAltered, DecisionUnknown
from scoring.makers import Makers
from scoring.models import Decision
from scoring.sealed import DecisionContent, is_as_recorded, open_content


def recourse_of(*, decision_id: uuid.UUID, language: str) -> Recourse:
    """What would change this decision, by the model and the policy that made it; which inputs may change says the product as it is now.

    Raises DecisionUnknown, DecisionAltered, ApplicantErased and, when the model can no longer be read, ModelRefused."""
    decision, content = opened_decision(decision_id)
    model, policy = Makers(keyring()).of(decision)
    declared = {one.name: change_of(one) for one in Definition.from_dict(decision.product.definition).contract.inputs}
    return recourse(model, policy, content.inputs, decided_on=content.decided_on, language=language, declared=declared)


def opened_decision(decision_id: uuid.UUID) -> tuple[Decision, DecisionContent]:
    """The decision and what it keeps sealed. Raises DecisionUnknown, DecisionAltered, ApplicantErased."""
    decision = Decision.objects.select_related("applicant", "product").filter(id=decision_id).first()
    if decision is None:
        raise DecisionUnknown
    events = Event.objects.filter(action=Action.DECISION_MADE, object_kind="decision", object_id=str(decision.id))
    ring = keyring()
    try:
        key = key_of(ring, decision.applicant)
        content = None if key is None else open_content(ring, key, decision)
    except SealBroken as error:
        raise DecisionAltered from error
    if not is_as_recorded(decision, events.select_related("leaf").first()):
        raise DecisionAltered
    if content is None:
        raise ApplicantErased([0])
    return decision, content
