"""Events: written with what they tell of, attested column by column, never changed; and their receipts."""

import dataclasses
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.errors import ReceiptRefused
from audit.models import Event
from audit.selectors import EventFilters, events, timeline
from audit.services import canonical, event_leaf_hash, new_event, receipt_of, record, verify_receipt
from audit.tree import leaf_hash
from audit.vault import keyring
from partners.tenancy import as_owner, tenant_context
from tests.conftest import House

ACTOR = Actor(
    kind="user", id=str(uuid.UUID(int=1)), label='Amina \u2028 "O\'Neil" \\', role="officer", address="203.0.113.9", request_id="req-1"
)
DETAIL = {"b": [1, True, None, "é\u0001\u2028"], "a": {"z": -5, "y": 10**18}}


def recorded() -> Event:
    return record(action=Action.USER_CREATED, actor=ACTOR, object_kind="user", object_id="42", detail=DETAIL)


def test_an_event_reads_back_as_it_was_recorded(in_north: House) -> None:
    event = Event.objects.get(id=recorded().id)

    assert (event.action, event.actor_kind, event.actor_label, event.object_id) == ("user.created", "user", ACTOR.label, "42")
    assert event.detail == DETAIL
    assert event.transaction == current_transaction()
    assert event_leaf_hash(event) == bytes(event.leaf_hash)


def current_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        return int(cursor.fetchone()[0])


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])).map(SafeString) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=12,
)


@given(_VALUES)
def test_canonical_json_is_what_the_standard_library_writes(values: object) -> None:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    try:
        text.encode()
    except UnicodeEncodeError:    # half of a pair: no database takes it either
        with pytest.raises(UnicodeEncodeError):
            canonical(values)
        return

    assert canonical(values) == text


def test_the_leaf_is_the_hash_of_canonical_json_that_anybody_can_build(in_north: House) -> None:
    event = Event.objects.get(id=recorded().id)
    moment = event.recorded_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    attested = [
        "vouch event v1", str(event.id), "user.created", "user", ACTOR.id, ACTOR.label, "203.0.113.9", "req-1", "user", "42", DETAIL,
        moment,
    ]  # fmt: skip

    text = json.dumps(attested, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    assert bytes(event.leaf_hash) == leaf_hash(text.encode())


@pytest.mark.parametrize(
    "change",
    [
        {"action": "user.changed"}, {"actor_kind": "system"}, {"actor_id": "2"}, {"actor_label": "A"}, {"address": "203.0.113.8"},
        {"request_id": "req-2"}, {"object_kind": "key"}, {"object_id": "43"}, {"detail": {**DETAIL, "c": 1}}, {"id": uuid.UUID(int=9)},
        {"recorded_at": datetime(2026, 1, 1, tzinfo=UTC)},
    ],
)  # fmt: skip
def test_every_attested_column_is_under_the_leaf_hash(in_north: House, change: dict[str, Any]) -> None:
    event = recorded()
    for name, value in change.items():
        setattr(event, name, value)

    assert event_leaf_hash(event) != bytes(event.leaf_hash)


def test_an_event_is_rolled_back_with_what_it_tells_of(in_north: House) -> None:
    before = Event.objects.count()

    with transaction.atomic():
        recorded()
        transaction.set_rollback(True)

    assert Event.objects.count() == before


@pytest.mark.parametrize("detail", [{"probability": 0.1}, {"list": [1, 2.0]}, {"deep": {"er": (1.5,)}}])
def test_floats_are_refused(in_north: House, detail: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="no floats"):
        new_event(action=Action.USER_CREATED, actor=SYSTEM, object_kind="user", object_id="1", detail=detail)
    with pytest.raises(TypeError, match="no floats"):
        canonical(detail)


@pytest.mark.parametrize("statement", ["UPDATE audit_event SET action = 'a.b'", "DELETE FROM audit_event", "TRUNCATE audit_event CASCADE"])
def test_the_record_is_refused_to_be_changed(in_north: House, statement: str) -> None:
    recorded()

    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    with (
        as_owner(in_north.schema),
        pytest.raises(ProgrammingError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_a_receipt_is_the_same_each_time_and_verifies_with_the_public_key_alone(in_north: House) -> None:
    event = Event.objects.get(id=recorded().id)
    given = receipt_of(event)

    assert given == receipt_of(event)
    assert given.event_id == str(event.id)
    verify_receipt(given, schema=in_north.schema, public_keys=keyring().public_keys())


@pytest.mark.parametrize("name", ["event_id", "leaf_hash", "issued_at", "signature", "key_id"])
def test_a_changed_receipt_is_refused(in_north: House, name: str) -> None:
    given = receipt_of(recorded())
    value = getattr(given, name)
    changed = dataclasses.replace(given, **{name: ("B" if value[0] == "A" else "A") + value[1:]})

    with pytest.raises(ReceiptRefused):
        verify_receipt(changed, schema=in_north.schema, public_keys=keyring().public_keys())


def test_another_partners_receipt_is_refused(in_north: House, south: House) -> None:
    given = receipt_of(recorded())
    keys = keyring().public_keys()

    with pytest.raises(ReceiptRefused):
        verify_receipt(given, schema=south.schema, public_keys=keys)
    with tenant_context(south.partner), pytest.raises(ReceiptRefused):
        verify_receipt(given, schema=in_north.schema, public_keys=keyring().public_keys())


def test_events_are_listed_newest_first_in_pages_by_filter(in_north: House) -> None:
    made = [record(action=Action.PRODUCT_CHANGED, actor=ACTOR, object_kind="product", object_id="list").id for _ in range(5)]
    recorded()
    filters = EventFilters(action=Action.PRODUCT_CHANGED, actor_id=ACTOR.id, object_kind="product", object_id="list")

    first = events(filters, limit=3)
    rest = events(filters, before=first[-1].id, limit=3)

    assert [event.id for event in [*first, *rest]] == made[::-1]
    assert [event.id for event in timeline("product", "list")] == made
    now = datetime.now(UTC)
    assert not events(EventFilters(since=now + timedelta(minutes=1)))
    assert not events(EventFilters(until=now - timedelta(days=1)))


def test_reading_a_page_of_events_is_one_statement(in_north: House, django_assert_num_queries: Callable[[int], Any]) -> None:
    with django_assert_num_queries(1):
        events(EventFilters())
