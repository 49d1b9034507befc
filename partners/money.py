"""Money: whole numbers of a currency's smallest unit inside, text with the currency's own number of decimals outside."""

import re

from partners.codes import CURRENCIES
from partners.errors import MoneyRefused

_NONE = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())  # noqa: SIM905 - as ISO 4217 lists them
_THREE = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905
_WRITTEN = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?", re.ASCII)


def decimals(currency: str) -> int:
    """How many decimals the currency has (ISO 4217)."""
    return 0 if currency in _NONE else 3 if currency in _THREE else 2


def to_minor(amount: str, currency: str) -> int:
    """The amount in the currency's smallest unit. Raises MoneyRefused for what is not above zero or has more decimals than there are."""
    if currency not in CURRENCIES:
        raise MoneyRefused(fields={"currency": f"{currency!r} is not a currency: send its three letters, such as KES."})
    found, places = _WRITTEN.fullmatch(amount), decimals(currency)
    if found is None:
        raise MoneyRefused(fields={"amount": "Send the amount as text, such as 1500.00, with at most 15 digits before the point."})
    whole, part = found[1], (found[2] or "").rstrip("0")
    if len(part) > places:
        raise MoneyRefused(fields={"amount": f"{currency} has {places} decimals: round the amount."})
    minor = int(whole + part.ljust(places, "0"))
    if minor == 0:
        raise MoneyRefused(fields={"amount": "The amount must be above zero."})
    return minor


def to_text(minor: int, currency: str) -> str:
    """The amount with the currency's decimals: 150000 KES is 1500.00."""
    places = decimals(currency)
    whole, part = divmod(minor, 10**places)
    return f"{whole}.{part:0{places}d}" if places else str(whole)
