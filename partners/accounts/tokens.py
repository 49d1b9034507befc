"""Tokens for people on the API: short access tokens bound to the partner, and refresh tokens that work once."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.services import record
from audit.vault import keyring
from partners.accounts.errors import CredentialRefused, RefreshRefused
from partners.accounts.keys import digest_of
from partners.accounts.models import RefreshToken, User

ACCESS_LIFETIME = timedelta(minutes=5)
REFRESH_LIFETIME = timedelta(days=7)
TWIN_GRACE = timedelta(seconds=10)    # a client that sent the same refresh twice at once is not a thief
_AUDIENCE = "vouch-api"


@dataclass(frozen=True, slots=True, repr=False)
class TokenPair:
    """What a login or a refresh gives."""

    access: str
    refresh: str
    expires_in: int    # seconds until `access` ends


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says, once its signature, partner, kind and time have been checked."""

    user_id: uuid.UUID
    token_epoch: int


def issue_tokens(user: User) -> TokenPair:
    """A new family of tokens for this user."""
    return _pair(user, family=uuid.uuid4())


def refresh_tokens(refresh: str, *, actor: Actor = SYSTEM) -> TokenPair:
    """The next pair of the family. The token is used up; using it again later ends the family. Raises RefreshRefused."""
    with transaction.atomic():
        token = RefreshToken.objects.select_for_update(of=("self",)).select_related("user").filter(digest=digest_of(refresh)).first()
        now = timezone.now()
        if token is None or token.revoked_at is not None or token.expires_at <= now or not token.user.is_active:
            raise RefreshRefused
        if token.used_at is None:
            token.used_at = now
            token.save(update_fields=["used_at"])
            return _pair(token.user, family=token.family)
        is_theft = now - token.used_at > TWIN_GRACE
        if is_theft:
            RefreshToken.objects.filter(family=token.family, revoked_at=None).update(revoked_at=now)
            record(action=Action.TOKEN_REUSED, actor=actor, object_kind="user", object_id=token.user_id)
    consequence = " No token of this login is renewed any more: sign in again." if is_theft else ""
    raise RefreshRefused(f"The refresh token was used before.{consequence}")


def end_family(refresh: str) -> User | None:
    """Every token of this family has ended; returns whose they were."""
    token = RefreshToken.objects.select_related("user").filter(digest=digest_of(refresh)).first()
    if token is None:
        return None
    RefreshToken.objects.filter(family=token.family, revoked_at=None).update(revoked_at=timezone.now())
    return token.user


def end_all(user: User) -> None:
    """Every access and refresh token of this user has ended."""
    user.token_epoch += 1
    user.save(update_fields=["token_epoch"])
    RefreshToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def read_access(text: str) -> AccessClaims:
    """The claims of an access token of the current partner. Raises CredentialRefused for anything else."""
    try:
        claims: dict[str, Any] = _backend().decode(text)  # type: ignore[arg-type] # the stubs want bytes or a Token; a str is what PyJWT takes
        if claims["tid"] != connection.schema_name or claims["typ"] != "access":    # type: ignore[attr-defined]
            raise CredentialRefused
        return AccessClaims(uuid.UUID(claims["sub"]), int(claims["epoch"]))
    except (TokenBackendError, KeyError, TypeError, ValueError) as error:
        raise CredentialRefused from error


def _pair(user: User, *, family: uuid.UUID) -> TokenPair:
    now = datetime.now(UTC)
    refresh = f"vr_{secrets.token_urlsafe(32)}"
    RefreshToken.objects.create(family=family, user=user, digest=digest_of(refresh), expires_at=now + REFRESH_LIFETIME)
    claims = {
        "tid": connection.schema_name,    # type: ignore[attr-defined]
        "typ": "access", "sub": str(user.id), "epoch": user.token_epoch, "jti": secrets.token_hex(8),
        "iat": int(now.timestamp()), "exp": int((now + ACCESS_LIFETIME).timestamp()),
    }    # fmt: skip
    return TokenPair(_backend().encode(claims), refresh, int(ACCESS_LIFETIME.total_seconds()))


def _backend() -> TokenBackend:
    """Signs and checks with the current partner's own key, issuer and audience."""
    ring = keyring()
    return TokenBackend("HS256", signing_key=ring.token_key.hex(), audience=_AUDIENCE, issuer=f"vouch/{ring.schema}")
