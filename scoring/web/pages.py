"""Pages about decisions, products and models."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from audit.errors import IdempotencyMismatch
from audit.services import Attempt
from partners.accounts.models import User
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import registry, selectors
from scoring.engine.compile_scorecard import bins_of
from scoring.engine.product import Product
from scoring.engine.recourse import Recourse
from scoring.engine.texts import LANGUAGES
from scoring.errors import (
    ApplicantErased,
    CursorRefused,
    DecisionUnknown,
    FilterRefused,
    ModelRefused,
    ModelVersionUnknown,
    ProductUnknown,
)
from scoring.models import TRANSITIONS, AnsweredBy, BandCode, Channel, OutcomeCode
from scoring.selectors.asked import FILTERS, filters_of
from scoring.services.models import ranks_like_chance
from scoring.services.recourse import recourse_of
from scoring.services.score import score_once
from scoring.web.batch_forms import OutcomeForm
from scoring.web.cards import shown_points
from scoring.web.conditions import shown_rules
from scoring.web.curves import ranking, reliability
from scoring.web.forms import ScoreForm
from scoring.web.shown import GoodPoint, contributions, factors, importances, named_inputs, speaking_for, weighed_reasons
from scoring.web.written import in_page_language, language_of_page


class DecisionListPage(Page):
    """Every decision, newest first; the address is the state."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The decisions that the address asks for."""
        wanted = {name: value for name in FILTERS if (value := request.GET.get(name, "").strip())}
        products = selectors.products()
        context: dict[str, Any] = {
            "wanted": wanted, "products": products, "bands": BandCode.values, "outcomes": OutcomeCode.values, "problem": "",
        }  # fmt: skip
        if "reference" in wanted and not self.user.allows(Permission.APPLICANT_READ):
            context["problem"] = _("Your role does not see who was scored, so it cannot search by reference.")
            return render(request, "scoring/decision_list.html", context, status=403)
        status = 200
        try:
            page = selectors.decisions(filters_of(wanted), cursor=request.GET.get("cursor") or None)
            context |= {"page": page, "next": urlencode({**wanted, "cursor": page.next_cursor}) if page.next_cursor else ""}
        except (FilterRefused, CursorRefused) as refusal:
            context["problem"] = refusal.detail
            status = 422
        return render(request, "scoring/decision_list.html", context, status=status)


class DecisionDetailPage(Page):
    """One decision: four plain reasons first, then the rest."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
        """The decision, or 404."""
        try:
            detail = selectors.decision_detail(decision_id, language=language_of_page())
        except DecisionUnknown as error:
            raise Http404 from error
        active = registry.current(detail.summary.product)
        product, explanation = in_page_language(active.definition), detail.explanation
        may_read = self.user.allows(Permission.APPLICANT_READ)
        context = {
            "detail": detail,
            "decision": detail.summary,
            "applicant": detail.applicant if may_read else None,
            "title": product.title,
            "reasons": weighed_reasons(explanation, product, shows_values=may_read) if explanation else [],
            "speaks_for": self._speaks_for(detail, product, may_read=may_read),
            "contributions": contributions(explanation, product, detail.summary.score) if explanation else None,
            "recourse": self._recourse(detail) if may_read else None,
            "inputs": named_inputs(detail, product) if may_read else [],
            "earlier": self._earlier(detail) if may_read else [],
            "is_rules_only": detail.summary.answered_by == AnsweredBy.RULES,
            "outcomes": selectors.outcomes_of(decision_id),
            "outcome_form": OutcomeForm() if self.user.allows(Permission.DECISION_MAKE) else None,
        }
        return render(request, "scoring/decision_detail.html", context)

    @staticmethod
    def _speaks_for(detail: selectors.DecisionDetail, product: Product, *, may_read: bool) -> list[GoodPoint]:
        if detail.explanation is None:
            return []
        found = factors(detail.explanation, product, detail.summary.score)
        return speaking_for(found, product, detail.inputs if may_read else None, detail.summary.created_at.date())

    def _recourse(self, detail: selectors.DecisionDetail) -> Recourse | None:
        """What would change the decision; None where there is nothing to ask: approved, erased, altered, or its model is gone."""
        if detail.summary.outcome == OutcomeCode.APPROVE or detail.inputs is None or not detail.is_as_recorded:
            return None
        try:
            return recourse_of(decision_id=detail.summary.id, language=self.user.language if self.user.language in LANGUAGES else "en")
        except ModelRefused:
            return None

    @staticmethod
    def _earlier(detail: selectors.DecisionDetail) -> list[selectors.DecisionSummary]:
        same = selectors.decisions(selectors.DecisionFilters(applicant_id=detail.summary.applicant_id), limit=6).decisions
        return [one for one in same if one.id != detail.summary.id][:5]


class DecisionNewPage(Page):
    """Score one applicant: choose the product, then answer what its contract asks."""

    permission = Permission.DECISION_MAKE

    def get(self, request: HttpRequest) -> HttpResponse:
        """The choice of products, or the form of the chosen or only one."""
        products = selectors.products()
        slug = request.GET.get("product") or (products[0].slug if len(products) == 1 else "")
        if not slug:
            return render(request, "scoring/decision_choose.html", {"products": products})
        return self._form(request, slug, None)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Decides once, and goes to the decision."""
        slug = request.POST.get("product", "")
        try:
            active = registry.current(slug)
        except ProductUnknown as error:
            raise Http404 from error
        form = ScoreForm(active.definition, request.POST)
        item = form.read(active.validator)
        if item is None:
            return self._form(request, slug, form)
        try:
            answer = score_once(
                attempt=Attempt.of(route="page:decision-new", key=str(form.cleaned_data["token"]), actor=self.actor, body=form.said),
                render=lambda decided: str(decided[0].id).encode(),
                product_slug=slug, items=[item], actor=self.actor, channel=Channel.PORTAL,
                language=self.user.language if self.user.language in LANGUAGES else "en",
            )  # fmt: skip
        except IdempotencyMismatch:
            form.ask_again(_("This form was sent before with other answers, and that decision stands. Send it again to decide anew."))
            return self._form(request, slug, form)
        except ApplicantErased as refusal:
            form.add_error("reference", refusal.detail)
            return self._form(request, slug, form, status=409)
        return HttpResponseRedirect(reverse("scoring:decision-detail", args=[answer.body.decode()]))

    def _form(self, request: HttpRequest, slug: str, form: ScoreForm | None, *, status: int = 422) -> HttpResponse:
        try:
            definition = registry.current(slug).definition
        except ProductUnknown as error:
            raise Http404 from error
        context = {"form": form or ScoreForm(definition), "product": slug, "title": definition.title}
        return render(request, "scoring/decision_new.html", context, status=status if form else 200)


