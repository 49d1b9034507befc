"""Test applicants: in a sandbox, and nowhere else, a reference says how the decision about it ends, whatever the inputs and the product."""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from partners.tenancy import in_force, is_sandbox
from scoring.engine.pipeline import Result, ServingModel
from scoring.engine.policy import Outcome
from scoring.engine.reasons import MOST_REASONS, Reason
from scoring.registry import Active

SLOW_SECONDS = 3.0


class Case(StrEnum):
    """References of test applicants; anything may follow after another hyphen."""

    APPROVE = "test-approve"
    REFER = "test-refer"
    DECLINE = "test-decline"
    FRAUD = "test-fraud"
    MODEL_DOWN = "test-model-down"
    SLOW = "test-slow"


_ENDS = {
    Case.APPROVE: (Outcome.APPROVE, "TEST_APPROVE", "Test applicant: always approved"),
    Case.REFER: (Outcome.REFER, "TEST_REFER", "Test applicant: always referred to a person"),
    Case.DECLINE: (Outcome.DECLINE, "TEST_DECLINE", "Test applicant: always declined"),
    Case.FRAUD: (Outcome.DECLINE, "TEST_FRAUD", "Test applicant: always declined on suspicion of fraud"),
}
_CASES = {code: case for case, (_outcome, code, _text) in _ENDS.items()}
_waiting = threading.BoundedSemaphore(1)    # of this process's threads, so that trials never hold up the others


def asked_of(references: Sequence[str]) -> Sequence[Case | None]:
    """The case that each reference asks for; none outside a sandbox."""
    if not is_sandbox(in_force()):
        return [None] * len(references)
    return [next((case for case in Case if reference == case or reference.startswith(f"{case}-")), None) for reference in references]


def case_of(codes: Iterable[str]) -> Case | None:
    """The case that made a sandbox's decision with reasons of these codes."""
    return next((_CASES[code] for code in codes if code in _CASES), None) if is_sandbox(in_force()) else None


def wait_if_slow(asked: Sequence[Case | None]) -> None:
    """Three seconds where a slow one is among them, while no other thread of this process waits so."""
    if Case.SLOW in asked and _waiting.acquire(blocking=False):
        try:
            time.sleep(SLOW_SECONDS)
        finally:
            _waiting.release()


def without_model(active: Active, asked: Sequence[Case | None]) -> Active:
    """What answers when the model is down: the rules, for everybody who is asked about together with such an applicant."""
    if Case.MODEL_DOWN not in asked:
        return active
    return replace(active, model=ServingModel.of_rules(active.definition), model_version=None, model_version_id=None)


def settled(result: Result, case: Case | None) -> Result:
    """The result with the outcome that the case asks for, and its reason before the others; score and band are the model's."""
    if case not in _ENDS:
        return result
    outcome, code, text = _ENDS[case]
    return replace(result, outcome=outcome, reasons=(Reason(code, text, 0.0, ""), *result.reasons)[:MOST_REASONS])
