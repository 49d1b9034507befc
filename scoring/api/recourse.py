"""What would change a decision, over HTTP."""

from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.description import described, path
from partners.api.queries import read_query
from partners.api.views import ApiView, answer, identifier
from scoring.api.language import language_of
from scoring.engine.recourse import Alternative as Found
from scoring.engine.recourse import Recourse as Computed
from scoring.errors import DecisionUnknown
from scoring.services.recourse import recourse_of


class InputChange(msgspec.Struct, frozen=True):
    """One input, what was told, what would be told instead, and a sentence about it."""

    input: str
    label: str
    before: Any
    after: Any
    text: str


class Alternative(msgspec.Struct, frozen=True):
    """At most three changes that lead to this outcome together."""

    outcome: str
    score: int
    probability: float
    changes: list[InputChange]
    text: str


class Recourse(msgspec.Struct, frozen=True):
    """What would change a decision: at most three alternatives, the smallest first. Without any, `nothing` says why (approved,
    nothing_may_change, rule_decides, rules_refer, out_of_reach) and `text` says it in a sentence."""

    id: str
    outcome: str
    score: int
    alternatives: list[Alternative]
    nothing: str | None
    text: str | None


class ScoreRecourseView(ApiView):
    """What would change one decision."""

    permissions = {"GET": Permission.APPLICANT_READ}

    @described(
        "What would change one decision",
        operation="score_recourse",
        gives=Recourse,
        refuses=(400, 404, 409),
        parameters=(path("score_id", "The decision.", type="string", format="uuid"),),
        text="Only what the product allows to change does, within what applicants usually have; each alternative was scored again by the "
        "model and the policy that decided. `Accept-Language` chooses the language of the sentences.",
    )
    def get(self, request: Request, score_id: str) -> HttpResponse:
        """The alternatives, or why there are none."""
        read_query(request, {})
        decision_id = identifier(score_id)
        if decision_id is None:
            raise DecisionUnknown
        found = recourse_of(decision_id=decision_id, language=language_of(request))
        return answer(_told(score_id, found), headers={"Vary": "Accept-Language"})


def _told(score_id: str, found: Computed) -> Recourse:
    return Recourse(
        id=score_id, outcome=found.outcome, score=found.score, alternatives=[_alternative(one) for one in found.alternatives],
        nothing=found.nothing, text=found.text or None,
    )  # fmt: skip


def _alternative(found: Found) -> Alternative:
    changes = [InputChange(one.input, one.label, one.before, one.after, one.text) for one in found.changes]
    return Alternative(found.outcome, found.score, found.probability, changes, found.text)
