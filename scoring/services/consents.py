"""What an applicant allowed or took back is recorded, and nothing that was recorded before is changed."""

import uuid
from datetime import UTC, datetime

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from scoring.errors import ApplicantErased, ApplicantUnknown, ConsentRefused
from scoring.models import Applicant, Consent, ConsentKind, ConsentWay


@transaction.atomic
def record_consent(*, applicant_id: uuid.UUID, kind: str, is_given: bool, at: datetime, how: str, actor: Actor) -> Consent:
    """The statement is in the applicant's history; the newest of its kind holds.

    Raises ApplicantUnknown, ApplicantErased, ConsentRefused."""
    found = Applicant.objects.filter(id=applicant_id).select_for_update().first()    # an erasure waits, or was first
    if found is None:
        raise ApplicantUnknown
    if found.is_erased:
        raise ApplicantErased
    faults = {}
    if kind not in ConsentKind.values:
        faults["kind"] = f"Send one of {', '.join(ConsentKind.values)}."
    if how not in ConsentWay.values:
        faults["how"] = f"Send one of {', '.join(ConsentWay.values)}."
    if at > datetime.now(UTC):
        faults["at"] = "This moment is still to come; say when the applicant said so."
    if faults:
        raise ConsentRefused(fields=faults)
    made = Consent.objects.create(
        applicant=found, kind=kind, is_given=is_given, at=at, how=how, recorded_at=datetime.now(UTC), actor_kind=actor.kind,
        actor_id=actor.id, actor_label=actor.label[:200],
    )  # fmt: skip
    detail = {"consent": str(made.id), "kind": kind, "is_given": is_given, "at": at.astimezone(UTC).isoformat(), "how": how}
    record(action=Action.CONSENT_RECORDED, actor=actor, object_kind="applicant", object_id=found.id, detail=detail)
    return made
