"""The reasons of a past decision in the language of who reads them."""

from collections.abc import Sequence

from scoring.engine.pipeline import score
from scoring.errors import ModelRefused
from scoring.makers import Makers
from scoring.models import Decision
from scoring.sealed import DecisionContent, SealedReason


def reasons_in(language: str, decision: Decision, content: DecisionContent, makers: Makers) -> Sequence[SealedReason]:
    """The decision's reasons, found again in this language by what made it; as they were stored where it says something else now, or
    can no longer be read."""
    if content.language == language:
        return content.reasons
    try:
        model, policy = makers.of(decision)
    except ModelRefused:
        return content.reasons
    again = score(model, policy, [content.inputs], decided_on=content.decided_on, language=language)[0].reasons
    if [one.code for one in again] != [one.code for one in content.reasons]:
        return content.reasons
    return [SealedReason(one.code, one.text, one.points, one.feature) for one in again]
