"""The queue: which rows, in which order, page by page; what its buttons do, and for whom."""

import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.utils import translation

from audit.models import Event
from partners.tenancy import tenant_context
from portal.approvals.errors import (
    ApplicationLocked,
    AssigneeRefused,
    MoveDetailsRefused,
    MoveRefused,
    OwnApplication,
    PersonNeeded,
    ViewRefused,
)
from portal.approvals.models import Application, Review, SavedView
from portal.approvals.selectors.queue import Order, QueueFilters, Tab, queue
from portal.approvals.selectors.waiting import Counts, waiting_counts
from portal.approvals.services import queue as service
from portal.approvals.services.decisions import decide_application
from portal.approvals.services.moves import Why
from portal.approvals.services.policies import change_approval_policy
from portal.approvals.services.queue import Seen
from portal.approvals.services.views import save_view
from portal.approvals.services.work import take_next_application
from portal.approvals.transitions import MoveName
from portal.approvals.web.queue_words import time_left
from portal.templatetags.vouch import money
from scoring.errors import CursorRefused
from tests.approvals.factories import REFERS, acting, add_product, another, asked, receive
from tests.conftest import House
from tests.scoring.factories import SLUG, by_key

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def shop(in_north: House) -> House:
    """North with a product whose decisions are all referred."""
    add_product(REFERS)
    return in_north


def put(one: Application, **changed: Any) -> Application:
    Application.objects.filter(id=one.id).update(**changed)
    return one


def numbers(house: House, *, tab: Tab = Tab.WAITING, order: Order = Order.DUE, role: str = "officer", **filters: Any) -> list[str]:
    page = queue(tab=tab, person_id=house.users[role].id, filters=QueueFilters(**filters), order=order, opens=False)
    return [row.application.number for row in page.rows]


def walked(house: House, tab: Tab, order: Order, limit: int = 2) -> list[str]:
    """Every page after the other."""
    found, cursor = [], None
    for _ in range(20):
        page = queue(
            tab=tab, person_id=house.users["officer"].id, filters=QueueFilters(), order=order, cursor=cursor, limit=limit, opens=False
        )
        found += [row.application.number for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("the pages do not end")


# ---- which, and in which order


def test_pages_hold_every_row_once_in_every_order(shop: House) -> None:
    made = [receive(asked(amount_minor=1_000_00 * (1 + place % 3))) for place in range(7)]
    for place, one in enumerate(made):
        due = None if place in {1, 5} else NOW + timedelta(hours=place % 2)    # equal ones, and none
        put(one, priority=int(place == 3), due_at=due, created_at=NOW + timedelta(minutes=place // 2))
    rows = {one.id: Application.objects.get(id=one.id) for one in made}

    def by(key: Callable[[Application], Any], *, reverse: bool = False) -> list[str]:
        return [one.number for one in sorted(rows.values(), key=key, reverse=reverse)]

    far = datetime.max.replace(tzinfo=UTC)
    expected = {
        Order.DUE: by(lambda one: (-one.priority, one.due_at or far, one.id)),
        Order.NEWEST: by(lambda one: (one.created_at, one.id), reverse=True),
        Order.OLDEST: by(lambda one: (one.created_at, one.id)),
        Order.LARGEST: by(lambda one: (one.amount_minor, one.id), reverse=True),
        Order.SMALLEST: by(lambda one: (one.amount_minor, one.id)),
    }
    for order, wanted in expected.items():
        assert walked(shop, Tab.WAITING, order) == wanted, order
        assert walked(shop, Tab.WAITING, order, limit=3) == wanted, order


def test_what_ended_last_comes_first(shop: House) -> None:
    made = [receive() for _ in range(4)]
    for place, one in enumerate(made):
        put(one, state="approved", decided_at=NOW + timedelta(hours=[2, 0, 3, 1][place]))
    put(made[1], state="withdrawn", decided_at=None, created_at=NOW + timedelta(hours=9))    # nobody decided: the day it came in

    assert walked(shop, Tab.DECIDED, Order.ENDED) == [made[place].number for place in (1, 2, 0, 3)]


def test_a_tab_has_its_own(shop: House) -> None:
    officer, approver = acting(shop, "officer"), acting(shop, "approver")
    change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"KES": 100})
    new, mine, proposed, snoozed, ended = (receive() for _ in range(5))
    service.assign_applications(chosen=[Seen(mine.id, 1)], assignee_id=uuid.UUID(officer.id), actor=officer)
    decide_application(application_id=proposed.id, move=MoveName.APPROVE, why=Why("income_confirmed"), actor=approver)
    service.snooze_application(application_id=snoozed.id, until=datetime.now(UTC) + timedelta(hours=2), actor=officer)
    decide_application(application_id=ended.id, move=MoveName.WITHDRAW, why=Why("asked"), actor=officer)

    assert set(numbers(shop)) == {new.number, mine.number, proposed.number}
    assert numbers(shop, is_snoozed=True) == [snoozed.number]
    assert numbers(shop, tab=Tab.MINE) == [mine.number]
    assert numbers(shop, tab=Tab.MINE, role="approver") == []
    assert numbers(shop, tab=Tab.SECOND) == [proposed.number]
    assert numbers(shop, tab=Tab.DECIDED, order=Order.ENDED) == [ended.number]
    assert len(numbers(shop, tab=Tab.ALL, order=Order.NEWEST)) == 5
    assert waiting_counts(shop.users["officer"].id) == Counts(everybody=3, mine=1, second=1)


def test_who_proposed_is_no_second_person_in_the_tab_and_in_the_counts(shop: House) -> None:
    change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"KES": 100})
    one = receive()
    decide_application(application_id=one.id, move=MoveName.APPROVE, why=Why("income_confirmed"), actor=acting(shop, "approver"))

    assert numbers(shop, tab=Tab.SECOND, role="approver") == []
    assert waiting_counts(shop.users["approver"].id).second == 0
    assert numbers(shop, role="approver") == [one.number]


