"""The overview: what waits, whether anything is wrong, how it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from partners.accounts.models import User
from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from partners.webhooks.selectors import troubled_endpoints
from portal.approvals.selectors import Waiting, WaitingFor, waiting_for
from portal.templatetags.vouch import bounded, due, due_state
from portal.web.charts import day_chart
from portal.web.first_steps import first_steps
from portal.web.places import TAKE_NEXT, applications
from scoring import registry, selectors
from scoring.web.charts import score_chart

DAYS = 14
TROUBLED = timedelta(days=7)    # how long failed work is news


@dataclass(frozen=True, slots=True)
class ToDo:
    """One line of what waits: how many, what, where it is, until when."""

    url: str
    count: int
    what: str
    more: str = ""
    when: str = ""
    kind: str = ""    # is-late, is-soon


class OverviewPage(Page):
    """The first page."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """What waits for this person, what is wrong, and the last two weeks in figures, each a link to its rows."""
        figures = selectors.overview(DAYS, zone=timezone.get_current_timezone())
        products = selectors.products()
        waits = waiting_for(self.user.id, may_approve=self.user.allows(Permission.APPLICATION_APPROVE))
        origin = f"{request.scheme}://{request.get_host()}"
        is_new = not figures.total and not waits.everybody.count
        context = {
            "today": timezone.localdate(),
            "waits": waits,
            "todo": todo(self.user, waits),
            "take_next": TAKE_NEXT if self.user.allows(Permission.APPLICATION_DECIDE) and waits.everybody.count else "",
            "products": products,
            "asked_for": self._asked_for(),
            "steps": first_steps(request.partner, products, origin) if is_new else [],  # type: ignore[attr-defined]
            **_troubles(products),
            "endpoints": troubled_endpoints() if self.user.allows(Permission.WEBHOOK_MANAGE) else (),
            **_figures(figures, products),
        }
        return render(request, "portal/overview.html", context)

    def _asked_for(self) -> list[selectors.RequestSummary]:
        """The promotions that wait for this person's answer."""
        if not self.user.allows(Permission.MODEL_PROMOTE):
            return []
        return [one for one in selectors.promotion_requests(state="open") if one.asked_by_id != self.user.id]


def todo(user: User, waits: WaitingFor) -> list[ToDo]:
    """What waits for this person, the most urgent first; what waits for the team for who decides nothing."""
    lines = [_line(applications(due="late"), waits.late, _("late"), _("for the whole team"))]
    if user.allows(Permission.APPLICATION_DECIDE):
        share = waits.incomplete.count
        more = ngettext("%(n)s of them looked at, incomplete", "%(n)s of them looked at, incomplete", share) % {"n": bounded(share)}
        lines.append(_line(applications(tab="mine"), waits.mine, _("assigned to me"), more if share else ""))
    if user.allows(Permission.APPLICATION_APPROVE):
        lines.append(_line(applications(tab="second"), waits.second, _("need me as the second person"), _("somebody else proposed them")))
    return [*lines, _line(applications(), waits.everybody, _("wait for the team"), _("with those above"))]


def _line(url: str, waiting: Waiting, what: str, more: str) -> ToDo:
    when = "" if waiting.next_due is None else due(waiting.next_due)
    return ToDo(url, waiting.count, what, more if waiting.count else "", when, due_state(waiting.next_due))


def _troubles(products: Sequence[selectors.ProductSummary]) -> dict[str, Any]:
    titles = {one.id: one for one in products}
    return {
        "without_model": [product for product in products if product.champion_version is None],
        "refused": selectors.refused_champions(),
        "failed": [
            (one, _where(one))
            for one in selectors.failed_jobs(timezone.now() - TROUBLED)
        ],
        "challengers": [(titles[one.product_id], one) for one in selectors.challengers() if one.product_id in titles],
    }


def _where(failed: selectors.FailedJob) -> str:
    """The page that tells more of it."""
    if failed.kind == "retraining":
        return reverse("scoring:model-retraining", args=[failed.name])
    return reverse("scoring:batch-detail", args=[failed.batch]) if failed.batch else ""


def _figures(figures: selectors.Overview, products: Sequence[selectors.ProductSummary]) -> dict[str, Any]:
    only = registry.current(products[0].slug).policy if len(products) == 1 else None
    cut_offs = (only.decline_below, only.approve_from) if only else ()
    since, rows = figures.since.date().isoformat(), reverse("scoring:decision-list")
    ranges = [(one.low, one.high, one.high + (one is figures.histogram[-1]), one.count) for one in figures.histogram]
    links = [
        (f"{rows}?since={since}&score_from={low}&score_below={below}",
         ngettext("%(n)s decision with a score from %(low)s to %(high)s", "%(n)s decisions with a score from %(low)s to %(high)s", count)
         % {"n": count, "low": low, "high": high})
        for low, high, below, count in ranges
    ]  # fmt: skip
    return {
        "figures": figures,
        "approved_share": figures.by_outcome["approve"] / figures.total if figures.total else None,
        "days": day_chart(figures.volume),
        "volume": [(one, (one.day + timedelta(days=1)).isoformat()) for one in figures.volume],
        "scores": score_chart(figures.histogram, cut_offs=cut_offs, links=links),
        "since": since,
        "by_product": [(one, figures.by_product.get(one.slug, 0)) for one in products],
        "by_rules": figures.by_answer["rules"],
    }


