"""`manage.py compare`: champion and challenger on the same applicants."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from partners.console import PartnerCommand, Result
from partners.models import Partner
from scoring import selectors
from scoring.models import ModelVersion, OutcomeCode
from scoring.selectors import Comparison
from scoring.services.shadow import Shadowed, shadow_since

DAYS = 30


class Command(PartnerCommand):
    """`manage.py compare SLUG PRODUCT`."""

    help = "Score past decisions by the challenger too, and show what both decided about the same applicants."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("product", metavar="PRODUCT", help="the product's slug")
        parser.add_argument("--challenger", type=int, metavar="VERSION", help="another version than the one that scores in shadow")
        parser.add_argument("--since", type=_day, metavar="DAY", help=f"since when, in UTC (since it challenges, or {DAYS} days)")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints agreement, shifts of outcomes, differences of scores and mean probabilities."""
        number = options["challenger"] or selectors.challenger_of(options["product"])
        version = selectors.model_version(options["product"], number)
        since = options["since"] or _began(version.id) or datetime.now(UTC) - timedelta(days=DAYS)
        selectors.comparison(options["product"], challenger=number, since=since)    # refuses what cannot be compared before it scores
        done = Shadowed()
        for done in shadow_since(version_id=version.id, since=since):
            self.progress(f"{done.looked_at} decisions scored by version {number}, {done.skipped} of them could not be")
        found = selectors.comparison(options["product"], challenger=number, since=since)
        return Result({**as_dict(found), "scored_now": done.looked_at - done.skipped}, *_lines(found))


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time.min, UTC)
    except ValueError as error:
        raise ArgumentTypeError("a day is written like 2026-11-21") from error


def _began(version_id: Any) -> datetime | None:
    return ModelVersion.objects.filter(id=version_id).values_list("challenged_at", flat=True).first()


def as_dict(found: Comparison) -> dict[str, Any]:
    """For --json."""
    return {
        "product": found.product, "champion": found.champion, "challenger": found.challenger, "since": found.since.isoformat(),
        "rows": found.rows, "not_scored": found.not_scored, "agreement_share": found.agreement_share,
        "shifts": {before: dict(after) for before, after in found.shifts.items()},
        "mean_probability": {"champion": found.champion_probability, "challenger": found.challenger_probability},
        "score_difference": {"mean": found.mean_gap, "mean_absolute": found.mean_absolute_gap,
                             "bins": [{"from": one.low, "below": one.high, "count": one.count} for one in found.gaps]},
    }    # fmt: skip


def _lines(found: Comparison) -> list[str]:
    champion = "the rules" if found.champion is None else f"version {found.champion}"
    if not found.rows:
        return [f"Nothing to compare: {champion} and version {found.challenger} scored no decision in common since {found.since:%Y-%m-%d}."]
    shares = found.agreement_share or 0.0
    left = f"; {found.not_scored:,} could not be scored by version {found.challenger}" if found.not_scored else ""
    words = OutcomeCode.values
    table = [f"  {'':>10}" + "".join(f"{word:>10}" for word in words)]
    table += [f"  {before:>10}" + "".join(f"{found.shifts[before][after]:>10,}" for after in words) for before in words]
    return [
        f"{champion.capitalize()} and version {found.challenger} agree on {shares:.1%} of {found.rows:,} decisions"
        f" since {found.since:%Y-%m-%d}{left}.",
        f"Outcomes, {champion} downwards, version {found.challenger} across:", *table,
        f"Mean probability: {champion} {found.champion_probability:.4f}, version {found.challenger} {found.challenger_probability:.4f}.",
        f"Its scores differ by {found.mean_gap:+.1f} points on average, {found.mean_absolute_gap:.1f} either way.",
    ]    # fmt: skip
