"""The registry over HTTP: ask for a promotion and answer it, roll back, set the challenger, change the rules, ask what was in force."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from audit.context import Actor
from partners.accounts.roles import Permission
from partners.api.bodies import decode, is_bare, read_body
from partners.api.description import described, paging, path, query
from partners.api.idempotency import answer_once, attempt_of
from partners.api.queries import PAGING, moment, one_of, read_query, text
from partners.api.views import ApiView, answer, identifier, principal_of
from scoring import selectors
from scoring.api.answers import ModelListed, model_listed
from scoring.api.registry_bodies import (
    ChallengerChosen,
    Promotion,
    PromotionAsked,
    PromotionConfirmed,
    PromotionList,
    PromotionRefused,
    PromotionWithdrawn,
    RegistryChangeList,
    RollbackAsked,
    RulesList,
    RulesListed,
    RulesWritten,
    VersionInForce,
    change_of,
    in_force_of,
    promotion_of,
    rules_of,
)
from scoring.errors import PromotionUnknown
from scoring.models import PromotionRequest
from scoring.services.challengers import remove_challenger, set_challenger
from scoring.services.definitions import change_rules
from scoring.services.models import rollback_model
from scoring.services.promotions import ask_promotion, confirm_promotion, refuse_promotion, withdraw_promotion

B = TypeVar("B", bound=msgspec.Struct)
_SLUG = (path("slug", "The product."),)
_PAGES = (*_SLUG, *paging(type="string", pattern=r"^[0-9]{1,9}$"))
_PROMOTION = (path("promotion_id", "The request.", type="string", format="uuid"),)
_STATES = PromotionRequest.State.values


def _once(request: Request, route: str, kind: type[B], perform: Callable[[B, Actor], msgspec.Struct], *, status: int = 200) -> HttpResponse:
    """What `perform` makes of the body; under an Idempotency-Key once."""
    raw = read_body(request, may_be_empty=is_bare(kind))
    asked, actor = decode(raw, kind), principal_of(request).actor
    attempt = attempt_of(request, route=f"POST /api/v1/{route}", actor=actor, body=raw)
    return answer_once(attempt, status=status, perform=lambda: msgspec.json.encode(perform(asked, actor)))


def _answered(
    request: Request, promotion_id: str, verb: str, kind: type[B], perform: Callable[[uuid.UUID, B, Actor], object]
) -> HttpResponse:
    """The promotion request after `perform` has answered it."""
    wanted = _id(promotion_id)

    def answered(asked: B, actor: Actor) -> Promotion:
        perform(wanted, asked, actor)
        return _promotion(wanted)

    return _once(request, f"promotions/{wanted}/{verb}", kind, answered)


class PromotionsView(ApiView):
    """Requests to put a version in force."""

    permissions = {"GET": Permission.MODEL_READ, "POST": Permission.MODEL_PROMOTE}

    @described(
        "List promotion requests", operation="promotion_list", gives=PromotionList, refuses=(400, 404),
        parameters=(query("product", "Only this product."), query("state", "Only in this state.", type="string", enum=_STATES)),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """Requests, newest first; `state=open` for those that wait for a second person."""
        wanted = read_query(request, {"product": text, "state": one_of(*_STATES)})
        return answer(PromotionList([promotion_of(one) for one in selectors.promotion_requests(**wanted)]))

    @described(
        "Ask to put a version in force", operation="promotion_create", takes=PromotionAsked, gives=Promotion, status=201,
        refuses=(404, 409), text="Another person with model.promote confirms or refuses. Nothing changes until then.",
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponse:
        """The request waits for a second person."""

        def perform(asked: PromotionAsked, actor: Actor) -> Promotion:
            made = ask_promotion(
                product_slug=asked.product, version=asked.version, reason=asked.reason, is_card_read=asked.card_read,
                card_sha256=asked.card_sha256 or "", actor=actor,
            )  # fmt: skip
            return _promotion(made.id)

        return _once(request, "promotions", PromotionAsked, perform, status=201)


class PromotionView(ApiView):
    """One request."""

    permissions = {"GET": Permission.MODEL_READ}

    @described("Look at one promotion request", operation="promotion_read", gives=Promotion, refuses=(404,), parameters=_PROMOTION)
    def get(self, request: Request, promotion_id: str) -> HttpResponse:
        """The request with its answer."""
        return answer(_promotion(_id(promotion_id)))


class PromotionConfirmationView(ApiView):
    """The second person says yes."""

    permissions = {"POST": Permission.MODEL_PROMOTE}

    @described(
        "Confirm a promotion", operation="promotion_confirm", takes=PromotionConfirmed, gives=Promotion, refuses=(404, 409),
        parameters=_PROMOTION, text="Neither who asked nor who trained the version can confirm it.",
    )  # fmt: skip
    def post(self, request: Request, promotion_id: str) -> HttpResponse:
        """The version is in force from the next decision on."""
        return _answered(
            request, promotion_id, "confirm", PromotionConfirmed,
            lambda wanted, asked, actor: confirm_promotion(request_id=wanted, answer=asked.answer or "", actor=actor),
        )  # fmt: skip


class PromotionRefusalView(ApiView):
    """The second person says no."""

    permissions = {"POST": Permission.MODEL_PROMOTE}

    @described(
        "Refuse a promotion", operation="promotion_refuse", takes=PromotionRefused, gives=Promotion, refuses=(404, 409),
        parameters=_PROMOTION,
    )  # fmt: skip
    def post(self, request: Request, promotion_id: str) -> HttpResponse:
        """The request is refused; nothing else changes."""
        return _answered(
            request, promotion_id, "refuse", PromotionRefused,
            lambda wanted, asked, actor: refuse_promotion(request_id=wanted, answer=asked.answer, actor=actor),
        )  # fmt: skip


class PromotionWithdrawalView(ApiView):
    """Who asked takes it back."""

    permissions = {"POST": Permission.MODEL_PROMOTE}

    @described(
        "Withdraw a promotion request", operation="promotion_withdraw", takes=PromotionWithdrawn, gives=Promotion, refuses=(404, 409),
        parameters=_PROMOTION,
    )  # fmt: skip
    def post(self, request: Request, promotion_id: str) -> HttpResponse:
        """The request is withdrawn; nothing else changes."""
        return _answered(
            request, promotion_id, "withdraw", PromotionWithdrawn,
            lambda wanted, _asked, actor: withdraw_promotion(request_id=wanted, actor=actor),
        )  # fmt: skip


class RollbackView(ApiView):
    """One action takes the champion back."""

    permissions = {"POST": Permission.MODEL_PROMOTE}

    @described(
        "Roll back", operation="product_rollback", takes=RollbackAsked, gives=VersionInForce, refuses=(404, 409), parameters=_SLUG,
        text="What was in force before answers from the next decision on: the version before, or the rules. One person is enough.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> HttpResponse:
        """What answers now."""

        def perform(asked: RollbackAsked, actor: Actor) -> VersionInForce:
            rollback_model(product_slug=slug, reason=asked.reason, actor=actor)
            now = datetime.now(UTC)
            return in_force_of(selectors.in_force(slug, now), now)

        return _once(request, f"products/{slug}/rollback", RollbackAsked, perform)


class ChallengerView(ApiView):
    """The version that scores in shadow."""

    permissions = {"POST": Permission.MODEL_PROMOTE, "DELETE": Permission.MODEL_PROMOTE}

    @described(
        "Set the challenger", operation="challenger_set", takes=ChallengerChosen, gives=ModelListed, refuses=(404, 409), parameters=_SLUG,
        text="It scores every decision of the product again, after it was answered. It answers nobody.",
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> HttpResponse:
        """The version scores in shadow; an earlier challenger rests."""

        def perform(asked: ChallengerChosen, actor: Actor) -> ModelListed:
            set_challenger(product_slug=slug, version=asked.version, reason=asked.reason or "", actor=actor)
            return model_listed(selectors.model_version(slug, asked.version))

        return _once(request, f"products/{slug}/challenger", ChallengerChosen, perform)

    @described("Remove the challenger", operation="challenger_remove", status=204, refuses=(404, 409), parameters=_SLUG)
    def delete(self, request: Request, slug: str) -> HttpResponse:
        """Nothing scores in shadow; what was scored stays."""
        remove_challenger(product_slug=slug, actor=principal_of(request).actor)
        return HttpResponse(status=204)


class InForceView(ApiView):
    """Which version decided at a moment."""

    permissions = {"GET": Permission.MODEL_READ}

    @described(
        "Which version decided at a moment", operation="product_in_force", gives=VersionInForce, refuses=(400, 404),
        parameters=(*_SLUG, query("at", "The moment; now when left out.", type="string", format="date-time")),
        text="Exact to the milliseconds that a change takes to commit. What one decision was made by is in the decision.",
    )  # fmt: skip
    def get(self, request: Request, slug: str) -> HttpResponse:
        """The model, or the rules, and the policy in force then."""
        at = read_query(request, {"at": moment}).get("at") or datetime.now(UTC)
        return answer(in_force_of(selectors.in_force(slug, at), at))


class ChangesView(ApiView):
    """Every change of what is in force."""

    permissions = {"GET": Permission.MODEL_READ}

    @described(
        "List changes of what is in force", operation="product_changes", gives=RegistryChangeList, refuses=(400, 404), parameters=_PAGES
    )
    def get(self, request: Request, slug: str) -> HttpResponse:
        """Who changed what, when and why; newest first."""
        found = selectors.changes(slug, **read_query(request, PAGING))
        return answer(RegistryChangeList([change_of(one) for one in found.rows], found.next_cursor, found.has_more))


class RulesView(ApiView):
    """The rules that answer when no model does."""

    permissions = {"GET": Permission.PRODUCT_READ, "POST": Permission.PRODUCT_EDIT}

    @described("List versions of the rules", operation="rules_list", gives=RulesList, refuses=(400, 404), parameters=_PAGES)
    def get(self, request: Request, slug: str) -> HttpResponse:
        """Every version with its rules, newest first."""
        found = selectors.rules_versions(slug, **read_query(request, PAGING))
        return answer(RulesList([rules_of(one) for one in found.rows], found.next_cursor, found.has_more))

    @described(
        "Change the rules", operation="rules_create", takes=RulesWritten, gives=RulesListed, status=201, refuses=(404,), parameters=_SLUG
    )
    def post(self, request: Request, slug: str) -> HttpResponse:
        """The next version of the rules is in force."""

        def perform(asked: RulesWritten, actor: Actor) -> RulesListed:
            rules = msgspec.to_builtins(asked)
            change_rules(product_slug=slug, rules=rules, reason=rules.pop("reason"), actor=actor)
            return rules_of(selectors.newest_rules(slug))

        return _once(request, f"products/{slug}/rules", RulesWritten, perform, status=201)


def _promotion(request_id: uuid.UUID) -> Promotion:
    return promotion_of(selectors.promotion_request(request_id))


def _id(text: str) -> uuid.UUID:
    request_id = identifier(text)
    if request_id is None:
        raise PromotionUnknown
    return request_id
