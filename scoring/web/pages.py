"""Pages about decisions, products and models."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from partners.accounts.models import User
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from scoring import registry, selectors
from scoring.engine.compile_scorecard import bins_of
from scoring.engine.product import Product
from scoring.errors import CursorRefused, DecisionUnknown, FilterRefused, ModelVersionUnknown, ProductUnknown
from scoring.models import TRANSITIONS, BandCode, Channel, OutcomeCode
from scoring.selectors.asked import FILTERS, filters_of
from scoring.services.looks import note_look
from scoring.services.models import ranks_like_chance
from scoring.services.score import score_once
from scoring.web.asking import AskingPage
from scoring.web.batch_forms import OutcomeForm
from scoring.web.cards import shown_points
from scoring.web.conditions import shown_rules
from scoring.web.curves import ranking, reliability
from scoring.web.evidence import evidence
from scoring.web.forms import ScoreForm
from scoring.web.shown import importances
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
    """One decision: four plain reasons first, then the rest. That somebody was shown whose it is is recorded."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest, decision_id: uuid.UUID) -> HttpResponse:
        """The decision, or 404."""
        try:
            detail = selectors.decision_detail(decision_id, language=language_of_page())
        except DecisionUnknown as error:
            raise Http404 from error
        if self.user.allows(Permission.APPLICANT_READ):
            note_look(detail, actor=self.actor)
        context = {
            **evidence(detail, in_page_language(registry.current(detail.summary.product).definition), self.user),
            "outcomes": selectors.outcomes_of(decision_id),
            "outcome_form": OutcomeForm() if self.user.allows(Permission.DECISION_MAKE) else None,
        }
        return render(request, "scoring/decision_detail.html", context)


class DecisionNewPage(AskingPage[ScoreForm]):
    """Score one applicant."""

    route = "decision-new"
    texts = {
        "heading": gettext_lazy("Score an applicant"), "button": gettext_lazy("Score and decide"),
        "after": gettext_lazy("The answer is stored and recorded at once; it cannot be changed afterwards, only asked for again."),
    }  # fmt: skip
    sent_before = gettext_lazy("This form was sent before with other answers, and that decision stands. Send it again to decide anew.")

    def form(self, product: Product, *told: Any) -> ScoreForm:
        """Who asks, and the contract's inputs."""
        return ScoreForm(product, *told)

    def store(self, form: ScoreForm, active: registry.Active) -> str | None:
        """Decides."""
        item = form.read(active.validator)
        if item is None:
            return None
        answer = score_once(
            attempt=self.attempt(form), render=lambda decided: str(decided[0].id).encode(), product_slug=active.definition.slug,
            items=[item], actor=self.actor, channel=Channel.PORTAL, language=self.language,
        )  # fmt: skip
        return reverse("scoring:decision-detail", args=[answer.body.decode()])


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
            earlier = selectors.rules_versions(slug, cursor=request.GET.get("cursor") or None)
        except ProductUnknown as error:
            raise Http404 from error
        except CursorRefused:
            return HttpResponseRedirect(reverse("scoring:product-detail", args=[slug]))
        least, rules = (*active.policy.bands, None), selectors.newest_rules(slug)
        context = {
            "product": product, "definition": in_page_language(active.definition), "policy": active.policy,
            "versions": selectors.model_versions(slug),
            "bands": list(zip(BandCode.values, least, strict=True)), "rules": rules, "earlier_rules": earlier,
            "shown_rules": shown_rules(rules.rules, in_page_language(selectors.product_definition(slug)).contract),
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
