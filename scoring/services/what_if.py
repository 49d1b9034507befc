"""Another policy over the partner's own past decisions: read part by part, opened only when rules, amounts or groups need it."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import psycopg
from django.db import connections

from audit.vault import keyring
from scoring.engine.contract import Value
from scoring.engine.grouping import Grouping
from scoring.engine.policy import STRICTNESS, Outcome
from scoring.engine.policy import Policy as PolicyDefinition
from scoring.engine.product import Product as Definition
from scoring.engine.what_if import Codes, Comparison, Past, Terms, WhatIf
from scoring.models import Product
from scoring.sealed import TABLE

AT_ONCE = 5_000
AT_MOST = 100_000
SHOWN = 50    # of those who go from one outcome to another, the newest

# Identifiers as text, since that is how they enter the seal. Applicants and outcomes are looked up one by one, by index, whatever the
# server believes of the sizes of tables; an outcome that is superseded does not hold.
_READ = """
SELECT d.id::text, d.created_at, d.score, d.probability, d.answered_by = 'model', o.value{sealed}
FROM scoring_decision d
LEFT JOIN LATERAL (
    SELECT value FROM scoring_outcome held
    WHERE held.decision_id = d.id AND NOT EXISTS (SELECT FROM scoring_outcome later WHERE later.supersedes_id = held.id) OFFSET 0
) o ON true{applicant}
WHERE d.product_id = %(product)s AND d.created_at >= %(since)s{after}
ORDER BY d.created_at DESC, d.id DESC LIMIT %(limit)s
"""
_SEALED = ", d.applicant_id::text, a.data_key_id::text, a.wrapped_key, d.sealed"
_APPLICANT = """
LEFT JOIN LATERAL (SELECT data_key_id, wrapped_key FROM scoring_applicant WHERE id = d.applicant_id OFFSET 0) a ON true"""
_AFTER = " AND d.created_at <= %(last_at)s AND (d.created_at < %(last_at)s OR d.id < %(last_id)s::uuid)"    # the first for the index


@dataclass(frozen=True, slots=True)
class Mover:
    """Somebody who goes from one outcome to another. `amount` and `is_bad` are None where they are not known."""

    decision_id: uuid.UUID
    created_at: datetime
    score: int
    amount: float | None
    is_bad: bool | None


Movers = Mapping[tuple[Outcome, Outcome], Sequence[Mover]]


@dataclass(frozen=True, slots=True)
class Found:
    """The comparison, and what it rests on. `left_out` could not be opened: erased or damaged. `is_cut`: there were more than counted.

    `movers` are the newest of those who move, at most SHOWN of each kind."""

    comparison: Comparison
    movers: Movers
    decisions: int
    left_out: int
    opened: int
    since: datetime
    oldest: datetime | None
    newest: datetime | None
    is_cut: bool
    seconds: float

    @property
    def days(self) -> float:
        """Over how many days the decisions are spread; at least one."""
        return 1.0 if self.oldest is None or self.newest is None else max((self.newest - self.oldest).total_seconds() / 86_400, 1.0)


def what_if(
    *, product_slug: str, policy: PolicyDefinition, since: datetime, terms: Terms, amount: str | None = None, group: str | None = None,
    at_most: int = AT_MOST, at_most_seconds: float = 60.0,
) -> Found:
    """What `policy` would have made of the product's decisions since then, beside the policy in force; the newest `at_most` of them, and
    no further part once `at_most_seconds` have passed.

    `amount` and `group` name inputs; known outcomes count as they were. Writes nothing. Raises ProductUnknown."""
    began = time.monotonic()
    product = Product.objects.select_related("policy").filter(slug=product_slug).first()
    if product is None:
        raise Product.unknown(product_slug)
    definition = Definition.from_dict(product.definition)
    grouping = _grouping(definition, group)
    made = WhatIf(PolicyDefinition.from_dict(product.policy.definition), policy, terms, groups=grouping.names if grouping else ())
    reader = _Reader(amount, grouping, definition.rules.may_approve, made.asked)
    parts = _Parts(product.id, since, at_most, is_opened=reader.is_opening)
    newest: datetime | None = None
    for rows in parts:
        newest = newest or rows[0][1]
        reader.add(made, rows)
        if time.monotonic() - began > at_most_seconds:
            break
    last = parts.last
    return Found(
        comparison=made.result(), movers=reader.movers, decisions=parts.read - reader.left_out, left_out=reader.left_out,
        opened=reader.opened, since=since, oldest=last and last[1], newest=newest, is_cut=parts.has_more(),
        seconds=time.monotonic() - began,
    )  # fmt: skip


def _grouping(definition: Definition, name: str | None) -> Grouping | None:
    return next((Grouping.of(one) for one in definition.contract.inputs if one.name == name), None)


class _Parts:
    """Rows of decisions, newest first, a part at a time; sealed columns only where they will be opened."""

    def __init__(self, product_id: uuid.UUID, since: datetime, at_most: int, *, is_opened: bool) -> None:
        self.product_id, self.since, self.left, self.is_opened = product_id, since, at_most, is_opened
        self.read = 0
        self.last: Any = None

    def __iter__(self) -> Iterator[list[Any]]:
        while self.left and (rows := self._next(min(AT_ONCE, self.left), is_opened=self.is_opened)):
            self.read, self.left, self.last = self.read + len(rows), self.left - len(rows), rows[-1]
            yield rows

    def has_more(self) -> bool:
        """Whether there are older ones than those read."""
        return self.last is not None and bool(self._next(1, is_opened=False))

    def _next(self, limit: int, *, is_opened: bool) -> list[Any]:
        wrapper: Any = connections["default"]
        values: dict[str, Any] = {"product": self.product_id, "since": self.since, "limit": limit}
        if self.last is not None:
            values |= {"last_id": self.last[0], "last_at": self.last[1]}
        text = _READ.format(
            sealed=_SEALED if is_opened else "", applicant=_APPLICANT if is_opened else "", after=_AFTER if self.last else ""
        )
        # Django's own cursors read no binary answers. A cursor that prepares would drop what scoring.wire has prepared when it tidies up.
        with wrapper.wrap_database_errors, psycopg.Cursor(wrapper.entered()) as cursor:
            rows: list[Any] = cursor.execute(text.encode(), values, binary=True, prepare=False).fetchall()
            return rows


@dataclass(slots=True)
class _Reader:
    """Makes arrays of rows, and counts what it opened and what it could not open."""

    amount: str | None
    grouping: Grouping | None
    may_approve: bool
    asked: frozenset[str]
    opened: int = 0
    left_out: int = 0
    movers: dict[tuple[Outcome, Outcome], list[Mover]] = field(default_factory=dict)
    _inputs: tuple[str, ...] = ()
    _decode: Any = None

    def __post_init__(self) -> None:
        grouped = {self.grouping.input.name} if self.grouping else set()
        self._inputs = tuple(sorted(self.asked | grouped | ({self.amount} if self.amount else set())))
        self._decode = msgspec.msgpack.Decoder(_kept(self._inputs)).decode

    @property
    def is_opening(self) -> bool:
        """Whether anything is needed of what is sealed."""
        return bool(self._inputs)

    def add(self, made: WhatIf, rows: Sequence[Any]) -> None:
        """These decisions count too, but those that cannot be opened."""
        values: dict[str, list[Value]] = {}
        days: list[str] = []
        if self.is_opening:
            rows, values, days = self._opened(rows)
        amounts = _amounts(values[self.amount]) if self.amount else None
        group = self.grouping.places(values[self.grouping.input.name], days) if self.grouping else None
        past = Past(
            score=np.array([row[2] for row in rows], np.int64), probability=np.array([row[3] for row in rows], np.float64),
            may_approve=np.array([self.may_approve or row[4] for row in rows], bool), values=values or None, amount=amounts,
            bad=np.array([np.nan if row[5] is None else row[5] for row in rows], np.float64), group=group,
        )  # fmt: skip
        self._keep(rows, amounts, *made.add(past))

    def _opened(self, rows: Sequence[Any]) -> tuple[list[Any], dict[str, list[Value]], list[str]]:
        kept, told = [], []
        sealed = ((row[6], row[7], row[8], row[0], row[9]) for row in rows)
        for row, content in zip(rows, keyring().unseal_many(sealed, table=TABLE, column="sealed"), strict=True):
            if content is not None:
                kept.append(row)
                told.append(self._decode(content))
        self.opened += len(kept)
        self.left_out += len(rows) - len(kept)
        values = {name: [getattr(one.inputs, f"at_{place}") for one in told] for place, name in enumerate(self._inputs)}
        return kept, values, [one.decided_on for one in told]

    def _keep(self, rows: Sequence[Any], amounts: Any, before: Codes, after: Codes) -> None:
        """The first ones who move, to be shown."""
        for place in np.flatnonzero(before != after).tolist():
            found = self.movers.setdefault((STRICTNESS[before[place]], STRICTNESS[after[place]]), [])
            if len(found) < SHOWN:
                row, much = rows[place], None if amounts is None else float(amounts[place])
                found.append(Mover(uuid.UUID(row[0]), row[1], row[2], much, None if row[5] is None else bool(row[5])))


def _kept(inputs: Sequence[str]) -> type[msgspec.Struct]:
    """What is read of a decision's content: these inputs as at_0, at_1, ..., and its day. Nothing else is made into objects."""
    places = {f"at_{place}": name for place, name in enumerate(inputs)}
    told = msgspec.defstruct("Inputs", [(place, Any, None) for place in places], rename=places, gc=False)
    return msgspec.defstruct("Kept", [("inputs", told), ("decided_on", str)], gc=False)


def _amounts(told: Sequence[Value]) -> Any:
    return np.fromiter((float(one) if isinstance(one, int | float) else 0.0 for one in told), np.float64, len(told))
