"""Saved views of the queue: a name for a state of its address, each person's own."""

import uuid

from django.db import transaction

from partners.accounts.models import User
from portal.approvals.errors import ViewRefused
from portal.approvals.models import SavedView

MOST = 20


@transaction.atomic
def save_view(*, person: User, name: str, query: str) -> SavedView:
    """The person finds this state of the queue again under this name; one of that name is replaced. Raises ViewRefused."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 40 or not name.isprintable():
        raise ViewRefused("Name the view with 1 to 40 characters.")
    if len(query) > 500:
        raise ViewRefused("These filters are too long to keep: use fewer.")
    User.objects.select_for_update().get(id=person.id)    # two at once stay below the limit
    if SavedView.objects.filter(user=person).exclude(name=name).count() >= MOST:
        raise ViewRefused(f"You have {MOST} views: remove one first.")
    made, _ = SavedView.objects.update_or_create(user=person, name=name, defaults={"query": query})
    return made


def remove_view(*, person: User, view_id: uuid.UUID) -> None:
    """The person has no such view any more; somebody else's stays."""
    SavedView.objects.filter(user=person, id=view_id).delete()
