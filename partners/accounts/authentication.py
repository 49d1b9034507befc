"""Who is calling the API: a key or an access token, both bound to the partner whose host was asked."""

import ipaddress
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from audit.context import Actor
from partners.accounts.errors import CredentialRefused
from partners.accounts.keys import LONGEST, digest_of, parse_key
from partners.accounts.models import ApiKey, User
from partners.accounts.roles import Permission, permissions_of
from partners.accounts.sign_in import session_of
from partners.accounts.tokens import read_access
from partners.tenancy import in_force, slug_of

CACHE_SECONDS = 0.9    # what is revoked ends within a second on every worker
CACHE_SIZE = 10_000
USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever calls, and what they may do."""

    actor: Actor
    permissions: frozenset[Permission]
    plan: str = ""
    user: User | None = None
    expires_at: float | None = None    # seconds since the epoch

    is_authenticated = True

    def allows(self, permission: Permission) -> bool:
        """Whether they may do it."""
        return permission in self.permissions


def client_address(meta: dict[str, Any]) -> str:
    """The caller's address; behind our own proxies the one that the outermost of them saw."""
    seen = str(meta.get("REMOTE_ADDR", ""))
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",") if hop.strip()]
        seen = hops[-settings.TRUSTED_PROXIES] if len(hops) >= settings.TRUSTED_PROXIES else seen
    return _address(seen)


@lru_cache(maxsize=4096)
def _address(seen: str) -> str:
    """As the record writes it; empty for what is none."""
    try:
        return str(ipaddress.ip_address(seen))
    except ValueError:
        return ""


class KeyAuthentication(BaseAuthentication):
    """`X-API-Key`. A view whose writes are guarded by the credential (`credential_is_guarded`) may use what was read in the last
    second."""

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        """The key's principal, or None without a key. Raises AuthenticationFailed for any key that is not this partner's."""
        text = request.META.get("HTTP_X_API_KEY")
        if text is None:
            return None
        view = (request.parser_context or {}).get("view")
        is_guarded = request.method == "POST" and getattr(view, "credential_is_guarded", False)
        try:
            principal = principal_of_key(text, may_be_cached=is_guarded)
        except CredentialRefused as refusal:
            raise AuthenticationFailed(refusal.detail, code=refusal.code) from refusal
        return Principal(_at(principal.actor, request), principal.permissions, _plan(request), None, principal.expires_at), "api_key"

    def authenticate_header(self, request: Request) -> str:
        """What a caller without a credential is told to bring."""
        return 'ApiKey realm="vouch", Bearer realm="vouch"'


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer` with an access token."""

    def authenticate(self, request: Request) -> tuple[Principal, str] | None:
        """The person's principal, or None without a token. Raises AuthenticationFailed for a token that is not this partner's or ended."""
        scheme, _, text = str(request.META.get("HTTP_AUTHORIZATION", "")).partition(" ")
        if scheme.lower() != "bearer":
            return None
        try:
            return principal_of_token(text.strip(), request), "token"
        except CredentialRefused as refusal:
            raise AuthenticationFailed(refusal.detail, code=refusal.code) from refusal


def principal_of_token(text: str, request: Any) -> Principal:
    """The person behind an access token. Raises CredentialRefused."""
    claims = read_access(text)
    session = session_of(claims.session_id)
    if session is None or session.user_id != claims.user_id or session.token_epoch != claims.token_epoch:
        raise CredentialRefused
    return principal_of_user(session.user, request)


def principal_of_user(user: User, request: Any) -> Principal:
    """The principal of a signed-in person."""
    actor = Actor(kind="user", id=str(user.id), label=user.name, role=user.role, token_epoch=user.token_epoch)
    return Principal(_at(actor, request), permissions_of(user.role), _plan(request), user)


def principal_of_key(text: str, *, may_be_cached: bool = False) -> Principal:
    """The principal of an API key of the current partner. Raises CredentialRefused."""
    schema = in_force()
    principal = _cache.get((schema, digest_of(text))) if may_be_cached and len(text) <= LONGEST else None
    if principal is None:
        parsed = parse_key(text)
        if parsed is None or parsed.slug != slug_of(schema):
            raise CredentialRefused
        principal = _read(parsed.digest)
        _cache.put((schema, parsed.digest), principal)
    if principal.expires_at is not None and principal.expires_at <= time.time():
        raise CredentialRefused
    return principal


def _read(digest: bytes) -> Principal:
    key = ApiKey.objects.filter(digest=digest, revoked_at=None).first()
    if key is None or (key.expires_at is not None and key.expires_at <= timezone.now()):
        raise CredentialRefused
    _note_use(key)
    permissions = frozenset(Permission(scope) for scope in key.scopes)
    expires_at = key.expires_at.timestamp() if key.expires_at else None
    return Principal(Actor(kind="api_key", id=str(key.id), label=key.name), permissions, expires_at=expires_at)


def _note_use(key: ApiKey) -> None:
    """When the key was last used, to the minute: a write for each call would cost more than the call."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY:
        ApiKey.objects.filter(id=key.id).update(last_used_at=now)


def _plan(request: Any) -> str:
    return str(request.partner.plan)


def _at(actor: Actor, request: Any) -> Actor:
    address, request_id = client_address(request.META), str(getattr(request, "request_id", ""))
    return Actor(actor.kind, actor.id, actor.label, actor.role, address, request_id, actor.token_epoch)


class _Cache:
    """Principals of keys, for less than a second: revocation does not wait for it, because the statement that stores looks again."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, bytes], tuple[float, Principal]] = {}
        self._lock = threading.Lock()

    def get(self, name: tuple[str, bytes]) -> Principal | None:
        until, principal = self._kept.get(name, (0.0, None))
        return principal if until > time.monotonic() else None

    def put(self, name: tuple[str, bytes], principal: Principal) -> None:
        with self._lock:
            if len(self._kept) >= CACHE_SIZE:
                self._kept.clear()
            self._kept[name] = (time.monotonic() + CACHE_SECONDS, principal)


_cache = _Cache()
