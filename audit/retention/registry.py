"""What apps above register: which classes of records they keep, how to look at them, and how to let go of them."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

from audit.context import Actor
from audit.retention.rules import Item, Removal


@dataclass(frozen=True, slots=True)
class RecordClass:
    """Records that go by the same rules.

    `removals`: how they can go, the usual way first; each is called with ids, the run's number and the actor in a transaction, and files
    go when it has ended. `after(last, limit)`: ids of those still there, in their order. `look(ids)`: how these are now, without those
    that are gone. `lock(ids)`: nobody changes them until the transaction ends."""

    name: str
    title: str | Promise
    removals: Mapping[Removal, Callable[[Sequence[str], int, Actor], None]]
    triggers: Sequence[str]
    after: Callable[[str, int], Sequence[str]]
    look: Callable[[Sequence[str]], Sequence[Item]]
    lock: Callable[[Sequence[str]], None]

    @property
    def usual(self) -> Removal:
        """How they go where no rule says otherwise."""
        return next(iter(self.removals))


_classes: dict[str, RecordClass] = {}
_finders: dict[str, Callable[[uuid.UUID], uuid.UUID | None]] = {}


def keep(*classes: RecordClass) -> None:
    """The classes are known from now on. Called in AppConfig.ready()."""
    for one in classes:
        _classes[one.name] = one


def find_applicants(**finders: Callable[[uuid.UUID], uuid.UUID | None]) -> None:
    """How the applicant of a thing is found that a hold may name, by kind. Called in AppConfig.ready()."""
    _finders.update(finders)


def record_classes() -> Mapping[str, RecordClass]:
    """What is registered, by name."""
    return _classes


def holdable() -> Iterable[str]:
    """The kinds of things that a hold may name."""
    return _finders.keys()


def applicant_of(kind: str, object_id: uuid.UUID) -> uuid.UUID | None:
    """Whose this is; None where there is no such thing."""
    return _finders[kind](object_id) if kind in _finders else None
