"""What the queue's address asks for: read, refused in one sentence, and written again."""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _

from partners.errors import MoneyRefused
from partners.money import to_minor
from portal.approvals.selectors.queue import Order, QueueFilters, Tab, product_ids
from portal.approvals.transitions import WAITING, State
from portal.approvals.web.queue_words import SOON
from scoring.errors import FilterRefused
from scoring.models import BandCode

NAMES = ("q", "state", "product", "band", "due", "to", "min", "max", "tag", "since", "until")
FOLDED = ("state", "to", "min", "max", "tag", "since", "until")    # behind More filters
DUE = ("late", "soon", "today", "week", "snoozed")
_ENDED = (Order.ENDED, Order.NEWEST, Order.OLDEST, Order.LARGEST, Order.SMALLEST)
_WAITING = (Order.DUE, Order.NEWEST, Order.OLDEST, Order.LARGEST, Order.SMALLEST)
# The first is the usual one. Each is served by an index that covers the tab.
ORDERS: Mapping[Tab, tuple[Order, ...]] = {
    Tab.WAITING: _WAITING, Tab.MINE: _WAITING, Tab.SECOND: _WAITING, Tab.DECIDED: _ENDED, Tab.ALL: _ENDED[1:],
}  # fmt: skip
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """The state of the queue as its address tells it: texts as they were typed, without empty ones."""

    tab: Tab
    order: Order
    given: Mapping[str, str]

    @property
    def address(self) -> str:
        """The same again, for links and for saved views."""
        return self.changed()

    def changed(self, **changes: str) -> str:
        """The same with something else; an empty text takes it away. The place in the list is not kept."""
        state = {"tab": "" if self.tab is Tab.WAITING else self.tab, "sort": "" if self.is_usual_order else self.order, **self.given}
        return urlencode({name: value for name, value in {**state, **changes}.items() if value})

    @property
    def is_usual_order(self) -> bool:
        return self.order is orders_of(self.tab, self.given)[0]


def wanted(query: Mapping[str, str]) -> Wanted:
    """What the address asks for. Raises FilterRefused for a tab or an order that is not there."""
    given = {name: text for name in NAMES if (text := query.get(name, "").strip())}
    if any("\0" in text or len(text) > _LONGEST for text in given.values()):
        raise FilterRefused(_("What is looked for has at most 200 characters."))
    tab = _one_of(Tab, query.get("tab", "") or ("all" if "q" in given else "waiting"), _("There is no such tab."))
    tab = Tab.ALL if "q" in given else tab    # a search looks everywhere
    orders = orders_of(tab, given)
    order = _one_of(Order, query.get("sort", "") or orders[0], _("There is no such order."))
    return Wanted(tab, order if order in orders else orders[0], given)


def orders_of(tab: Tab, given: Mapping[str, str]) -> tuple[Order, ...]:
    """The orders that can be asked for, the usual one first: days in which applications came in go with an order by these days."""
    return _ENDED[1:] if tab is Tab.DECIDED and {"since", "until"} & given.keys() else ORDERS[tab]


def filters_of(state: Wanted, *, currency: str, person_id: uuid.UUID) -> QueueFilters:
    """The filters of the address. Raises FilterRefused with one sentence on the first that cannot be used."""
    given = state.given
    read: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if name in given:
            read |= reader(given[name])
    if "to" in given:
        read |= _assigned(given["to"], person_id)
    if "min" in given or "max" in given:
        read |= {"currency": currency}
        read |= {field: _amount(given[name], currency) for name, field in _AMOUNTS.items() if name in given}
    return QueueFilters(**read)


def safe_query(text: str, *, without: Collection[str] = ()) -> str:
    """The known parts of an address's query that somebody sent, and nothing else of it."""
    known = {*NAMES, "tab", "sort"} - set(without)
    return urlencode({name: value for name, value in QueryDict(text[:2_000]).items() if name in known and value})


def states_of(tab: Tab) -> list[str]:
    """The states that applications of this tab can have."""
    if tab is Tab.ALL:
        return list(State.values)
    return [state for state in State.values if (state in WAITING) == (tab is not Tab.DECIDED)]


def _one_of(kind: Any, text: str, refusal: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise FilterRefused(refusal) from error


def _state(text: str) -> dict[str, Any]:
    return {"state": _one_of(State, text, _("There is no such state."))}


def _band(text: str) -> dict[str, Any]:
    return {"band": _one_of(BandCode, text, _("There is no such band; they are A to E."))}


def _product(text: str) -> dict[str, Any]:
    found = product_ids().get(text)
    if found is None:
        raise FilterRefused(_("There is no such product."))
    return {"product_id": found}


def _due(text: str) -> dict[str, Any]:
    now = timezone.now()
    tomorrow = timezone.make_aware(datetime.combine(timezone.localdate() + timedelta(days=1), time.min))
    known: dict[str, dict[str, Any]] = {
        "late": {"due_before": now}, "soon": {"due_from": now, "due_before": now + SOON}, "today": {"due_before": tomorrow},
        "week": {"due_before": tomorrow + timedelta(days=6)}, "snoozed": {"is_snoozed": True},
    }  # fmt: skip
    if text not in known:
        raise FilterRefused(_("Choose when it is due from the list."))
    return known[text]


def _assigned(text: str, person_id: uuid.UUID) -> dict[str, Any]:
    if text == "nobody":
        return {"is_assigned": False}
    if text == "me":
        return {"assigned_to": person_id}
    return {"assigned_to": _one_of(uuid.UUID, text, _("There is no such person."))}


def _day(text: str) -> datetime:
    """The beginning of a day in the person's time zone. Raises FilterRefused."""
    try:
        return timezone.make_aware(datetime.combine(date.fromisoformat(text), time.min))
    except (ValueError, OverflowError) as error:
        raise FilterRefused(_("A day is written like 2026-11-21.")) from error


def _amount(text: str, currency: str) -> int:
    try:
        return to_minor(text.replace(" ", "").replace(",", ""), currency)
    except MoneyRefused as refusal:
        raise FilterRefused(_("An amount is written like 120000.")) from refusal


_AMOUNTS = {"min": "amount_from", "max": "amount_to"}
_READERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "q": lambda text: {"search": text},
    "state": _state,
    "product": _product,
    "band": _band,
    "due": _due,
    "tag": lambda text: {"tag": text.lower()},
    "since": lambda text: {"since": _day(text)},
    "until": lambda text: {"until": _day(text)},
}
