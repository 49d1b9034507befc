"""What was in force when, and who changed it: read from the revisions that the database keeps, and from the record."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import Func, OuterRef, Q, Subquery, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import MD5

from audit.actions import Action
from audit.models import Event
from partners.accounts.models import User
from scoring.errors import CursorRefused, MomentRefused
from scoring.models import ProductRevision
from scoring.selectors.catalogue import product_id

_CHANGING = (Action.PRODUCT_CREATED, Action.PRODUCT_CHANGED, Action.POLICY_CHANGED, Action.MODEL_PROMOTED, Action.MODEL_ROLLED_BACK)
PAGE, _LONGEST_CURSOR = 25, 10
_HEAVY = ("definition", "champion__bundle", "champion__metrics", "policy__definition")


@dataclass(frozen=True, slots=True)
class InForce:
    """What answered from `began_at` to before `ended_at`; None while it still does. Without a model version the rules answered."""

    product: str
    revision: int
    model_version: int | None
    policy_version: int
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """One change of what is in force: what is new since the revision before, who did it and why. Unknown: nobody is in the record."""

    revision: int
    began_at: datetime
    changed: tuple[str, ...]
    model_version: int | None
    policy_version: int
    rules_version: int
    action: str
    actor: str
    asked_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class RulesVersion:
    """The rules that answered, or stood by, from `began_at` to before `ended_at`."""

    version: int
    revision: int
    rules: Mapping[str, Any]
    began_at: datetime
    ended_at: datetime | None
    actor: str
    reason: str


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """Some of a list, and where the next ones begin."""

    rows: list[T]
    next_cursor: str | None

    @property
    def has_more(self) -> bool:
        return self.next_cursor is not None


def in_force(product_slug: str, at: datetime) -> InForce:
    """What was in force for the product at this moment, to within the milliseconds that a change takes to commit; one query.

    What one decision was made by is in the decision. Raises ProductUnknown, and MomentRefused for a moment before the product."""
    after = ProductRevision.objects.filter(product=OuterRef("product"), revision=OuterRef("revision") + 1)
    found = (
        ProductRevision.objects.filter(product__slug=product_slug, began_at__lte=at)
        .annotate(ended_at=Subquery(after.values("began_at")[:1]))
        .values_list("revision", "champion__version", "policy__version", "began_at", "ended_at")
        .order_by("-revision")
        .first()
    )
    if found is None:
        product_id(product_slug)
        raise MomentRefused
    return InForce(product_slug, *found)


def changes(product_slug: str, *, cursor: str | None = None, limit: int = PAGE) -> Part[Change]:
    """At most `limit` changes of what is in force for the product, newest first, after the cursor. Raises ProductUnknown, CursorRefused."""
    product, rows, rules_version, last = product_id(product_slug), list[dict[str, Any]](), 0, None
    for row in _revisions(product):
        changed = _changed(row, last)
        rules_version += "rules" in changed
        rows.append({**row, "changed": changed, "rules_version": rules_version})
        last = row
    part, following = _part(rows, cursor, limit)
    told = _Told(product, part)
    return Part([_change(told, row) for row in part], following)


def change_at(product_slug: str, revision: int) -> Change:
    """The change that made this revision. Raises ProductUnknown."""
    return changes(product_slug, cursor=str(revision + 1), limit=1).rows[0]


def _change(told: "_Told", row: Mapping[str, Any]) -> Change:
    event = told.events.get(row["revision"])
    return Change(
        row["revision"], row["began_at"], row["changed"], row["champion__version"], row["policy__version"], row["rules_version"],
        event.action if event else "", event.actor_label if event else "", told.asker(event), told.reason(event),
    )    # fmt: skip


def rules_versions(product_slug: str, *, cursor: str | None = None, limit: int = PAGE) -> Part[RulesVersion]:
    """At most `limit` versions of the product's rules, newest first, after the cursor. Raises ProductUnknown, CursorRefused."""
    product, rows = product_id(product_slug), list[dict[str, Any]]()
    for row in _revisions(product):
        if not rows or row["rules_digest"] != rows[-1]["rules_digest"]:
            if rows:
                rows[-1]["ended_at"] = row["began_at"]
            rows.append({**row, "version": len(rows) + 1, "ended_at": None})
    part, following = _part(rows, cursor, limit)
    told = _Told(product, part)
    kept = ProductRevision.objects.filter(product=product, revision__in=[row["revision"] for row in part])
    rules = dict(kept.values_list("revision", "definition__rules"))
    found = [
        RulesVersion(
            row["version"], row["revision"], rules[row["revision"]] or {}, row["began_at"], row["ended_at"],
            told.actor(row["revision"]), told.reason(told.events.get(row["revision"])),
        )
        for row in part
    ]    # fmt: skip
    return Part(found, following)


def newest_rules(product_slug: str) -> RulesVersion:
    """The rules that answer now, or stand by. Raises ProductUnknown."""
    return rules_versions(product_slug, limit=1).rows[0]


def _part(rows: Sequence[dict[str, Any]], cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """The newest of these that come before the revision that the cursor names, and the next cursor."""
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < _LONGEST_CURSOR):
        raise CursorRefused
    found = [row for row in reversed(rows) if cursor is None or row["revision"] < int(cursor)]
    return found[:limit], str(found[limit - 1]["revision"]) if len(found) > limit else None


class _Rest(Func):
    """A digest of the definition without its rules."""

    template = "md5((%(expressions)s - 'rules')::text)"


def _revisions(product: uuid.UUID) -> Iterable[Mapping[str, Any]]:
    """Oldest first; definitions only by their digests."""
    return (
        ProductRevision.objects.filter(product=product)
        .annotate(rules_digest=MD5(KT("definition__rules")), rest_digest=_Rest("definition", output_field=TextField()))
        .order_by("revision")
        .values("revision", "began_at", "champion__version", "policy__version", "rules_digest", "rest_digest")
    )


def _changed(row: Mapping[str, Any], last: Mapping[str, Any] | None) -> tuple[str, ...]:
    if last is None:
        return ("product", "policy", "rules")
    return tuple(_parts(row, last))


def _parts(row: Mapping[str, Any], last: Mapping[str, Any]) -> Iterator[str]:
    if row["champion__version"] != last["champion__version"]:
        yield "model"
    if row["policy__version"] != last["policy__version"]:
        yield "policy"
    if row["rules_digest"] != last["rules_digest"]:
        yield "rules"
    if row["rest_digest"] != last["rest_digest"]:
        yield "product"


class _Told:
    """What the record tells of some revisions of a product."""

    def __init__(self, product: uuid.UUID, rows: Iterable[Mapping[str, Any]]) -> None:
        wanted = Q(detail__revision__in=[row["revision"] for row in rows]) | Q(action=Action.PRODUCT_CREATED)
        recorded = Event.objects.filter(wanted, object_kind="product", object_id=str(product), action__in=_CHANGING).order_by("id")
        self.events: dict[int, Event] = {_revision_of(event): event for event in recorded}
        asked = {event.detail["asked_by"] for event in self.events.values() if "asked_by" in event.detail}
        self._names = {str(person): name for person, name in User.objects.filter(id__in=asked).values_list("id", "name")}

    def actor(self, revision: int) -> str:
        event = self.events.get(revision)
        return event.actor_label if event else ""

    def asker(self, event: Event | None) -> str:
        return self._names.get(event.detail.get("asked_by", ""), "") if event else ""

    def reason(self, event: Event | None) -> str:
        return str(event.detail.get("reason", "")) if event else ""


def _revision_of(event: Event) -> int:
    return int(event.detail.get("revision", 1))    # that a product was created tells its first
