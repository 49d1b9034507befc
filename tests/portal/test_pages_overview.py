"""The pages around the queue: what waits and for whom, months in figures, applicants, help, and practice that stores nothing."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.urls import Resolver404, resolve

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from partners.tenancy import tenant_context
from portal.approvals.models import Application
from portal.approvals.selectors import month_of_applications, waiting_for
from portal.approvals.services.applications import Asked
from portal.approvals.services.decisions import decide_application
from portal.approvals.services.moves import Why
from portal.approvals.services.work import assign_application
from portal.approvals.transitions import MoveName
from portal.web.help import TOPICS
from portal.web.practice import CASES, MOVES
from scoring import selectors
from scoring.models import Decision, Job, OutcomeSource
from scoring.services.outcomes import Observed, record_outcomes
from tests.approvals.factories import APPROVES, DECLINES, REFERS, WHY, acting, add_product, asked, receive
from tests.conftest import House

NOW = datetime.now(UTC)
QUEUE = "/applications"    # its pages are another part's


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def text_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def todo_of(house: House, role: str) -> dict[str, str]:
    """What the overview says waits: words -> number."""
    text = text_of(house.client(role).get("/"))
    found = re.findall(r"<li><a href=\"[^\"]*\"[^>]*><b[^>]*>([^<]*)</b><span>([^<]*)<", text)
    return {words: number for number, words in found}


def late(application: Application) -> None:
    Application.objects.filter(id=application.id).update(due_at=datetime.now(UTC) - timedelta(minutes=25))


# what waits


def test_the_overview_says_what_waits_for_whom(north: House) -> None:
    with tenant_context(north.partner):
        add_product(REFERS)
        first, second, third = receive(), receive(), receive()
        late(first)
        officer = north.users["officer"]
        assign_application(application_id=second.id, assignee_id=officer.id, actor=acting(north, "approver"))
        decide_application(application_id=third.id, move=MoveName.DECLINE, why=WHY, actor=acting(north, "officer"))

    assert todo_of(north, "officer") == {"late": "1", "assigned to me": "1", "wait for the team": "2"}
    assert todo_of(north, "approver") == {"late": "1", "assigned to me": "0", "need me as the second person": "0", "wait for the team": "2"}
    assert todo_of(north, "viewer") == {"late": "1", "wait for the team": "2"}
    assert "25 min late" in text_of(north.client("officer").get("/"))
    with tenant_context(north.partner):    # of several the most urgent is told
        dues = Application.objects.filter(id__in=[first.id, second.id]).values_list("due_at", flat=True)
        assert waiting_for(officer.id, may_approve=False).everybody.next_due == min(one for one in dues if one)


def test_a_proposal_waits_for_others_than_who_made_it(north: House) -> None:
    with tenant_context(north.partner):
        add_product(DECLINES)
        one = receive()
        Application.objects.filter(id=one.id).update(state="in_review", decided_at=None, because="referred", due_at=NOW)
        why = Why("income_proven", "Seen.")
        decide_application(application_id=one.id, move=MoveName.APPROVE, why=why, actor=acting(north, "approver"))

        own = waiting_for(north.users["approver"].id, may_approve=True)
        others = waiting_for(north.users["admin"].id, may_approve=True)
        unasked = waiting_for(north.users["officer"].id, may_approve=False)

    assert (own.second.count, others.second.count, unasked.second.count) == (0, 1, 0)


def test_what_is_put_off_does_not_wait(north: House) -> None:
    with tenant_context(north.partner):
        add_product(REFERS)
        one = receive()
        Application.objects.filter(id=one.id).update(snoozed_until=NOW + timedelta(days=1))

        assert waiting_for(north.users["officer"].id, may_approve=True).everybody.count == 0


def test_counts_end_at_a_hundred(north: House) -> None:
    with tenant_context(north.partner):
        add_product(REFERS)
        one = receive()
        with connection.cursor() as cursor:
            _copies(cursor, one, 120)

    assert todo_of(north, "viewer")["wait for the team"] == "99+"
    assert ">99+<" in text_of(north.client("officer").get("/help"))


def _copies(cursor: Any, one: Application, number: int) -> None:
    """More applications like this one, each about its own copy of the decision."""
    names = [str(field.column) for field in Application._meta.concrete_fields]
    made = [str(field.column) for field in Decision._meta.concrete_fields]
    id_of = "md5(g::text)::uuid"
    decision = ", ".join(id_of if name == "id" else name for name in made)
    cursor.execute(
        f"INSERT INTO scoring_decision ({', '.join(made)}) SELECT {decision} FROM scoring_decision, generate_series(1, %s) g WHERE id = %s",
        [number, one.decision_id],
    )
    new = {"id": id_of, "decision_id": id_of, "number": "lpad(g::text, 9, '0')", "attempt": "NULL"}
    copied = ", ".join(new.get(name, name) for name in names)
    cursor.execute(
        f"INSERT INTO approvals_application ({', '.join(names)}) SELECT {copied} FROM approvals_application, generate_series(1, %s) g"
        " WHERE id = %s",
        [number, one.id],
    )


def test_failed_work_is_told_for_a_week(north: House) -> None:
    with tenant_context(north.partner):
        add_product(REFERS)
        receive()
        Job.objects.create(kind="score_file", state="failed", problem="The disk is full.", finished_at=NOW)
        Job.objects.create(kind="score_file", state="failed", problem="Long forgotten.", finished_at=NOW - timedelta(days=8))
        text = text_of(north.client("admin").get("/"))

    assert "The disk is full." in text
    assert "Long forgotten." not in text


def test_every_number_of_the_overview_leads_somewhere(north: House) -> None:
    with tenant_context(north.partner):
        add_product(REFERS)
        receive()
    client = north.client("admin")

    for page in ("/", "/summary"):
        text = text_of(client.get(page))
        columns = re.findall(r"<a href=\"([^\"]+)\" aria-label=\"1 decision with a score from", text)    # of the picture
        assert len(columns) == (page == "/")
        found = {*columns, *re.findall(r"<(?:b|dd|td)[^>]*><a href=\"([^\"]+)\"", text)}
        found |= {*re.findall(r"<li><a href=\"([^\"]+)\"[^>]*><b", text)}
        assert found, page
        for address in found:
            if not address.startswith(QUEUE):
                assert client.get(unescape(address)).status_code == 200, address


# months


def test_a_month_adds_up(in_north: House) -> None:
    add_product(APPROVES)
    by_model = [receive(asked(5_000_000)) for _ in range(2)]
    add_product(REFERS, slug="other-loan")
    person = acting(in_north, "officer")
    waits = [receive(_other(one)) for one in (1_000_000, 2_000_000, 4_000_000)]
    decide_application(application_id=waits[0].id, move=MoveName.APPROVE, why=WHY, actor=person)
    decide_application(application_id=waits[1].id, move=MoveName.DECLINE, why=WHY, actor=person)
    Application.objects.filter(id=waits[0].id).update(created_at=datetime.now(UTC) - timedelta(hours=2))
    first = by_model[0].decision_id
    assert first is not None
    record_outcomes(items=[Observed("defaulted", datetime.now(UTC).date(), first)], source=OutcomeSource.FORM, actor=SYSTEM)

    month = month_of_applications(NOW - timedelta(days=3), NOW + timedelta(days=1))

    assert (month.received, month.by_model, month.by_people) == (5, 2, 2)
    assert (month.approved, month.declined, month.overrides) == (3, 1, 0)
    assert month.approval_ratio == 0.75
    (kes,) = month.money
    assert (kes.currency, kes.asked_minor, kes.granted_minor) == ("KES", 17_000_000, 11_000_000)
    assert month.half_within is not None
    assert timedelta(minutes=59) < month.half_within < timedelta(minutes=62)    # half way between now and two hours
    assert (month.known_outcomes, month.observed_defaults) == (1, 1.0)
    assert month.expected_defaults == pytest.approx(selectors.decision_detail(first).summary.probability)


def _other(amount: int) -> Asked:
    return replace(asked(amount), product_slug="other-loan")


def test_an_override_is_told(in_north: House) -> None:
    add_product(DECLINES)
    one = receive()
    person = acting(in_north, "officer")
    decide_application(application_id=one.id, move=MoveName.RECONSIDER, why=WHY, actor=person)
    Application.objects.filter(id=one.id).update(state="approved")

    month = month_of_applications(NOW - timedelta(days=1), NOW + timedelta(days=1))

    assert month.by_people == 0    # nobody has decided: somebody only looked at it again
    assert month.overrides == 0


def test_the_summary_without_applications_says_so(north: House) -> None:
    text = text_of(north.client("viewer").get("/summary?months=3"))

    assert "There is nothing to sum up yet" in text
    assert north.client("viewer").get("/summary?months=7").status_code == 422


# applicants


@pytest.fixture
def somebody(north: House) -> uuid.UUID:
    """An applicant with an application."""
    with tenant_context(north.partner):
        add_product(REFERS)
        one = receive(asked(reference="Z-1", name="Zainabu Msigwa"))
        assert one.applicant_id is not None
        return one.applicant_id


def test_opening_a_profile_is_recorded_and_listing_is_not(north: House, somebody: uuid.UUID) -> None:
    officer = north.client("officer")

    listed = text_of(officer.get("/applicants"))
    found = text_of(officer.get("/applicants?q=zainabu msigwa"))
    with tenant_context(north.partner):
        assert not Event.objects.filter(action=Action.APPLICANT_VIEWED).exists()
    opened = text_of(officer.get(f"/applicants/{somebody}"))

    assert "Zainabu" not in listed
    assert str(somebody) in listed
    assert "Zainabu Msigwa" in found
    assert "Zainabu Msigwa" in opened
    with tenant_context(north.partner):
        event = Event.objects.get(action=Action.APPLICANT_VIEWED)
    assert (event.object_id, event.actor_id, event.detail) == (str(somebody), str(north.users["officer"].id), {})


def test_a_consent_is_recorded_on_the_page(north: House, somebody: uuid.UUID) -> None:
    officer, address = north.client("officer"), f"/applicants/{somebody}"

    sent = officer.post(address, {"kind": "credit_report", "answer": "withdrawn", "how": "telephone", "at": ""})
    wrong = officer.post(address, {"kind": "credit_report", "answer": "given", "how": "signed", "at": "2999-01-01"})

    assert (sent.status_code, sent["Location"]) == (302, address)
    assert wrong.status_code == 422
    assert "still to come" in text_of(wrong)
    with tenant_context(north.partner):
        assert [(one.kind, one.is_given) for one in selectors.consents_of(somebody)] == [("credit_report", False)]
    assert "Taken back" in text_of(officer.get(address))


def test_compliance_reads_a_profile_and_records_nothing(north: House, somebody: uuid.UUID) -> None:
    client, address = north.client("compliance"), f"/applicants/{somebody}"

    assert "Record what they said" not in text_of(client.get(address))
    assert client.post(address, {"kind": "sharing", "answer": "given", "how": "signed"}).status_code == 403
    with tenant_context(north.partner):
        assert selectors.consents_of(somebody) == []


def test_the_list_of_applicants_goes_on_where_it_ended(north: House) -> None:
    with tenant_context(north.partner):
        add_product(REFERS)
        ids = [receive().applicant_id for _ in range(5)]
        seen, cursor = [], None
        while True:
            page = selectors.newest_applicants(cursor=cursor, limit=2)
            seen += [one.id for one in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break

    assert seen == ids[::-1]
    assert north.client("officer").get("/applicants?cursor=nonsense").status_code == 422


# help


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_help_is_there_in_each_language(north: House, topic: str, language: str) -> None:
    with tenant_context(north.partner):
        user = north.users["viewer"]
        type(user).objects.filter(id=user.id).update(language=language)
    text = text_of(north.client("viewer").get(f"/help/{topic}"))

    assert f'<div class="v-letter v-help" lang="{language}">' in text
    for address in re.findall(r"href=\"(/[^\"#?]*)", text):
        if not address.startswith((QUEUE, "/static/")):
            try:
                resolve(address)
            except Resolver404:
                pytest.fail(f"{topic} leads to {address}, which is not there")


def test_practice_answers_every_decision_and_stores_nothing(north: House) -> None:
    client = north.client("officer")
    client.get("/help/practice/1")
    with tenant_context(north.partner):
        before = Event.objects.count()

    for number, case in enumerate(CASES, 1):
        assert set(case.answers) == set(MOVES)
        for move in MOVES:
            text = text_of(client.get(f"/help/practice/{number}?decision={move}"))
            assert str(case.answers[move][1]) in text
    with tenant_context(north.partner):
        assert Event.objects.count() == before
    assert client.get("/help/practice/4").status_code == 404
    assert "Think again" not in text_of(client.get("/help/practice/1?decision=nonsense"))
