"""The executive summary: month by month, how many applied, who decided, how fast, how much money, and whether the model was right."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext

from partners.accounts.roles import Permission
from partners.accounts.web.access import Page
from portal.approvals.selectors import Month, last_months, months_of_applications
from portal.templatetags.vouch import grouped, money, share
from portal.web.charts import COLUMNS, FLOOR, TOP, Line, nice_ceiling
from scoring.web.charts import Bar

CHOICES = (3, 6, 12)    # months


@dataclass(frozen=True, slots=True)
class MonthColumn:
    """One month of the picture: its bars and its name."""

    middle: str
    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class MonthChart:
    """Months side by side, each stacked."""

    columns: tuple[MonthColumn, ...]
    lines: tuple[Line, ...]
    height: int = 170


class SummaryPage(Page):
    """/summary: for whoever answers for the business."""

    permission = Permission.DECISION_READ

    def get(self, request: HttpRequest) -> HttpResponse:
        """The last months, the newest last."""
        asked = request.GET.get("months", "")
        wanted = int(asked) if asked in {str(one) for one in CHOICES} else 6
        counted = months_of_applications(last_months(wanted, timezone.get_current_timezone()))
        months = [month for month, _at in counted]
        there = [one for one in months if one.received]
        shown = months[months.index(there[0]) :] if there else []    # before the first application there is nothing to tell
        context = {
            "months": months, "shown": shown, "newest": there[-1] if there else None, "wanted": wanted, "choices": CHOICES,
            "chart": stacked(months), "ratio": shares([one.approval_ratio for one in months], months), "money": _money(there),
            "asked_wrongly": bool(asked) and str(wanted) != asked, "now": min(at for _month, at in counted[-2:]),
            "is_known": any(one.known_outcomes for one in months),
        }  # fmt: skip
        return render(request, "portal/summary.html", context, status=422 if context["asked_wrongly"] else 200)


def stacked(months: Sequence[Month]) -> MonthChart:
    """Applications by month: approved at the bottom, then declined, then whatever else they are."""
    ceiling = nice_ceiling(max((one.received for one in months), default=0))
    pixels = (FLOOR - TOP) / ceiling
    columns = []
    for place, month in enumerate(months):
        bars, low = [], float(FLOOR)
        parts = ((month.approved, "c-accent"), (month.declined, "c-quiet"), (month.received - month.approved - month.declined, "c-mid"))
        for count, kind in parts:
            tall = count * pixels
            if count:
                bars.append(_bar(place, len(months), low - tall, tall, kind))
            low -= tall
        columns.append(_column(place, months, tuple(bars)))
    lines = tuple(_line(value / ceiling, grouped(value)) for value in (ceiling // 2, ceiling))
    return MonthChart(tuple(columns), lines)


def shares(values: Sequence[float | None], months: Sequence[Month]) -> MonthChart:
    """A share of each month, from nothing to all; none where there is none."""
    columns = []
    for place, value in enumerate(values):
        tall = (value or 0.0) * (FLOOR - TOP)
        bars = () if value is None else (_bar(place, len(months), FLOOR - tall, tall, "c-accent"),)
        columns.append(_column(place, months, bars))
    return MonthChart(tuple(columns), tuple(_line(one, share(one, 0)) for one in (0.5, 1.0)))


def _bar(place: int, of: int, top: float, tall: float, kind: str) -> Bar:
    step = COLUMNS / of
    return Bar(f"{place * step + step * 0.14:.3f}%", f"{step * 0.6:.3f}%", f"{top:.1f}", f"{max(tall - 1, 0.5):.1f}", kind)


def _column(place: int, months: Sequence[Month], bars: tuple[Bar, ...]) -> MonthColumn:
    step = COLUMNS / len(months)
    title = date_format(timezone.localtime(months[place].since), pgettext("format of a month in a picture", "M"))
    return MonthColumn(f"{place * step + step * 0.44:.3f}%", title, bars)


def _line(part: float, text: str) -> Line:
    y = FLOOR - part * (FLOOR - TOP)
    return Line(f"{y:.1f}", f"{y - 4:.1f}", text)


def _money(months: Sequence[Month]) -> list[tuple[str, list[tuple[Month, str, str]]]]:
    """By currency: month, asked for, granted."""
    found: dict[str, list[tuple[Month, str, str]]] = {}
    for month in months:
        for one in month.money:
            row = (month, money(one.asked_minor, one.currency), money(one.granted_minor, one.currency))
            found.setdefault(one.currency, []).append(row)
    return sorted(found.items())
