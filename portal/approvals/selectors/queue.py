"""The queue: applications of a tab, filtered, in an order, page by page; what the page tells of each row.

Every order is one of an index, and a page begins after a place in it, so that it costs the same at any depth."""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce

from audit.errors import SealBroken
from audit.vault import keyring
from portal.approvals.models import Application, SecondOpinion
from portal.approvals.selectors.waiting import open_proposals_for
from portal.approvals.transitions import WAITING
from scoring.applicants import key_of, open_profile
from scoring.errors import CursorRefused
from scoring.makers import Makers
from scoring.models import Applicant, Product
from scoring.retold import reasons_in
from scoring.sealed import open_content

PAGE = 25
_MOST_NAMESAKES, _MOST_FOUND = 200, 2_000
_NUMBER = re.compile(r"([0-9A-Za-z]{4})[- ]?([0-9A-Za-z]{4})")
_LONGEST_CURSOR = 400
logger = structlog.get_logger(__name__)


class Tab(StrEnum):
    """Which part of the queue."""

    WAITING = "waiting"
    MINE = "mine"
    SECOND = "second"
    DECIDED = "decided"
    ALL = "all"


class Order(StrEnum):
    """In which order."""

    DUE = "due"    # what was escalated comes first
    ENDED = "ended"
    NEWEST = "newest"
    OLDEST = "oldest"
    LARGEST = "largest"
    SMALLEST = "smallest"


