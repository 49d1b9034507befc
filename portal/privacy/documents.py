"""An applicant's copy and a certificate as files people can read: parts with headings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from audit.models import PrivacyRequest, PrivacyStep
from audit.privacy.models import RequestKind, RequestState
from portal.approvals.transitions import State
from scoring.typesetting import typeset


@dataclass(frozen=True, slots=True)
class Part:
    """A heading with sentences, names with values, and points."""

    title: str
    text: Sequence[str] = ()
    rows: Sequence[tuple[str, str]] = ()
    points: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What the template sets."""

    title: str
    lead: str
    language: str
    foot: str
    page: str
    parts: Sequence[Part] = field(default_factory=list)


def pdf_of(document: Document) -> bytes:
    """The file, PDF/UA-1 where our fonts have every sign."""
    return typeset("privacy/document.typ", given={"document": json.dumps(asdict(document))})


def copy_document(copy: Mapping[str, Any], request: PrivacyRequest, partner: str) -> Document:
    """The copy in the applicant's language: who they are to the partner, every decision and how it came about."""
    with override(request.language):
        details = copy["applicant"]
        parts = [
            Part(_("What is known of you"), rows=[(name, _told(details[key])) for key, name in _names().items() if details.get(key)]),
            Part(_("What you allowed"), points=[
                f"{one['about']}: {_('allowed') if one['is_given'] else _('taken back')}, {_day(one['at'])}, {one['how']}"
                for one in copy["consents"]
            ] or [_("Nothing is recorded.")]),
        ]    # fmt: skip
        for one in copy["decisions"]:
            parts += _decision(one)
        parts += [_application(one) for one in copy.get("applications", ())]
        lead = _("Everything that %(partner)s holds about you, as of %(day)s.") % {"partner": partner, "day": _day(copy["made_on"])}
        return _document(_("Your data"), lead, request, partner, parts)


def certificate_document(request: PrivacyRequest, partner: str) -> Document:
    """What was done about the request, step by step, and the signature."""
    assert request.certificate is not None
    said = request.certificate["certificate"]
    with override(request.language):
        rows = [
            (_("Request"), f"{said['request']}: {RequestKind(said['kind']).label}"), (_("Received"), _day(said["received_on"])),
            (_("Due"), _day(said["due_on"])), (_("Answered"), _day(said["closed_at"])),
            (_("Outcome"), str(RequestState(said["outcome"]).label)), (_("Applicant"), said["applicant_id"]),
        ]  # fmt: skip
        if said["because"]:
            rows.append((_("Because"), said["because"]))
        steps = [(str(PrivacyStep.Name(one["name"]).label), f"{_day(one['at'])}  {_evidence(one['evidence'])}") for one in said["steps"]]
        signed = [(_("Key"), request.certificate["key_id"]), (_("Signature"), request.certificate["signature"])]
        parts = [
            Part(_("The request"), rows=rows), Part(_("What was done"), rows=steps),
            Part(_("How to check it"), [_("The JSON form of this is signed with Ed25519; the partner publishes its keys.")], signed),
        ]  # fmt: skip
        return _document(_("Certificate"), _("This names nobody: the applicant stands for a keyed number."), request, partner, parts)


def _document(title: str, lead: str, request: PrivacyRequest, partner: str, parts: list[Part]) -> Document:
    foot = f"{partner} · {_('request %(number)s') % {'number': request.number}}"
    return Document(title, lead, request.language, foot, _("page"), parts)


def _decision(one: Mapping[str, Any]) -> list[Part]:
    title = _("Decision of %(day)s: %(product)s") % {"day": _day(one["made_at"]), "product": one["product"]}
    rows = [(_("Outcome"), one["outcome"]), (_("Score"), str(one["score"]))]
    if "cannot_be_told" in one:
        return [Part(title, [_("It cannot be told: what was stored does not match the record.")], rows)]
    logic = one["logic"]
    factors = [(factor["label"], _("%(points)s points") % {"points": f"{factor['points']:+d}"}) for factor in logic["factors"]]
    return [
        Part(title, rows=rows, points=one["reasons"]),
        Part(_("What you told"), rows=[(told["label"], _told(told["value"])) for told in one["inputs"]]),
        Part(_("How it was decided"), logic["how"], factors),
        *([Part(_("What would have changed it"), points=one["what_would_change_it"])] if one["what_would_change_it"] else []),
    ]


def _application(one: Mapping[str, Any]) -> Part:
    written = [str(note["text"]) for note in one["notes"]] + [str(review["note"]) for review in one["reviews"] if review["note"]]
    rows = [
        (_("Asked on"), _day(one["asked_at"])), (_("Amount"), f"{one['currency']} {one['amount']}"),
        (_("State"), str(State(one["state"]).label)), (_("Files"), ", ".join(file["name"] for file in one["files"])),
    ]  # fmt: skip
    return Part(_("Application %(number)s") % {"number": one["number"]}, rows=[row for row in rows if row[1]], points=written)


def _names() -> dict[str, str]:
    return {
        "reference": _("Reference"), "name": _("Name"), "phone": _("Telephone"), "national_id": _("National id"), "birth_date": _("Born"),
        "known_since": _("Known since"),
    }  # fmt: skip


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None:
        return _("not told")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and "T" in value and value.endswith("Z"):
        return _day(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _day(text: str) -> str:
    moment = datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
    return date_format(timezone.localtime(moment) if isinstance(moment, datetime) else moment, "j F Y")


def _evidence(found: Mapping[str, Any]) -> str:
    texts = {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in found.items()}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in texts.items())
