"""What was decided lately in figures, and what a model looks at most: over HTTP, from what pages show too."""

from datetime import date, datetime

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from partners.accounts.roles import Permission
from partners.api.description import described, query
from partners.api.queries import read_query, text, whole_number
from partners.api.views import ApiView, answer
from scoring import selectors
from scoring.api.products import only_product
from scoring.errors import ModelVersionUnknown


class StatisticsDay(msgspec.Struct, frozen=True):
    """Decisions of one day of UTC, by outcome."""

    day: date
    approve: int
    refer: int
    decline: int


class StatisticsRead(msgspec.Struct, frozen=True):
    """Decisions of the last days, today included, of all products together. `median_processing_ms` is of the newest thousand."""

    since: datetime
    total: int
    by_outcome: dict[str, int]
    by_band: dict[str, int]
    by_answer: dict[str, int]
    by_product: dict[str, int]
    by_day: list[StatisticsDay]
    median_processing_ms: float | None


class TopFeature(msgspec.Struct, frozen=True):
    """How much a feature, or a group of related ones, moves the log odds: the mean of its absolute contributions."""

    name: str
    label: str
    log_odds: float


class TopFeatures(msgspec.Struct, frozen=True):
    """What a version looks at, the heaviest first: at most twenty features and twenty groups, as its card has them."""

    product: str
    version: int
    features: list[TopFeature]
    groups: list[TopFeature]


class StatisticsView(ApiView):
    """The last days in figures."""

    permissions = {"GET": Permission.DECISION_READ}

    @described(
        "Count the decisions of the last days", operation="statistics_read", gives=StatisticsRead, refuses=(400,),
        parameters=(query("days", "How many days, today included; 30 when left out.", type="integer", minimum=1, maximum=366),),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """Counts by outcome, band, who answered, product and day."""
        found = selectors.overview(read_query(request, {"days": whole_number(1, 366)}).get("days", 30))
        days = [StatisticsDay(one.day, one.approve, one.refer, one.decline) for one in found.volume]
        return answer(
            StatisticsRead(
                found.since, found.total, dict(found.by_outcome), dict(found.by_band), dict(found.by_answer), dict(found.by_product), days,
                found.median_processing_ms,
            )
        )  # fmt: skip


class TopFeaturesView(ApiView):
    """What a model looks at most."""

    permissions = {"GET": Permission.MODEL_READ}

    @described(
        "List what a model looks at most", operation="top_features", gives=TopFeatures, refuses=(400, 404, 409),
        parameters=(
            query("product", "Whose model; may be left out while there is one product."),
            query("version", "The version; the one in force when left out.", type="integer", minimum=1, maximum=2**31 - 1),
        ),
        text="From the model card: 409 `card_missing` for a version that has none, 404 where no version is named and none is in force.",
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """Features and groups of features with their mean weight."""
        wanted = read_query(request, {"product": text, "version": whole_number(1, 2**31 - 1)})
        product = wanted.get("product") or only_product()
        version = wanted.get("version") or selectors.product(product).champion_version
        if version is None:
            raise ModelVersionUnknown
        told = selectors.model_card(product, version).stored.document()
        labels = {one["name"]: one["label"] for one in told["features"]}
        features = [TopFeature(name, labels[name], weight) for name, weight in told["importance"]["features"]]
        groups = [TopFeature(name, name, weight) for name, weight in told["importance"]["groups"]]
        return answer(TopFeatures(product, version, features, groups))
