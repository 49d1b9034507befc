"""What scoring keeps and lets go: tables that people brought lose their name and findings, or go whole with their figures."""

from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from audit.context import Actor
from audit.retention.registry import RecordClass
from audit.retention.rules import Item, Removal, Trigger
from scoring.models import Batch
from scoring.models.batch import NAMELESS, REMOVED

_THERE = Batch.objects.exclude(plain_name=REMOVED)


def _after(last: str, limit: int) -> Sequence[str]:
    found = _THERE.filter(id__gt=last) if last else _THERE.all()
    return [str(one) for one in found.order_by("id").values_list("id", flat=True)[:limit]]


def _look(ids: Sequence[str]) -> Sequence[Item]:
    rows = _THERE.filter(id__in=ids).select_related("checking", "working")
    return [Item("batch", str(one.id), {Trigger.MADE: one.created_at}, is_open=_is_open(one)) for one in rows]


def _is_open(batch: Batch) -> bool:
    return any(job is not None and job.finished_at is None for job in (batch.checking, batch.working))


def _lock(ids: Sequence[str]) -> None:
    list(Batch.objects.select_for_update().filter(id__in=ids).values_list("id"))


def _anonymise(ids: Sequence[str], _run: int, _actor: Actor) -> None:
    Batch.objects.filter(id__in=ids).update(**NAMELESS, sealed_findings=None)


def _delete(ids: Sequence[str], _run: int, _actor: Actor) -> None:
    Batch.objects.filter(id__in=ids).delete()


BATCHES = RecordClass(
    "batch", _("Names and findings of tables"), {Removal.ANONYMISE: _anonymise, Removal.DELETE: _delete}, [Trigger.MADE], _after, _look,
    _lock,
)  # fmt: skip
