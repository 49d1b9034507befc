"""Applications come in: scored, routed, once; and nothing a crash leaves is lost."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from audit.errors import IdempotencyMismatch
from audit.models import Event, Outbox
from audit.services import Attempt
from partners.accounts.models import ApiKey
from partners.tenancy import tenant_context
from portal.approvals import selectors
from portal.approvals.errors import ApplicationUnknown
from portal.approvals.models import Application, ApprovalPolicy, Review
from portal.approvals.services import applications as service
from portal.approvals.services.applications import finish_left_applications, receive_application
from portal.approvals.services.policies import change_approval_policy
from portal.approvals.transitions import State
from scoring.errors import CredentialRevoked, ProductUnknown
from scoring.models import Channel, Decision
from scoring.services.score import Answer
from tests.approvals.factories import APPROVES, DECLINES, REFERS, acting, add_product, asked, receive, render
from tests.conftest import House
from tests.scoring.factories import SLUG, by_key


@pytest.fixture
def shop(in_north: House) -> House:
    """North with a product whose decisions are all referred."""
    add_product(REFERS)
    return in_north


@pytest.mark.parametrize(
    ("cut_offs", "state", "because"), [(APPROVES, "approved", ""), (DECLINES, "declined", ""), (REFERS, "new", "referred")]
)
def test_the_policys_outcome_routes_the_application(in_north: House, cut_offs: tuple[int, int], state: str, because: str) -> None:
    add_product(cut_offs)

    made = receive()

    assert (made.state, made.because) == (state, because)
    decision = Decision.objects.get()
    assert (made.decision_id, made.applicant_id, made.band, made.outcome) == (
        decision.id, decision.applicant_id, decision.band, decision.outcome,
    )  # fmt: skip
    assert made.sealed_request is None
    moves = [(one.move, one.from_state, one.to_state, one.actor_kind) for one in Review.objects.all()]
    assert moves == ([] if state == "new" else [({"approved": "approve"}.get(state, "decline"), "new", state, "system")])
    actions = list(Event.objects.filter(object_kind="application").order_by("id").values_list("action", flat=True))
    assert actions == ["application.created", *([] if state == "new" else [f"application.{state}"])]
    topics = set(Outbox.objects.filter(topic__startswith="application.").values_list("topic", flat=True))
    assert topics == ({"application.scored"} if state == "new" else {"application.scored", "application.decided"})
    assert (made.decided_at is None) == (state == "new")
    assert (made.due_at is None) == (state != "new")


def test_above_the_limit_even_what_the_policy_approves_goes_to_a_person(in_north: House) -> None:
    add_product(APPROVES)
    change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"KES": 6_000_000})

    at_the_limit, above = receive(asked(6_000_000)), receive(asked(6_000_001))

    assert (at_the_limit.state, above.state, above.because) == ("approved", "new", "above_limit")


def test_where_any_limit_is_set_a_currency_without_one_goes_to_a_person(in_north: House) -> None:
    add_product(APPROVES)
    change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"UGX": 10**12})

    assert receive(asked(100)).state == "new"


@pytest.mark.parametrize("cut_offs", [APPROVES, DECLINES])
def test_where_two_are_always_asked_nothing_is_decided_without_people(in_north: House, cut_offs: tuple[int, int]) -> None:
    add_product(cut_offs)
    change_approval_policy(product_slug=SLUG, actor=by_key(), four_eyes=ApprovalPolicy.FourEyes.ALWAYS)

    made = receive()

    assert (made.state, made.because) == ("new", "always")


def test_what_an_officer_enters_for_themselves_goes_to_a_person(in_north: House) -> None:
    add_product(APPROVES)
    officer = in_north.users["officer"]

    named = receive(asked(name=f"  {officer.name.upper()} "), actor=acting(in_north, "officer"))
    referenced = receive(asked(reference=officer.email), actor=acting(in_north, "officer"))
    of_another = receive(asked(name="Amina Otieno"), actor=acting(in_north, "officer"))

    assert [one.because for one in (named, referenced)] == ["own", "own"]
    assert of_another.state == "approved"


def test_nothing_of_the_applicant_is_in_the_clear(shop: House) -> None:
    receive(asked(reference="canary-ref", name="Canary Name"))

    told = repr(list(Application.objects.values())) + repr(list(Event.objects.values())) + repr(list(Outbox.objects.values()))
    assert "canary" not in told.lower()


def test_an_unknown_product_leaves_nothing(shop: House) -> None:
    with pytest.raises(ProductUnknown):
        receive_application(
            asked=service.Asked("nothing", asked().applicant, {}, 100, "KES"), actor=by_key(), channel=Channel.API, render=render
        )

    assert not Application.objects.exists()


def test_a_revoked_credential_leaves_nothing(shop: House) -> None:
    actor = by_key()
    ApiKey.objects.update(revoked_at=datetime.now(UTC))

    with pytest.raises(CredentialRevoked):
        receive(actor=actor)

    assert (Application.objects.count(), Decision.objects.count()) == (0, 0)


# ---- repeated


def once(what: Any = None, *, key: str = "k", body: bytes = b"1") -> Answer:
    attempt = Attempt.of(route="POST /api/v1/applications", key=key, actor=by_key(), body=body)
    return receive_application(asked=what or asked(), actor=by_key(), channel=Channel.API, render=render, attempt=attempt)


def test_a_repeat_is_answered_with_the_first_answer(shop: House) -> None:
    first, second = once(), once()

    assert (first.is_replayed, second.is_replayed, first.body) == (False, True, second.body)
    assert (Application.objects.count(), Decision.objects.count()) == (1, 1)


def test_another_body_under_the_same_key_is_refused(shop: House) -> None:
    once()

    with pytest.raises(IdempotencyMismatch):
        once(body=b"2")

    assert Application.objects.count() == 1


@pytest.mark.slow
def test_twins_under_one_key_make_one_application(new_partner: Callable[..., House]) -> None:
    house, rounds = new_partner(), 20
    with tenant_context(house.partner):
        add_product(REFERS)
    together = threading.Barrier(2)

    def work(_number: int) -> list[bytes]:
        told = []
        try:
            with tenant_context(house.partner):
                for number in range(rounds):
                    what = asked(reference=f"R-{number}")
                    together.wait(60)
                    told.append(once(what, key=f"k{number}").body)
        finally:
            connection.close()
        return told

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, range(2))

    assert first == second
    with tenant_context(house.partner):
        assert (Application.objects.count(), Decision.objects.count()) == (rounds, rounds)
        assert Outbox.objects.filter(topic="application.scored").count() == rounds


class Crash(Exception):
    """The process ends here."""


def crash(*_arguments: Any, **_named: Any) -> Any:
    raise Crash


def crashing(monkeypatch: pytest.MonkeyPatch, place: str, run: Callable[[], object]) -> None:
    """Runs until this function of the service is called, where the process ends."""
    with monkeypatch.context() as patched:
        patched.setattr(service, place, crash)
        with pytest.raises(Crash):
            run()


@pytest.mark.parametrize("place", ["_score", "_route"])
def test_a_repeat_finishes_what_a_crash_left(shop: House, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    what = asked()
    crashing(monkeypatch, place, lambda: once(what))
    left = Application.objects.get()
    assert left.decision_id is None

    answer = once(what)

    made = Application.objects.get()
    assert (answer.is_replayed, answer.body.decode(), made.id) == (False, str(left.id), left.id)
    assert made.decision_id == Decision.objects.get().id
    assert once(what).is_replayed


@pytest.mark.parametrize("place", ["_score", "_route"])
@pytest.mark.parametrize("is_revoked", [False, True])
def test_the_sweeper_finishes_what_a_crash_left(
    shop: House, monkeypatch: pytest.MonkeyPatch, place: str, is_revoked: bool
) -> None:
    crashing(monkeypatch, place, receive)
    assert finish_left_applications() == 0    # its request may still be at it
    Application.objects.update(created_at=datetime.now(UTC) - timedelta(minutes=5))
    if is_revoked:
        ApiKey.objects.update(revoked_at=datetime.now(UTC))

    assert finish_left_applications() == 1

    made = Application.objects.get()
    assert (made.state, made.decision_id) == (State.NEW, Decision.objects.get().id)
    assert (finish_left_applications(), Decision.objects.count()) == (0, 1)


def test_what_is_still_taken_in_is_shown_to_nobody(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing(monkeypatch, "_score", receive)

    assert selectors.applications().applications == []
    with pytest.raises(ApplicationUnknown):
        selectors.application(Application.objects.get().id)


# ---- lists


def test_pages_hold_every_application_once(shop: House) -> None:
    made = [receive().id for _ in range(5)]

    first = selectors.applications(limit=2)
    second = selectors.applications(limit=2, cursor=first.next_cursor)
    third = selectors.applications(limit=2, cursor=second.next_cursor)

    found = [one.id for page in (first, second, third) for one in page.applications]
    assert found == list(reversed(made))
    assert [page.has_more for page in (first, second, third)] == [True, True, False]


def test_filters_leave_out_the_others(shop: House) -> None:
    one = receive(asked(reference="R-1"))
    due_at = datetime(2026, 1, 1, tzinfo=UTC)
    Application.objects.filter(id=one.id).update(tags=["second-loan"], assigned_to=shop.users["officer"], due_at=due_at)
    other = receive()
    wanted: list[dict[str, Any]] = [
        {"tag": "second-loan"}, {"assigned_to": shop.users["officer"].id}, {"is_assigned": True}, {"reference": "R-1"},
        {"number": one.number.lower()}, {"until": other.created_at}, {"due_before": datetime(2026, 1, 2, tzinfo=UTC)},
    ]  # fmt: skip

    for filters in wanted:
        found = selectors.applications(selectors.ApplicationFilters(**filters)).applications
        assert [each.id for each in found] == [one.id], filters
    assert len(selectors.applications(selectors.ApplicationFilters(state="new", product=SLUG, band=one.band)).applications) == 2
    assert selectors.applications(selectors.ApplicationFilters(state="approved")).applications == []
    assert uuid.UUID(str(one.id)).version == 7
