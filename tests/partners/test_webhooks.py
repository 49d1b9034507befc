"""Endpoints and what is sent to them: from the outbox to the receiver, with what happens when it refuses, sleeps or is gone."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.models import Event, Outbox
from audit.services import announce
from audit.topics import Topic
from partners.webhooks import delivering, services
from partners.webhooks.courier import LANES, RUN, Courier
from partners.webhooks.delivering import forget_deliveries, hand_out, next_pause, settle, take
from partners.webhooks.errors import DeliveryUnknown, EndpointRefused, EndpointUnknown
from partners.webhooks.models import Attempt, Delivery, Endpoint
from partners.webhooks.sender import Letter, Outcome
from partners.webhooks.services import NewEndpoint
from portal.waiting import wait_until
from scoring import registry
from scoring.models import Channel
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants
from tests.conftest import House
from tests.partners.receivers import Received, Receiver, receiver

URL = "https://hooks.example.com/vouch"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def trials(settings: Any) -> None:
    settings.WEBHOOKS_TO_LOCALHOST = True


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def person(house: House) -> Actor:
    who = house.users["developer"]
    return Actor(kind="user", id=str(who.id), label=who.name)


def endpoint(url: str = URL, *types: str, actor: Actor = SYSTEM) -> NewEndpoint:
    return services.create_endpoint(url=url, event_types=types or [Topic.APPLICATION_DECIDED], actor=actor)


def happen(number: int = 1, *, topic: str = Topic.APPLICATION_DECIDED, about: object = None) -> list[Outbox]:
    return [announce(topic=topic, object_id=about or uuid.uuid4(), body={"state": "approved", "number": at}) for at in range(number)]


def carry(courier: Courier | None = None) -> Courier:
    """Everything that is due has been tried once."""
    courier = courier or Courier()
    courier.turn()
    assert wait_until(lambda: courier.turn() or courier.is_idle(), 20)    # type: ignore[func-returns-value]
    return courier


def answers(*statuses: int) -> Callable[[Letter], Outcome]:
    """Sends nothing; answers with one status after the other, then with the last."""
    left = list(statuses)

    def send(_letter: Letter) -> Outcome:
        return Outcome(timezone.now(), 5, left.pop(0) if len(left) > 1 else left[0])

    return send


def later(by: timedelta, *, since: bool = True) -> None:
    """As if this time had passed for everything that waits."""
    for one in Delivery.objects.filter(state="waiting"):
        one.next_at, one.began_at = one.next_at - by, one.began_at - by
        one.save()
    for each in Endpoint.objects.all():
        each.rests_until = None
        each.failing_since = each.failing_since and since and each.failing_since - by or None
        each.save()


def recorded(action: Action) -> list[dict[str, Any]]:
    return [dict(event.detail) for event in Event.objects.filter(action=action, object_kind="webhook").order_by("id")]


# ---- endpoints


def test_an_endpoint_is_there_with_a_secret_that_is_stored_sealed_and_recorded(in_north: House) -> None:
    made = endpoint(URL, "batch.completed", "alert.raised", actor=person(in_north))

    stored = Endpoint.objects.get()
    assert (stored.url, stored.event_types, stored.is_active) == (URL, ["alert.raised", "batch.completed"], True)
    assert made.secret.startswith("whsec_")
    assert made.secret[6:].encode() not in bytes(stored.sealed_secret)
    assert services.secrets_of(stored) == (made.secret,)
    assert recorded(Action.WEBHOOK_CREATED) == [{"host": "hooks.example.com", "event_types": ["alert.raised", "batch.completed"]}]
    assert made.secret not in repr(list(Event.objects.values())) + repr(made)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"url": "http://hooks.example.com/"}, "url"), ({"url": "https://127.0.0.1/"}, "url"), ({"event_types": []}, "event_types"),
        ({"event_types": ["decision.made", "user.created"]}, "event_types"), ({"event_types": ["webhook.test"]}, "event_types"),
        ({"description": "x" * 201}, "description"), ({"description": "a\nb"}, "description"),
    ],
)  # fmt: skip
def test_an_endpoint_that_cannot_be_is_refused_by_name(in_north: House, wrong: dict[str, Any], name: str) -> None:
    with pytest.raises(EndpointRefused) as refusal:
        services.create_endpoint(**{"url": URL, "event_types": ["decision.made"], "actor": SYSTEM, **wrong})

    assert list(refusal.value.fields) == [name]
    assert not Endpoint.objects.exists()


def test_there_are_not_more_endpoints_than_twenty(in_north: House) -> None:
    made = [endpoint() for _ in range(services.MOST_ENDPOINTS)]

    with pytest.raises(EndpointRefused):
        endpoint()
    services.delete_endpoint(endpoint_id=made[0].endpoint.id, actor=SYSTEM)
    endpoint()


def test_an_endpoint_is_changed_paused_and_resumed_each_recorded_once(in_north: House) -> None:
    one = endpoint().endpoint
    change: Any = lambda **what: services.change_endpoint(endpoint_id=one.id, actor=person(in_north), **what)  # noqa: E731

    change(url="https://b.example.com/", description=" The core ", event_types=["alert.raised"])
    change(url="https://b.example.com/")
    for wanted in (False, False, True, True):
        change(is_active=wanted)

    stored = Endpoint.objects.get()
    assert (stored.url, stored.description, stored.event_types, stored.is_active) == (
        "https://b.example.com/", "The core", ["alert.raised"], True,
    )  # fmt: skip
    assert recorded(Action.WEBHOOK_CHANGED) == [{"changed": ["description", "event_types", "url"], "host": "b.example.com"}]
    assert recorded(Action.WEBHOOK_PAUSED) == [{"because": "person"}]
    assert len(recorded(Action.WEBHOOK_RESUMED)) == 1
    with pytest.raises(EndpointRefused):
        change(url="https://localhost.example.com:22/")
    assert Endpoint.objects.get().url == "https://b.example.com/"


def test_a_deleted_endpoint_is_told_nothing_and_holds_no_secret(in_north: House, server: Receiver) -> None:
    one = endpoint(server.url).endpoint
    happen()
    hand_out()
    services.delete_endpoint(endpoint_id=one.id, actor=person(in_north))
    happen()

    carry()

    assert server.received == []
    assert bytes(Endpoint.objects.get().sealed_secret) == b""
    assert recorded(Action.WEBHOOK_DELETED) == [{"host": f"localhost:{server.port}"}]
    for act in (services.send_test, services.rotate_secret, services.delete_endpoint, services.resend_waiting, services.change_endpoint):
        with pytest.raises(EndpointUnknown):
            act(endpoint_id=one.id, actor=SYSTEM)


# ---- from the outbox to the receiver


def test_a_decision_reaches_who_asked_for_it_signed_and_without_personal_data(in_north: House, server: Receiver) -> None:
    made, other = endpoint(server.url, "decision.made"), endpoint(server.url.replace("/hook", "/other"), "alert.raised")
    details = ApplicantDetails(reference="R-77", name="Amina Otieno", phone="+254711223344", national_id="ID-99")
    item = ScoreItem(details, registry.current(in_north.product).validator.check(in_north.inputs))
    decided = score_applicants(product_slug=in_north.product, items=[item], actor=SYSTEM, channel=Channel.API)[0]

    carry()

    (got,) = server.received
    told = Webhook(made.secret).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other.secret).verify(got.body, got.headers)
    assert told["type"] == "decision.made"
    assert told["data"] == {"id": str(decided.id), "applicant_id": str(decided.applicant_id), "outcome": decided.outcome}
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None
    assert not [word for word in ("R-77", "Amina", "711223344", "ID-99") if word.encode() in got.body]
    row = Outbox.objects.get(topic="decision.made")
    assert (got.id, row.delivered_at is not None) == (str(row.id), True)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.lease_until) == ("delivered", 1, None)
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.answer, attempt.problem) == (204, "", "")


def test_every_event_comes_once_and_those_about_one_thing_in_their_order(in_north: House, server: Receiver) -> None:
    endpoint(server.url)
    things = [uuid.uuid4() for _ in range(9)]
    expected = {str(thing): [str(row.id) for row in happen(12, about=thing)] for thing in things}
    happen(5, topic="alert.raised")

    carry()

    came: dict[str, list[str]] = {}
    for got in server.received:
        came.setdefault(json.loads(got.body)["data"]["id"], []).append(got.id)
    assert came == expected
    assert not Outbox.objects.filter(delivered_at=None).exists()
    assert Delivery.objects.filter(state="delivered").count() == 9 * 12 > LANES * RUN


def test_what_nobody_wants_is_struck_off_without_a_delivery(in_north: House) -> None:
    happen(7)

    assert not hand_out()

    assert Outbox.objects.filter(delivered_at=None).count() == Delivery.objects.count() == 0


def test_handing_out_goes_on_while_there_is_more(in_north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "MOST_HANDED_OUT", 10)
    endpoint()
    happen(8)
    happen(8, topic="alert.raised")

    assert [hand_out(), hand_out()] == [True, False]
    assert Delivery.objects.count() == 8


def test_a_partner_without_news_costs_one_query(in_north: House, django_assert_num_queries: Any) -> None:
    endpoint()
    hand_out()

    with django_assert_num_queries(1):
        Courier().turn()


def test_a_later_event_about_the_same_thing_waits_for_an_earlier_one(in_north: House) -> None:
    one = endpoint().endpoint
    thing, other = uuid.uuid4(), uuid.uuid4()
    first, second = happen(2, about=thing)
    (beside,) = happen(about=other)
    hand_out()

    held = take(one, 1)
    assert [taken.event_id for taken in held] == [first.id]
    assert [taken.event_id for taken in take(one, 9)] == [beside.id]
    settle(one.id, [(held[0], Outcome(timezone.now(), 5, 500))])
    assert take(one, 9) == []
    later(MINUTE)
    assert [taken.event_id for taken in take(one, 9)] == [first.id, second.id]


def test_a_lease_of_a_dead_process_runs_out(in_north: House, settings: Any) -> None:
    settings.JOB_LEASE_SECONDS = 1
    one = endpoint().endpoint
    happen()
    hand_out()

    (before,) = take(one, 5)
    assert take(one, 5) == []
    assert wait_until(lambda: take(one, 5), 5)

    assert Delivery.objects.get().event_id == before.event_id


# ---- when it refuses


def test_pauses_double_to_eight_hours_with_jitter_and_respect_retry_after() -> None:
    for tried, usual in ((timedelta(0), 5 * timedelta(seconds=1)), (MINUTE, MINUTE), (3 * HOUR, 3 * HOUR), (2 * DAY, 8 * HOUR)):
        drawn = [next_pause(tried) for _ in range(300)]
        assert usual * 0.8 <= min(drawn) < max(drawn) <= usual * 1.2
        assert len(set(drawn)) > 100
    assert next_pause(timedelta(0), 120) == timedelta(seconds=120)
    assert next_pause(timedelta(0), 10**6) == timedelta(hours=8)


def test_an_event_is_tried_for_three_days_and_then_given_up(in_north: House) -> None:
    endpoint()
    (row,) = happen()
    courier = Courier(answers(500))
    carry(courier)
    began = Delivery.objects.get().began_at
    tries, passed = 1, timedelta(0)
    while (delivery := Delivery.objects.get()).state == "waiting":
        passed += delivery.next_at - timezone.now()
        later(delivery.next_at - timezone.now(), since=False)
        carry(courier)
        tries += 1

    assert (delivery.event_id, delivery.state) == (row.id, "given_up")
    assert began is not None
    assert 14 <= tries <= 30
    assert timedelta(hours=60) < passed <= 3 * DAY
    assert Attempt.objects.count() == delivery.attempts == tries


def test_an_endpoint_that_refuses_rests_and_one_attempt_shows_whether_it_is_back(in_north: House) -> None:
    asked: list[str] = []
    status = [503]

    def send(letter: Letter) -> Outcome:
        asked.append(letter.event_id)
        return Outcome(timezone.now(), 5, status[0])

    endpoint()
    happen(40)
    courier = carry(Courier(send))
    assert len(asked) <= LANES    # each lane stops at its first failure
    asked.clear()
    carry(courier)
    assert asked == []
    later(MINUTE)
    carry(courier)
    assert len(asked) == 1
    status[0] = 200
    later(MINUTE)
    carry(courier)
    later(MINUTE)
    carry(courier)

    assert Delivery.objects.filter(state="delivered").count() == 40
    assert Endpoint.objects.get().failing_since is None


def test_one_slow_endpoint_does_not_hold_the_others(in_north: House, server: Receiver) -> None:
    def asleep(_got: Received) -> tuple[int, dict[str, str], bytes]:
        time.sleep(0.2)    # what it is about
        return 200, {}, b""

    with receiver(asleep) as slow:
        endpoint(slow.url)
        endpoint(server.url)
        happen(60)
        courier = Courier()
        wait_until(lambda: courier.turn() or len(server.received) == 60, 20)    # type: ignore[func-returns-value]

        assert len(server.received) == 60
        assert len(slow.received) < 60
        carry(courier)
        assert len({got.id for got in slow.received}) == 60


def test_an_endpoint_that_is_gone_is_paused_at_once_and_one_that_fails_for_three_days_too(in_north: House) -> None:
    gone = endpoint().endpoint
    happen()
    carry(Courier(answers(410)))
    gone.refresh_from_db()
    assert (gone.is_active, gone.paused_because) == (False, "gone")

    failing = endpoint().endpoint
    happen()
    courier = carry(Courier(answers(500)))
    Endpoint.objects.filter(id=failing.id).update(failing_since=timezone.now() - 3 * DAY + MINUTE, rests_until=None)
    Delivery.objects.filter(endpoint=failing).update(next_at=timezone.now())
    carry(courier)
    failing.refresh_from_db()
    assert failing.is_active
    Endpoint.objects.filter(id=failing.id).update(failing_since=timezone.now() - 3 * DAY - MINUTE, rests_until=None)
    Delivery.objects.filter(endpoint=failing).update(next_at=timezone.now())
    carry(courier)
    failing.refresh_from_db()

    assert (failing.is_active, failing.paused_because) == (False, "failing")
    assert recorded(Action.WEBHOOK_PAUSED) == [{"because": "gone"}, {"because": "failing"}]
    assert Event.objects.filter(action=Action.WEBHOOK_PAUSED, actor_kind="system").count() == 2


def test_what_happens_while_it_is_paused_is_sent_when_it_is_resumed_unless_it_lapsed(in_north: House, server: Receiver) -> None:
    one = endpoint(server.url).endpoint
    services.change_endpoint(endpoint_id=one.id, actor=SYSTEM, is_active=False)
    old, new = happen(2)
    carry()
    assert server.received == []
    Delivery.objects.filter(event_id=old.id).update(began_at=timezone.now() - 3 * DAY - MINUTE)
    forget_deliveries()
    services.change_endpoint(endpoint_id=one.id, actor=SYSTEM, is_active=True)

    carry()

    assert [got.id for got in server.received] == [str(new.id)]
    assert Delivery.objects.get(event_id=old.id).state == "given_up"


# ---- again, tests, secrets


def test_an_event_is_sent_again_under_its_id_and_everything_waiting_at_once(in_north: House, server: Receiver) -> None:
    one = endpoint(server.url).endpoint
    (row,) = happen()
    carry()
    delivery = Delivery.objects.get()

    services.resend(endpoint_id=one.id, delivery_id=delivery.id, actor=person(in_north))
    carry()

    assert [got.id for got in server.received] == [str(row.id)] * 2
    assert server.received[0].body == server.received[1].body
    assert (Delivery.objects.get().attempts, Attempt.objects.count()) == (2, 2)
    server.answer = lambda _got: (500, {}, b"no")
    happen(3)
    carry()
    server.answer = lambda _got: (200, {}, b"")
    assert services.resend_waiting(endpoint_id=one.id, actor=SYSTEM) == 3
    carry()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert recorded(Action.WEBHOOK_RESENT) == [{"event": str(row.id), "events": 1}, {"events": 3}]
    with pytest.raises(DeliveryUnknown):
        services.resend(endpoint_id=one.id, delivery_id=uuid.uuid4(), actor=SYSTEM)
    with pytest.raises(DeliveryUnknown):
        services.resend(endpoint_id=endpoint().endpoint.id, delivery_id=delivery.id, actor=SYSTEM)


def test_a_test_event_goes_to_one_endpoint_only_and_not_to_a_paused_one(in_north: House, server: Receiver) -> None:
    made, _other = endpoint(server.url), endpoint(server.url)

    sent = services.send_test(endpoint_id=made.endpoint.id, actor=person(in_north))
    carry()

    (got,) = server.received
    told = Webhook(made.secret).verify(got.body, got.headers)
    assert (told["type"], told["data"], got.id) == ("webhook.test", {"id": str(made.endpoint.id)}, str(sent.event_id))
    assert len(recorded(Action.WEBHOOK_TESTED)) == 1
    services.change_endpoint(endpoint_id=made.endpoint.id, actor=SYSTEM, is_active=False)
    with pytest.raises(EndpointRefused, match="paused"):
        services.send_test(endpoint_id=made.endpoint.id, actor=SYSTEM)


def test_both_secrets_sign_while_the_overlap_lasts_and_then_only_the_new_one(in_north: House, server: Receiver) -> None:
    old = endpoint(server.url)
    new = services.rotate_secret(endpoint_id=old.endpoint.id, actor=person(in_north))
    happen()
    carry()
    Endpoint.objects.update(previous_until=timezone.now() - MINUTE)
    happen()
    carry()

    during, after = server.received
    for secret in (old.secret, new.secret):
        Webhook(secret).verify(during.body, during.headers)
    Webhook(new.secret).verify(after.body, after.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old.secret).verify(after.body, after.headers)
    assert recorded(Action.WEBHOOK_SECRET_ROTATED) == [{"overlap_seconds": 86_400}]
    with pytest.raises(EndpointRefused):
        services.rotate_secret(endpoint_id=old.endpoint.id, actor=SYSTEM, overlap=31 * DAY)


def test_a_secret_moved_to_another_endpoint_signs_nothing(in_north: House) -> None:
    mine, theirs = endpoint().endpoint, endpoint().endpoint
    Endpoint.objects.filter(id=mine.id).update(sealed_secret=theirs.sealed_secret)

    with pytest.raises(Exception, match="seal|Seal|moved|changed"):
        services.secrets_of(Endpoint.objects.get(id=mine.id))


# ---- what is forgotten


def test_what_was_handed_out_and_what_is_over_is_forgotten_in_time(in_north: House) -> None:
    one, deleted = endpoint().endpoint, endpoint().endpoint
    ids = [row.id for row in happen(3)]
    carry(Courier(answers(200)))
    waiting = happen()[0]
    Outbox.objects.filter(id=ids[0]).update(delivered_at=timezone.now() - 8 * DAY)
    Delivery.objects.filter(event_id=ids[1]).update(created_at=timezone.now() - 31 * DAY)
    Endpoint.objects.filter(id=deleted.id).update(deleted_at=timezone.now() - 2 * DAY)

    forget_deliveries()

    assert set(Outbox.objects.filter(topic=Topic.APPLICATION_DECIDED).values_list("id", flat=True)) == {*ids[1:], waiting.id}
    assert set(Delivery.objects.values_list("endpoint_id", "event_id")) == {(one.id, ids[0]), (one.id, ids[2])}
    assert Attempt.objects.count() == 2
    assert Endpoint.objects.get() == one
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
