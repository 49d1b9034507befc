"""Which time zone people of a country keep, from the table that comes with the zones themselves."""

import zoneinfo
from functools import cache
from pathlib import Path

# Where the table's first zone of a country is not the one that most people keep.
_MOST_KEEP = {"AU": "Australia/Sydney", "BR": "America/Sao_Paulo", "CA": "America/Toronto", "RU": "Europe/Moscow"}


def zone_of(country: str) -> str:
    """The zone that most people of this country (ISO 3166, two letters) keep; UTC where that is not known."""
    return _MOST_KEEP.get(country) or _first_zones().get(country, "UTC")


@cache
def _first_zones() -> dict[str, str]:
    """Country -> the first zone of zone.tab whose rules are installed."""
    table = next((path for folder in zoneinfo.TZPATH if (path := Path(folder) / "zone.tab").is_file()), None)
    known, found = zoneinfo.available_timezones(), dict[str, str]()
    for line in table.read_text(encoding="utf-8").splitlines() if table else ():
        country, _, zone = (*line.split("\t"), "", "")[:3]
        if zone in known:
            found.setdefault(country, zone)
    return found
