"""The newest decisions of some kinds: one short range of an index for each kind, so that rare ones are not looked for among all others."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from scoring.engine.policy import HIGHEST_SCORE, LOWEST_SCORE
from scoring.models import AnsweredBy, BandCode, OutcomeCode, Product
from scoring.selectors.catalogue import product_id
from scoring.selectors.filters import DecisionFilters

# Kinds by what was decided, and by score; each has an index that begins with these columns and goes on by time.
_BY_WHAT = "unnest(%(outcomes)s::text[]) o, unnest(%(bands)s::text[]) b, unnest(%(answers)s::text[]) a"
_IS_WHAT = "d.outcome = o AND d.band = b AND d.answered_by = a"
_BY_SCORE = "generate_series(%(score_from)s, %(score_below)s - 1) s"
_IS_SCORE = "d.score = s AND d.outcome = ANY(%(outcomes)s) AND d.band = ANY(%(bands)s) AND d.answered_by = ANY(%(answers)s)"
_NEWEST = """
SELECT newest.id FROM unnest(%(products)s::uuid[]) p, {kinds} CROSS JOIN LATERAL (
    SELECT d.id, d.created_at FROM scoring_decision d
    WHERE d.product_id = p AND {same} AND d.created_at >= %(since)s::timestamptz AND d.created_at < %(until)s::timestamptz{after}
    ORDER BY d.created_at DESC, d.id DESC LIMIT %(limit)s
) newest ORDER BY newest.created_at DESC, newest.id DESC LIMIT %(limit)s
"""
_AFTER = " AND (d.created_at, d.id) < (%(last_at)s, %(last_id)s)"


def newest_of_kinds(wanted: DecisionFilters, *, after: tuple[datetime, uuid.UUID] | None, limit: int) -> list[uuid.UUID]:
    """At most `limit` decisions, the newest first, that came before the place `after`. Raises ProductUnknown."""
    is_by_score = wanted.score_from is not None or wanted.score_below is not None
    kinds, same = (_BY_SCORE, _IS_SCORE) if is_by_score else (_BY_WHAT, _IS_WHAT)
    values: dict[str, Any] = {
        "products": [product_id(wanted.product)] if wanted.product else list(Product.objects.values_list("id", flat=True)),
        **_codes(wanted), "score_from": max(wanted.score_from or LOWEST_SCORE, LOWEST_SCORE), "limit": limit,
        "score_below": min(wanted.score_below or HIGHEST_SCORE + 1, HIGHEST_SCORE + 1),
        "since": wanted.since or "-infinity", "until": wanted.until or "infinity",
    }  # fmt: skip
    if after is not None:
        values |= {"last_at": after[0], "last_id": after[1]}
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST.format(kinds=kinds, same=same, after=_AFTER if after else ""), values)
        return [row[0] for row in cursor.fetchall()]


def _codes(wanted: DecisionFilters) -> Mapping[str, list[str]]:
    told = {"outcomes": (wanted.outcome, OutcomeCode), "bands": (wanted.band, BandCode), "answers": (wanted.answered_by, AnsweredBy)}
    return {name: [one] if one else list(every.values) for name, (one, every) in told.items()}
