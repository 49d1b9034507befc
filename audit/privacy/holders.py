"""Who holds what of an applicant: each app above says in its privacy.py how it is copied and erased, and registers it here."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.context import Actor
from audit.vault import DataKey

_TELLING = 6    # letters of a name that are not in half of all texts

@dataclass(frozen=True, slots=True)
class Subject:
    """An applicant an erasure is about. `reference` is what the partner calls them, `details` their name and numbers; empty when
    they cannot be read any more."""

    id: uuid.UUID
    reference: str = ""
    details: tuple[str, ...] = ()

    @property
    def traces(self) -> tuple[bytes, ...]:
        """What gives them away in texts that are not theirs alone, such as answers to a batch."""
        given = [one for one in (str(self.id), self.reference) if len(one) >= 3]
        return tuple(one.encode() for one in (*given, *(one for one in self.details if len(one) >= _TELLING)))


def traces_of(subjects: Sequence[Subject]) -> tuple[bytes, ...]:
    """What gives any of them away."""
    return tuple(trace for one in subjects for trace in one.traces)


@dataclass(frozen=True, slots=True)
class Holder:
    """What one app holds.

    `copy(applicant, language)`: plain values by section. `erase`: keys, indexes and rows of some applicants, in the caller's transaction;
    says how many of what. `forget`: files and memory, once that is committed; safe to repeat."""

    name: str
    copy: Callable[[uuid.UUID, str], Mapping[str, Any]]
    erase: Callable[[Sequence[Subject]], Mapping[str, int]]
    forget: Callable[[Sequence[Subject]], None]


@dataclass(frozen=True, slots=True)
class Keeper:
    """The app that owns applicants.

    `find(reference)`: their id, None when nobody is called so. `subject(id)`: None when erased; raises what the app raises for a stranger.
    `rectify`: corrects details and says which. `rewrap(at_most)`: that many wrapped keys are under the partner's key in use; how many were
    not. `change_key`: a new data key seals from now on."""

    find: Callable[[str], uuid.UUID | None]
    subject: Callable[[uuid.UUID], Subject | None]
    data_key: Callable[[uuid.UUID], DataKey | None]
    rectify: Callable[[uuid.UUID, Mapping[str, str]], Sequence[str]]
    rewrap: Callable[[int], int]
    change_key: Callable[[uuid.UUID], None]


# (applicant, decision or None, statement, actor) -> the number of the application in which a person looks at it again.
Reviewer = Callable[[uuid.UUID, uuid.UUID | None, str, Actor], str]

_holders: dict[str, Holder] = {}
_keeper: list[Keeper] = []
_reviewer: list[Reviewer] = []


def hold(holder: Holder) -> None:
    """The app's holdings are copied and erased from now on. Called in AppConfig.ready()."""
    _holders[holder.name] = holder


def keep(keeper: Keeper) -> None:
    """As above, for the app that owns applicants."""
    _keeper[:] = [keeper]


def review_by(reviewer: Reviewer) -> None:
    """As above, for the app in which people decide."""
    _reviewer[:] = [reviewer]


def holders() -> list[Holder]:
    """What is registered, in the order of names: every erasure takes its locks in the same order."""
    return [_holders[name] for name in sorted(_holders)]


def keeper() -> Keeper:
    """The app that owns applicants."""
    return _keeper[0]


def reviewer() -> Reviewer:
    """The app in which people decide."""
    return _reviewer[0]
