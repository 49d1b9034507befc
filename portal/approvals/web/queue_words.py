"""How the queue writes what an application waits for, and the time left."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from portal.approvals.models import SecondOpinion

SOON = timedelta(minutes=90)


def because_words(because: str) -> str:
    """Why a person has to decide, where it is not for a reason of the model."""
    words = {
        "above_limit": _("The amount is above the limit."), "always": _("Two people decide about every one of these."),
        "own": _("It looks like the own application of whoever entered it."), "referred": _("The policy leaves it to a person."),
    }  # fmt: skip
    return words.get(because, "")


def proposal_words(opinion: SecondOpinion) -> str:
    """What waits for a second person."""
    words = {"approve": _("Approve?"), "decline": _("Decline?"), "counter_offer": _("Offer something else?")}
    return words.get(opinion.move, opinion.move)


def clock_words() -> Mapping[str, str]:
    """How time left is written; the script on the page writes it the same way."""
    return {
        "late": _("Late by {left}"), "in": _("in {left}"), "minutes": _("{m} min"), "hours": _("{h} h {m} min"), "days": _("{d} d {h} h"),
    }  # fmt: skip


def time_left(due_at: datetime, now: datetime) -> tuple[str, str]:
    """The time until then in words, and its class: is-late, is-soon, or none."""
    words = clock_words()
    minutes = int(abs(due_at - now).total_seconds() // 60)
    hours, days = minutes // 60, minutes // 1440
    unit = "minutes" if hours < 1 else "hours" if days < 1 else "days"
    left = words[unit].format(m=minutes % 60, h=hours % 24, d=days)
    if due_at <= now:
        return words["late"].format(left=left), "is-late"
    return words["in"].format(left=left), "is-soon" if due_at - now <= SOON else ""
