"""How templates write bands, outcomes, numbers and moments."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.formats import date_format, get_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from partners.accounts.web import told as refusals
from partners.money import to_text
from portal.approvals.selectors import MOST
from portal.errors import outcome_of_code
from scoring.web import written

register = template.Library()
register.filter("state_words", written.state_words)

_BANDS = ("VERY_LOW", "LOW", "MEDIUM", "HIGH", "VERY_HIGH")
_MINUS = "\N{MINUS SIGN}"


@register.filter
def band_letter(band: str) -> str:
    """A for the least risk to E for the most."""
    return "ABCDE"[_BANDS.index(band)]


@register.filter
def band_blocks(band: str) -> list[tuple[int, str]]:
    """Five blocks of ink, as many of them on as the band is high: x and class of each."""
    return [(7 * place, "on" if place <= _BANDS.index(band) else "off") for place in range(5)]


@register.filter
def outcome_words(outcome: str) -> str:
    """What the policy says, in a person's words."""
    return {"approve": _("Approve"), "refer": _("A person decides"), "decline": _("Decline")}[outcome]


@register.filter
def outcome_title(outcome: str) -> str:
    """The same inside a sentence."""
    return {"approve": _("the policy approves"), "refer": _("a person decides"), "decline": _("the policy declines")}[outcome]


@register.filter
def outcome_state(outcome: str) -> str:
    """The class of the dot before it: colour is news, so only what is decided has one."""
    return {"approve": "is-good", "refer": "", "decline": "is-bad"}[outcome]


@register.filter
def channel_words(channel: str) -> str:
    """Where a decision was asked for."""
    words = {"api": _("by the API"), "portal": _("in the portal"), "file": _("from a file"), "batch": _("in a batch")}
    return words.get(channel, channel)


@register.filter
def made_words(outcome: str) -> str:
    """What became of applicants, over their number."""
    return {"approve": _("Approved"), "refer": _("To a person"), "decline": _("Declined")}[outcome]


@register.filter
def happened_words(kind: str) -> str:
    """How a loan turned out."""
    words = {"repaid": _("Repaid"), "late": _("Repaid late"), "defaulted": _("Defaulted"), "written_off": _("Written off")}
    return words.get(kind, kind)


@register.filter
def outcomes_kind(kind: str) -> bool:
    """Whether a batch is about outcomes."""
    return kind == "outcomes"


@register.filter
def step_words(step: str) -> str:
    """Where a batch stands."""
    words = {
        "mapping": _("Columns to match"), "checking": _("Being checked"), "checked": _("Checked, not started"),
        "refused": _("Cannot be used"), "working": _("Under way"), "done": _("Done"), "failed": _("Ended early"),
    }  # fmt: skip
    return words[step]


@register.filter
def step_state(step: str) -> str:
    """The class of the dot before it."""
    return {"done": "is-good", "refused": "is-bad", "failed": "is-bad"}.get(step, "")


@register.filter
def percent(part: float) -> str:
    """A share of 0 to 1 as a width in an image."""
    return f"{100 * part:.2f}%"


@register.filter
def kind_words(kind: str) -> str:
    """What an input is."""
    names = {"number": _("number"), "integer": _("whole number"), "category": _("one of a list"), "boolean": _("yes or no")}
    names["events"] = _("a list of events")
    return names.get(kind) or _("date")


@register.filter
def run_words(state: str) -> str:
    """Where a run of work in the background stands."""
    words = {"queued": _("waits"), "running": _("under way"), "done": _("done"), "failed": _("nothing made")}
    return words.get(state, state)


@register.filter
def request_words(state: str) -> str:
    """How a request to put a version in force ended."""
    words = {"open": _("waits for a second person"), "confirmed": _("confirmed"), "refused": _("refused"), "withdrawn": _("withdrawn")}
    return words.get(state, _("lapsed: something else was put in force"))


@register.filter
def part_words(part: str) -> str:
    """What a change of a product was about."""
    return {"model": _("the model"), "policy": _("the policy"), "rules": _("the rules"), "product": _("what it asks for")}.get(part, part)


@register.filter
def told(sentence: object) -> str:
    """What a refusal says, in the language of the page."""
    return refusals.told(str(sentence))


@register.filter
def problem_title(code: str) -> str:
    """What went wrong with a call, by the code it was answered with."""
    return _(outcome_of_code(code).title)


@register.filter
def problem_advice(code: str) -> str:
    """What to do about it."""
    return refusals.told(outcome_of_code(code).advice)


@register.filter
def share(value: float, decimals: int = 1) -> str:
    """0.118 as 11.8%, or as the language writes it."""
    return pgettext("share", "%(number)s%%") % {"number": number_format(round(value * 100, decimals), decimals)}


@register.filter
def points(value: float) -> str:
    """Points of score with their sign."""
    whole = round(value)
    return "0" if whole == 0 else f"{_MINUS}{-whole}" if whole < 0 else f"+{whole}"


