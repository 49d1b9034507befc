"""Outcomes over HTTP: say how decisions turned out, and read what was said."""

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from django.http import HttpResponse
from msgspec import Meta
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.bodies import LARGEST, decode, read_body
from partners.api.description import described, path
from partners.api.errors import Fault, RequestRefused
from partners.api.idempotency import answer_once, attempt_of
from partners.api.views import ApiView, answer, identifier, principal_of
from scoring import selectors
from scoring.api.bodies import ProductName, Reference
from scoring.errors import DecisionUnknown, OutcomeRefused
from scoring.models import OutcomeSource
from scoring.selectors import OutcomeSummary, outcome_summary
from scoring.services.outcomes import Observed, Recorded, record_outcomes

AT_MOST = 1_000
EXAMPLE = {
    "product": "market-loan",
    "items": [
        {"reference": "LOAN-2031", "kind": "repaid", "observed_on": "2026-10-30"},
        {"reference": "LOAN-2032", "kind": "defaulted", "observed_on": "2026-11-02", "amount": {"amount": "12500.00", "currency": "KES"}},
    ],
}  # fmt: skip


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount as a text, so that no digit is lost, and the currency's code."""

    amount: Annotated[str, Meta(pattern=r"^[0-9]{1,14}(\.[0-9]{1,4})?$(?!\n)", description="Such as 12500.50.")]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="ISO 4217, such as KES or XOF.")]


class OutcomeItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one decision turned out. It is named by `score_id`, or by the applicant's `reference`: then the newest decision about them that
    was made by that day is meant. `value` is 1 for the bad outcome; left out, it follows from `kind`: 1 for defaulted and written_off."""

    kind: Literal["repaid", "late", "defaulted", "written_off"]
    observed_on: date
    score_id: uuid.UUID | None = None
    reference: Reference | None = None
    value: Literal[0, 1] | None = None
    amount: Money | None = None

    def observed(self) -> Observed:
        """As the service takes it."""
        money = self.amount
        return Observed(
            kind=self.kind, observed_on=self.observed_on, decision_id=self.score_id, reference=self.reference, value=self.value,
            amount=Decimal(money.amount) if money else None, currency=money.currency if money else "",
        )  # fmt: skip


class OutcomesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outcomes to record: all of them, or none. `product` says whose decisions a reference is looked for among."""

    items: Annotated[list[OutcomeItem], Meta(min_length=1, max_length=AT_MOST)]
    product: ProductName | None = None


class Outcome(msgspec.Struct, frozen=True):
    """One outcome as it was recorded. It `holds` unless a later one supersedes it."""

    id: str
    score_id: str
    kind: str
    value: int
    amount: Money | None
    observed_on: date
    recorded_at: datetime
    source: str
    supersedes: str | None
    holds: bool


class OutcomesRecorded(msgspec.Struct, frozen=True):
    """What holds now, in the order of the items; `recorded` of them are new, `unchanged` had been said before."""

    data: list[Outcome]
    recorded: int
    unchanged: int


class OutcomeList(msgspec.Struct, frozen=True):
    """Every outcome of a decision, the one that holds first."""

    data: list[Outcome]


class OutcomesView(ApiView):
    """How decisions turned out."""

    permissions = {"POST": Permission.DECISION_MAKE}

    @described(
        "Record up to 1,000 outcomes", operation="outcome_create", takes=OutcomesRequest, gives=OutcomesRecorded, status=201,
        refuses=(404,), example=EXAMPLE,
        text="All or nothing. A corrected or later outcome supersedes what was said before, which stays. The same again changes nothing.",
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """201 with what holds now."""
        raw = read_body(request, at_most=LARGEST)
        asked, actor = decode(raw, OutcomesRequest), principal_of(request).actor

        def perform() -> bytes:
            try:
                made = record_outcomes(
                    items=[one.observed() for one in asked.items], source=OutcomeSource.API, actor=actor, product_slug=asked.product
                )
            except OutcomeRefused as refusal:
                raise RequestRefused([_fault(where, detail) for where, detail in refusal.fields.items()]) from refusal
            return msgspec.json.encode(_recorded(made))

        return answer_once(attempt_of(request, route="POST /api/v1/outcomes", actor=actor, body=raw), status=201, perform=perform)


class ScoreOutcomesView(ApiView):
    """How one decision turned out."""

    permissions = {"GET": Permission.DECISION_READ}

    @described(
        "List the outcomes of one decision", operation="score_outcomes", gives=OutcomeList, refuses=(404,),
        parameters=(path("score_id", "The decision.", type="string", format="uuid"),),
    )  # fmt: skip
    def get(self, request: Request, score_id: str) -> HttpResponse:
        """All that was ever said, the outcome that holds first."""
        decision_id = identifier(score_id)
        if decision_id is None:
            raise DecisionUnknown
        return answer(OutcomeList([_outcome(one) for one in selectors.outcomes_of(decision_id)]))


def _fault(where: str, detail: str) -> Fault:
    position, _, field = where.partition("/")
    pointer = {"currency": "amount/currency", "amount": "amount/amount"}.get(field, field)
    return Fault(f"/items/{position}/{pointer}", "invalid_value", detail)


def _recorded(made: Sequence[Recorded]) -> OutcomesRecorded:
    new = sum(one.is_new for one in made)
    return OutcomesRecorded([_outcome(outcome_summary(one.outcome, holds=True)) for one in made], new, len(made) - new)


def _outcome(one: OutcomeSummary) -> Outcome:
    return Outcome(
        id=str(one.id), score_id=str(one.decision_id), kind=one.kind, value=one.value,
        amount=None if one.amount is None else Money(f"{one.amount.normalize():f}", one.currency), observed_on=one.observed_on,
        recorded_at=one.recorded_at, source=one.source, supersedes=None if one.supersedes is None else str(one.supersedes), holds=one.holds,
    )  # fmt: skip
