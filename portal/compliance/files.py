"""The report as files: CSV with one figure a line, JSON, and a PDF/A."""

import csv
import io
from dataclasses import asdict

import msgspec
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from audit.privacy.models import RequestKind
from portal.compliance.report import Report, Row
from portal.papers import Paper, Sheet, paper_pdf

TITLES = {
    "decisions": gettext_lazy("Decisions by product"), "applications": gettext_lazy("Applications, as they stand now"),
    "reasons": gettext_lazy("Reasons of declines and referrals"), "people": gettext_lazy("Why people decided as they did"),
    "models": gettext_lazy("Models and policies in force"), "notices": gettext_lazy("Letters to those who were declined"),
    "privacy": gettext_lazy("Applicants' rights"), "retention": gettext_lazy("Retention"), "record": gettext_lazy("The record"),
    "findings": gettext_lazy("Open findings"),
}  # fmt: skip
WORDS = {
    "decisions": gettext_lazy("decisions"), "by_rules": gettext_lazy("by rules alone"), "approve": gettext_lazy("approved"),
    "refer": gettext_lazy("to a person"), "decline": gettext_lazy("declined"), "received": gettext_lazy("received"),
    "by_people": gettext_lazy("decided by people"), "overrides": gettext_lazy("against the model"), "times": gettext_lazy("times"),
    "of": gettext_lazy("of"), "counter_offer": gettext_lazy("other offer"), "model_version": gettext_lazy("model"),
    "policy_version": gettext_lazy("policy"), "on_time": gettext_lazy("on time"), "late": gettext_lazy("late"),
    "not_due_yet": gettext_lazy("not due yet"), "overdue": gettext_lazy("overdue"), "records": gettext_lazy("records"),
    "events": gettext_lazy("events"), "left_out": gettext_lazy("not opened: erased, or beyond the newest 5,000"),
    "in_force_from": gettext_lazy("in force from"), "in_force_until": gettext_lazy("until"), "done": gettext_lazy("done"),
    "refused": gettext_lazy("refused"), "verification": gettext_lazy("last check of the whole record"),
    "verified_at": gettext_lazy("it ended"), "verified_events": gettext_lazy("events that it checked"),
    "verified_of_period": gettext_lazy("of them of this period"), "problem": gettext_lazy("what it found"),
    "tree_size": gettext_lazy("size of the tree"), "root": gettext_lazy("root of the tree"), "new": gettext_lazy("new"),
    "in_review": gettext_lazy("in review"), "needs_information": gettext_lazy("needs information"), "approved": gettext_lazy("approved"),
    "declined": gettext_lazy("declined"), "counter_offered": gettext_lazy("counter-offered"), "withdrawn": gettext_lazy("withdrawn"),
    "expired": gettext_lazy("expired"),
}  # fmt: skip

ITEMS = {
    "all": gettext_lazy("All"), "events": gettext_lazy("events"), "legal_holds": gettext_lazy("Legal holds that stand"),
    "notices_overdue": gettext_lazy("Letters overdue"), "events_not_sealed": gettext_lazy("Events not in the tree after five minutes"),
    "requests_overdue": gettext_lazy("Applicants' requests overdue"), "alerts_open": gettext_lazy("Alerts that nobody has closed"),
    "record_not_in_order": gettext_lazy("The last check found the record not in order"),
    "events_not_verified": gettext_lazy("Events of the period that no check of the whole record has reached yet"),
    "jobs_failed": gettext_lazy("Jobs that failed"),
    "runs_proposed": gettext_lazy("Runs of retention that wait for a second person"),
    "lifts_asked": gettext_lazy("Legal holds that somebody asks to lift"), **dict(RequestKind.choices),
}  # fmt: skip
VALUES = {"in_order": gettext_lazy("in order"), "not_in_order": gettext_lazy("not in order"), "none": gettext_lazy("none yet"),
          "rules": gettext_lazy("rules")}  # fmt: skip


def as_csv(report: Report) -> bytes:
    """section, item, figure, value: one figure a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["section", "item", "figure", "value"])
    for name, rows in report.sections.items():
        for row in rows:
            writer.writerows([name, _harmless(row.item), figure, value] for figure, value in row.figures.items())
    return text.getvalue().encode()


def _harmless(text: str) -> str:
    """The text, which no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def as_json(report: Report) -> bytes:
    """The same, by section."""
    return msgspec.json.encode(asdict(report))


def sheets(report: Report) -> list[Sheet]:
    """The sections as tables: what one has to read, in the language of who reads."""
    return [_sheet(str(TITLES[name]), rows) for name, rows in report.sections.items()]


def _sheet(title: str, rows: list[Row]) -> Sheet:
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    if len(rows) == 1 and len(names) > 6:    # one thing with many figures reads better downwards
        return Sheet(title, ["", ""], [[str(WORDS[name]), _cell(rows[0], name)] for name in names])
    cells = [[str(ITEMS.get(row.item, row.item)), *(_cell(row, name) for name in names)] for row in rows]
    return Sheet(title, ["", *(str(WORDS[name]) for name in names)], cells)


def _cell(row: Row, name: str) -> str:
    value = row.figures.get(name, "")
    return str(VALUES.get(value, value)) if isinstance(value, str) else str(value)


def as_pdf(report: Report, partner: str) -> bytes:
    """A PDF/A that can be read aloud."""
    days = _("%(first)s to %(last)s") % {"first": report.period.first, "last": report.period.last}
    made = _("Made on %(at)s by %(who)s.") % {"at": report.made_at.strftime("%Y-%m-%d %H:%M UTC"), "who": report.made_by}
    title = _("Compliance report of %(partner)s") % {"partner": partner}
    return paper_pdf(Paper(title, [days, made], sheets(report), _("None."), (get_language() or "en")[:2], report.made_at))
