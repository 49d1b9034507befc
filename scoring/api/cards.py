"""A version's model card over HTTP: what was written when it was trained, and what has happened to the version since."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.description import described, path, query
from partners.api.queries import read_query, text
from partners.api.views import ApiView, answer
from scoring import selectors
from scoring.api.answers import PolicyNamed
from scoring.api.products import only_product
from scoring.api.registry_bodies import Promotion, promotion_of
from scoring.engine.card import Decided, decided
from scoring.engine.fairness import by_group
from scoring.engine.policy import Policy
from scoring.errors import ModelVersionUnknown
from scoring.selectors import Happening, ModelCard, ModelVersionSummary


class CardOutcome(msgspec.Struct, frozen=True):
    """Held-out cases that the policy in force would have met with this outcome, by how they ended."""

    outcome: str
    good: int
    bad: int
    bad_share: float | None


class CardGroup(msgspec.Struct, frozen=True):
    """Held-out cases of one group, shares from 0 to 1. `ratio` is its share approved against that of the most approved group, `low` to
    `high` its 95 % interval. All but `cases` is null for fewer than 30 cases."""

    group: str
    cases: int
    approved_share: float | None
    bad_share: float | None
    auc: float | None
    mean_probability: float | None
    ratio: float | None
    low: float | None
    high: float | None


class CardProtected(msgspec.Struct, frozen=True):
    """How the policy in force would have met the groups of one protected input."""

    input: str
    label: str
    groups: list[CardGroup]


class CardCompared(msgspec.Struct, frozen=True):
    """Another version's figures, each of the table that it was trained on; null where it stored none."""

    version: int
    state: str
    rows: int | None
    auc: float | None
    ks: float | None
    brier: float | None
    trained_at: datetime


class CardHappening(msgspec.Struct, frozen=True):
    """One entry of the record. `other` is the version that it took the place of or that took its place."""

    at: datetime
    action: str
    actor: str
    reason: str | None
    other: int | None


class ModelCardRead(msgspec.Struct, frozen=True):
    """A model card. `card` is its immutable part, written when the version was trained: `card_sha256` is the SHA-256 of its bytes as they
    stand here (JSON in UTF-8, sorted keys, no spaces), and a promotion names it. The rest is as of now; `champion` was in force when the
    version was trained."""

    product: str
    version: int
    state: str
    card_sha256: str
    bundle_sha256: str
    trained_at: datetime
    trained_by: str | None
    policy: PolicyNamed
    outcomes: list[CardOutcome]
    protected: list[CardProtected]
    champion: CardCompared | None
    earlier: list[CardCompared]
    promotions: list[Promotion]
    history: list[CardHappening]
    card: msgspec.Raw


class ModelCardView(ApiView):
    """The card of one version."""

    permissions = {"GET": Permission.MODEL_READ}

    @described(
        "Read a model card", operation="model_card_read", gives=ModelCardRead, refuses=(400, 404, 409),
        parameters=(
            path("version", "The version of the product's model.", type="integer", minimum=1),
            query("product", "Whose version; may be left out while there is one product."),
        ),
        text="A version that was trained before cards were made has none (409, `card_missing`) and cannot be promoted.",
    )  # fmt: skip
    def get(self, request: Request, version: int) -> HttpResponse:
        """What a reviewer reads before the version is put in force."""
        product = read_query(request, {"product": text}).get("product") or only_product()
        if version > 2**31 - 1:
            raise ModelVersionUnknown
        return answer(_read(selectors.model_card(product, version)))


def _read(card: ModelCard) -> ModelCardRead:
    version, told = card.version, card.stored.document()
    return ModelCardRead(
        product=version.product, version=version.version, state=version.state, card_sha256=card.stored.sha256,
        bundle_sha256=version.bundle_sha256, trained_at=version.trained_at, trained_by=version.trained_by or None,
        policy=PolicyNamed(card.policy_version), outcomes=_outcomes(decided(told["scores"], card.policy)),
        protected=[_protected(one, card.policy) for one in told.get("protected", ())],
        champion=_compared(card.champion) if card.champion else None, earlier=[_compared(one) for one in card.earlier],
        promotions=[promotion_of(one) for one in card.requests], history=[_happening(one) for one in card.history],
        card=msgspec.Raw(card.stored.written),
    )  # fmt: skip


def _outcomes(found: Sequence[Decided]) -> list[CardOutcome]:
    return [CardOutcome(str(one.outcome), one.good, one.bad, one.bad_share) for one in found]


def _protected(told: Mapping[str, Any], policy: Policy) -> CardProtected:
    groups = [msgspec.convert(one, CardGroup, from_attributes=True) for one in by_group(told["groups"], policy)]
    return CardProtected(told["name"], told["label"], groups)


def _compared(other: ModelVersionSummary) -> CardCompared:
    figures = other.metrics.get("cv", {})
    return CardCompared(
        other.version, other.state, other.metrics.get("rows"), figures.get("auc"), figures.get("ks"), figures.get("brier"), other.trained_at
    )


def _happening(one: Happening) -> CardHappening:
    return CardHappening(one.at, one.action, one.actor, one.reason or None, one.other)
