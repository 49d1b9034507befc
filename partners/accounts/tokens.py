"""Tokens for people on the API: short access tokens bound to the partner, and refresh tokens that work once."""

import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.services import record
from audit.vault import keyring, refresh_keyring
from partners.accounts.errors import CredentialRefused, RefreshRefused
from partners.accounts.keys import digest_of
from partners.accounts.models import RefreshToken, Session, User

ACCESS_LIFETIME = timedelta(minutes=5)
LOOK_SECONDS = 1.0
_looked: dict[str, float] = {}    # when this process last looked for newer keys, by schema
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
    session_id: uuid.UUID


def is_open() -> Q:
    """Sessions that have not ended, are neither idle nor too old, and whose person is as they were when it began."""
    now = timezone.now()
    return Q(
        ended_at=None, user__is_active=True, user__token_epoch=F("token_epoch"),
        began_at__gt=now - timedelta(seconds=settings.SESSION_COOKIE_AGE),
        seen_at__gt=now - timedelta(seconds=settings.SESSION_IDLE_SECONDS),
    )  # fmt: skip


def issue_tokens(user: User, *, session: Session | None = None) -> TokenPair:
    """The first tokens of a session, or of a new one of this user. Whether they may have it was asked before: `sign_in`."""
    if session is None:
        session = Session.objects.create(user=user, token_epoch=user.token_epoch, channel=Session.Channel.API, factor=Session.Factor.TOTP)
    return _pair(session)


def refresh_tokens(refresh: str, *, actor: Actor = SYSTEM) -> TokenPair:
    """The next pair of the family. The token is used up; using it again later ends the family. Raises RefreshRefused."""
    with transaction.atomic():
        token = RefreshToken.objects.select_for_update(of=("self",)).select_related("user").filter(digest=digest_of(refresh)).first()
        now = timezone.now()
        session = Session.objects.filter(is_open(), id=token.family).select_related("user").first() if token else None
        if token is None or session is None or token.revoked_at is not None or token.expires_at <= now:
            raise RefreshRefused
        if token.used_at is None:
            token.used_at = now
            token.save(update_fields=["used_at"])
            Session.objects.filter(id=session.id).update(seen_at=now)
            return _pair(session)
        is_theft = now - token.used_at > TWIN_GRACE
        if is_theft:
            end_session(token.family, token.user)
            record(action=Action.TOKEN_REUSED, actor=actor, object_kind="user", object_id=token.user_id)
    consequence = " No token of this login is renewed any more: sign in again." if is_theft else ""
    raise RefreshRefused(f"The refresh token was used before.{consequence}")


def end_family(refresh: str) -> User | None:
    """The session that this token belongs to has ended; returns whose it was."""
    token = RefreshToken.objects.select_related("user").filter(digest=digest_of(refresh)).first()
    if token is None:
        return None
    end_session(token.family, token.user)
    return token.user


def end_session(session_id: uuid.UUID, user: User) -> bool:
    """The session and its tokens have ended; False where it had already, or is not this user's."""
    now = timezone.now()
    ended = Session.objects.filter(id=session_id, user=user, ended_at=None).update(ended_at=now)
    RefreshToken.objects.filter(family=session_id, user=user, revoked_at=None).update(revoked_at=now)
    return bool(ended)


def end_all(user: User, *, kept: uuid.UUID | None = None) -> None:
    """Every session and token of this user has ended; the session that is `kept` goes on."""
    now = timezone.now()
    user.token_epoch += 1
    user.save(update_fields=["token_epoch"])
    if kept is not None:
        Session.objects.filter(user=user, id=kept, ended_at=None).update(token_epoch=user.token_epoch)
    Session.objects.filter(user=user, ended_at=None, token_epoch__lt=user.token_epoch).update(ended_at=now)
    RefreshToken.objects.filter(user=user, revoked_at=None).update(revoked_at=now)


def read_access(text: str) -> AccessClaims:
    """The claims of an access token of the current partner. Raises CredentialRefused for anything else."""
    try:
        said: dict[str, Any] = _backend().decode(text, verify=False)  # type: ignore[arg-type] # the stubs want bytes or a Token
        claims: dict[str, Any] = _backend(_key(int(said.get("key", 0)))).decode(text)  # type: ignore[arg-type] # as above
        if claims["tid"] != connection.schema_name or claims["typ"] != "access":    # type: ignore[attr-defined]
            raise CredentialRefused
        return AccessClaims(uuid.UUID(claims["sub"]), int(claims["epoch"]), uuid.UUID(claims["sid"]))
    except (TokenBackendError, KeyError, TypeError, ValueError) as error:
        raise CredentialRefused from error


def _pair(session: Session) -> TokenPair:
    now, user = datetime.now(UTC), session.user
    refresh = f"vr_{secrets.token_urlsafe(32)}"
    ends = session.began_at + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    RefreshToken.objects.create(family=session.id, user=user, digest=digest_of(refresh), expires_at=ends)
    claims = {
        "tid": connection.schema_name,    # type: ignore[attr-defined]
        "key": keyring().token_version,
        "typ": "access", "sub": str(user.id), "epoch": user.token_epoch, "sid": str(session.id), "jti": secrets.token_hex(8),
        "iat": int(now.timestamp()), "exp": int((now + ACCESS_LIFETIME).timestamp()),
    }    # fmt: skip
    return TokenPair(_backend().encode(claims), refresh, int(ACCESS_LIFETIME.total_seconds()))


def _backend(key: bytes | None = None) -> TokenBackend:
    """Signs and checks with the current partner's own key, issuer and audience."""
    ring = keyring()
    return TokenBackend("HS256", signing_key=(key or ring.token_key).hex(), audience=_AUDIENCE, issuer=f"vouch/{ring.schema}")


def _key(version: int) -> bytes:
    """The key that signed a token; one that was changed still checks what it signed, as long as that lives. Raises CredentialRefused."""
    ring = keyring()
    if version > ring.token_version and time.monotonic() - _looked.get(ring.schema, -LOOK_SECONDS) >= LOOK_SECONDS:
        _looked[ring.schema] = time.monotonic()    # another process has changed it; who invents a version makes nobody look again
        ring = refresh_keyring()
    secret, retired_at = ring.token_keys.get(version or ring.token_version, (b"", None))
    if not secret or (retired_at is not None and datetime.now(UTC) > retired_at + ACCESS_LIFETIME):
        raise CredentialRefused
    return secret
