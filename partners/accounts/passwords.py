"""Passwords: what may be one, and who may try how often."""

import ipaddress
import string
from datetime import timedelta
from functools import cache

from django.contrib.auth.password_validation import CommonPasswordValidator, validate_password
from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from partners.accounts.errors import PasswordRefused
from partners.accounts.models import LoginAttempt, User

LONGEST = 1_000    # characters; more would only make the hash expensive
FEWEST_DIFFERENT = 5
WINDOW = timedelta(minutes=15)
FAILURES_PER_EMAIL = 10
FAILURES_PER_ADDRESS = 100
GUESSES_OF_CODES = 5
RESETS_PER_EMAIL, RESETS_PER_ADDRESS = 3, 30
_LETTERS_FOR_SIGNS = str.maketrans("0134578@$!", "oleastbasi")
_AT_THE_ENDS = string.digits + string.punctuation + " "
_OF_ADDRESSES = ("address", "resets")
_ADDED_AT_MOST = 6    # signs around a common word, such as a year and a mark


def check_password_choice(password: str, user: User, *, field: str = "password") -> None:
    """Raises PasswordRefused with every reason at once, about the `field` that the password was given as."""
    if len(password) > LONGEST:
        raise PasswordRefused(fields={field: f"A password has at most {LONGEST} characters."})
    if len(set(password)) < FEWEST_DIFFERENT:
        raise PasswordRefused(fields={field: f"A password needs at least {FEWEST_DIFFERENT} different characters."})
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(fields={field: " ".join(error.messages)}) from error
    if _is_common(password):
        raise PasswordRefused(fields={field: "This password is one of those that are guessed first, or nearly: choose another."})


def _is_common(password: str) -> bool:
    """Whether guessing begins there: one of Django's 20,000 most common ones as it is, with signs for letters, twice, or with a year or
    mark around it."""
    known, small = _common(), password.lower()
    bare = small.strip(_AT_THE_ENDS)
    variants = {small, small.translate(_LETTERS_FOR_SIGNS), small[: len(small) // 2] if small[: len(small) // 2] * 2 == small else small}
    if len(small) - len(bare) <= _ADDED_AT_MOST:
        variants |= {bare, small.rstrip(_AT_THE_ENDS).translate(_LETTERS_FOR_SIGNS)}
    return any(len(one) >= FEWEST_DIFFERENT and one in known for one in variants)


@cache
def _common() -> frozenset[str]:
    return frozenset({*CommonPasswordValidator().passwords, "vouch", "vouchvouch"})


def is_locked(email: str, address: str) -> bool:
    """Whether this e-mail address or network address has failed too often in the last 15 minutes."""
    return _times("email", email) >= FAILURES_PER_EMAIL or is_address_locked(address)


def is_address_locked(address: str) -> bool:
    """Whether this network address has, for whomever."""
    return _times("address", address) >= FAILURES_PER_ADDRESS


def note_failure(email: str, address: str) -> None:
    """One more failure counts against both; a count older than 15 minutes begins anew."""
    _count("email", email)
    _count("address", address)


def guesses_left(user: User) -> int:
    """How many wrong codes are still heard before a wait of 15 minutes."""
    return max(0, GUESSES_OF_CODES - _times("code", str(user.id)))


def note_guess(user: User, address: str) -> None:
    """One more wrong code counts against the person and the network address."""
    _count("code", str(user.id))
    _count("address", address)


def may_ask_reset(email: str, address: str) -> bool:
    """Whether another mail may be asked for; asking counts."""
    _count("reset", email)
    _count("resets", address)
    return _times("reset", email) <= RESETS_PER_EMAIL and _times("resets", address) <= RESETS_PER_ADDRESS


def forget_failures(user: User) -> None:
    """Whoever signed in begins anew; the network address keeps its own count."""
    LoginAttempt.objects.filter(subject__in=[_subject("email", user.email), _subject("code", str(user.id))]).delete()


def forget_old_failures() -> None:
    """What does not count any more is gone."""
    LoginAttempt.objects.filter(began_at__lte=timezone.now() - WINDOW).delete()


def _times(kind: str, value: str) -> int:
    found = LoginAttempt.objects.filter(subject=_subject(kind, value), began_at__gt=timezone.now() - WINDOW)
    return found.values_list("failures", flat=True).first() or 0


def _count(kind: str, value: str) -> None:
    now, subject = timezone.now(), _subject(kind, value)
    LoginAttempt.objects.filter(subject=subject, began_at__lte=now - WINDOW).delete()
    _, is_new = LoginAttempt.objects.get_or_create(subject=subject, defaults={"failures": 1, "began_at": now})
    if not is_new:
        LoginAttempt.objects.filter(subject=subject).update(failures=F("failures") + 1)


def _network(address: str) -> str:
    """Who counts as one caller: an IPv4 address; of IPv6 the /64 that a single machine has all of."""
    try:
        seen = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((seen, 64), strict=False)) if seen.version == 6 else address


def _subject(kind: str, value: str) -> bytes:
    value = _network(value) if kind in _OF_ADDRESSES else value
    return salted_hmac("partners.accounts.passwords", f"{kind}:{value.strip().lower()}", algorithm="sha256").digest()
