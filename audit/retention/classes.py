"""The record's own classes: what programs were told of, once it was delivered."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from audit.context import Actor
from audit.models import Outbox
from audit.retention.registry import RecordClass
from audit.retention.rules import Item, Removal, Trigger

_DELIVERED = Outbox.objects.exclude(delivered_at=None)


def _after(last: str, limit: int) -> Sequence[str]:
    found = _DELIVERED.filter(id__gt=last) if last else _DELIVERED.all()
    return [str(one) for one in found.order_by("id").values_list("id", flat=True)[:limit]]


def _look(ids: Sequence[str]) -> Sequence[Item]:
    rows = _DELIVERED.filter(id__in=ids).values_list("id", "created_at")
    return [Item("announcement", str(one), {Trigger.MADE: at}) for one, at in rows]


def _lock(ids: Sequence[str]) -> None:
    list(Outbox.objects.select_for_update().filter(id__in=ids).values_list("id"))


def _delete(ids: Sequence[str], _run: int, _actor: Actor) -> None:
    Outbox.objects.filter(id__in=ids).delete()


ANNOUNCEMENTS = RecordClass("announcement", _("Messages to programs"), {Removal.DELETE: _delete}, [Trigger.MADE], _after, _look, _lock)