# Columns of each order, - for descending; none but due_at is ever NULL, and then it is last.
_COLUMNS: Mapping[Order, tuple[str, ...]] = {
    Order.DUE: ("-priority", "due_at", "id"),
    Order.ENDED: ("-ended_at", "-id"),
    Order.NEWEST: ("-created_at", "-id"),
    Order.OLDEST: ("created_at", "id"),
    Order.LARGEST: ("-amount_minor", "-id"),
    Order.SMALLEST: ("amount_minor", "id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFilters:
    """What is looked for; what is None does not matter. `search`: a number, or an applicant's reference, phone, national id or name.

    `amount_from` and `amount_to` are in the smallest unit of `currency`. `assigned_to` with `is_assigned=False`: nobody has it."""

    search: str | None = None
    state: str | None = None
    product_id: uuid.UUID | None = None
    band: str | None = None
    currency: str | None = None
    amount_from: int | None = None
    amount_to: int | None = None
    tag: str | None = None
    assigned_to: uuid.UUID | None = None
    is_assigned: bool | None = None
    is_snoozed: bool | None = None
    due_from: datetime | None = None
    due_before: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return all(getattr(self, one.name) is None for one in fields(self))

    @property
    def is_about_waiting(self) -> bool:
        """Whether it asks what only who waits has."""
        return self.due_from is not None or self.due_before is not None or self.is_snoozed is not None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One application with what its row tells: who asks and why a person has to look (None for whom that is not)."""

    application: Application
    who: str | None
    reference: str | None
    why: str | None
    proposal: SecondOpinion | None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Some rows, and where the next ones begin."""

    rows: list[QueueRow]
    next_cursor: str | None


def queue(
    *, tab: Tab, person_id: uuid.UUID, filters: QueueFilters, order: Order, cursor: str | None = None, limit: int = PAGE, opens: bool,
    language: str | None = None,
) -> QueuePage:  # fmt: skip
    """At most `limit` rows of the tab after the cursor; `opens`: with what is sealed under applicants' keys, reasons in the reader's
    language. Raises CursorRefused."""
    few = _looked_up(tab, person_id, filters)
    found = _ordered(_of_tab(tab, person_id, filters).filter(_wanted(filters, few)), order)
    chosen: list[Application] = []
    for part in _stages(order, cursor):
        chosen += _first(found.filter(part), limit + 1 - len(chosen), is_few=few is not None)
        if len(chosen) > limit:
            break
    shown = chosen[:limit]
    return QueuePage(_rows(shown, opens=opens, language=language), _to_cursor(order, shown[-1]) if len(chosen) > limit else None)


def applications_found(*, tab: Tab, person_id: uuid.UUID, filters: QueueFilters, order: Order) -> QuerySet[Application]:
    """All of the tab's applications that the filters leave, in the order."""
    return _ordered(_of_tab(tab, person_id, filters).filter(_wanted(filters, _looked_up(tab, person_id, filters))), order)


def by_number(number: str) -> Application | None:
    """The application of this number, with who has it; None when there is none."""
    return _listed().filter(number=number.strip().upper()).first()


# ---- which


def _listed() -> QuerySet[Application]:
    found = Application.objects.filter(decision__isnull=False).select_related("product", "assigned_to", "locked_by")
    return found.defer("sealed_request", "product__definition")


def _of_tab(tab: Tab, person_id: uuid.UUID, filters: QueueFilters) -> QuerySet[Application]:
    """A search looks everywhere: whoever types a number wants that application, wherever it stands."""
    found, waiting = _listed(), Q(state__in=sorted(WAITING))
    if filters.search is not None or tab is Tab.ALL:
        return found.filter(waiting) if filters.is_about_waiting else found
    wants_waiting = tab is not Tab.DECIDED
    if filters.state is None or (filters.state in WAITING) != wants_waiting:    # else said twice, which misleads the planner
        found = found.filter(waiting if wants_waiting else ~waiting)
    if tab is Tab.DECIDED:
        return found.none() if filters.is_about_waiting else found
    if tab is Tab.MINE:
        return found.filter(assigned_to=person_id)
    if tab is Tab.SECOND:
        return found.filter(id__in=open_proposals_for(person_id).values("application_id"))
    if filters.is_snoozed is None:
        return found.filter(Q(snoozed_until=None) | Q(snoozed_until__lte=datetime.now(UTC)))
    return found


def _wanted(filters: QueueFilters, few: Sequence[uuid.UUID] | None) -> Q:
    plain = {
        "state": filters.state, "product_id": filters.product_id, "band": filters.band, "currency": filters.currency,
        "amount_minor__gte": filters.amount_from, "amount_minor__lte": filters.amount_to, "assigned_to_id": filters.assigned_to,
        "due_at__gte": filters.due_from, "due_at__lt": filters.due_before, "created_at__gte": filters.since,
        "created_at__lt": filters.until,
    }  # fmt: skip
    wanted = Q(**{name: value for name, value in plain.items() if value is not None})
    if filters.is_assigned is not None:
        wanted &= Q(assigned_to__isnull=not filters.is_assigned)
    if filters.is_snoozed is not None:
        wanted &= Q(snoozed_until__gt=datetime.now(UTC)) if filters.is_snoozed else ~Q(snoozed_until__gt=datetime.now(UTC))
    if filters.tag is not None:
        wanted &= Q(tags__contains=[filters.tag])
    return wanted if few is None else wanted & Q(id__in=few)


def _looked_up(tab: Tab, person_id: uuid.UUID, filters: QueueFilters) -> list[uuid.UUID] | None:
    """The only applications it can be, where a search, a rare tag or the tab leaves few; None where many are left.

    Looked up first: a plan would walk along the whole order in the hope to meet them."""
    if filters.search is not None:
        return _searched(filters.search)
    if filters.tag is not None:
        tagged = Application.objects.filter(tags__contains=[filters.tag]).order_by()
        ids = list(tagged.values_list("id", flat=True)[: _MOST_FOUND + 1])
    elif tab is Tab.SECOND:
        ids = list(open_proposals_for(person_id).values_list("application_id", flat=True)[: _MOST_FOUND + 1])
    else:
        return None
    return ids if len(ids) <= _MOST_FOUND else None


def _first(found: QuerySet[Application], most: int, *, is_few: bool) -> list[Application]:
    """At most so many, in their order. Of few all are put in order first: a LIMIT would make the plan walk along the order again."""
    if not is_few:
        return list(found[:most])
    ids = list(found.values_list("id", flat=True))[:most]
    rows = {one.id: one for one in found.filter(id__in=ids)}
    return [rows[one] for one in ids if one in rows]


def _searched(text: str) -> list[uuid.UUID]:
    """By number, or by the applicant as keyed hashes know them: nothing that was typed goes to the database in the clear."""
    ring, number = keyring(), _NUMBER.fullmatch(text.strip())
    if number is not None:
        ids = list(Application.objects.filter(number=f"{number[1]}-{number[2]}".upper()).values_list("id", flat=True))
        if ids:
            return ids
    hashes = {
        "phone_index": ring.blind_index("phone", text), "name_index": ring.blind_index("name", text),
        "national_id_index": ring.blind_index("national_id", text),
    }  # fmt: skip
    known = Q()
    for name, value in hashes.items():
        known |= Q(**{name: value}) if value is not None else Q()
    people = [ring.applicant_id(text), *(Applicant.objects.filter(known).values_list("id", flat=True)[:_MOST_NAMESAKES] if known else ())]
    theirs = Application.objects.filter(applicant_id__in=people).order_by("-created_at").values_list("id", flat=True)
    return list(theirs[:_MOST_FOUND])


# ---- in which order, from where


def _ordered(found: QuerySet[Application], order: Order) -> QuerySet[Application]:
    if order is Order.ENDED:
        found = found.annotate(ended_at=Coalesce("decided_at", "created_at"))
    columns = [F(one[1:]).desc() if one.startswith("-") else F(one).asc() for one in _COLUMNS[order]]
    return found.order_by(*columns)


def _stages(order: Order, cursor: str | None) -> Iterator[Q]:
    """What comes after the cursor, in parts that follow one another in the order: each is one range of the index."""
    if cursor is None:
        yield Q()
        return
    columns, place = _COLUMNS[order], _from_cursor(order, cursor)
    for last in range(len(columns) - 1, -1, -1):
        same = Q()
        for name, value in zip(columns[:last], place, strict=False):
            same &= Q(**({f"{name.lstrip('-')}__isnull": True} if value is None else {name.lstrip("-"): value}))
        name, value = columns[last], place[last]
        if value is None:    # nothing comes after nothing
            continue
        yield same & Q(**{f"{name[1:]}__lt" if name.startswith("-") else f"{name}__gt": value})
        if name == "due_at":
            yield same & Q(due_at__isnull=True)


def _to_cursor(order: Order, one: Application) -> str:
    place = [getattr(one, name.lstrip("-")) for name in _COLUMNS[order]]
    told = [value if value is None or isinstance(value, int) else str(value) for value in place]
    return base64.urlsafe_b64encode(json.dumps([order, *told]).encode()).decode()


def _from_cursor(order: Order, cursor: str) -> list[Any]:
    """The place in the order, one value per column. Raises CursorRefused for what this order never gave."""
    if len(cursor) > _LONGEST_CURSOR:
        raise CursorRefused
    try:
        told = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        kind, *place = told
        if kind != order or len(place) != len(_COLUMNS[order]):
            raise CursorRefused
        return [_value(name.lstrip("-"), value) for name, value in zip(_COLUMNS[order], place, strict=True)]
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise CursorRefused from error


def _value(name: str, told: Any) -> Any:
    if name == "due_at" and told is None:
        return None
    if name in {"priority", "amount_minor"}:
        if type(told) is not int or abs(told) >= (2**15 if name == "priority" else 2**63):
            raise ValueError
        return told
    if not isinstance(told, str):
        raise TypeError
    if name == "id":
        return uuid.UUID(told)
    moment = datetime.fromisoformat(told)
    if moment.tzinfo is None:
        raise ValueError
    return moment


# ---- what a row tells


def _rows(applications: Sequence[Application], *, opens: bool, language: str | None) -> list[QueueRow]:
    ids = [one.id for one in applications]
    opinions = SecondOpinion.objects.filter(application__in=ids, state=SecondOpinion.Answer.OPEN).select_related("proposed_by")
    proposals = {one.application_id: one for one in opinions}
    there = Application.objects.filter(id__in=ids).select_related("applicant", "decision__product").defer("decision__product__definition")
    sealed = {one.id: one for one in there} if opens else {}
    makers = Makers(keyring())
    return [_row(makers, one, sealed.get(one.id), proposals.get(one.id), language) for one in applications]


def _row(
    makers: Makers, one: Application, sealed: Application | None, proposal: SecondOpinion | None, language: str | None
) -> QueueRow:
    who = reference = why = None
    if sealed is not None and sealed.applicant is not None and sealed.decision is not None:
        try:
            key = key_of(makers.ring, sealed.applicant)
            if key is not None:
                details = open_profile(makers.ring, key, sealed.applicant.id, sealed.applicant.sealed_profile or b"")
                who, reference = details.name or details.reference, details.reference
                content = open_content(makers.ring, key, sealed.decision)
                reasons = reasons_in(language or content.language, sealed.decision, content, makers)
                why = _short(reasons[0].text) if reasons else None
        except SealBroken:    # one damaged row hides no other
            logger.exception("application_damaged", application_id=str(one.id))
    return QueueRow(one, who, reference, why, proposal)


def _short(reason: str) -> str:
    """The reason's own half: what is usual stands after the semicolon, and on the application's page."""
    first, usual, _rest = reason.partition("; ")
    return f"{first.rstrip()}." if usual else reason


def product_ids() -> dict[str, uuid.UUID]:
    """Each product's id by its slug."""
    return dict(Product.objects.values_list("slug", "id"))
