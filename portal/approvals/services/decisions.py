"""People decide: directly where one is enough, else one proposes and another one agrees or refuses."""

import uuid
from datetime import UTC, datetime, timedelta

from django.db import transaction

from audit.context import SYSTEM, Actor
from audit.ids import uuid7
from partners.accounts.models import User
from partners.accounts.roles import Permission
from portal.approvals.errors import AnotherPersonNeeded, MoveDetailsRefused, MoveRefused, ProposalMissing, ProposalOpen
from portal.approvals.four_eyes import is_override, why_two
from portal.approvals.models import Application, ApprovalPolicy, SecondOpinion
from portal.approvals.people import acting_person, has_entered, refuse_own
from portal.approvals.sealed import seal_text
from portal.approvals.services.moves import Why, check_move, locked, write_move
from portal.approvals.services.policies import policy_in_force
from portal.approvals.transitions import ASKED, MOVES, MoveName

_Answer = SecondOpinion.Answer


@transaction.atomic
def decide_application(
    *,
    application_id: uuid.UUID,
    move: MoveName,
    why: Why,
    actor: Actor,
    revision: int | None = None,
    offered_minor: int | None = None,
) -> Application:
    """The application has moved; or, where one person is not enough, a proposal waits for a second one.

    Raises ApplicationUnknown, ApplicationChanged, ApplicationLocked, MoveRefused, MoveDetailsRefused, PersonNeeded, OwnApplication,
    ProposalOpen."""
    permission = MOVES[move].permission
    if move not in ASKED or permission is None:
        raise MoveRefused(f"Nobody asks for {move.value}: send one of {', '.join(ASKED)}.")
    person = acting_person(actor, permission)
    application = locked(application_id, revision=revision, person_id=person.id)
    refuse_own(person, application)
    check_move(application, move)
    _settle_proposal(application, move, actor)
    policy = policy_in_force(application.product_id)
    offered_minor = _checked_offer(application, move, offered_minor)
    if is_override(move, application.outcome) and why.code not in policy.override_reasons:
        known = ", ".join(sorted(policy.override_reasons))
        raise MoveDetailsRefused(fields={"reason_code": f"This decides otherwise than the model: send one of {known}."})
    because = why_two(policy, application, move, offered_minor)
    if because:
        _propose(application, move, policy, because, why, offered_minor, person, actor)
    else:
        write_move(application, move, actor=actor, why=why, offered_minor=offered_minor, facts={"policy": policy.version})
    return application


@transaction.atomic
def agree_to_proposal(*, application_id: uuid.UUID, actor: Actor, note: str = "", revision: int | None = None) -> Application:
    """What another person proposed is done.

    Raises what `decide_application` does, ProposalMissing, and AnotherPersonNeeded for who proposed it or entered the application."""
    person, application, opinion = _answered_by_second(application_id, actor, revision)
    if has_entered(person.id, application):
        raise AnotherPersonNeeded("You entered this application: somebody else has to agree.")
    _close(opinion, _Answer.AGREED, person)
    facts = {"proposed_by": str(opinion.proposed_by_id), "because": list(opinion.because)}
    write_move(
        application, MoveName(opinion.move), actor=actor, why=Why(opinion.reason_code, note), offered_minor=opinion.offered_minor,
        opinion=opinion, facts=facts,
    )  # fmt: skip
    return application


@transaction.atomic
def refuse_proposal(*, application_id: uuid.UUID, why: Why, actor: Actor, revision: int | None = None) -> Application:
    """What was proposed is not done, and says why; the application is in review. Raises what `agree_to_proposal` does."""
    person, application, opinion = _answered_by_second(application_id, actor, revision)
    _close(opinion, _Answer.REFUSED, person)
    write_move(application, MoveName.REFUSE_PROPOSAL, actor=actor, why=why, opinion=opinion)
    return application


@transaction.atomic
def retract_proposal(*, application_id: uuid.UUID, actor: Actor, revision: int | None = None) -> Application:
    """Who proposed does not propose any more. Raises AnotherPersonNeeded for anybody else, and what `locked` does."""
    person = acting_person(actor, Permission.APPLICATION_DECIDE)
    application = locked(application_id, revision=revision)
    opinion = _open_proposal(application)
    if opinion.proposed_by_id != person.id:
        raise AnotherPersonNeeded("Only who proposed it can take it back; an approver can refuse it.")
    _close(opinion, _Answer.RETRACTED, person)
    write_move(application, MoveName.RETRACT_PROPOSAL, actor=actor, why=Why("retracted"), opinion=opinion)
    return application