def test_counts_end_early(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        receive()
    monkeypatch.setattr("portal.approvals.selectors.waiting.MOST", 1)

    assert waiting_counts(shop.users["officer"].id).everybody == 2


def test_filters_leave_out_the_others(shop: House) -> None:
    now = datetime.now(UTC)
    one, _other = receive(asked(9_000_000, "R-1", name="Amina Otieno")), receive(asked(5_000_000))
    put(one, tags=["visit"], assigned_to=shop.users["officer"], due_at=now - timedelta(minutes=1), created_at=now - timedelta(days=3))
    wanted: list[dict[str, Any]] = [
        {"search": one.number.lower().replace("-", " ")}, {"search": "R-1"}, {"search": "otieno AMINA"}, {"tag": "visit"},
        {"currency": "KES", "amount_from": 9_000_000}, {"assigned_to": shop.users["officer"].id}, {"is_assigned": True},
        {"due_before": now}, {"until": now - timedelta(days=2)}, {"amount_from": 8_000_000, "amount_to": 9_000_000},
    ]  # fmt: skip

    for filters in wanted:
        assert numbers(shop, **filters) == [one.number], filters
    assert len(numbers(shop, state="new", band=one.band, product_id=one.product_id)) == 2
    assert numbers(shop, state="approved") == []


@pytest.mark.parametrize("said", ["+254 711 223344", "0711223344", "ID-99 88"])
def test_an_applicant_is_found_by_phone_and_national_id(shop: House, said: str) -> None:
    details = asked(reference="R-7")
    known = replace(details, applicant=type(details.applicant)(reference="R-7", phone="0711 223 344", national_id="id9988"))
    one = receive(known)
    put(one, state="declined", decided_at=NOW)
    receive()

    assert numbers(shop, search=said) == [one.number], "a search looks in every tab"


@pytest.mark.parametrize(
    "cursor", ["", "x", "e30=", "W10=", "WyJkdWUiXQ==", "A" * 32, "ä" * 8, "A" * 401, "WyJkdWUiLCAwLCAiMjAyNiIsICJ4Il0="]
)
def test_a_foreign_cursor_is_refused(shop: House, cursor: str) -> None:
    with pytest.raises(CursorRefused):
        queue(tab=Tab.WAITING, person_id=uuid.uuid4(), filters=QueueFilters(), order=Order.DUE, cursor=cursor, opens=False)


def test_a_cursor_of_another_order_is_refused(shop: House) -> None:
    receive(), receive()
    person = uuid.uuid4()
    first = queue(tab=Tab.WAITING, person_id=person, filters=QueueFilters(), order=Order.NEWEST, limit=1, opens=False)

    with pytest.raises(CursorRefused):
        queue(tab=Tab.WAITING, person_id=person, filters=QueueFilters(), order=Order.OLDEST, cursor=first.next_cursor, opens=False)


def test_a_page_costs_as_many_statements_with_many_rows_as_with_one(shop: House, django_assert_num_queries: Any) -> None:
    for _ in range(4):
        receive()

    with django_assert_num_queries(3):    # rows, proposals, what is sealed
        page = queue(tab=Tab.WAITING, person_id=uuid.uuid4(), filters=QueueFilters(), order=Order.DUE, opens=True)

    assert len(page.rows) == 4
    assert all(row.who and row.why for row in page.rows)


# ---- keeping one open


def test_opening_keeps_others_out_until_it_is_released(shop: House) -> None:
    one, officer, approver = receive(), acting(shop, "officer"), acting(shop, "approver")

    opened = service.open_application(application_id=one.id, actor=officer)
    again = service.open_application(application_id=one.id, actor=officer)

    assert (opened.state, opened.revision, again.revision) == ("in_review", 2, 2)
    assert [review.move for review in Review.objects.all()] == ["take"]
    with pytest.raises(ApplicationLocked, match=officer.label):
        service.open_application(application_id=one.id, actor=approver)
    with pytest.raises(ApplicationLocked):
        service.snooze_application(application_id=one.id, until=datetime.now(UTC) + timedelta(hours=1), actor=approver)
    put(one, locked_until=datetime.now(UTC) - timedelta(seconds=1))    # they went home
    assert service.open_application(application_id=one.id, actor=approver).locked_by_id == uuid.UUID(approver.id)
    assert Event.objects.filter(action="application.opened").count() == 1


def test_nobody_opens_their_own_or_what_is_over(shop: House) -> None:
    officer = acting(shop, "officer")
    own, over = receive(asked(reference=shop.users["officer"].email)), put(receive(), state="approved", decided_at=NOW)

    with pytest.raises(OwnApplication):
        service.open_application(application_id=own.id, actor=officer)
    with pytest.raises(MoveRefused):
        service.open_application(application_id=over.id, actor=officer)
    with pytest.raises(PersonNeeded):
        service.open_application(application_id=own.id, actor=acting(shop, "analyst"))


def test_what_is_put_off_is_not_taken_until_then(shop: House) -> None:
    one, officer = receive(), acting(shop, "officer")

    service.snooze_application(application_id=one.id, until=datetime.now(UTC) + timedelta(hours=1), actor=officer)

    assert take_next_application(actor=officer) is None
    service.snooze_application(application_id=one.id, until=None, actor=officer)
    assert take_next_application(actor=officer) is not None
    assert Event.objects.filter(action="application.snoozed").count() == 2


@pytest.mark.parametrize("days", [-1, 0, 91])
def test_nothing_is_put_off_into_the_past_or_for_ever(shop: House, days: int) -> None:
    one = receive()

    with pytest.raises(MoveDetailsRefused, match="90 days"):
        service.snooze_application(application_id=one.id, until=datetime.now(UTC) + timedelta(days=days), actor=acting(shop, "officer"))

    assert Application.objects.get().revision == 1


def test_what_is_escalated_comes_first_and_goes_to_the_approver(shop: House) -> None:
    first, second = receive(), receive()
    officer, approver = acting(shop, "officer"), acting(shop, "approver")
    put(first, due_at=NOW), put(second, due_at=NOW + timedelta(hours=1))

    service.escalate_application(application_id=second.id, actor=officer, to=uuid.UUID(approver.id))

    assert numbers(shop) == [second.number, first.number]
    taken = take_next_application(actor=approver)
    assert taken is not None
    assert taken.id == second.id
    with pytest.raises(AssigneeRefused):
        service.escalate_application(application_id=first.id, actor=officer, to=uuid.UUID(officer.id))


def test_tags_are_set_whole_and_checked(shop: House) -> None:
    one, officer = receive(), acting(shop, "officer")

    assert service.tag_application(application_id=one.id, tags=["Visit", "a-1", "visit"], actor=officer).tags == ["a-1", "visit"]
    assert service.tag_application(application_id=one.id, tags=["visit", "a-1"], actor=officer).revision == 2
    for wrong in (["-x"], ["é"], ["a" * 41], [f"t{place}" for place in range(21)]):
        with pytest.raises(MoveDetailsRefused):
            service.tag_application(application_id=one.id, tags=wrong, actor=officer)
    assert Event.objects.filter(action="application.tagged").count() == 1


# ---- many at once


def test_many_are_assigned_and_those_that_changed_stay(shop: House) -> None:
    made, officer, approver = [receive() for _ in range(3)], acting(shop, "officer"), acting(shop, "approver")
    service.open_application(application_id=made[2].id, actor=approver)

    given = service.assign_applications(
        chosen=[Seen(one.id, 1) for one in made], assignee_id=uuid.UUID(officer.id), actor=officer
    )

    assert (given.done, [refusal.code for _, refusal in given.refused]) == (2, ["application_changed"])
    assert set(Application.objects.filter(assigned_to=shop.users["officer"]).values_list("id", flat=True)) == {made[0].id, made[1].id}
    released = service.release_applications(chosen=[Seen(made[0].id, 2), Seen(made[1].id, 1)], actor=officer)
    assert (released.done, len(released.refused)) == (1, 1)


def test_nothing_is_given_to_who_may_not_decide(shop: House) -> None:
    one = receive()

    with pytest.raises(AssigneeRefused):
        service.assign_applications(
            chosen=[Seen(one.id, 1)], assignee_id=shop.users["viewer"].id, actor=acting(shop, "officer")
        )
    with pytest.raises(MoveDetailsRefused):
        service.assign_applications(chosen=[], assignee_id=shop.users["officer"].id, actor=acting(shop, "officer"))

    assert Application.objects.get().assigned_to_id is None


def test_of_many_who_open_the_same_one_only_one_has_it(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product(REFERS)
        one = receive()
        people = [acting(house, "officer"), acting(house, "approver"), acting(house, "admin"), another("officer")]
    start, results = threading.Barrier(len(people)), []

    def run(person: Any) -> None:
        start.wait()
        try:
            with tenant_context(house.partner):
                service.open_application(application_id=one.id, actor=person)
            results.append("has it")
        except ApplicationLocked:
            results.append("locked")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["has it", "locked", "locked", "locked"]


# ---- saved views


def test_a_view_is_replaced_by_its_name_and_there_are_not_too_many(shop: House) -> None:
    person = shop.users["officer"]
    for place in range(20):
        save_view(person=person, name=f"view {place}", query="due=late")

    assert save_view(person=person, name="  view   3 ", query="due=today").query == "due=today"
    with pytest.raises(ViewRefused, match="20 views"):
        save_view(person=person, name="one more", query="")
    for wrong in ("", "a" * 41, "a\x00b"):
        with pytest.raises(ViewRefused):
            save_view(person=person, name=wrong, query="")
    assert SavedView.objects.filter(user=person).count() == 20


# ---- the pages


def get(house: House, path: str, role: str = "officer", data: dict[str, str] | None = None) -> Any:
    """A page; the test stays in the house's schema."""
    with tenant_context(house.partner):
        return house.client(role).get(path, data)


def post(house: House, path: str, data: dict[str, Any], role: str = "officer") -> Any:
    """A form."""
    with tenant_context(house.partner):
        return house.client(role).post(path, data)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_page_tells_who_has_it_and_nobody_looked_from_incomplete(shop: House) -> None:
    fresh, asked_back, held = receive(asked(name="Amina Otieno")), receive(), receive()
    decide_application(
        application_id=asked_back.id, move=MoveName.ASK_INFORMATION, why=Why("documents_missing"), actor=acting(shop, "officer")
    )
    service.open_application(application_id=held.id, actor=acting(shop, "approver"))

    shown = text_of(get(shop, "/applications"))

    assert '<span class="v-state ">Nobody looked</span>' in shown
    assert '<span class="v-state is-part">Looked at, incomplete</span>' in shown
    assert f"open with {shop.users['approver'].name}" in shown
    assert f'href="/applications/{fresh.number}">Amina Otieno</a>' in shown
    hidden = text_of(get(shop, "/applications", "viewer"))
    assert "Amina" not in hidden
    assert fresh.number in hidden


def test_what_is_decided_is_not_there_to_be_assigned(shop: House) -> None:
    put(receive(), state="approved", decided_at=NOW)

    waiting, decided = (text_of(get(shop, f"/applications{tab}")) for tab in ("?tab=all", "?tab=decided"))

    assert 'name="chosen"' in waiting
    assert 'name="chosen"' not in decided
    assert "What counted most" in decided
    assert "Why it is here" not in decided


def test_filters_and_order_stay_in_the_links(shop: House) -> None:
    for _ in range(26):
        receive()

    answer = get(shop, "/applications", data={"band": Application.objects.all()[0].band, "sort": "newest", "due": "week"})

    older = re.search(r'href="\?([^"]*)" rel="next"', text_of(answer))
    assert older
    state = parse_qs(unescape(older[1]))
    assert set(state) == {"band", "sort", "due", "cursor"}
    second = get(shop, f"/applications?{unescape(older[1])}")
    assert text_of(second).count('class="v-who"') == 1


REFUSED = {"state": "maybe", "product": "no", "band": "HUGE", "due": "never", "to": "x", "min": "much", "max": "-1", "since": "yesterday",
           "until": "2026-13-40", "tab": "none", "sort": "random", "cursor": "x"}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("value", ["", "\x00", "'; DROP TABLE approvals_application; --", "🙂" * 8, "9" * 400])
def test_what_cannot_be_looked_for_is_told_on_a_page(north: House, name: str, value: str) -> None:
    answer = north.client("officer").get("/applications", {name: value or REFUSED[name]})

    assert answer.status_code == 422
    assert "That cannot be looked for." in text_of(answer)


def test_only_who_may_know_applicants_can_search_for_one(shop: House) -> None:
    receive(asked(reference="R-secret"))

    assert get(shop, "/applications?q=R-secret", "viewer").status_code == 403
    assert 'name="q"' not in text_of(get(shop, "/applications", "viewer"))
    assert text_of(get(shop, "/applications?q=R-secret")).count('class="v-who"') == 1


def test_take_next_leads_to_the_application_or_back(shop: House) -> None:
    one = receive()

    answer = post(shop, "/applications/take-next", {"back": "due=late&next=//evil"})
    empty = post(shop, "/applications/take-next", {"back": "due=late&next=//evil"}, "approver")

    assert answer["Location"] == f"/applications/{one.number}"
    assert empty["Location"] == "/applications?due=late"
    assert Application.objects.get().assigned_to_id == shop.users["officer"].id


def test_chosen_rows_are_assigned_and_the_page_says_what_stayed(shop: House) -> None:
    one, gone, client = receive(), receive(), shop.client("officer")
    put(gone, revision=5)
    chosen, to = [f"{one.id}:1", f"{gone.id}:1"], shop.users["approver"].id

    with tenant_context(shop.partner):
        answer = client.post("/applications/chosen", {"chosen": chosen, "assignee": to, "back": "tab=mine", "do": "assign"})
        told = text_of(client.get(answer["Location"]))

    assert answer["Location"] == "/applications?tab=mine"
    assert "1 application is with" in told
    assert "1 stays as it was" in told


@pytest.mark.parametrize(
    ("path", "typed", "said"),
    [
        ("/applications/chosen", {}, "Choose at least one row first; nothing was changed."),
        ("/applications/chosen", {"chosen": ["x:1"]}, "Choose rows of the list, then send it again."),
        ("/applications/chosen", {"chosen": [f"{uuid.uuid4()}:1"], "assignee": "x"}, "Choose who is to have them; nothing was changed."),
        ("/applications/views", {"name": " "}, "Name the view with 1 to 40 characters."),
    ],
)
def test_what_the_queue_cannot_do_is_told_on_it(shop: House, path: str, typed: dict[str, Any], said: str) -> None:
    client = shop.client("officer")

    with tenant_context(shop.partner):
        answer = client.post(path, {**typed, "back": "tab=mine"})
        shown = text_of(client.get(answer["Location"]))

    assert answer["Location"] == "/applications?tab=mine"
    assert said in shown
    assert not SavedView.objects.exists()


def test_a_view_is_kept_without_what_was_searched_and_removed_by_its_owner_only(shop: House) -> None:
    post(shop, "/applications/views", {"name": "Late ones", "back": "due=late&q=Amina&evil=1"})
    kept = SavedView.objects.get()
    post(shop, f"/applications/views/{kept.id}/remove", {}, "approver")

    assert kept.query == "due=late"
    assert "Late ones" in text_of(get(shop, "/applications"))
    assert "Late ones" not in text_of(get(shop, "/applications", "approver"))
    post(shop, f"/applications/views/{kept.id}/remove", {})
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(
    ("do", "more", "holds"),
    [
        ("open", {}, {"state": "in_review"}),
        ("snooze", {"until": "2126-01-01T09:00"}, None),
        ("snooze", {"until": "soon"}, None),
        ("escalate", {}, {"priority": 1}),
        ("tags", {"tags": "visit, second-loan"}, {"tags": ["second-loan", "visit"]}),
        ("tags", {"tags": "Ä"}, None),
        ("release", {"revision": "x"}, None),
        ("assign", {"assignee": "x"}, None),
        ("nothing", {}, None),
    ],
)
def test_a_button_of_one_application(shop: House, do: str, more: dict[str, str], holds: dict[str, Any] | None) -> None:
    one = receive()

    answer = post(shop, f"/applications/{one.number}/work", {"do": do, **more})

    found: dict[str, Any] = dict(Application.objects.values().get())
    if holds is None:
        assert answer.status_code == 422
        assert found["revision"] == 1
    else:
        assert (answer.status_code, urlsplit(answer["Location"]).path) == (302, f"/applications/{one.number}")
        assert {name: found[name] for name in holds} == holds


@pytest.mark.parametrize(
    ("minutes", "text", "kind"),
    [(-25, "Late by 25 min", "is-late"), (0, "Late by 0 min", "is-late"), (20, "in 20 min", "is-soon"), (90, "in 1 h 30 min", "is-soon"),
     (91, "in 1 h 31 min", ""), (60 * 50, "in 2 d 2 h", "")],
)  # fmt: skip
def test_time_left_is_told_in_words_and_mark(minutes: int, text: str, kind: str) -> None:
    assert time_left(NOW + timedelta(minutes=minutes), NOW) == (text, kind)


@pytest.mark.parametrize(
    ("language", "text"), [("en", ["KES 120,000", "XOF 450,000", "KES 10.50"]), ("fr", ["120 000 KES", "450 000 XOF", "10,50 KES"])]
)
def test_money_is_written_as_the_language_does_with_decimals_only_where_there_are_any(language: str, text: list[str]) -> None:
    with translation.override(language):
        shown = [money(minor, currency) for minor, currency in ((12_000_000, "KES"), (450_000, "XOF"), (1_050, "KES"))]

    assert [one.replace("\N{NO-BREAK SPACE}", " ") for one in shown] == text
