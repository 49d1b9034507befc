"""Passwords: what may be one, and who may try how often."""

from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import F, Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from partners.accounts.errors import PasswordRefused
from partners.accounts.models import LoginAttempt, User

LONGEST = 1_000    # characters; more would only make the hash expensive
FEWEST_DIFFERENT = 5
WINDOW = timedelta(minutes=15)
FAILURES_PER_EMAIL = 10
FAILURES_PER_ADDRESS = 100


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


def is_locked(email: str, address: str) -> bool:
    """Whether this e-mail address or network address has failed too often in the last 15 minutes."""
    return LoginAttempt.objects.filter(
        Q(subject=_subject("email", email), failures__gte=FAILURES_PER_EMAIL)
        | Q(subject=_subject("address", address), failures__gte=FAILURES_PER_ADDRESS),
        began_at__gt=timezone.now() - WINDOW,
    ).exists()


def note_failure(email: str, address: str) -> None:
    """One more failure counts against both; a count older than 15 minutes begins anew."""
    now = timezone.now()
    for subject in (_subject("email", email), _subject("address", address)):
        LoginAttempt.objects.filter(subject=subject, began_at__lte=now - WINDOW).delete()
        _, is_new = LoginAttempt.objects.get_or_create(subject=subject, defaults={"failures": 1, "began_at": now})
        if not is_new:
            LoginAttempt.objects.filter(subject=subject).update(failures=F("failures") + 1)


def forget_failures(email: str) -> None:
    """A good password clears the e-mail address's count; the network address keeps its own."""
    LoginAttempt.objects.filter(subject=_subject("email", email)).delete()


def _subject(kind: str, value: str) -> bytes:
    return salted_hmac("partners.accounts.passwords", f"{kind}:{value.strip().lower()}", algorithm="sha256").digest()
