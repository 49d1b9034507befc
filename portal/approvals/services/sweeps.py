"""What happens to applications by the clock: proposals lapse, applications expire."""

import uuid
from datetime import UTC, datetime

from django.db import transaction

from audit.context import SYSTEM
from portal.approvals.models import Application, SecondOpinion
from portal.approvals.services.decisions import lapse_proposal
from portal.approvals.services.moves import Why, locked, write_move
from portal.approvals.transitions import MOVES, OVER, MoveName

_AT_ONCE = 200


def lapse_proposals() -> int:
    """Proposals whose time is over have lapsed; returns how many. Safe to run twice."""
    due = SecondOpinion.objects.filter(state=SecondOpinion.Answer.OPEN, expires_at__lte=datetime.now(UTC)).order_by("expires_at")
    return sum(lapse_proposal(application_id=one) for one in list(due.values_list("application_id", flat=True)[:_AT_ONCE]))


def expire_applications() -> int:
    """Applications past their lifetime that nobody decided, and offers that nobody took, have expired; returns how many."""
    due = Application.objects.exclude(state__in=sorted(OVER)).filter(decision__isnull=False, expires_at__lte=datetime.now(UTC))
    return sum(_expire(one) for one in list(due.order_by("expires_at").values_list("id", flat=True)[:_AT_ONCE]))


@transaction.atomic
def _expire(application_id: uuid.UUID) -> bool:
    application = locked(application_id)
    now = datetime.now(UTC)
    if application.state not in MOVES[MoveName.EXPIRE].sources or application.expires_at is None or application.expires_at > now:
        return False
    opinion = application.second_opinions.filter(state=SecondOpinion.Answer.OPEN).first()
    if opinion is not None:
        opinion.state, opinion.answered_at = SecondOpinion.Answer.LAPSED, now
        opinion.save(update_fields=["state", "answered_at"])
    write_move(application, MoveName.EXPIRE, actor=SYSTEM, why=Why("lifetime_over"), opinion=opinion)
    return True
