"""When a second person has to agree: above the limit, on an override of the model's outcome, or always."""

from portal.approvals.models import Application, ApprovalPolicy
from portal.approvals.transitions import MOVES, MoveName

ABOVE_LIMIT, OVERRIDE, ALWAYS = "above_limit", "override", "always"
_FourEyes = ApprovalPolicy.FourEyes


def is_override(name: MoveName, outcome: str) -> bool:
    """Whether the move decides otherwise than the model did; a referral leaves it to the person."""
    return MOVES[name].decides and outcome not in MOVES[name].agrees_with


def why_two(policy: ApprovalPolicy, application: Application, name: MoveName, offered_minor: int | None = None) -> list[str]:
    """Why one person is not enough for this move; empty when one is."""
    move, amount = MOVES[name], application.amount_minor if offered_minor is None else offered_minor
    if not move.decides:
        return []
    found = []
    if move.lends and policy.is_above_limit(amount, application.currency):
        found.append(ABOVE_LIMIT)
    if policy.four_eyes != _FourEyes.NEVER and is_override(name, application.outcome):
        found.append(OVERRIDE)
    if policy.four_eyes == _FourEyes.ALWAYS:
        found.append(ALWAYS)
    return found
