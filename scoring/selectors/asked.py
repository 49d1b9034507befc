"""What somebody asks of the list of decisions, written as texts in an address: read, or refused in one sentence."""

import uuid
from collections.abc import Container, Mapping
from datetime import date, datetime, time

from django.utils import timezone
from django.utils.translation import gettext as _

from scoring.errors import FilterRefused
from scoring.models import AnsweredBy, BandCode, OutcomeCode
from scoring.selectors.catalogue import products
from scoring.selectors.filters import DecisionFilters

FILTERS = ("reference", "product", "outcome", "band", "answered_by", "since", "until", "score_from", "score_below", "batch")


def filters_of(wanted: Mapping[str, str]) -> DecisionFilters:
    """What the address asks for, in the person's time zone. Raises FilterRefused."""
    known: tuple[tuple[str, Container[str], str], ...] = (
        ("product", {one.slug for one in products()} if "product" in wanted else (), _("There is no such product.")),
        ("band", BandCode.values, _("There is no such band; they are A to E.")),
        ("outcome", OutcomeCode.values, _("There is no such outcome.")),
        ("answered_by", AnsweredBy.values, _("Either a model answered or the rules.")),
    )
    for name, choices, refusal in known:
        if name in wanted and wanted[name] not in choices:
            raise FilterRefused(refusal)
    return DecisionFilters(
        product=wanted.get("product"), outcome=wanted.get("outcome"), band=wanted.get("band"), answered_by=wanted.get("answered_by"),
        reference=wanted.get("reference"), since=day_of(wanted.get("since")), until=day_of(wanted.get("until")),
        score_from=_score(wanted.get("score_from")), score_below=_score(wanted.get("score_below")), batch=_batch(wanted.get("batch")),
    )  # fmt: skip


def _batch(text: str | None) -> uuid.UUID | None:
    """The id of a batch. Raises FilterRefused."""
    try:
        return uuid.UUID(text) if text else None
    except ValueError as error:
        raise FilterRefused(_("There is no such batch.")) from error


def _score(text: str | None) -> int | None:
    """A score. Raises FilterRefused."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise FilterRefused(_("A score is written like 620; scores run from 300 to 850."))
    return int(text)


def day_of(text: str | None) -> datetime | None:
    """The beginning of a day in the person's time zone. Raises FilterRefused."""
    try:
        return timezone.make_aware(datetime.combine(date.fromisoformat(text), time.min)) if text else None
    except (ValueError, OverflowError) as error:
        raise FilterRefused(_("A day is written like 2026-11-21.")) from error
