"""`manage.py key_stats`: what each key of a partner called, for the operator."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from partners.accounts import calls
from partners.console import PartnerCommand, Result
from partners.models import Partner


class Command(PartnerCommand):
    """`manage.py key_stats SLUG`."""

    help = "Tell how often each API key of a partner was used lately, and how its calls were answered."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=calls.SPAN_DAYS, choices=range(1, 367), metavar="DAYS", help="how many days (30)")

    def run(self, partner: Partner | None, options: dict[str, Any]) -> Result:
        """Prints one line for each key."""
        assert partner is not None
        now, (since, until) = datetime.now(UTC), calls.span(days=options["days"])
        used = calls.calls_by_key(since, until)
        limit = settings.PLAN_REQUESTS_PER_HOUR[partner.plan]
        values = {
            "partner": partner.slug, "plan": partner.plan, "requests_per_hour": limit, "since": since, "until": until,
            "keys": [
                {
                    "id": one.key.id, "name": one.key.name, "state": one.key.state(now), "last_used_at": one.key.last_used_at,
                    "calls": one.total.total, "refused": one.total.refused, "failed": one.total.failed,
                    "mean_ms": round(one.total.mean_ms, 3),
                }
                for one in used
            ],
        }  # fmt: skip
        head = f"{partner.name}: plan {partner.plan}, {limit:,} requests an hour for each key; {since} to {until} (UTC)"
        return Result(values, head, *(_line(one, now) for one in used))


def _line(one: calls.KeyCalls, now: datetime) -> str:
    total = one.total
    return f"{one.key!s:<40} {one.key.state(now):<8} {total.total:>12,} calls {total.refused:>8,} refused {total.failed:>6,} failed"
