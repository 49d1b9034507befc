"""Champion and another version on the same applicants, over HTTP."""

from datetime import UTC, datetime, timedelta

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.description import described, path, query
from partners.api.queries import moment, read_query, text
from partners.api.views import ApiView, answer
from scoring import selectors
from scoring.api.products import only_product
from scoring.errors import ModelVersionUnknown
from scoring.selectors import Comparison

_SPAN = timedelta(days=30)


class ComparedGap(msgspec.Struct, frozen=True, rename={"low": "from", "high": "below"}):
    """How many scores the version gave that differ by `from` to below `below` points; the first and last hold all beyond too."""

    low: int
    high: int
    count: int


class ModelCompared(msgspec.Struct, frozen=True):
    """What a version and the champion decided about the same applicants. `champion` null: the rules answered. `shifts`: the champion's
    outcome, then the version's, in decisions. Shares, probabilities and differences are null without a decision that both scored."""

    product: str
    champion: int | None
    version: int
    since: datetime
    rows: int
    not_scored: int
    agreement_share: float | None
    shifts: dict[str, dict[str, int]]
    champion_mean_probability: float | None
    mean_probability: float | None
    mean_score_difference: float | None
    mean_absolute_score_difference: float | None
    score_differences: list[ComparedGap]


class ModelCompareView(ApiView):
    """One version against the champion."""

    permissions = {"GET": Permission.MODEL_READ}

    @described(
        "Compare a model version with the champion", operation="model_compare", gives=ModelCompared, refuses=(400, 404, 409),
        parameters=(
            path("version", "The version of the product's model that scored in shadow.", type="integer", minimum=1),
            query("product", "Whose version; may be left out while there is one product."),
            query("since", "Since when; when left out, since it scores in shadow, or 30 days.", type="string", format="date-time"),
        ),
        text="Counts what was scored in shadow and scores nothing itself: `manage.py compare` scores what is missing.",
    )  # fmt: skip
    def get(self, request: Request, version: int) -> HttpResponse:
        """Agreement, shifts of outcomes, differences of scores."""
        wanted = read_query(request, {"product": text, "since": moment})
        product = wanted.get("product") or only_product()
        if version > 2**31 - 1:
            raise ModelVersionUnknown
        began = selectors.model_version(product, version).challenged_at or datetime.now(UTC) - _SPAN
        return answer(_read(selectors.comparison(product, challenger=version, since=wanted.get("since") or began)))


def _read(found: Comparison) -> ModelCompared:
    return ModelCompared(
        product=found.product, champion=found.champion, version=found.challenger, since=found.since, rows=found.rows,
        not_scored=found.not_scored, agreement_share=found.agreement_share,
        shifts={before: dict(after) for before, after in found.shifts.items()},
        champion_mean_probability=found.champion_probability, mean_probability=found.challenger_probability,
        mean_score_difference=found.mean_gap, mean_absolute_score_difference=found.mean_absolute_gap,
        score_differences=[ComparedGap(one.low, one.high, one.count) for one in found.gaps],
    )  # fmt: skip
