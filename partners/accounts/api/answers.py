"""What routes about people, keys and tokens take and answer."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from partners.accounts.models import ApiKey as Key
from partners.accounts.models import User as Person
from partners.accounts.roles import Permission, needs_second_factor, permissions_of
from partners.accounts.roles import Role as Roles
from partners.accounts.services import NewApiKey
from partners.accounts.tokens import TokenPair

Email = Annotated[str, Meta(min_length=3, max_length=254)]
Secret = Annotated[str, Meta(min_length=1, max_length=1000)]
Name = Annotated[str, Meta(max_length=100)]
RoleName = Annotated[str, Meta(max_length=12, description=f"One of {', '.join(Roles.values)}.")]


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who signs in."""

    email: Email
    password: Secret
    # six digits of the authenticator app, or a recovery code
    otp: Annotated[str, Meta(max_length=20, description="The code of the authenticator app, or a recovery code.")] = ""


class InvitationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person to invite."""

    email: Email
    role: RoleName
    name: Name = ""
    language: Annotated[str, Meta(min_length=2, max_length=8)] = "en"
    time_zone: Annotated[str, Meta(min_length=1, max_length=40)] | None = None    # that of the partner's country


class InvitationRenewal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing needs to be said."""


class RefreshRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token that was given last."""

    refresh: Annotated[str, Meta(min_length=1, max_length=200)]


class PasswordRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The password until now, and from now on."""

    current: Secret
    new: Secret


class UserRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person to let in."""

    email: Email
    role: RoleName
    password: Secret
    name: Name = ""
    language: Annotated[str, Meta(min_length=2, max_length=8)] = "en"
    time_zone: Annotated[str, Meta(min_length=1, max_length=40)] | None = None    # that of the partner's country


class UserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different."""

    role: RoleName | None = None
    is_active: bool | None = None


class ApiKeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A machine to let in. Without scopes it may do everything that a key can."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    scopes: Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(min_length=1, max_length=len(Permission))] | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class ApiKeyRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the old key still works beside the new one."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=30 * 24 * 3600)] = 24 * 3600


class Tokens(msgspec.Struct, frozen=True):
    """An access token, and the refresh token that gives the next pair, once."""

    access: str
    refresh: str
    token_type: str
    expires_in: int


class User(msgspec.Struct, frozen=True):
    """A person who works for the partner."""

    id: str
    email: str
    name: str
    role: str
    is_active: bool
    language: str
    time_zone: str
    created_at: datetime
    last_login: datetime | None
    has_joined: bool    # False while an invitation was not followed


class InvitationMade(msgspec.Struct, frozen=True):
    """Somebody who may join. `link` is shown now and never again: a repeated request is told null."""

    user: User
    link: str | None
    expires_at: datetime


class Role(msgspec.Struct, frozen=True):
    """What people of this role may do, and whether they sign in with a second factor."""

    name: str
    title: str
    permissions: list[str]
    needs_second_factor: bool


class RoleList(msgspec.Struct, frozen=True):
    """Every role."""

    data: list[Role]
    next_cursor: str | None = None
    has_more: bool = False


class UserList(msgspec.Struct, frozen=True):
    """Everybody, by name."""

    data: list[User]
    next_cursor: str | None = None
    has_more: bool = False


class ApiKey(msgspec.Struct, frozen=True):
    """A machine's credential; `hint` is its last four characters."""

    id: str
    name: str
    hint: str
    scopes: list[str]
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None


class ApiKeyList(msgspec.Struct, frozen=True):
    """Every key that was ever made, newest first."""

    data: list[ApiKey]
    next_cursor: str | None = None
    has_more: bool = False


class ApiKeyMade(msgspec.Struct, frozen=True):
    """A key just made. `secret` is shown now and never again: a repeated request is told null."""

    key: ApiKey
    secret: str | None


def tokens_of(pair: TokenPair) -> Tokens:
    """A pair of tokens as it is answered."""
    return Tokens(pair.access, pair.refresh, "Bearer", pair.expires_in)


def user_of(person: Person) -> User:
    """A person as they are shown."""
    return User(
        id=str(person.id),
        email=person.email,
        name=person.name,
        role=person.role,
        is_active=person.is_active,
        language=person.language,
        time_zone=person.time_zone,
        created_at=person.created_at,
        last_login=person.last_login,
        has_joined=person.has_joined,
    )


def role_of(role: Roles) -> Role:
    """A role as it is shown."""
    return Role(role.value, str(role.label), sorted(permissions_of(role)), needs_second_factor(role))


def api_key_of(key: Key) -> ApiKey:
    """A key as it is shown."""
    return ApiKey(
        id=str(key.id),
        name=key.name,
        hint=key.hint,
        scopes=[str(scope) for scope in key.scopes],
        created_by=key.created_by,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
        replaced_by=None if key.replaced_by_id is None else str(key.replaced_by_id),
    )


def api_key_made(made: NewApiKey) -> ApiKeyMade:
    """A key just made, with its secret."""
    return ApiKeyMade(api_key_of(made.key), made.secret)
