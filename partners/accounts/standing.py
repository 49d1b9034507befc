"""What somebody may do now, whatever they could when they asked: for work that goes on without them."""

import uuid

from django.db.models import Q
from django.utils import timezone

from partners.accounts.models import ApiKey, User
from partners.accounts.roles import Permission, permissions_of


def permissions_now(kind: str, actor_id: str) -> frozenset[Permission]:
    """The permissions of this person or key at this moment; none of those who are switched off, revoked or gone."""
    try:
        wanted = uuid.UUID(actor_id)
    except ValueError:
        return frozenset()
    if kind == "user":
        person = User.objects.filter(id=wanted, is_active=True).first()
        return frozenset() if person is None else permissions_of(person.role)
    valid = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    key = ApiKey.objects.filter(valid, id=wanted, revoked_at=None).first() if kind == "api_key" else None
    return frozenset() if key is None else frozenset(map(Permission, key.scopes))
