"""What requests about the registry say, and what its routes answer."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from scoring.api.answers import ModelNamed, PolicyNamed
from scoring.api.bodies import ProductName, Reasoned
from scoring.selectors import Change, InForce, RequestSummary, RulesVersion

Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="The number of the model version.")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", description="SHA-256 of the model card that was read.")]


class PromotionAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks to put a version in force. `card_read` says that its card was read, and `card_sha256` which; nothing can be asked without."""

    product: ProductName
    version: Version
    reason: Reasoned
    card_read: bool
    card_sha256: Digest | None = None


class PromotionConfirmed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Confirms, with a word about it or without."""

    answer: Reasoned | None = None


class PromotionRefused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Refuses, and says why."""

    answer: Reasoned


class PromotionWithdrawn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks no more."""


class RollbackAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Takes the champion back, at once."""

    reason: Reasoned


class ChallengerChosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version that scores in shadow from now on."""

    version: Version
    reason: Reasoned | None = None


class ModelChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A draft is offered as a candidate, or a version that is not in force is retired. Retiring needs a reason, and so does offering
    a draft whose ranking cannot be told from chance."""

    state: Literal["candidate", "retired"]
    reason: Reasoned | None = None


class RuleWritten(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"condition": "if"}):
    """One rule: where the condition holds, the log odds of the bad outcome grow by this much."""

    code: Annotated[str, Meta(min_length=1, max_length=60)]
    condition: dict[str, Any]
    log_odds: float
    texts: dict[str, str]


class RulesWritten(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules that answer where no model does, as the product's definition writes them, and why they change."""

    base_probability: Annotated[float, Meta(gt=0, lt=1)]
    rules: Annotated[list[RuleWritten], Meta(max_length=200)]
    reason: Reasoned
    may_approve: bool = False


class Promotion(msgspec.Struct, frozen=True):
    """A request to put a version in force. State: open, confirmed, refused, withdrawn, or lapsed when something else came in force."""

    id: str
    product: str
    version: int
    state: str
    reason: str
    card_sha256: str | None
    asked_by: str
    asked_at: datetime
    answered_by: str | None
    answered_at: datetime | None
    answer: str | None


class PromotionList(msgspec.Struct, frozen=True):
    """Requests, newest first."""

    data: list[Promotion]
    next_cursor: str | None = None
    has_more: bool = False


class VersionInForce(msgspec.Struct, frozen=True):
    """What answered at `at`: from `began_at` until before `ended_at`, null while it still does. No model: the rules answered."""

    product: str
    at: datetime
    revision: int
    answered_by: str
    model: ModelNamed | None
    policy: PolicyNamed
    began_at: datetime
    ended_at: datetime | None


class RegistryChange(msgspec.Struct, frozen=True):
    """One change of what is in force: model, policy, rules or product. `actor` is null where the record tells of nobody."""

    revision: int
    at: datetime
    changed: list[str]
    model: ModelNamed | None
    policy: PolicyNamed
    rules_version: int
    action: str | None
    actor: str | None
    asked_by: str | None
    reason: str | None


class RegistryChangeList(msgspec.Struct, frozen=True):
    """Every change, newest first."""

    data: list[RegistryChange]
    next_cursor: str | None = None
    has_more: bool = False


class RulesListed(msgspec.Struct, frozen=True):
    """One version of a product's rules."""

    version: int
    revision: int
    began_at: datetime
    ended_at: datetime | None
    actor: str | None
    reason: str | None
    rules: dict[str, Any]


class RulesList(msgspec.Struct, frozen=True):
    """Every version of the rules, newest first."""

    data: list[RulesListed]
    next_cursor: str | None = None
    has_more: bool = False


def promotion_of(summary: RequestSummary) -> Promotion:
    """A request as it stands."""
    return Promotion(
        str(summary.id), summary.product, summary.version, summary.state, summary.reason, summary.card_sha256 or None, summary.asked_by,
        summary.asked_at, summary.answered_by or None, summary.answered_at, summary.answer or None,
    )  # fmt: skip


def in_force_of(found: InForce, at: datetime) -> VersionInForce:
    """What was in force then."""
    model = _model(found.model_version)
    answered_by, policy = "model" if model else "rules", PolicyNamed(found.policy_version)
    return VersionInForce(found.product, at, found.revision, answered_by, model, policy, found.began_at, found.ended_at)


def change_of(change: Change) -> RegistryChange:
    """One change."""
    return RegistryChange(
        change.revision, change.began_at, list(change.changed), _model(change.model_version), PolicyNamed(change.policy_version),
        change.rules_version, change.action or None, change.actor or None, change.asked_by or None, change.reason or None,
    )  # fmt: skip


def rules_of(rules: RulesVersion) -> RulesListed:
    """One version of the rules."""
    return RulesListed(
        rules.version, rules.revision, rules.began_at, rules.ended_at, rules.actor or None, rules.reason or None, dict(rules.rules)
    )


def _model(version: int | None) -> ModelNamed | None:
    return None if version is None else ModelNamed(version)
