"""What approvals hold of an applicant: copied, erased, and looked at again by a person when they object."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from audit.actions import Action
from audit.context import Actor
from audit.privacy.errors import PrivacyStepRefused
from audit.privacy.holders import Holder, Subject, hold, review_by
from audit.services import timestamp
from partners.money import decimals, to_minor
from partners.selectors import current_partner
from portal.approvals.models import Application, ApplicationFile, Note, Notice, Review
from portal.approvals.sealed import open_text
from portal.approvals.services.files import name_of, remove_content
from portal.approvals.services.moves import Why, locked, tell, write_move
from portal.approvals.transitions import WAITING, MoveName, State
from scoring.models import Decision
from scoring.services.recourse import opened_decision

OBJECTION = "objection"


def register() -> None:
    """Called in AppConfig.ready()."""
    hold(Holder("approvals", copy_of, erase, forget))
    review_by(review)


def copy_of(applicant_id: uuid.UUID, _language: str) -> dict[str, Any]:
    """Applications, what people wrote and decided about them, names of files, and letters that were sent."""
    found = Application.objects.filter(applicant_id=applicant_id, decision__isnull=False).select_related("applicant", "product")
    return {"applications": [_application(one) for one in found.order_by("created_at")]}


def _application(one: Application) -> dict[str, Any]:
    return {
        "number": one.number, "product": one.product.title, "asked_at": timestamp(one.created_at), "amount": one.amount,
        "currency": one.currency, "offered": one.offered, "state": one.state, "decision": str(one.decision_id),
        "reviews": [
            {"move": review.move, "at": timestamp(review.at), "reason": review.reason_code, "note": open_text(one, review)}
            for review in Review.objects.filter(application=one).order_by("id")
        ],
        "notes": [{"at": timestamp(note.at), "text": open_text(one, note)} for note in Note.objects.filter(application=one).order_by("id")],
        "files": [{"name": name_of(file), "size_bytes": file.size_bytes, "at": timestamp(file.at)} for file in _files(one)],
        "letters": [{"sent_at": timestamp(notice.sent_at), "way": notice.way} for notice in Notice.objects.filter(application=one)],
    }  # fmt: skip


def _files(one: Application) -> list[ApplicationFile]:
    return list(ApplicationFile.objects.filter(application=one).select_related("application__applicant").order_by("id"))


def erase(subjects: Sequence[Subject]) -> dict[str, int]:
    """Tags are gone; texts, letters and names are sealed under the applicants' keys. How many files will go."""
    ids = [one.id for one in subjects]
    Application.objects.filter(applicant_id__in=ids).exclude(tags=[]).update(tags=[])
    return {"files": ApplicationFile.objects.filter(application__applicant_id__in=ids).count()}


def forget(subjects: Sequence[Subject]) -> None:
    """No content of their files is on the disk any more."""
    for one in subjects:
        remove_content(one.id)


def review(applicant_id: uuid.UUID, decision_id: uuid.UUID | None, statement: str, actor: Actor) -> str:
    """A person looks again: a declined application is in review, a waiting one comes first, and a decision without one has one now.

    Raises PrivacyStepRefused, ApplicantErased, DecisionAltered."""
    known = Application.objects.filter(applicant_id=applicant_id, decision__isnull=False)
    found = (known if decision_id is None else known.filter(decision_id=decision_id)).order_by("-created_at").first()
    application = _of_decision(applicant_id, decision_id, actor) if found is None else locked(found.id)
    if application.state == State.DECLINED:
        write_move(application, MoveName.RECONSIDER, actor=actor, why=Why(OBJECTION, statement))
    elif application.state not in WAITING:
        raise PrivacyStepRefused(f"Application {application.number} is {application.state}: nothing stands against them in it.")
    application.priority, application.escalated_at = 1, datetime.now(UTC)
    application.tags = sorted({*application.tags, OBJECTION})
    application.revision += 1
    application.save(update_fields=["priority", "escalated_at", "tags", "revision"])
    tell(application, Action.APPLICATION_ESCALATED, actor, because=OBJECTION, revision=application.revision)
    return application.number


def _of_decision(applicant_id: uuid.UUID, decision_id: uuid.UUID | None, actor: Actor) -> Application:
    """An application made of a decision that came without one, so that people have a place to decide."""
    made = Decision.objects.filter(applicant_id=applicant_id, **({} if decision_id is None else {"id": decision_id}))
    decision = made.select_related("product").order_by("-created_at").first()
    if decision is None:
        raise PrivacyStepRefused("No decision of this id was made about them.")
    _, content = opened_decision(decision.id)
    amounts = [value for name, value in content.inputs.items() if "amount" in name and isinstance(value, int | float) and value > 0]
    if not amounts:
        raise PrivacyStepRefused("The decision has no amount: enter an application for this applicant, then begin the review.")
    currency = current_partner().currency
    application = Application.objects.create(
        product=decision.product, applicant_id=applicant_id, decision=decision, band=decision.band, outcome=decision.outcome,
        amount_minor=to_minor(f"{amounts[0]:.{min(2, decimals(currency))}f}", currency), currency=currency,
        because=Application.Because.REFERRED,
        channel=decision.channel, created_at=datetime.now(UTC), created_by_kind=actor.kind, created_by_id=actor.id,
        created_by=actor.label[:200], request_id=actor.request_id,
    )  # fmt: skip
    tell(application, Action.APPLICATION_CREATED, actor, number=application.number, decision=str(decision.id), because=OBJECTION)
    return locked(application.id)
