"""One move: the row locked, the revision compared, the table obeyed, and a review, an event and an announcement in the same commit."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from audit.actions import Action
from audit.context import Actor
from audit.ids import uuid7
from audit.models import Event
from audit.services import announce, record
from audit.topics import Topic
from portal.approvals.errors import ApplicationChanged, ApplicationLocked, ApplicationUnknown, MoveDetailsRefused, MoveRefused
from portal.approvals.models import Application, Review, SecondOpinion
from portal.approvals.sealed import seal_text
from portal.approvals.transitions import DECIDED, MOVES, WAITING, MoveName, State, moves_from

LONGEST_NOTE = 4_000
_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")
_WRITTEN = (
    "state", "offered_minor", "decided_at", "notice_sent_at", "locked_by", "locked_until", "snoozed_until", "assigned_to", "revision",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Why:
    """The reason of a move: a code, and a note that may hold personal data."""

    code: str
    note: str = ""

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise MoveDetailsRefused(fields={"reason_code": "Send a reason code: small letters, digits and _, such as income_confirmed."})
        if len(self.note) > LONGEST_NOTE or "\0" in self.note:
            raise MoveDetailsRefused(fields={"note": f"Send a note of at most {LONGEST_NOTE} characters."})


def locked(application_id: uuid.UUID, *, revision: int | None = None, person_id: uuid.UUID | None = None) -> Application:
    """The application, its row locked until the transaction ends.

    Raises ApplicationUnknown; ApplicationChanged when it is not at the `revision` that the caller saw; ApplicationLocked when somebody
    other than `person_id` has it open."""
    rows = Application.objects.select_for_update(of=("self",)).select_related("applicant", "product", "decision").defer(*_HEAVY)
    application = rows.filter(id=application_id, decision__isnull=False).first()
    if application is None:
        raise ApplicationUnknown
    if revision is not None and application.revision != revision:
        last = _last_change(application)
        raise ApplicationChanged(by=last[0], at=last[1], state=application.state, revision=application.revision)
    holder, until = application.locked_by, application.locked_until
    if person_id is not None and holder is not None and holder.id != person_id and until is not None and until > datetime.now(UTC):
        raise ApplicationLocked(by=holder.name, at=until, state=application.state, revision=application.revision)
    return application


def check_move(application: Application, name: MoveName) -> None:
    """The move is one that the table allows from this state. Raises MoveRefused, saying which are."""
    if application.state in MOVES[name].sources:
        return
    possible = ", ".join(moves_from(application.state)) or "nothing"
    raise MoveRefused(f"An application that is {State(application.state).value} cannot {name.value}; possible: {possible}.")


def write_move(
    application: Application,
    name: MoveName,
    *,
    actor: Actor,
    why: Why,
    offered_minor: int | None = None,
    opinion: SecondOpinion | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Review:
    """The locked application has moved, and the review says so. Raises MoveRefused, and ApplicantErased for a note about nobody."""
    check_move(application, name)
    move, before, now = MOVES[name], application.state, datetime.now(UTC)
    application.state = move.target
    application.revision += 1
    if offered_minor is not None and move.target == State.COUNTER_OFFERED:
        application.offered_minor = offered_minor
    if move.target in DECIDED:
        application.decided_at, application.notice_sent_at = now, None
    elif move.target in WAITING:
        application.decided_at = None
    if move.target not in WAITING or name == MoveName.PROPOSE:    # whoever held it is done with it
        application.locked_by = application.locked_until = application.snoozed_until = application.assigned_to = None
    application.save(update_fields=_WRITTEN)
    review = _review(application, name, before, actor, why, offered_minor, opinion, now)
    detail = {
        "move": name.value, "from": before, "to": application.state, "revision": application.revision, "reason_code": why.code,
        "review": str(review.id), **({} if opinion is None else {"proposal": str(opinion.id)}), **(facts or {}),
    }  # fmt: skip
    tell(application, move.action, actor, **detail)
    if move.target in DECIDED and move.target != before:
        body = {"applicant_id": str(application.applicant_id), "state": application.state, "revision": application.revision}
        announce(topic=Topic.APPLICATION_DECIDED, object_id=application.id, body=body)
    return review


def tell(application: Application, action: Action, actor: Actor, **detail: Any) -> Event:
    """The record has it, in the caller's transaction."""
    return record(action=action, actor=actor, object_kind="application", object_id=application.id, detail=detail)


def _review(
    application: Application, name: MoveName, before: str, actor: Actor, why: Why, offered_minor: int | None,
    opinion: SecondOpinion | None, now: datetime,
) -> Review:  # fmt: skip
    review_id = uuid7()
    return Review.objects.create(
        id=review_id,
        application=application,
        revision=application.revision,
        move=name,
        from_state=before,
        to_state=application.state,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor=actor.label[:200],
        reason_code=why.code,
        sealed_note=seal_text(application, Review, review_id, why.note) if why.note else None,
        offered_minor=offered_minor,
        second_opinion=opinion,
        at=now,
    )


def _last_change(application: Application) -> tuple[str, datetime]:
    found = Event.objects.filter(object_kind="application", object_id=str(application.id)).order_by("-id").first()
    return ("Somebody", application.created_at) if found is None else (found.actor_label or "Vouch", found.recorded_at)


_HEAVY = ("product__definition", "decision__sealed", "sealed_request")
