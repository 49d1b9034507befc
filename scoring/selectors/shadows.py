"""Champion and challenger on the same applicants, counted by the database."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, ExpressionWrapper, F, IntegerField, OuterRef, Q, Sum
from django.db.models.functions import Abs, Cast, Floor, Greatest, Least

from scoring.errors import NoChallenger, ProductUnknown, VersionInForce
from scoring.models import Decision, ModelVersion, OutcomeCode, Product, Shadow
from scoring.selectors.catalogue import model_version

LATE = timedelta(minutes=5)    # a decision is committed this much after it was made, at most
GAP_WIDTH, GAP_BINS = 10, 10    # points per bin, and bins on each side of the middle one


@dataclass(frozen=True, slots=True)
class GapBin:
    """How many scores the challenger gave that differ by `low` to below `high` points; the first and last bin hold all beyond too."""

    low: int
    high: int
    count: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Champion and challenger on the same decisions. `champion` None: the rules. Means are None without a decision that both scored."""

    product: str
    champion: int | None
    challenger: int
    since: datetime
    rows: int
    not_scored: int
    agreeing: int
    shifts: Mapping[str, Mapping[str, int]]    # the champion's outcome, then the challenger's
    champion_probability: float | None
    challenger_probability: float | None
    mean_gap: float | None
    mean_absolute_gap: float | None
    gaps: tuple[GapBin, ...]

    @property
    def agreement_share(self) -> float | None:
        """The share of decisions with the same outcome."""
        return self.agreeing / self.rows if self.rows else None


def challengers() -> list[ModelVersion]:
    """The versions that score in shadow, without their bundles."""
    return list(ModelVersion.objects.defer("bundle", "metrics").filter(state=ModelVersion.State.CHALLENGER))


def unsettled_since(version: ModelVersion) -> datetime:
    """From where a challenger may still have something to score: a decision may be committed later than another made after it."""
    began = version.challenged_at or version.trained_at
    return max(began, (version.shadowed_until or began) - LATE)


def has_outstanding(version: ModelVersion, now: datetime) -> bool:
    """Whether the challenger has something to score. What it could not score is looked at again for a few minutes only."""
    until = version.shadowed_until or now
    made = Decision.objects.filter(product=version.product_id).exclude(model_version=version.id)
    if made.filter(created_at__gt=until).exists():
        return True
    scored = Shadow.objects.filter(decision=OuterRef("id"), version=version.id)
    return until > now - 2 * LATE and made.filter(~Exists(scored), created_at__gte=unsettled_since(version)).exists()


def challenger_of(product_slug: str) -> int:
    """The version that scores in shadow. Raises ProductUnknown, NoChallenger."""
    if not Product.objects.filter(slug=product_slug).exists():
        raise ProductUnknown(f"There is no product {product_slug!r}.")
    found = ModelVersion.objects.filter(product__slug=product_slug, state=ModelVersion.State.CHALLENGER).values_list("version", flat=True)
    number = found.first()
    if number is None:
        raise NoChallenger(f"No version of '{product_slug}' scores in shadow.")
    return number


def challenged_versions(product_slug: str) -> list[int]:
    """The versions that scored in shadow once, or do now, newest first, without the one in force: what can be compared with it."""
    scored = Shadow.objects.filter(version=OuterRef("id"))
    found = ModelVersion.objects.filter(Q(challenged_at__isnull=False) | Exists(scored), product__slug=product_slug)
    return list(found.exclude(state=ModelVersion.State.CHAMPION).order_by("-version").values_list("version", flat=True))


def comparison(product_slug: str, *, challenger: int, since: datetime) -> Comparison:
    """What both decided about the same applicants since then, by one pass over what was scored in shadow.

    Raises ProductUnknown, ModelVersionUnknown, and VersionInForce for the champion itself."""
    version = model_version(product_slug, challenger)
    product = Product.objects.only("id", "champion").get(slug=product_slug)
    if product.champion_id == version.id:
        raise VersionInForce(f"Version {challenger} of '{product_slug}' is in force itself: compare another one with it.")
    champion = None
    if product.champion_id is not None:
        champion = ModelVersion.objects.values_list("version", flat=True).get(id=product.champion_id)
    gap = ExpressionWrapper(F("score") - F("decision__score"), output_field=IntegerField())
    at = Least(Greatest(Floor(Cast(gap + GAP_WIDTH // 2, IntegerField()) / float(GAP_WIDTH)), -float(GAP_BINS)), float(GAP_BINS))
    decided = Decision.objects.filter(product=product.id, created_at__gte=since, model_version=product.champion_id)
    groups = (
        Shadow.objects.filter(version=version.id, decided_at__gte=since, decision__model_version=product.champion_id)
        .values_list("decision__outcome", "outcome", Cast(at, IntegerField()))
        .annotate(count=Count("id"), champions=Sum("decision__probability"), challengers=Sum("probability"), gap=Sum(gap),
                  absolute=Sum(Abs(gap)))
        .order_by()
    )    # fmt: skip
    shifts = {one: dict.fromkeys(OutcomeCode.values, 0) for one in OutcomeCode.values}
    bins, sums = Counter[int](), [0.0, 0.0, 0.0, 0.0]
    for before, after, place, count, *summed in groups:
        shifts[before][after] += count
        bins[place] += count
        sums = [total + float(more) for total, more in zip(sums, summed, strict=True)]
    rows = bins.total()
    means = [total / rows if rows else None for total in sums]
    half = GAP_WIDTH // 2
    return Comparison(
        product=product_slug,
        champion=champion,
        challenger=challenger,
        since=since,
        rows=rows,
        not_scored=max(0, decided.count() - rows),
        agreeing=sum(shifts[one][one] for one in OutcomeCode.values),
        shifts=shifts,
        champion_probability=means[0],
        challenger_probability=means[1],
        mean_gap=means[2],
        mean_absolute_gap=means[3],
        gaps=tuple(
            GapBin(place * GAP_WIDTH - half, (place + 1) * GAP_WIDTH - half, bins[place]) for place in range(-GAP_BINS, GAP_BINS + 1)
        ),
    )
