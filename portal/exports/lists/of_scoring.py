"""The lists of scoring: decisions, applicants, batches, outcomes, models."""

from collections.abc import Mapping

from django.db.models import FloatField, QuerySet
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from partners.accounts.roles import Permission
from portal.exports.lists import TEXT, WHOLE, Asker, Column, ExportList, Told, at, day, declare, free, moment, name, number, share, word
from scoring.models import Applicant, Batch, Decision, ModelVersion, Outcome, Product, Promotion
from scoring.selectors.applicants_known import applicants_found
from scoring.selectors.asked import FILTERS, filters_of
from scoring.selectors.catalogue import product_id
from scoring.selectors.decisions_made import decisions_found
from scoring.selectors.retrainings import retrainings


def _decisions(given: Mapping[str, str], _asker: Asker) -> QuerySet[Decision]:
    return decisions_found(filters_of(given)).order_by("-created_at", "-id")


def _applicants(given: Mapping[str, str], _asker: Asker) -> QuerySet[Applicant]:
    return applicants_found(given.get("q", "")).order_by("-created_at", "-id")


def _batches(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Batch]:
    return Batch.objects.order_by("-id")


def _outcomes(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Outcome]:
    return Outcome.objects.order_by("-recorded_at", "-id")


def _models(_given: Mapping[str, str], _asker: Asker) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.order_by("product__slug", "-version")


def _products(_given: Mapping[str, str], _asker: Asker) -> QuerySet[Product]:
    return Product.objects.order_by("slug")


def _promotions(given: Mapping[str, str], _asker: Asker) -> QuerySet[Promotion]:
    found = Promotion.objects.order_by("-at", "-id")
    return found.filter(product=product_id(given["product"])) if "product" in given else found


def _retrainings(given: Mapping[str, str], _asker: Asker) -> Told:
    product = given.get("product")
    if product is not None:
        product_id(product)
    return lambda: (
        (str(one.id), one.product, one.state, one.because, one.said, one.version, one.problem, one.actor, at(one.began_at),
         at(one.finished_at))
        for one in retrainings(product)
    )  # fmt: skip


def declare_lists() -> None:
    """They can be taken away from now on."""
    declare(
        ExportList(
            name="decisions", title=_("Decisions"), permission=Permission.DECISION_READ, page="scoring:decision-list", read=_decisions,
            filters=FILTERS, personal=frozenset({"reference"}), applicants="applicant__",
            columns={
                "id": name("id"), "created_at": moment("created_at"), "applicant_id": name("applicant_id"),
                "product": word("product__slug"),
                "probability": share("probability"), "score": number("score"), "band": word("band"), "outcome": word("outcome"),
                "answered_by": word("answered_by"), "model_version": number("model_version__version"),
                "policy_version": number("policy__version"), "channel": word("channel"), "request_id": free("request_id"),
                "processing_microseconds": number("processing_microseconds"),
            },
        ),
        ExportList(
            name="applicants", title=_("Applicants"), permission=Permission.APPLICANT_READ, page="portal:applicant-list",
            read=_applicants, filters=("q",), personal=frozenset({"q"}), applicants="",
            columns={"id": name("id"), "created_at": moment("created_at")},
        ),
        ExportList(
            name="batches", title=_("Batches"), permission=Permission.DECISION_READ, page="scoring:batch-list", read=_batches,
            columns={
                "id": name("id"), "created_at": moment("created_at"), "kind": word("kind"), "product": word("product__slug"),
                "size_bytes": number("size"), "sha256": word("digest"), "created_by": free("created_by"),
                "check_state": word("checking__state"), "state": word("working__state"), "rows": number("working__total"),
                "done": number("working__done"), "failed": number("working__failed"),
            },
        ),
        ExportList(
            name="outcomes", title=_("Outcomes"), permission=Permission.DECISION_READ, page="exports:export-list", read=_outcomes,
            applicants="decision__applicant__",
            columns={
                "id": name("id"), "decision_id": name("decision_id"), "product": word("decision__product__slug"), "kind": word("kind"),
                "value": number("value"), "amount": Column(Cast("amount", FloatField()), float), "currency": word("currency"),
                "observed_on": day("observed_on"),
                "recorded_at": moment("recorded_at"), "source": word("source"), "supersedes_id": name("supersedes_id"),
                "recorded_by": free("actor_label"),
            },
        ),
        ExportList(
            name="models", title=_("Models"), permission=Permission.MODEL_READ, page="scoring:model-list", read=_models,
            columns={
                "product": word("product__slug"), "version": number("version"), "estimator": word("estimator"), "state": word("state"),
                "trained_at": moment("trained_at"), "trained_by": free("trained_by"), "promoted_at": moment("promoted_at"),
            },
        ),
        ExportList(
            name="products", title=_("Products"), permission=Permission.PRODUCT_READ, page="scoring:product-list", read=_products,
            columns={
                "slug": word("slug"), "title": free("title"), "kind": word("kind"), "revision": number("revision"),
                "model_version": number("champion__version"), "policy_version": number("policy__version"),
                "created_at": moment("created_at"), "definition": name("definition"),
            },
        ),
        ExportList(
            name="promotions", title=_("Promotions"), permission=Permission.MODEL_READ, page="scoring:model-history", read=_promotions,
            filters=("product",), of={"product": "product"},
            columns={
                "at": moment("at"), "product": word("product__slug"), "action": word("action"), "version": number("version__version"),
                "previous_version": number("previous__version"), "actor_kind": word("actor_kind"), "actor": free("actor"),
                "reason": free("reason"),
            },
        ),
        ExportList(
            name="retrainings", title=_("Retrainings"), permission=Permission.MODEL_READ, page="scoring:model-retraining",
            read=_retrainings, filters=("product",), of={"product": "product"},
            columns={**dict.fromkeys(("id", "product", "state", "because", "said"), TEXT), "version": WHOLE,
                     **dict.fromkeys(("problem", "actor", "began_at", "finished_at"), TEXT)},
        ),
    )  # fmt: skip
