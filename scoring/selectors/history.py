"""What was in force when, and who changed it: read from the revisions that the database keeps, and from the record."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Func, OuterRef, Subquery, TextField
from django.db.models.fields.json import KT
from django.db.models.functions import MD5

from audit.actions import Action
from audit.models import Event
from partners.accounts.models import User
from scoring.errors import MomentRefused
from scoring.models import ProductRevision
from scoring.selectors.catalogue import product_id

_CHANGING = (Action.PRODUCT_CREATED, Action.PRODUCT_CHANGED, Action.POLICY_CHANGED, Action.MODEL_PROMOTED, Action.MODEL_ROLLED_BACK)
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


def changes(product_slug: str) -> list[Change]:
    """Every change of what is in force for the product, newest first. Raises ProductUnknown."""
    told = _Told(product_id(product_slug))
    found: list[Change] = []
    rules_version, last = 0, None
    for row in _revisions(told.product):
        changed = _changed(row, last)
        rules_version += "rules" in changed
        event = told.events.get(row["revision"])
        found.append(
            Change(
                row["revision"], row["began_at"], changed, row["champion__version"], row["policy__version"], rules_version,
                event.action if event else "", event.actor_label if event else "", told.asker(event), told.reason(event),
            )
        )    # fmt: skip
        last = row
    return found[::-1]


def rules_versions(product_slug: str) -> list[RulesVersion]:
    """Every version of the product's rules, newest first. Raises ProductUnknown."""
    told = _Told(product_id(product_slug))
    first_of: list[Mapping[str, Any]] = []
    for row in _revisions(told.product):
        if not first_of or row["rules_digest"] != first_of[-1]["rules_digest"]:
            first_of.append(row)
    kept = ProductRevision.objects.filter(product=told.product, revision__in=[row["revision"] for row in first_of])
    rules = dict(kept.values_list("revision", "definition__rules"))
    ends: Sequence[datetime | None] = [*(row["began_at"] for row in first_of[1:]), None]
    found = [
        RulesVersion(
            version, row["revision"], rules[row["revision"]] or {}, row["began_at"], end,
            told.actor(row["revision"]), told.reason(told.events.get(row["revision"])),
        )
        for version, (row, end) in enumerate(zip(first_of, ends, strict=True), start=1)
    ]    # fmt: skip
    return found[::-1]


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
    """What the record tells of a product's revisions."""

    def __init__(self, product: uuid.UUID) -> None:
        self.product = product
        recorded = Event.objects.filter(object_kind="product", object_id=str(product), action__in=_CHANGING).order_by("id")
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
