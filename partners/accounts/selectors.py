"""Reads about people and keys of the current partner."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django.db.models import Count, Exists, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from partners.accounts.errors import ApiKeyUnknown, UserUnknown
from partners.accounts.models import ApiKey, User
from partners.accounts.roles import Role, needs_second_factor


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of the team: when they were last here, whether they set up a second factor, and how many live keys they made."""

    user: User
    seen_at: datetime | None
    has_factor: bool
    keys: int

    @property
    def role_title(self) -> str:
        """The role in words."""
        return str(Role(self.user.role).label)

    @property
    def lacks_factor(self) -> bool:
        """Whether the role needs a second factor that is not there."""
        return needs_second_factor(self.user.role) and not self.has_factor


def team() -> list[Member]:
    """Everybody who works or worked for the partner: who has access first, by name."""
    return [_member(one) for one in _with_more(User.objects.order_by("-is_active", "name", "id"))]


def member(user_id: uuid.UUID) -> Member:
    """One of the team. Raises UserUnknown."""
    found = _with_more(User.objects.filter(id=user_id)).first()
    if found is None:
        raise UserUnknown
    return _member(found)


def _with_more(people: QuerySet[User]) -> QuerySet[Any]:
    factors = Authenticator.objects.filter(user_id=OuterRef("id"), type__in=[Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN])
    live = ApiKey.objects.filter(created_by_id=OuterRef("id"), revoked_at=None)
    keys = live.order_by().values("created_by_id").annotate(number=Count("id"))
    return people.annotate(
        seen_at=Max("sessions__seen_at"), has_factor=Exists(factors), keys=Coalesce(Subquery(keys.values("number")), 0)
    )


def _member(person: Any) -> Member:
    return Member(person, person.seen_at or person.last_login, person.has_factor, person.keys)


def users() -> QuerySet[User]:
    """Everybody who works or worked for the partner, by name."""
    return User.objects.order_by("name", "id")


def user(user_id: uuid.UUID) -> User:
    """One person. Raises UserUnknown."""
    found = User.objects.filter(id=user_id).first()
    if found is None:
        raise UserUnknown
    return found


def api_keys() -> Sequence[ApiKey]:
    """Every key that was ever made, newest first."""
    return list(ApiKey.objects.order_by("-created_at", "-id"))


def api_key(key_id: uuid.UUID) -> ApiKey:
    """One key, whatever became of it. Raises ApiKeyUnknown."""
    found = ApiKey.objects.filter(id=key_id).first()
    if found is None:
        raise ApiKeyUnknown
    return found
