"""Which lists can be taken away: each app declares its own; what is declared here is the same for the page, the API and the clock."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import urlencode

from django.db.models import Case, F, Func, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Concat
from django.urls import reverse
from django.utils.translation import gettext as _

from audit.services import timestamp
from partners.accounts.roles import Permission
from portal.exports.errors import ListUnknown
from scoring.engine.inert import NUMBER, RISKY
from scoring.engine.writing import Cell, ColumnKinds
from scoring.errors import FilterRefused

DETAILS: ColumnKinds = {"reference": str, "name": str, "phone": str, "national_id": str, "birth_date": str}


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom a list is read: whose 'mine' it is, and in whose money amounts are told."""

    person_id: uuid.UUID | None
    currency: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what the database is asked for, where it is. `is_free`: a text that somebody wrote, and not a word or number of ours."""

    of: Any = None
    kind: type[str] | type[int] | type[float] = str
    is_free: bool = False

    @property
    def inert(self) -> Any:
        """The same, made harmless by the database itself."""
        if not self.is_free:
            return self.of
        found = Q(**{f"{self.of.name}__regex": RISKY}) & ~Q(**{f"{self.of.name}__regex": NUMBER})
        return Case(When(found, then=Concat(Value("'"), self.of)), default=self.of, output_field=TextField())


def word(path: str) -> Column:
    """A code or another word of ours."""
    return Column(F(path))


def free(path: str) -> Column:
    """A text that somebody wrote."""
    return Column(F(path), is_free=True)


def name(path: str) -> Column:
    """An identifier."""
    return Column(Cast(path, TextField()))


def number(path: str) -> Column:
    """A whole number."""
    return Column(F(path), int)


def share(path: str) -> Column:
    """A number with its decimals."""
    return Column(F(path), float)


def moment(path: str) -> Column:
    """A moment, as RFC 3339 writes it."""
    template = "to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    return Column(Func(F(path), template=template, output_field=TextField()))


def day(path: str) -> Column:
    """A day, such as 2026-11-21."""
    return Column(Cast(path, TextField()))


def truth(path: str) -> Column:
    """true or false."""
    return Column(Cast(path, TextField()))


TEXT, WHOLE, DECIMAL = Column(), Column(kind=int), Column(kind=float)    # of rows that are computed
Told: TypeAlias = Callable[[], Iterable[Sequence[Cell]]]


def at(moment: datetime | None) -> str | None:
    """As `moment` has it."""
    return None if moment is None else timestamp(moment)


def one_of(given: Mapping[str, str], name: str, among: Iterable[str], usual: str) -> str:
    """What a filter asks for, of the words it knows. Raises FilterRefused."""
    if (wanted := given.get(name, usual)) not in {*among, usual}:
        raise FilterRefused(_("There is no such filter; choose one from the lists."))
    return wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportList:
    """A list: who may see it, its columns, and what its filters leave: rows of the database, or what computes rows when they are written.
    `applicants` leads to the applicant, where a row is about one; `personal` are the filters that only somebody who may know applicants can
    use; `of` names filters that stand in the path of its page, by their names there."""

    name: str
    title: Any
    permission: Permission
    page: str    # the name of its page's address
    columns: Mapping[str, Column]
    read: Callable[[Mapping[str, str], Asker], QuerySet[Any] | Told]
    filters: tuple[str, ...] = ()
    of: Mapping[str, str] = field(default_factory=dict)
    personal: frozenset[str] = field(default_factory=frozenset)
    applicants: str | None = None

    def kinds(self, *, with_applicants: bool) -> ColumnKinds:
        """Names and kinds of the columns of a file."""
        plain: ColumnKinds = {name: column.kind for name, column in self.columns.items()}
        return plain | DETAILS if with_applicants else plain

    def needs(self, given: Mapping[str, str], *, with_applicants: bool) -> set[Permission]:
        """Every permission that it takes to read this."""
        return {self.permission, *([Permission.APPLICANT_READ] if with_applicants or self.personal & given.keys() else [])}

    def address(self, given: Mapping[str, str]) -> str:
        """The page that shows it like this."""
        path = {name: given.get(filter_name, "") for name, filter_name in self.of.items()}
        asked = {name: text for name, text in given.items() if name not in self.of.values()}
        return reverse(self.page, kwargs=path) + (f"?{urlencode(asked)}" if asked else "")


_LISTS: dict[str, ExportList] = {}


def declare(*lists: ExportList) -> None:
    """These lists can be taken away from now on. Called by apps when they are ready."""
    _LISTS.update({one.name: one for one in lists})


def every_list() -> list[ExportList]:
    """All that are declared."""
    return list(_LISTS.values())


def list_of(name: str) -> ExportList:
    """The list of this name. Raises ListUnknown."""
    if name not in _LISTS:
        raise ListUnknown(f"There is no list {name[:40]!r}; there are {', '.join(_LISTS)}.")
    return _LISTS[name]
