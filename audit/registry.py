"""What apps above register, so that the record can ask for it without knowing them."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attested:
    """Rows whose digest stands in the event that made them: what the digest is over, by id, and the rows that no event tells of."""

    action: str
    rows: Callable[[Sequence[uuid.UUID]], Mapping[uuid.UUID, Columns]]
    without_event: Callable[[], Iterator[Columns]]


_attested: dict[str, Attested] = {}


def attest(kind: Attested) -> None:
    """The rows are told in exports of the record from now on. Called in AppConfig.ready()."""
    _attested[kind.action] = kind


def attested() -> Mapping[str, Attested]:
    """What is registered, by the action of the events; nothing in the shared schema, which has none of these rows."""
    return {} if getattr(connection, "schema_name", "") == "public" else _attested
