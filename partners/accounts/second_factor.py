"""What proves who somebody is beside the password: six digits of an app, a passkey, or a recovery code."""

import base64
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from audit.vault import keyring
from partners.accounts import passwords, tokens
from partners.accounts.errors import CodeRefused, PasswordRefused, SecondFactorMissing, SecondFactorNeeded, SecondFactorRefused, UserUnknown
from partners.accounts.models import Session, User
from partners.accounts.roles import needs_second_factor

Kind = Authenticator.Type
Factor = Session.Factor
MOST_PASSKEYS = 10
LONGEST_NAME = 60
_PLACE: Mapping[str, Any] = {"table": "mfa_authenticator", "column": "data"}
_whose: ContextVar[uuid.UUID] = ContextVar("whose")    # the library seals and opens without saying for whom


@contextmanager
def _of(user: User) -> Iterator[None]:
    """What is sealed inside opens for this person only."""
    before = _whose.set(user.id)
    try:
        yield
    finally:
        _whose.reset(before)


class Sealed(DefaultMFAAdapter):
    """Secrets are sealed by the partner's key, and people are known to their authenticators as they are to us."""

    issuer = "Vouch"

    def encrypt(self, text: str) -> str:
        """As it is stored."""
        ring = keyring()
        return base64.b64encode(ring.seal(ring.partner_key, text.encode(), owner=_whose.get(), **_PLACE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """As it was."""
        ring = keyring()
        return ring.unseal(ring.partner_key, base64.b64decode(encrypted_text), owner=_whose.get(), **_PLACE).decode()

    def get_totp_issuer(self) -> str:
        """What an app writes above the code."""
        return self.issuer

    def get_public_key_credential_user_entity(self, user: Any) -> dict[str, Any]:
        """What a passkey keeps of its person."""
        return {"id": user.id.bytes, "display_name": user.name, "name": user.email}


@dataclass(frozen=True, slots=True)
class Factors:
    """What somebody has set up: the app, passkeys, and how many recovery codes are left."""

    totp: Authenticator | None
    passkeys: tuple[Authenticator, ...]
    codes_left: int

    @property
    def is_set_up(self) -> bool:
        """Whether it can be asked for."""
        return self.totp is not None or bool(self.passkeys)


def factors_of(user: User) -> Factors:
    """What this person has set up."""
    rows = list(Authenticator.objects.filter(user_id=user.id).order_by("created_at", "id"))
    codes = next((row for row in rows if row.type == Kind.RECOVERY_CODES), None)
    with _of(user):
        left = len(RecoveryCodes(codes).get_unused_codes()) if codes else 0
    return Factors(
        totp=next((row for row in rows if row.type == Kind.TOTP), None),
        passkeys=tuple(row for row in rows if row.type == Kind.WEBAUTHN),
        codes_left=left,
    )


def is_required(user: User) -> bool:
    """Whether this person has to have a second factor."""
    return bool(settings.SECOND_FACTOR_REQUIRED) and needs_second_factor(user.role)


def refuse_password_alone(user: User) -> None:
    """Raises SecondFactorNeeded where one is set up, SecondFactorMissing where one has to be."""
    if Authenticator.objects.filter(user_id=user.id, type__in=[Kind.TOTP, Kind.WEBAUTHN]).exists():
        raise SecondFactorNeeded
    if is_required(user):
        raise SecondFactorMissing


def check_code(*, user: User, code: str, actor: Actor) -> Factor:
    """Which factor the code is of; it is used up. Guesses are heard one at a time, five in 15 minutes. Raises CodeRefused."""
    plain = "".join(letter for letter in code if letter.isalnum())
    with transaction.atomic():
        User.objects.select_for_update().get(id=user.id)
        is_locked = not passwords.guesses_left(user) or passwords.is_address_locked(actor.address)
        with _of(user):
            factor = None if is_locked else _used(user, plain)
        if factor is None:
            passwords.note_guess(user, actor.address)
            detail = {"locked": is_locked, "at": "second_factor"}
            record(action=Action.USER_LOGIN_FAILED, actor=actor, object_kind="user", object_id=user.id, detail=detail)
    if factor is None:
        raise CodeRefused
    return factor


def _used(user: User, code: str) -> Factor | None:
    rows = {row.type: row for row in Authenticator.objects.filter(user_id=user.id, type__in=[Kind.TOTP, Kind.RECOVERY_CODES])}
    if (row := rows.get(Kind.TOTP)) and _takes(row, code):
        return Factor.TOTP
    if (row := rows.get(Kind.RECOVERY_CODES)) and RecoveryCodes(row).validate_code(code):
        return Factor.RECOVERY_CODE
    return None


def _takes(row: Authenticator, code: str) -> bool:
    """Whether the code is one of now that was not used before, nor was a later one."""
    secret, newest = Sealed().decrypt(row.data["secret"]), row.data.get("counter", -1)
    found = _counter_of(secret, code, after=newest)
    if found is None:
        return False
    row.data["counter"], row.last_used_at = found, timezone.now()
    row.save(update_fields=["data", "last_used_at"])
    return True


def _counter_of(secret: str, code: str, *, after: int = -1) -> int | None:
    fitting = [at for at in yield_hotp_counters_from_time() if constant_time_compare(format_hotp_value(hotp_value(secret, at)), code)]
    return next((at for at in fitting if at > after), None)


# ---- setting up


def new_secret() -> str:
    """A secret for an app, base32."""
    return str(generate_totp_secret())


def address_of(user: User, secret: str, *, issuer: str) -> str:
    """The otpauth address that an app takes, as it is or from a picture."""
    adapter = Sealed()
    adapter.issuer = issuer
    return str(adapter.build_totp_url(user, secret))


@transaction.atomic
def add_totp(*, user: User, secret: str, code: str, actor: Actor) -> None:
    """The app proves this person from now on; the code that showed it works is used up. Raises CodeRefused or SecondFactorRefused."""
    _lock(user)
    counter = _counter_of(secret, "".join(code.split()))
    if counter is None:
        raise CodeRefused("The code is not the one that the app shows now.")
    if Authenticator.objects.filter(user_id=user.id, type=Kind.TOTP).exists():
        raise SecondFactorRefused("There is an authenticator app already: remove it first.")
    with _of(user):
        row = TOTP.activate(user, secret).instance
    row.data["counter"] = counter
    row.save(update_fields=["data"])
    _recorded(Action.SECOND_FACTOR_ADDED, user, actor, Factor.TOTP)


@transaction.atomic
def add_passkey(*, user: User, name: str, credential: dict[str, Any], actor: Actor) -> None:
    """The passkey proves this person from now on. Raises SecondFactorRefused."""
    _lock(user)
    if Authenticator.objects.filter(user_id=user.id, type=Kind.WEBAUTHN).count() >= MOST_PASSKEYS:
        raise SecondFactorRefused(f"There are {MOST_PASSKEYS} passkeys already: remove one first.")
    WebAuthn.add(user, name.strip()[:LONGEST_NAME], credential)
    _recorded(Action.SECOND_FACTOR_ADDED, user, actor, Factor.PASSKEY)


@transaction.atomic
def make_recovery_codes(*, user: User, actor: Actor) -> list[str]:
    """Ten new codes, shown now; those of before open nothing any more. Raises SecondFactorRefused while no factor is set up."""
    _lock(user)
    if not factors_of(user).is_set_up:
        raise SecondFactorRefused("Recovery codes stand in for a second factor: set one up first.")
    Authenticator.objects.filter(user_id=user.id, type=Kind.RECOVERY_CODES).delete()
    with _of(user):
        made: list[str] = RecoveryCodes.activate(user).generate_codes()
    record(action=Action.RECOVERY_CODES_MADE, actor=actor, object_kind="user", object_id=user.id)
    return made


@transaction.atomic
def remove_factor(*, user: User, factor_id: int, actor: Actor) -> None:
    """The app or passkey proves nothing any more. Raises SecondFactorRefused for the last one of a role that needs one."""
    _lock(user)
    rows = list(Authenticator.objects.filter(user_id=user.id, type__in=[Kind.TOTP, Kind.WEBAUTHN]))
    found = next((row for row in rows if row.id == factor_id), None)
    if found is None:
        raise SecondFactorRefused("There is no such second factor; it may have been removed already.")
    if rows == [found]:
        if is_required(user):
            raise SecondFactorRefused("Your role signs in with a second factor: set up another one first.")
        Authenticator.objects.filter(user_id=user.id).delete()
    found.delete()
    _recorded(Action.SECOND_FACTOR_REMOVED, user, actor, Factor.TOTP if found.type == Kind.TOTP else Factor.PASSKEY)


@transaction.atomic
def reset_factors(*, user_id: uuid.UUID, actor: Actor) -> None:
    """The person has no second factor and is signed out everywhere; whoever signs in next with the password sets one up.

    Raises UserUnknown, and SecondFactorRefused for one's own."""
    user = User.objects.select_for_update().filter(id=user_id).first()
    if user is None:
        raise UserUnknown
    if actor.id == str(user_id):
        raise SecondFactorRefused("Somebody else has to do that for you: a stolen session of yours could do it as well.")
    Authenticator.objects.filter(user_id=user_id).delete()
    tokens.end_all(user)
    record(action=Action.SECOND_FACTOR_RESET, actor=actor, object_kind="user", object_id=user_id)


def confirm_password(*, user: User, password: str, actor: Actor) -> None:
    """It is the person who asks, not somebody at their open browser. Raises PasswordRefused, and counts as a failed login."""
    if len(password) > passwords.LONGEST or passwords.is_locked(user.email, actor.address) or not user.check_password(password):
        with transaction.atomic():
            passwords.note_failure(user.email, actor.address)
            detail = {"at": "second_factor_change"}
            record(action=Action.USER_LOGIN_FAILED, actor=actor, object_kind="user", object_id=user.id, detail=detail)
        raise PasswordRefused(fields={"current": "The password is not right, or there were too many attempts; then wait 15 minutes."})


def _lock(user: User) -> None:
    User.objects.select_for_update().get(id=user.id)


def _recorded(action: Action, user: User, actor: Actor, factor: Factor) -> None:
    record(action=action, actor=actor, object_kind="user", object_id=user.id, detail={"factor": factor})
