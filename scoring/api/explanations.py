"""Why a decision came out as it did: exact contributions in log odds and in points, and the inputs for those who may see them."""

import math

from scoring import registry
from scoring.api.answers import Contribution, Explanation, reasons_of
from scoring.errors import ApplicantErased, DecisionAltered
from scoring.selectors import DecisionDetail

TOP = 10


def explanation_of(detail: DecisionDetail, *, shows_inputs: bool) -> Explanation:
    """The stored explanation. Raises ApplicantErased when it went with the applicant, DecisionAltered when it is not as recorded."""
    explanation = detail.explanation
    if not detail.is_as_recorded:
        raise DecisionAltered
    if explanation is None:
        raise ApplicantErased([0])
    scale = registry.active(detail.summary.product).definition.scale
    contributions = [Contribution(feature, value, scale.points(value)) for feature, value in explanation.contributions]
    return Explanation(
        id=str(detail.summary.id),
        base=explanation.base,
        log_odds=explanation.base + math.fsum(value for _, value in explanation.contributions),
        reasons=reasons_of(explanation.reasons, shows_text=shows_inputs),
        top=contributions[:TOP],
        contributions=contributions,
        inputs=dict(detail.inputs or {}) if shows_inputs else None,
    )