class ProductListPage(Page):
    """What the partner scores."""

    permission = Permission.PRODUCT_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """Every product."""
        return render(request, "scoring/product_list.html", {"products": selectors.products()})


class ProductDetailPage(Page):
    """One product: its contract, and what is in force."""

    permission = Permission.PRODUCT_READ

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        """The product, or 404."""
        try:
            product, active = selectors.product(slug), registry.current(slug)
        except ProductUnknown as error:
            raise Http404 from error
        least, rules = (*active.policy.bands, None), selectors.rules_versions(slug)
        context = {
            "product": product, "definition": in_page_language(active.definition), "policy": active.policy,
            "versions": selectors.model_versions(slug),
            "bands": list(zip(BandCode.values, least, strict=True)), "rules": rules,
            "shown_rules": shown_rules(rules[0].rules, in_page_language(selectors.product_definition(slug)).contract),
            "may_edit": self.user.allows(Permission.PRODUCT_EDIT),
        }  # fmt: skip
        return render(request, "scoring/product_detail.html", context)


class ModelListPage(Page):
    """Every model version of every product."""

    permission = Permission.MODEL_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list."""
        context = {
            "versions": selectors.model_versions(), "waiting": selectors.promotion_requests(state="open"), "products": selectors.products(),
        }  # fmt: skip
        return render(request, "scoring/model_list.html", context)


class ModelDetailPage(Page):
    """One model version: how good it is, what it looks at."""

    permission = Permission.MODEL_READ

    def get(self, request: HttpRequest, product: str, version: int) -> HttpResponse:
        """The version, or 404."""
        try:
            context = model_context(self.user, product, version)
        except (ProductUnknown, ModelVersionUnknown) as error:
            raise Http404 from error
        return render(request, "scoring/model_detail.html", context)


def model_context(user: User, product: str, version: int) -> dict[str, Any]:
    """All that the page of a version shows to this person. Raises ProductUnknown, ModelVersionUnknown."""
    found = selectors.model_version(product, version)
    definition = registry.current(product).definition
    requests = selectors.promotion_requests(product=product)
    open_request = next((one for one in requests if one.state == "open"), None)
    is_scorecard, size = found.estimator == "scorecard", (found.metrics.get("trees", 0), found.metrics.get("nodes", 0))
    return {
        "version": found, "title": definition.title, "cv": found.metrics.get("cv", {}), "metrics": found.metrics,
        "ranking": ranking(found.metrics.get("roc", ())), "reliability": reliability(found.metrics.get("calibration", ())),
        "bins": bins_of(*size) if is_scorecard else 0,
        "points": shown_points(*selectors.points_table(product, version)) if is_scorecard else None,
        "importance": importances(found.metrics.get("importance", {}), definition),
        "requests": [one for one in requests if one.version == found.version], "open_request": open_request,
        "is_asked_for": open_request is not None and open_request.version == found.version,
        "is_own_request": open_request is not None and open_request.asked_by_id == user.id,
        "may_promote": user.allows(Permission.MODEL_PROMOTE), "is_like_chance": ranks_like_chance(found.metrics),
        "may_become": TRANSITIONS[found.state], "card_sha256": selectors.card_digest(product, version),
    }  # fmt: skip
