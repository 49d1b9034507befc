"""A stored decision told to the applicant: its reasons as sentences with "you", and what would change it, in a language of ours."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace

from audit.vault import keyring
from scoring.engine.pipeline import ServingModel, score
from scoring.engine.reasons import Reason
from scoring.engine.recourse import Recourse
from scoring.engine.texts import LANGUAGES, SENTENCES, TO_YOU
from scoring.errors import ModelRefused
from scoring.makers import Makers
from scoring.sealed import DecisionContent
from scoring.services.recourse import opened_decision, recourse_of

Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """The reasons of a decision, the heaviest first, and what would change it; None when its model can no longer be read."""

    language: str
    reasons: tuple[Reason, ...]
    recourse: Recourse | None


def told_to_applicant(*, decision_id: uuid.UUID, language: str | None = None, texts: Texts | None = None) -> Told:
    """The decision's own reasons, found again by the model that made it; in its own language unless another one is asked for.

    `texts`: the partner's sentences by reason code and language, before the product's. When the model can no longer be read, or says
    something else now, the reasons are as they were stored. Raises DecisionUnknown, DecisionAltered, ApplicantErased."""
    decision, content = opened_decision(decision_id)
    wanted = language if language in LANGUAGES else content.language
    try:
        model, policy = Makers(keyring()).of(decision)
        again = score(_to_you(model, texts or {}), policy, [content.inputs], decided_on=content.decided_on, language=wanted)[0]
        if [one.code for one in again.reasons] != [one.code for one in content.reasons]:
            return Told(content.language, _stored(content), None)
        return Told(wanted, again.reasons, recourse_of(decision_id=decision_id, language=wanted))
    except ModelRefused:
        return Told(content.language, _stored(content), None)


def _to_you(model: ServingModel, texts: Texts) -> ServingModel:
    """The model with sentences for a letter, where the product has the usual ones for its pages."""
    product = model.product
    sentences = {one: TO_YOU[one] if product.sentences[one] == SENTENCES[one] else product.sentences[one] for one in LANGUAGES}
    merged = {code: {**product.texts.get(code, {}), **texts.get(code, {})} for code in product.texts.keys() | texts.keys()}
    return model.worded(replace(product, sentences=sentences, texts=merged))


def _stored(content: DecisionContent) -> tuple[Reason, ...]:
    return tuple(Reason(one.code, one.text, one.points, one.feature) for one in content.reasons)
