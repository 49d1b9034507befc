"""Outcomes: attached to decisions by id or reference, corrected without losing what was said, recorded, and each partner's own."""

import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from partners.tenancy import public_context, tenant_context
from scoring import selectors
from scoring.errors import DecisionUnknown, OutcomeRefused
from scoring.models import Channel, Outcome, OutcomeSource
from scoring.services.outcomes import Observed, record_outcomes
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.scoring.factories import SLUG, add_product, an_item, by_force

TODAY = datetime.now(UTC).date()


@pytest.fixture
def stalls(in_north: House) -> House:
    add_product()
    return in_north


def decided(*references: str) -> list[uuid.UUID]:
    made = score_applicants(product_slug=SLUG, items=[an_item(one) for one in references], actor=SYSTEM, channel=Channel.API)
    return [one.id for one in made]


def record(*items: Observed, source: OutcomeSource = OutcomeSource.API) -> list[bool]:
    return [one.is_new for one in record_outcomes(items=items, source=source, actor=SYSTEM, product_slug=SLUG)]


def said(decision: uuid.UUID) -> list[tuple[str, int, bool]]:
    return [(one.kind, one.value, one.holds) for one in selectors.outcomes_of(decision)]


def send(house: House, body: Any, **headers: str) -> tuple[int, Any]:
    with public_context():
        found = house.api().post("/api/v1/outcomes", json.dumps(body), content_type="application/json", **headers)  # type: ignore[arg-type]
    return found.status_code, json.loads(found.content)


def test_an_outcome_is_attached_by_reference_to_the_newest_decision(stalls: House) -> None:
    first, second = decided("A-1")[0], decided("A-1")[0]

    record(Observed("repaid", TODAY, reference="A-1"))

    assert said(first) == []
    assert said(second) == [("repaid", 0, True)]


def test_a_corrected_outcome_keeps_what_was_said_before(stalls: House) -> None:
    decision = decided("A-1")[0]
    record(Observed("repaid", TODAY, decision_id=decision))

    record(Observed("defaulted", TODAY, decision_id=decision, amount=Decimal("12.50"), currency="KES"), source=OutcomeSource.FORM)
    record(Observed("late", TODAY, decision_id=decision, value=1))

    assert said(decision) == [("late", 1, True), ("defaulted", 1, False), ("repaid", 0, False)]
    events = Event.objects.filter(action=Action.OUTCOME_RECORDED, object_id=str(decision)).order_by("id")
    assert [(one.detail["kind"], one.detail["amount"], one.detail["source"]) for one in events] == [
        ("repaid", "", "api"), ("defaulted", "12.50 KES", "form"), ("late", "", "api"),
    ]  # fmt: skip
    newest, middle, _ = selectors.outcomes_of(decision)
    assert newest.supersedes == middle.id


def test_saying_the_same_again_changes_nothing(stalls: House) -> None:
    decision = decided("A-1")[0]
    again = Observed("defaulted", TODAY, reference="A-1", amount=Decimal("12.5"), currency="KES")

    assert [record(again, again), record(again)] == [[True, False], [False]]

    assert Outcome.objects.filter(decision_id=decision).count() == 1


@pytest.mark.parametrize(
    ("item", "field", "told"),
    [
        (Observed("repaid", TODAY, reference="nobody"), "reference", "check its spelling"),
        (Observed("repaid", TODAY, decision_id=uuid.uuid4()), "score_id", "no such decision"),
        (Observed("repaid", TODAY), "reference", "either by score_id or by reference"),
        (Observed("gone", TODAY, reference="A-1"), "kind", "repaid, late"),
        (Observed("repaid", TODAY + timedelta(days=1), reference="A-1"), "observed_on", "still to come"),
        (Observed("repaid", TODAY - timedelta(days=1), reference="A-1"), "observed_on", "on that day or later"),
        (Observed("repaid", TODAY, reference="A-1", value=2), "value", "0, or 1"),
        (Observed("late", TODAY, reference="A-1", amount=Decimal("-1"), currency="KES"), "amount", "from 0"),
        (Observed("late", TODAY, reference="A-1", amount=Decimal("NaN"), currency="KES"), "amount", "from 0"),
        (Observed("late", TODAY, reference="A-1", amount=Decimal("1.00001"), currency="KES"), "amount", "four decimals"),
        (Observed("late", TODAY, reference="A-1", amount=Decimal(1), currency="XXX"), "currency", "three letters"),
    ],
)
def test_one_wrong_item_keeps_all_from_being_stored(stalls: House, item: Observed, field: str, told: str) -> None:
    decided("A-1", "A-2")

    with pytest.raises(OutcomeRefused) as refusal:
        record(Observed("repaid", TODAY, reference="A-2"), item)

    assert list(refusal.value.fields) == [f"1/{field}"]
    assert told in refusal.value.fields[f"1/{field}"]
    assert Outcome.objects.count() == 0


