"""What requests about applications say."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from partners.api.errors import Fault
from partners.errors import MoneyRefused
from partners.money import to_minor
from portal.approvals.services.applications import Asked
from scoring.api.bodies import AboutOne, ProductName, read_one

Code = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$(?!\n)", description="Why, as a stable code.")]
NoteText = Annotated[str, Meta(max_length=4_000, description="Why, in words. Kept encrypted under the applicant's own key.")]
Revision = Annotated[int, Meta(ge=1, le=2**31 - 1, description="The revision you saw; if somebody was first, nothing is done.")]
AmountText = Annotated[str, Meta(min_length=1, max_length=24, examples=["60000.00"])]
Currency = Annotated[str, Meta(min_length=3, max_length=3, examples=["KES"])]
PersonId = Annotated[str, Meta(pattern=r"^[0-9a-fA-F-]{36}$(?!\n)", description="A person who decides about applications.")]
ApplicationId = Annotated[str, Meta(pattern=r"^[0-9a-fA-F-]{36}$(?!\n)")]
Tag = Annotated[str, Meta(min_length=1, max_length=40)]
_TAG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount, as text with at most the currency's own number of decimals."""

    amount: AmountText
    currency: Currency


class ApplicationRequest(AboutOne, frozen=True, forbid_unknown_fields=True):
    """Somebody asks for money. `inputs` are the fields of the product's contract: GET /api/v1/products/{slug}."""

    amount: Money
    inputs: dict[str, Any]
    tags: Annotated[list[Tag], Meta(max_length=20)] = []


class DecisionTaken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person decides. `offer` is the amount of a counter-offer, in the application's currency."""

    decision: Literal["approve", "decline", "counter_offer", "ask_information", "resume", "accept_offer", "withdraw", "reconsider"]
    reason_code: Code
    revision: Revision
    note: NoteText | None = None
    offer: AmountText | None = None


class SecondOpinionGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second person agrees with the proposal or refuses it; who proposed may take it back. A refusal needs a reason code."""

    answer: Literal["agree", "refuse", "retract"]
    revision: Revision
    reason_code: Code | None = None
    note: NoteText | None = None


class Assignment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose the application is from now on."""

    assignee_id: PersonId
    revision: Revision


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Gives the application back."""

    revision: Revision


class NextAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes the most urgent application, of one product or of any."""

    product: ProductName | None = None


class NoteWritten(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A note for colleagues."""

    note: Annotated[str, Meta(min_length=1, max_length=4_000, description="Kept encrypted under the applicant's own key.")]


class Snooze(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Until when the application is put off, at most 90 days; null ends that."""

    until: Annotated[datetime, Meta(tz=True)] | None
    revision: Revision


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Puts the application before all others. `to`: the approver whose it is then."""

    revision: Revision
    to: PersonId | None = None


class Tags(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tags that the application has from now on."""

    tags: Annotated[list[Tag], Meta(max_length=20)]
    revision: Revision


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application as you saw it."""

    id: ApplicationId
    revision: Revision


class Assignments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose these applications are from now on."""

    assignee_id: PersonId
    applications: Annotated[list[Chosen], Meta(min_length=1, max_length=100)]


def read_application(raw: bytes, language: str) -> Asked:
    """What is asked for. Raises BodyMalformed or RequestRefused with every fault of envelope, amount and inputs."""
    request, values = read_one(raw, ApplicationRequest, also=_faults)
    return Asked(
        product_slug=request.product,
        applicant=request.applicant.details(),
        values=values,
        amount_minor=to_minor(request.amount.amount, request.amount.currency),
        currency=request.amount.currency,
        language=language,
        tags=sorted(set(request.tags)),
    )


def _faults(body: Mapping[str, Any]) -> list[Fault]:
    """What the types do not say: whether there is such an amount, and what a tag is made of."""
    faults = []
    amount, tags = body.get("amount"), body.get("tags")
    if isinstance(amount, dict) and isinstance(amount.get("amount"), str) and isinstance(amount.get("currency"), str):
        try:
            to_minor(amount["amount"], amount["currency"])
        except MoneyRefused as refusal:
            faults += [Fault(f"/amount/{name}", "invalid_value", detail) for name, detail in refusal.fields.items()]
    for at, tag in enumerate(tags if isinstance(tags, list) else []):
        if isinstance(tag, str) and not _TAG.fullmatch(tag):
            faults.append(Fault(f"/tags/{at}", "invalid_value", "Send a tag of small letters, digits and -, such as second-loan."))
    return faults
