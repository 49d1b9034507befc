"""Why a decision came out as it did, as the pages of a decision and of an application show it to one person."""

from typing import Any

from partners.accounts.models import User
from partners.accounts.roles import Permission
from scoring import selectors
from scoring.engine.product import Product
from scoring.engine.recourse import Recourse
from scoring.errors import DecisionAltered, ModelRefused
from scoring.models import AnsweredBy, OutcomeCode
from scoring.services.recourse import recourse_of
from scoring.web.shown import contributions, factors, named_inputs, speaking_for, weighed_reasons
from scoring.web.written import language_of_page

_EARLIER = 5


def evidence(detail: selectors.DecisionDetail, product: Product, user: User) -> dict[str, Any]:
    """Reasons, contributions, inputs and what else is decided about the applicant; what is personal only for who may read it."""
    explanation, score, may_read = detail.explanation, detail.summary.score, user.allows(Permission.APPLICANT_READ)
    inputs, day = detail.inputs if may_read else None, detail.summary.created_at.date()
    return {
        "detail": detail, "decision": detail.summary, "product": product, "applicant": detail.applicant if may_read else None,
        "is_rules_only": detail.summary.answered_by == AnsweredBy.RULES,
        "reasons": weighed_reasons(explanation, product, shows_values=may_read) if explanation else [],
        "speaks_for": speaking_for(factors(explanation, product, score), product, inputs, day) if explanation else [],
        "contributions": contributions(explanation, product, score) if explanation else None,
        "recourse": _recourse(detail) if may_read else None,
        "inputs": named_inputs(detail, product) if may_read else [],
        "earlier": _earlier(detail) if may_read else [],
    }  # fmt: skip


def _recourse(detail: selectors.DecisionDetail) -> Recourse | None:
    """What would change the decision; None where there is nothing to ask: approved, erased, altered, or its model is gone."""
    if detail.summary.outcome == OutcomeCode.APPROVE or detail.inputs is None or not detail.is_as_recorded:
        return None
    try:
        return recourse_of(decision_id=detail.summary.id, language=language_of_page())
    except (DecisionAltered, ModelRefused):
        return None


def _earlier(detail: selectors.DecisionDetail) -> list[selectors.DecisionSummary]:
    same = selectors.decisions(selectors.DecisionFilters(applicant_id=detail.summary.applicant_id), limit=_EARLIER + 1).decisions
    return [one for one in same if one.id != detail.summary.id][:_EARLIER]
