"""Another policy over the partner's own past decisions: read part by part, opened only when rules, amounts or groups need it."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from django.db.models import Q, QuerySet

from audit.errors import SealBroken
from audit.vault import Keyring, keyring
from scoring.engine.contract import InputKind
from scoring.engine.policy import Policy as PolicyDefinition
from scoring.engine.product import Product as Definition
from scoring.engine.what_if import Comparison, Past, Terms, WhatIf
from scoring.models import AnsweredBy, Decision, Product
from scoring.sealed import TABLE

AT_ONCE = 5_000
AT_MOST = 100_000
Known = Callable[[Sequence[uuid.UUID]], Mapping[uuid.UUID, bool]]


class _Inputs(msgspec.Struct):
    """Of what a decision keeps sealed, only what was told."""

    inputs: dict[str, Any]


_decode = msgspec.msgpack.Decoder(_Inputs).decode


@dataclass(frozen=True, slots=True)
class Found:
    """The comparison, and what it rests on. `left_out` could not be opened: erased or damaged. `is_cut`: there were more than counted."""

    comparison: Comparison
    decisions: int
    left_out: int
    opened: int
    since: datetime
    oldest: datetime | None
    newest: datetime | None
    is_cut: bool


def nothing_known(_decisions: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, bool]:
    """No outcome is known."""
    return {}


def what_if(
    *, product_slug: str, policy: PolicyDefinition, since: datetime, terms: Terms, amount: str | None = None, group: str | None = None,
    at_most: int = AT_MOST, known: Known = nothing_known,
) -> Found:
    """What `policy` would have made of the product's decisions since then, beside the policy in force; the newest `at_most` of them.

    `amount` and `group` name inputs; `known` says of decisions whether the outcome was bad. Writes nothing. Raises ProductUnknown."""
    product = Product.objects.select_related("policy").filter(slug=product_slug).first()
    if product is None:
        raise Product.unknown(product_slug)
    definition = Definition.from_dict(product.definition)
    groups = groups_of(definition, group)
    made = WhatIf(PolicyDefinition.from_dict(product.policy.definition), policy, terms, groups=groups)
    reader = _Reader(
        needs=frozenset([
            *(rule.condition.input for one in (made.old, made.new) for rule in one.knock_outs), *filter(None, (amount, group)),
        ]),
        amount=amount, group=group, groups=groups, may_approve=definition.rules.may_approve, known=known,
    )  # fmt: skip
    counted, last, newest = 0, None, None
    for rows in _parts(product.id, since, at_most, is_opened=bool(reader.needs)):
        made.add(reader.past(rows))
        counted, last, newest = counted + len(rows), rows[-1], newest or rows[0][1]
    return Found(
        comparison=made.result(), decisions=counted - reader.left_out, left_out=reader.left_out, opened=reader.opened, since=since,
        oldest=last and last[1], newest=newest,
        is_cut=last is not None and counted == at_most and _rows(product.id, since).filter(_after(last)).exists(),
    )  # fmt: skip


def groups_of(definition: Definition, name: str | None) -> tuple[str, ...]:
    """The answers of a protected input by which decisions are compared; none for any other input."""
    one = next((one for one in definition.contract.inputs if one.name == name and one.is_protected), None)
    if one is None:
        return ()
    return ("true", "false") if one.kind is InputKind.BOOLEAN else one.categories


_COLUMNS = ("id", "created_at", "score", "probability", "answered_by")
_SEALED = ("sealed", "applicant_id", "applicant__data_key_id", "applicant__wrapped_key")


def _parts(product_id: uuid.UUID, since: datetime, at_most: int, *, is_opened: bool) -> Iterator[list[Any]]:
    """Rows of decisions, newest first, a part at a time; sealed columns only where they will be opened."""
    columns = _COLUMNS + (_SEALED if is_opened else ())
    wanted = _rows(product_id, since).order_by("-created_at", "-id").values_list(*columns)
    rows = list(wanted[: min(AT_ONCE, at_most)])
    left = at_most - len(rows)
    while rows:
        yield rows
        rows = list(wanted.filter(_after(rows[-1]))[: min(AT_ONCE, left)]) if left else []
        left -= len(rows)


def _rows(product_id: uuid.UUID, since: datetime) -> QuerySet[Decision]:
    return Decision.objects.filter(product_id=product_id, created_at__gte=since)


def _after(last: Any) -> Q:
    """What the list has after this row. The first bound is for the index."""
    return Q(created_at__lte=last[1]) & (Q(created_at__lt=last[1]) | Q(id__lt=last[0]))


@dataclass(slots=True)
class _Reader:
    """Makes arrays of rows, and counts what it opened and what it could not open."""

    needs: frozenset[str]
    amount: str | None
    group: str | None
    groups: tuple[str, ...]
    may_approve: bool
    known: Known
    opened: int = 0
    left_out: int = 0

    def past(self, rows: Sequence[Any]) -> Past:
        """These decisions as the engine takes them; without those that cannot be opened."""
        values: list[dict[str, Any]] | None = None
        if self.needs:
            rows, values = self._opened(rows)
        outcomes = self.known([row[0] for row in rows])
        amounts = None if self.amount is None or values is None else [_amount(one.get(self.amount)) for one in values]
        places = None if not self.groups or values is None else [self._place(one.get(self.group or "")) for one in values]
        bad = [float(outcomes[row[0]]) if row[0] in outcomes else np.nan for row in rows]
        return Past(
            score=np.array([row[2] for row in rows], np.int64), probability=np.array([row[3] for row in rows], np.float64),
            may_approve=np.array([self.may_approve or row[4] == AnsweredBy.MODEL for row in rows], bool), values=values,
            amount=None if amounts is None else np.array(amounts, np.float64), bad=np.array(bad, np.float64),
            group=None if places is None else np.array(places, np.int64),
        )  # fmt: skip

    def _opened(self, rows: Sequence[Any]) -> tuple[list[Any], list[dict[str, Any]]]:
        ring, kept, values = keyring(), [], []
        for row in rows:
            told = _open(ring, row)
            if told is None:
                self.left_out += 1
                continue
            kept.append(row)
            values.append({name: told.get(name) for name in self.needs})
        self.opened += len(kept)
        return kept, values

    def _place(self, told: Any) -> int:
        text = str(told).lower() if isinstance(told, bool) else told
        return self.groups.index(text) if text in self.groups else -1


def _open(ring: Keyring, row: Any) -> dict[str, Any] | None:
    """What the applicant told; None when they were erased, or the row is damaged."""
    decision_id = row[0]
    sealed, applicant_id, key_id, wrapped = row[5:]
    if wrapped is None or key_id is None:
        return None
    try:
        key = ring.unwrap(wrapped, key_id=key_id, owner=applicant_id)
        return _decode(ring.unseal(key, sealed, table=TABLE, column="sealed", owner=decision_id)).inputs
    except SealBroken:
        return None


def _amount(told: Any) -> float:
    return float(told) if isinstance(told, int | float) else 0.0
