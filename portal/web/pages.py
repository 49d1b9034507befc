"""The overview: what waits, whether anything is wrong, how it goes."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.web.charts import day_chart
from portal.web.first_steps import first_steps
from scoring import registry, selectors
from scoring.web.charts import score_chart

DAYS = 14


class OverviewPage(Page):
    """The first page."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The last two weeks in figures, each a link to its rows."""
        figures = selectors.overview(DAYS, zone=timezone.get_current_timezone())
        products = selectors.products()
        only = registry.current(products[0].slug).policy if len(products) == 1 else None
        cut_offs = (only.decline_below, only.approve_from) if only else ()
        context = {
            "today": timezone.localdate(),
            "figures": figures,
            "approved_share": figures.by_outcome["approve"] / figures.total if figures.total else None,
            "days": day_chart(figures.volume),
            "scores": score_chart(figures.histogram, cut_offs=cut_offs),
            "since": figures.since.date().isoformat(),
            "products": products,
            "by_product": [(one, figures.by_product.get(one.slug, 0)) for one in products],
            "without_model": [product for product in products if product.champion_version is None],
            "refused": selectors.refused_champions(),
            "asked_for": self._asked_for(),
            "by_rules": figures.by_answer["rules"],
            "steps": [] if figures.total else first_steps(request.partner, products, f"{request.scheme}://{request.get_host()}"),  # type: ignore[attr-defined]
        }
        return render(request, "portal/overview.html", context)

    def _asked_for(self) -> list[selectors.RequestSummary]:
        """The promotions that wait for this person's answer."""
        if not self.user.allows(Permission.MODEL_PROMOTE):
            return []
        return [one for one in selectors.promotion_requests(state="open") if one.asked_by_id != self.user.id]
