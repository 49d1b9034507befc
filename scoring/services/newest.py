"""A new model and the champion on the newest outcomes, which the new one has not seen."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np

from audit.vault import keyring
from scoring.engine.bundle import BundleRefused, read_bundle
from scoring.engine.contract import ContractViolation, Values
from scoring.engine.pipeline import ServingModel, score
from scoring.engine.policy import Policy
from scoring.engine.ranking import auc, brier, gain
from scoring.errors import TrainingRefused
from scoring.models import Product
from scoring.services.cases import Case
from scoring.services.shadow import Scorer


def compared(product: Product, bundle: bytes, cases: Sequence[Case]) -> dict[str, Any]:
    """Rows, bad ones, and AUC and Brier of both on the cases that both can score; without figures where all ended alike.

    Raises TrainingRefused when the champion's bundle cannot be opened."""
    new = _scorer(bundle)
    old = _scorer(bytes(product.champion.bundle)) if product.champion else None
    judged = [(case, mine, theirs) for case in cases if (mine := _values(new, case)) and (theirs := _values(old or new, case))]
    bad = np.array([case.is_bad for case, _, _ in judged], np.int8)
    figures: dict[str, Any] = {"rows": len(bad), "bad": int(bad.sum()), "champion": product.champion.version if product.champion else None}
    if not 0 < bad.sum() < len(bad):
        return figures
    policy = Policy.from_dict(product.policy.definition)
    fresh = _probabilities(new, policy, [(case.decided_on, mine) for case, mine, _ in judged])
    if old is None:
        return figures | {"new_auc": auc(bad, fresh), "new_brier": brier(bad, fresh)}
    return figures | asdict(gain(bad, _probabilities(old, policy, [(case.decided_on, theirs) for case, _, theirs in judged]), fresh))


def _scorer(bundle: bytes) -> Scorer:
    """Raises TrainingRefused for a champion whose bundle is not what was stored: there is nothing to compare with."""
    try:
        return Scorer(ServingModel.of_bundle(read_bundle(bundle, keyring().public_keys())))
    except BundleRefused as refusal:
        raise TrainingRefused(f"The model in force cannot be opened, so nothing can be compared with it: {refusal}") from refusal


def _values(scorer: Scorer, case: Case) -> Values | None:
    try:
        return scorer.values(case.inputs)
    except ContractViolation:
        return None


def _probabilities(scorer: Scorer, policy: Policy, cases: Sequence[tuple[date, Values]]) -> Any:
    """Of the bad outcome, in the order of the cases; ages are counted at each one's day."""
    together: defaultdict[date, list[int]] = defaultdict(list)
    for place, (day, _) in enumerate(cases):
        together[day].append(place)
    found = np.empty(len(cases))
    for day, places in together.items():
        found[places] = [one.probability for one in score(scorer.model, policy, [cases[place][1] for place in places], decided_on=day)]
    return found
