"""Who asked for how much: decisions by API key and day."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.db.models import Count
from django.db.models.functions import TruncDate

from partners.accounts import selectors as accounts
from partners.accounts.models import ApiKey
from scoring.models import Decision


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """How many decisions one key asked for; `by_day` holds days of UTC that had any, oldest first."""

    key: ApiKey
    by_day: Sequence[tuple[date, int]]

    @property
    def decisions(self) -> int:
        return sum(count for _, count in self.by_day)


def usage_by_key(since: datetime, until: datetime) -> list[KeyUsage]:
    """The decisions from `since` to before `until`, by key, newest key first; revoked keys only where they asked for some."""
    made = Decision.objects.filter(created_at__gte=since, created_at__lt=until, actor_kind="api_key").order_by()
    days = made.values_list("actor_id", TruncDate("created_at", tzinfo=UTC)).annotate(decisions=Count("id"))
    counted: defaultdict[str, list[tuple[date, int]]] = defaultdict(list)
    for key_id, day, count in days:
        counted[key_id].append((day, count))
    used = [KeyUsage(key, tuple(sorted(counted[str(key.id)]))) for key in accounts.api_keys()]
    return [one for one in used if one.decisions or one.key.revoked_at is None]
