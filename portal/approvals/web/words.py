"""What moves, states and reasons are called on pages."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from audit.actions import Action
from portal.approvals.four_eyes import ABOVE_LIMIT, ALWAYS, OVERRIDE
from portal.approvals.transitions import MoveName, State

AS_REASONED, ALL_WEIGHED, DIFFERENT_AMOUNT, OTHER = "as_reasoned", "all_weighed", "amount_too_high", "other"
USUAL: Mapping[str, str] = {"approve": ALL_WEIGHED, "counter": DIFFERENT_AMOUNT, "decline": AS_REASONED}
# That nobody looked differs from that somebody did and something is missing.
STATE_WORDS: Mapping[str, Any] = {
    State.NEW: gettext_lazy("Nobody looked"),
    State.IN_REVIEW: gettext_lazy("Looked at"),
    State.NEEDS_INFORMATION: gettext_lazy("Looked at, incomplete"),
    State.APPROVED: pgettext_lazy("application", "Approved"),
    State.DECLINED: pgettext_lazy("application", "Declined"),
    State.COUNTER_OFFERED: gettext_lazy("Offered something else"),
    State.WITHDRAWN: gettext_lazy("Withdrawn"),
    State.EXPIRED: gettext_lazy("Expired"),
}
# The class of the dot before a state: a ring, half, half and a gap, full.
STATE_MARK: Mapping[str, str] = {
    State.NEW: "", State.IN_REVIEW: "is-half", State.NEEDS_INFORMATION: "is-part", State.APPROVED: "is-good", State.DECLINED: "is-bad",
    State.COUNTER_OFFERED: "is-over", State.WITHDRAWN: "is-over", State.EXPIRED: "is-over",
}  # fmt: skip
INFORMATION: Mapping[str, Any] = {
    "income_proof": gettext_lazy("Proof of income"),
    "phone_statement": gettext_lazy("Phone statement, last 3 months"),
    "bank_statement": gettext_lazy("Bank statement, last 3 months"),
    "identity_document": gettext_lazy("Identity document, both sides"),
    "address_proof": gettext_lazy("Proof of address"),
    "licence": gettext_lazy("Licence of the business"),
    OTHER: gettext_lazy("Something else: say it in the note"),
}
REFUSALS: Mapping[str, Any] = {
    "not_proven": gettext_lazy("The documents do not prove it"),
    "amount_too_high": gettext_lazy("The amount is too high"),
    "question_open": gettext_lazy("A question is open: say it in the note"),
    OTHER: gettext_lazy("Something else: say it in the note"),
}
_REASONS: Mapping[str, Any] = {
    AS_REASONED: gettext_lazy("For the reasons on this page"),
    ALL_WEIGHED: gettext_lazy("All things weighed"),
    DIFFERENT_AMOUNT: gettext_lazy("The amount is too high"),
    "as_policy_says": gettext_lazy("As the policy says"),
    "asked_by_applicant": gettext_lazy("The applicant asked for it"),
    "reopened": gettext_lazy("There is something new"),
    "retracted": gettext_lazy("Taken back"),
    "lapsed": gettext_lazy("Nobody answered in time"),
    "lifetime_over": gettext_lazy("Its time was over"),
    "taken": gettext_lazy("Taken from the queue"),
}
MOVED: Mapping[str, Any] = {
    MoveName.TAKE: gettext_lazy("Opened"),
    MoveName.ASK_INFORMATION: gettext_lazy("Asked for information"),
    MoveName.RESUME: gettext_lazy("Went on"),
    MoveName.APPROVE: gettext_lazy("Approved"),
    MoveName.DECLINE: gettext_lazy("Declined"),
    MoveName.COUNTER_OFFER: gettext_lazy("Offered something else"),
    MoveName.ACCEPT_OFFER: gettext_lazy("The offer was accepted"),
    MoveName.WITHDRAW: gettext_lazy("Withdrawn"),
    MoveName.RECONSIDER: gettext_lazy("Opened again"),
    MoveName.PROPOSE: gettext_lazy("Proposed, a second person has to agree"),
    MoveName.REFUSE_PROPOSAL: gettext_lazy("The second person did not agree"),
    MoveName.RETRACT_PROPOSAL: gettext_lazy("The proposal was taken back"),
    MoveName.LAPSE_PROPOSAL: gettext_lazy("The proposal lapsed"),
    MoveName.EXPIRE: gettext_lazy("Expired"),
}
_HAPPENED: Mapping[str, Any] = {
    Action.APPLICATION_CREATED: gettext_lazy("Applied and scored"),
    Action.APPLICATION_ASSIGNED: gettext_lazy("Given to somebody"),
    Action.APPLICATION_RELEASED: gettext_lazy("Given back"),
    Action.APPLICATION_NOTED: gettext_lazy("Wrote a note"),
    Action.NOTICE_SENT: gettext_lazy("The letter was sent"),
    Action.APPLICATION_ESCALATED: gettext_lazy("Put before all others"),
    Action.APPLICATION_SNOOZED: pgettext_lazy("event", "Put off"),
    Action.APPLICATION_TAGGED: gettext_lazy("Tags were changed"),
    Action.APPLICATION_FILE_ADDED: gettext_lazy("A document came in"),
    Action.APPLICATION_FILE_READ: gettext_lazy("A document was read"),
}


def happened(action: str, detail: Mapping[str, Any]) -> str:
    """What an event of an application says in the timeline."""
    move = str(detail.get("move"))
    return str(MOVED[move] if move in MOVED else _HAPPENED.get(action, action))


def reason_words(code: str, texts: Mapping[str, Mapping[str, str]], language: str) -> str:
    """A reason's code as a person reads it: the policy's text, ours, or the code itself."""
    found = texts.get(code, {})
    if told := found.get(language) or found.get("en") or next(iter(found.values()), ""):
        return told
    known = {**_REASONS, **INFORMATION, **REFUSALS}
    return str(known.get(code, code.replace("_", " ")))


def why_two_words(because: list[str], limit: str, asked: str) -> str:
    """Why a second person is needed, in one sentence; empty when none is."""
    said = {
        ABOVE_LIMIT: _("%(asked)s is above the limit of %(limit)s for one person.") % {"asked": asked, "limit": limit or _("nothing")},
        OVERRIDE: _("It decides otherwise than the policy."),
        ALWAYS: _("The policy always asks two people."),
    }
    return " ".join(said[one] for one in because)
