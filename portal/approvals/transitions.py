"""The one table of states and moves: services obey it, the API and the pages offer what it allows, the documents show it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from partners.accounts.roles import Permission


class State(models.TextChoices):
    """Where an application stands. New: nobody looked. In review: somebody did. Needs information: looked at, incomplete."""

    NEW = "new", _("New")
    IN_REVIEW = "in_review", _("In review")
    NEEDS_INFORMATION = "needs_information", _("Needs information")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")
    COUNTER_OFFERED = "counter_offered", _("Counter-offered")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")


WAITING = frozenset({State.NEW, State.IN_REVIEW, State.NEEDS_INFORMATION})    # for a person
DECIDED = frozenset({State.APPROVED, State.DECLINED, State.COUNTER_OFFERED})
TOLD = frozenset({State.DECLINED, State.COUNTER_OFFERED})    # the applicant is owed a letter
OVER = frozenset({State.APPROVED, State.DECLINED, State.WITHDRAWN, State.EXPIRED})    # nothing more is due


class MoveName(models.TextChoices):
    """What can be done with an application."""

    TAKE = "take", _("Take")
    ASK_INFORMATION = "ask_information", _("Ask for information")
    RESUME = "resume", _("Go on")
    APPROVE = "approve", _("Approve")
    DECLINE = "decline", _("Decline")
    COUNTER_OFFER = "counter_offer", _("Make a counter-offer")
    ACCEPT_OFFER = "accept_offer", _("Accept the offer")
    WITHDRAW = "withdraw", _("Withdraw")
    RECONSIDER = "reconsider", _("Reconsider")
    PROPOSE = "propose", _("Propose to a second person")
    REFUSE_PROPOSAL = "refuse_proposal", _("Refuse the proposal")
    RETRACT_PROPOSAL = "retract_proposal", _("Take the proposal back")
    LAPSE_PROPOSAL = "lapse_proposal", _("The proposal lapses")
    EXPIRE = "expire", _("Expire")


@dataclass(frozen=True, slots=True)
class Move:
    """From which states to which; how it is recorded; what a person needs for it (None: nobody but the system makes it).

    `decides`: a second person may have to agree. `lends`: money would go out, so limits count. `agrees_with`: outcomes of the model that
    it does not override."""

    sources: frozenset[State]
    target: State
    action: Action
    permission: Permission | None = Permission.APPLICATION_DECIDE
    decides: bool = False
    lends: bool = False
    agrees_with: frozenset[str] = frozenset()


_S, _M = State, MoveName
MOVES: Mapping[MoveName, Move] = {
    _M.TAKE: Move(frozenset({_S.NEW}), _S.IN_REVIEW, Action.APPLICATION_TAKEN),
    _M.ASK_INFORMATION: Move(frozenset({_S.NEW, _S.IN_REVIEW}), _S.NEEDS_INFORMATION, Action.APPLICATION_INFORMATION_ASKED),
    _M.RESUME: Move(frozenset({_S.NEEDS_INFORMATION}), _S.IN_REVIEW, Action.APPLICATION_RESUMED),
    _M.APPROVE: Move(
        WAITING, _S.APPROVED, Action.APPLICATION_APPROVED, decides=True, lends=True, agrees_with=frozenset({"approve", "refer"})
    ),
    _M.DECLINE: Move(WAITING, _S.DECLINED, Action.APPLICATION_DECLINED, decides=True, agrees_with=frozenset({"decline", "refer"})),
    _M.COUNTER_OFFER: Move(
        WAITING, _S.COUNTER_OFFERED, Action.APPLICATION_COUNTER_OFFERED, decides=True, lends=True, agrees_with=frozenset({"refer"})
    ),
    _M.ACCEPT_OFFER: Move(frozenset({_S.COUNTER_OFFERED}), _S.APPROVED, Action.APPLICATION_OFFER_ACCEPTED),
    _M.WITHDRAW: Move(WAITING | {_S.COUNTER_OFFERED, _S.APPROVED}, _S.WITHDRAWN, Action.APPLICATION_WITHDRAWN),
    _M.RECONSIDER: Move(frozenset({_S.DECLINED}), _S.IN_REVIEW, Action.APPLICATION_RECONSIDERED),
    _M.PROPOSE: Move(WAITING, _S.IN_REVIEW, Action.APPLICATION_PROPOSED),
    _M.REFUSE_PROPOSAL: Move(
        frozenset({_S.IN_REVIEW}), _S.IN_REVIEW, Action.APPLICATION_PROPOSAL_REFUSED, permission=Permission.APPLICATION_APPROVE
    ),
    _M.RETRACT_PROPOSAL: Move(frozenset({_S.IN_REVIEW}), _S.IN_REVIEW, Action.APPLICATION_PROPOSAL_RETRACTED),
    _M.LAPSE_PROPOSAL: Move(frozenset({_S.IN_REVIEW}), _S.IN_REVIEW, Action.APPLICATION_PROPOSAL_LAPSED, permission=None),
    _M.EXPIRE: Move(WAITING | {_S.COUNTER_OFFERED}, _S.EXPIRED, Action.APPLICATION_EXPIRED, permission=None),
}
# What a person asks for in one request; the others follow from something else.
ASKED = (
    _M.APPROVE, _M.DECLINE, _M.COUNTER_OFFER, _M.ASK_INFORMATION, _M.RESUME, _M.ACCEPT_OFFER, _M.WITHDRAW, _M.RECONSIDER,
)  # fmt: skip
BY_OUTCOME: Mapping[str, MoveName] = {"approve": _M.APPROVE, "decline": _M.DECLINE}    # what the policy's outcome does by itself


def moves_from(state: str) -> list[MoveName]:
    """What a person can ask for in this state."""
    return [name for name in ASKED if state in MOVES[name].sources]


def as_markdown() -> str:
    """The table as the documents show it."""
    rows = [f"| {name.value} | {', '.join(sorted(move.sources))} | {move.target.value} |" for name, move in MOVES.items()]
    return "\n".join(["| move | from | to |", "|---|---|---|", *rows])