def test_a_reference_means_the_decision_made_by_that_day(stalls: House) -> None:
    earlier, later = decided("A-1")[0], decided("A-1")[0]
    by_force(
        stalls, "scoring_decision", "UPDATE scoring_decision SET created_at = created_at - interval '10 days' WHERE id = %s", earlier
    )

    record(Observed("defaulted", TODAY - timedelta(days=5), reference="A-1"))

    assert (said(earlier), said(later)) == ([("defaulted", 1, True)], [])


def test_outcomes_are_never_changed_or_deleted(stalls: House) -> None:
    record_outcomes(items=[Observed("repaid", TODAY, decision_id=decided("A-1")[0])], source=OutcomeSource.API, actor=SYSTEM)

    for change in (lambda: Outcome.objects.update(value=1), lambda: Outcome.objects.all().delete()):
        with pytest.raises(Exception, match="permission denied|never changed|append"), transaction.atomic():
            change()

    assert Outcome.objects.get().value == 0


def test_a_decision_has_one_line_of_outcomes(stalls: House) -> None:
    decision = decided("A-1")[0]
    record(Observed("repaid", TODAY, decision_id=decision))
    held = Outcome.objects.get()

    record(Observed("late", TODAY, decision_id=decision))
    again = {"decision_id": decision, "kind": "late", "value": 0, "observed_on": TODAY, "source": "api", "actor_kind": "system"}

    for supersedes in (None, held):
        with pytest.raises(IntegrityError), transaction.atomic():
            Outcome.objects.create(**again, supersedes=supersedes)


def test_many_writers_at_once_make_one_line(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        decision = decided("A-1")[0]

    def write(number: int) -> int:
        try:
            with tenant_context(house.partner):
                return sum(record(Observed("late", TODAY, reference="A-1", amount=Decimal(number % 4), currency="KES")))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        new = sum(threads.map(write, range(32)))

    with tenant_context(house.partner):
        found = selectors.outcomes_of(decision)
        assert len(found) == new
        assert [one.holds for one in found] == [True] + [False] * (new - 1)
        assert {one.supersedes for one in found} == {None, *(one.id for one in found[1:])}


# over HTTP


def test_outcomes_are_sent_and_read_over_http(stalls: House) -> None:
    one, two = decided("A-1", "A-2")
    items = [
        {"score_id": str(one), "kind": "repaid", "observed_on": str(TODAY)},
        {"reference": "A-2", "kind": "defaulted", "observed_on": str(TODAY), "amount": {"amount": "12500.50", "currency": "KES"}},
    ]

    status, answer = send(stalls, {"product": SLUG, "items": items})

    assert (status, answer["recorded"], answer["unchanged"]) == (201, 2, 0)
    with public_context():
        listed = json.loads(stalls.api().get(f"/api/v1/scores/{two}/outcomes").content)["data"]
    assert listed == [answer["data"][1]]
    assert (listed[0]["amount"], listed[0]["value"], listed[0]["holds"]) == ({"amount": "12500.5", "currency": "KES"}, 1, True)
    assert send(stalls, {"product": SLUG, "items": items})[1]["unchanged"] == 2


def test_a_repeated_request_is_answered_as_before(stalls: House) -> None:
    decided("A-1")
    body = {"product": SLUG, "items": [{"reference": "A-1", "kind": "repaid", "observed_on": str(TODAY)}]}

    first, again = send(stalls, body, HTTP_IDEMPOTENCY_KEY="k-1"), send(stalls, body, HTTP_IDEMPOTENCY_KEY="k-1")

    assert first == again
    assert first[1]["recorded"] == 1
    assert send(stalls, {**body, "product": None}, HTTP_IDEMPOTENCY_KEY="k-1")[0] == 422


def test_every_fault_is_named_where_it_is(stalls: House) -> None:
    decided("A-1")
    items = [
        {"reference": "A-1", "kind": "late", "observed_on": str(TODAY), "amount": {"amount": "1", "currency": "XXX"}},
        {"reference": "nobody", "kind": "repaid", "observed_on": str(TODAY)},
    ]

    status, problem = send(stalls, {"product": SLUG, "items": items})

    assert status == 422
    assert [one["pointer"] for one in problem["errors"]] == ["/items/0/amount/currency", "/items/1/reference"]
    assert send(stalls, {"items": [{"kind": "gone", "observed_on": "x"}]})[0] == 422
    assert send(stalls, {"product": "none", "items": items})[0] == 404
    assert Outcome.objects.count() == 0


def test_anothers_decision_is_not_there(stalls: House, south: House) -> None:
    with tenant_context(south.partner):
        add_product()
        theirs = decided("S-1")[0]
    body = {"items": [{"score_id": str(theirs), "kind": "repaid", "observed_on": str(TODAY)}]}

    assert send(stalls, body)[0] == 422
    with public_context():
        assert stalls.api().get(f"/api/v1/scores/{theirs}/outcomes").status_code == 404
    with pytest.raises(DecisionUnknown):
        selectors.outcomes_of(theirs)