@transaction.atomic
def lapse_proposal(*, application_id: uuid.UUID) -> bool:
    """Whether the application had a proposal whose time is over; it has lapsed now. Safe to run twice."""
    application = locked(application_id)
    opinion = _waiting(application)
    if opinion is None or opinion.expires_at > datetime.now(UTC):
        return False
    _lapse(application, opinion)
    return True


def _answered_by_second(application_id: uuid.UUID, actor: Actor, revision: int | None) -> tuple[User, Application, SecondOpinion]:
    """The second person, the locked application and its proposal."""
    person = acting_person(actor, Permission.APPLICATION_APPROVE)
    application = locked(application_id, revision=revision, person_id=person.id)
    refuse_own(person, application)
    opinion = _open_proposal(application)
    if opinion.proposed_by_id == person.id:
        raise AnotherPersonNeeded("You proposed this: somebody else has to answer. You can take it back.")
    return person, application, opinion


def _waiting(application: Application) -> SecondOpinion | None:
    return application.second_opinions.filter(state=_Answer.OPEN).first()


def _open_proposal(application: Application) -> SecondOpinion:
    opinion = _waiting(application)
    if opinion is None:
        raise ProposalMissing
    if opinion.expires_at <= datetime.now(UTC):
        raise ProposalMissing(f"The proposal lapsed at {opinion.expires_at:%Y-%m-%d %H:%M} UTC: propose again.")
    return opinion


def _settle_proposal(application: Application, move: MoveName, actor: Actor) -> None:
    """No proposal waits any more: one whose time is over has lapsed, and a withdrawal ends one. Raises ProposalOpen."""
    opinion = _waiting(application)
    if opinion is None:
        return
    if opinion.expires_at <= datetime.now(UTC):
        _lapse(application, opinion)
    elif move == MoveName.WITHDRAW:
        _close(opinion, _Answer.RETRACTED, None)
        write_move(application, MoveName.RETRACT_PROPOSAL, actor=actor, why=Why("withdrawn"), opinion=opinion)
    else:
        raise ProposalOpen(f"{opinion.proposed_by.name} proposed to {opinion.move.replace('_', ' ')}: a second person answers that first.")


def _lapse(application: Application, opinion: SecondOpinion) -> None:
    _close(opinion, _Answer.LAPSED, None)
    write_move(application, MoveName.LAPSE_PROPOSAL, actor=SYSTEM, why=Why("lapsed"), opinion=opinion)


def _close(opinion: SecondOpinion, state: SecondOpinion.Answer, person: User | None) -> None:
    opinion.state, opinion.answered_by, opinion.answered_at = state, person, datetime.now(UTC)
    opinion.save(update_fields=["state", "answered_by", "answered_at"])


def _propose(
    application: Application, move: MoveName, policy: ApprovalPolicy, because: list[str], why: Why, offered_minor: int | None,
    person: User, actor: Actor,
) -> None:  # fmt: skip
    now, opinion_id = datetime.now(UTC), uuid7()
    opinion = SecondOpinion.objects.create(
        id=opinion_id,
        application=application,
        move=move,
        because=because,
        reason_code=why.code,
        sealed_note=seal_text(application, SecondOpinion, opinion_id, why.note) if why.note else None,
        offered_minor=offered_minor,
        proposed_by=person,
        proposed_at=now,
        expires_at=now + timedelta(hours=policy.proposal_hours),
    )
    facts = {"proposes": move.value, "because": because, "policy": policy.version}
    write_move(application, MoveName.PROPOSE, actor=actor, why=why, offered_minor=offered_minor, opinion=opinion, facts=facts)


def _checked_offer(application: Application, move: MoveName, offered_minor: int | None) -> int | None:
    if (move == MoveName.COUNTER_OFFER) != (offered_minor is not None):
        detail = "Send the amount that is offered." if offered_minor is None else "Only a counter-offer has an amount of its own."
        raise MoveDetailsRefused(fields={"offer": detail})
    if offered_minor is not None and not 0 < offered_minor <= application.amount_minor:
        raise MoveDetailsRefused(fields={"offer": f"Offer at most what was asked for: {application.amount} {application.currency}."})
    return offered_minor