@register.filter
def decimals(value: float | str | None, places: int = 3) -> str:
    """A number with so many decimals and a true minus sign; nothing where there is none."""
    return "" if value is None or isinstance(value, str) else number_format(round(value, places), places).replace("-", _MINUS)


@register.filter
def grouped(value: float) -> str:
    """A whole number with its thousands apart and a true minus sign."""
    return number_format(value, 0, use_l10n=True, force_grouping=True).replace("-", _MINUS)


@register.filter(expects_localtime=True)
def moment(value: datetime) -> str:
    """Today, 09:52, or 21 Nov 2026, 09:52."""
    return _moment(value, "H:i")


@register.filter(expects_localtime=True)
def second(value: datetime) -> str:
    """Today, 09:52:07, or 21 Nov 2026, 09:52:07."""
    return _moment(value, "H:i:s")


@register.filter(expects_localtime=True)
def thousandth(value: datetime) -> str:
    """21 Nov 2026, 09:52:07.123: where two changes of one second have to be told apart."""
    here = timezone.localtime(value)
    return f"{date_format(here, 'j M Y')}, {here:%H:%M:%S}.{here.microsecond // 1000:03}"


def _moment(value: datetime, form: str) -> str:
    here = timezone.localtime(value)
    time = date_format(here, form)
    if here.date() == timezone.localdate():
        return pgettext("moment", "Today, %(time)s") % {"time": time}
    return f"{date_format(here, pgettext('day', 'j M Y'))}, {time}"


@register.filter(expects_localtime=True)
def day(value: date) -> str:
    """21 Nov 2026."""
    return date_format(value, pgettext("day", "j M Y"))


@register.filter(expects_localtime=True)
def month(value: date) -> str:
    """Nov 2026."""
    return date_format(value, pgettext("day", "M Y"))


@register.filter
def short_day(value: date) -> str:
    """21 Nov."""
    return date_format(value, pgettext("day", "j M"))


@register.filter
def numbers(text: str) -> str:
    """A text of a product with its numbers as the language of the page writes them."""
    return refusals.localised(text)


@register.filter(expects_localtime=True)
def moment_inside(value: datetime) -> str:
    """The same inside a sentence: today, 09:52."""
    return _inside(value, "H:i")


@register.filter(expects_localtime=True)
def second_inside(value: datetime) -> str:
    """The same inside a sentence: today, 09:52:07."""
    return _inside(value, "H:i:s")


def _inside(value: datetime, form: str) -> str:
    here = timezone.localtime(value)
    if here.date() == timezone.localdate():
        return pgettext("moment", "today, %(time)s") % {"time": date_format(here, form)}
    return _moment(value, form)


@register.filter
def span(value: timedelta) -> str:
    """How long: 25 min, 3 h 10 min, 2 days."""
    minutes = max(0, round(value.total_seconds() / 60))
    if minutes < 60:
        return _("%(n)s min") % {"n": minutes}
    if minutes < 48 * 60:
        hours, left = divmod(minutes, 60)
        return _("%(h)s h %(m)s min") % {"h": hours, "m": left} if left else _("%(h)s h") % {"h": hours}
    return _("%(n)s days") % {"n": round(minutes / 24 / 60)}


@register.filter
def due(value: datetime) -> str:
    """How long until then, or how late."""
    left = value - datetime.now(UTC)
    return _("in %(span)s") % {"span": span(left)} if left > timedelta(0) else _("%(span)s late") % {"span": span(-left)}


@register.filter
def due_state(value: datetime | None) -> str:
    """The class of a due time: amber within 90 minutes, red when late."""
    left = timedelta.max if value is None else value - datetime.now(UTC)
    return "is-late" if left <= timedelta(0) else "is-soon" if left < timedelta(minutes=90) else ""


@register.filter
def due_moment(at: datetime) -> str:
    """The time of today, the day of another one: 18:53, 23 Nov."""
    here = timezone.localtime(at)
    return date_format(here, "H:i" if here.date() == timezone.localdate() else pgettext("day", "j M"))


@register.filter
def bounded(count: int) -> str:
    """A count that stopped early, as 99+."""
    return f"{MOST}+" if count > MOST else number_format(count, 0)


@register.filter
def money(minor: int, currency: str) -> str:
    """KES 120,000: decimals only where there are any."""
    whole, _point, part = to_text(minor, currency).partition(".")
    amount = number_format(int(whole), 0, use_l10n=True, force_grouping=True)
    return f"{currency}\N{NO-BREAK SPACE}{amount}" + (f"{get_format('DECIMAL_SEPARATOR')}{part}" if part.strip("0") else "")


@register.simple_tag
def icon(name: str) -> SafeString:
    """The address of an icon in the sheet."""
    return SafeString(f"/static/img/icons.svg#{name}")  # nosec B703 # names are written in our templates


@register.filter
def item(values: Mapping[object, object], name: object) -> object:
    """What a mapping has under this name, nothing where it has none."""
    return values.get(name, "")
