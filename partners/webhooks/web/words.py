"""What events, deliveries and their troubles are called on pages."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.topics import Topic
from partners.webhooks.models import Attempt, Delivery, Endpoint
from partners.webhooks.sender import Problem

EVENTS: Mapping[str, Any] = {
    Topic.DECISION_MADE: gettext_lazy("An applicant was scored: one for every decision"),
    Topic.APPLICATION_SCORED: gettext_lazy("An application was scored and routed"),
    Topic.APPLICATION_DECIDED: gettext_lazy("An application was approved, declined, withdrawn or given an offer, or it lapsed"),
    Topic.BATCH_COMPLETED: gettext_lazy("Every row of a batch was worked on"),
    Topic.MODEL_PROMOTED: gettext_lazy("A model was put in force"),
    Topic.MODEL_ROLLED_BACK: gettext_lazy("The model of before was put back in force"),
    Topic.ALERT_RAISED: gettext_lazy("An alert was raised"),
    Topic.EXPORT_READY: gettext_lazy("An export can be downloaded"),
    Topic.CHECKPOINT_SIGNED: gettext_lazy("The record has a new signed head, to be kept elsewhere: at most one a minute"),
}
PROBLEMS: Mapping[str, Any] = {
    Problem.URL_REFUSED: gettext_lazy("The URL is not allowed any more; change it."),
    Problem.ADDRESS_REFUSED: gettext_lazy("The host leads to an address that is not public; nothing was sent."),
    Problem.NAME_UNKNOWN: gettext_lazy("The host's name is not known."),
    Problem.NOT_REACHED: gettext_lazy("The host took no connection."),
    Problem.TLS_FAILED: gettext_lazy("The host's certificate is not valid for its name, or it speaks no TLS."),
    Problem.TIMED_OUT: gettext_lazy("There was no answer within ten seconds."),
    Problem.BROKEN_OFF: gettext_lazy("The connection broke off before there was an answer."),
}
PAUSES: Mapping[str, Any] = {
    Endpoint.Pause.PERSON: gettext_lazy("Somebody paused it."),
    Endpoint.Pause.FAILING: gettext_lazy("It took nothing for three days, so we paused it."),
    Endpoint.Pause.GONE: gettext_lazy("It answered 410 Gone, so we paused it."),
}


def answered(attempt: Attempt) -> str:
    """What came of an attempt: the status and how long it took, or the problem."""
    if attempt.status is None:
        return str(PROBLEMS.get(attempt.problem, attempt.problem))
    return f"{attempt.status} · {attempt.milliseconds} ms"


def is_good(attempt: Attempt) -> bool:
    """Whether the attempt delivered."""
    return attempt.status is not None and HTTPStatus.OK <= attempt.status < HTTPStatus.MULTIPLE_CHOICES


def state_words(delivery: Delivery) -> str:
    """Where a delivery is."""
    if delivery.state == Delivery.State.DELIVERED:
        return _("Delivered")
    if delivery.state == Delivery.State.GIVEN_UP:
        return _("Given up")
    return _("Is tried again") if delivery.attempts else _("On its way")
