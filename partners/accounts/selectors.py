"""Reads about people and keys of the current partner."""

import uuid
from collections.abc import Sequence

from django.db.models import QuerySet

from partners.accounts.errors import ApiKeyUnknown, UserUnknown
from partners.accounts.models import ApiKey, User


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
