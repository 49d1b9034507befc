"""The cards: figures that are computed, each as a line of its table, its row there, its name, and what it is as a number or a text."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.selectors import actions_recorded
from partners import queues
from partners.accounts.roles import Permission
from portal.exports.lists import DECIMAL, TEXT, WHOLE, Asker, ExportList, Told, at, declare
from scoring import selectors
from scoring.engine.what_if import Terms
from scoring.engine.writing import Cell
from scoring.errors import FilterRefused, ModelVersionUnknown
from scoring.models import Batch
from scoring.selectors.asked import day_of, filters_of
from scoring.services.policies import policy_in_force
from scoring.services.what_if import what_if

COLUMNS = {"table": TEXT, "row": TEXT, "figure": TEXT, "number": DECIMAL, "text": TEXT}
OVERVIEW_DAYS = 14
_MONTH = timedelta(days=30)
_LONGEST_TRIAL = 60.0    # seconds


def figures_of(thing: Any, *path: str) -> Iterator[Sequence[Cell]]:
    """All that is in it, wherever it lies."""
    if is_dataclass(thing):
        thing = {one.name: getattr(thing, one.name) for one in fields(thing)}
    if isinstance(thing, Mapping):
        for name, value in thing.items():
            yield from figures_of(value, *path, "/".join(map(str, name)) if isinstance(name, tuple) else str(name))
    elif isinstance(thing, Sequence) and not isinstance(thing, str | bytes):
        for number, value in enumerate(thing, start=1):
            yield from figures_of(value, *path, str(number))
    else:
        table = path[0] if len(path) > 1 else ""
        yield [table, "/".join(path[1:-1]), path[-1], *_value(thing)]


def _value(thing: Any) -> tuple[float | None, str | None]:
    if isinstance(thing, timedelta):
        return thing.total_seconds(), None
    if isinstance(thing, bool):
        return None, str(thing).lower()
    if isinstance(thing, int | float):
        return (float(thing), None) if math.isfinite(thing) else (None, str(thing))
    if isinstance(thing, datetime):
        return None, at(thing)
    return None, None if thing is None else thing.isoformat() if isinstance(thing, date) else str(thing)


def _told(compute: Callable[[], Any]) -> Told:
    return lambda: figures_of(compute())


def _overview(_given: Mapping[str, str], _asker: Asker) -> Told:
    zone = timezone.get_current_timezone()
    return _told(lambda: selectors.overview(OVERVIEW_DAYS, zone=zone))


def _batch(given: Mapping[str, str], _asker: Asker) -> Told:
    batch = filters_of({"batch": given.get("batch", "")}).batch
    found = Batch.objects.filter(id=batch).values_list("figures", flat=True) if batch else Batch.objects.none()
    if not found:
        raise FilterRefused(_("There is no such batch."))
    return _told(lambda: found[0] or {})


def _model(given: Mapping[str, str]) -> tuple[str, int]:
    product, version = given.get("product", ""), _whole(given, "version")
    try:
        selectors.model_version(product, version)
    except ModelVersionUnknown as error:
        raise FilterRefused(error.detail) from error
    return product, version


def _card(given: Mapping[str, str], _asker: Asker) -> Told:
    product, version = _model(given)
    return _told(lambda: selectors.model_card(product, version).stored.document())


def _metrics(given: Mapping[str, str], _asker: Asker) -> Told:
    product, version = _model(given)
    return _told(lambda: selectors.model_version(product, version).metrics)


def _comparison(given: Mapping[str, str], _asker: Asker) -> Told:
    product = given.get("product", "")
    challenger = _whole(given, "challenger") if "challenger" in given else selectors.challenger_of(product)
    began = selectors.model_version(product, challenger).challenged_at or timezone.now() - _MONTH
    since = day_of(given.get("since")) or began
    return _told(lambda: selectors.comparison(product, challenger=challenger, since=since))


def _trial(given: Mapping[str, str], _asker: Asker) -> Told:
    product = given.get("product", "")
    in_force, _version = policy_in_force(product)
    said = {name: _decimal(given, name) for name in ("margin", "loss")}
    cuts = {name: _whole(given, name) for name in ("approve_from", "decline_below")}
    since = timezone.now() - timedelta(days=min(_whole(given, "days"), 3_650))
    return _told(lambda: what_if(
        product_slug=product, policy=type(in_force).from_dict({**in_force.to_dict(), **cuts}), since=since,
        terms=Terms(said["margin"] / 100, said["loss"] / 100), amount=given.get("amount"), group=given.get("group"),
        at_most_seconds=_LONGEST_TRIAL,
    ))  # fmt: skip


def _queues(_given: Mapping[str, str], _asker: Asker) -> Told:
    since = datetime.combine(queues.first_day(), time(), UTC)

    def told() -> Iterator[Sequence[Cell]]:
        yield from (("queue", one.name, one.waiting, one.active, one.done, one.failed) for one in queues.standings())
        yield from (("job", one.kind, one.queued, one.running, one.done, one.failed) for one in selectors.job_counts(since))

    return told


def _actions(given: Mapping[str, str], _asker: Asker) -> Told:
    until = day_of(given.get("until")) or timezone.now()
    since = day_of(given.get("since")) or until - _MONTH
    return lambda: actions_recorded(since, until)


def _whole(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FilterRefused(_("A whole number is missing: %(name)s.") % {"name": name})
    return int(text)


def _decimal(given: Mapping[str, str], name: str) -> float:
    try:
        found = float(given.get(name, ""))
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1_000:
        raise FilterRefused(_("A number from 0 to 1,000 is missing: %(name)s.") % {"name": name})
    return found


def declare_lists() -> None:
    """They can be taken away from now on."""
    of_model = {"permission": Permission.MODEL_READ, "of": {"product": "product", "version": "version"}, "filters": ("product", "version")}
    cards: list[dict[str, Any]] = [
        {"name": "overview", "title": gettext_lazy("Overview"), "permission": Permission.DECISION_READ, "page": "portal:overview",
         "read": _overview},
        {"name": "batch-figures", "title": gettext_lazy("Figures of the batch"), "permission": Permission.DECISION_READ,
         "page": "scoring:batch-detail", "read": _batch, "filters": ("batch",), "of": {"batch_id": "batch"}},
        {"name": "model-card", "title": gettext_lazy("Model card"), "page": "scoring:model-card", "read": _card, **of_model},
        {"name": "model-figures", "title": gettext_lazy("Figures of the model"), "page": "scoring:model-detail", "read": _metrics,
         **of_model},
        {"name": "comparison", "title": gettext_lazy("Comparison of models"), "permission": Permission.MODEL_READ,
         "page": "scoring:model-compare", "read": _comparison, "filters": ("product", "challenger", "since"), "of": {"product": "product"}},
        {"name": "what-if", "title": gettext_lazy("Trial of a policy"), "permission": Permission.PRODUCT_EDIT,
         "page": "scoring:product-policy", "read": _trial, "of": {"slug": "product"},
         "filters": ("product", "approve_from", "decline_below", "days", "margin", "loss", "amount", "group")},
    ]  # fmt: skip
    declare(
        *(ExportList(**{"columns": COLUMNS, **one}) for one in cards),
        ExportList(
            name="queues", title=gettext_lazy("Queues"), permission=Permission.KEY_MANAGE, page="scoring:queue-list", read=_queues,
            columns={"what": TEXT, "name": TEXT, **dict.fromkeys(("waiting", "active", "done", "failed"), WHOLE)},
        ),
        ExportList(
            name="record-summary", title=gettext_lazy("Summary of the record"), permission=Permission.RECORD_READ,
            page="record:record-summary", read=_actions, filters=("since", "until"),
            columns={"action": TEXT, "actor_kind": TEXT, "count": WHOLE},
        ),
    )  # fmt: skip
