"""People decide: by the table, with two pairs of eyes where it matters, never about themselves, and one of two at once."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from audit.context import SYSTEM, Actor
from audit.models import Event, Outbox
from partners.accounts.models import User
from partners.tenancy import tenant_context
from portal.approvals.errors import (
    AnotherPersonNeeded,
    ApplicationChanged,
    ApplicationLocked,
    MoveDetailsRefused,
    MoveRefused,
    OwnApplication,
    PersonNeeded,
    ProposalMissing,
    ProposalOpen,
)
from portal.approvals.models import Application, ApprovalPolicy, Review, SecondOpinion
from portal.approvals.sealed import open_text
from portal.approvals.services.decisions import agree_to_proposal, decide_application, refuse_proposal, retract_proposal
from portal.approvals.services.moves import Why
from portal.approvals.services.policies import change_approval_policy
from portal.approvals.services.sweeps import expire_applications, lapse_proposals
from portal.approvals.services.work import assign_application, release_application, take_next_application, write_note
from portal.approvals.transitions import ASKED, MOVES, MoveName, State, as_markdown
from scoring.errors import ApplicantErased
from scoring.models import Applicant
from tests.approvals.factories import APPROVES, DECLINES, REFERS, WHY, acting, actor_of, add_product, another, asked, receive
from tests.conftest import ROOT, House
from tests.scoring.factories import SLUG, by_key

APPROVE, DECLINE, OFFER = MoveName.APPROVE, MoveName.DECLINE, MoveName.COUNTER_OFFER
OVERRIDE = Why("guarantee_given")


@pytest.fixture
def shop(in_north: House) -> House:
    """North with a product whose decisions are all referred."""
    add_product(REFERS)
    return in_north


@pytest.fixture
def strict(shop: House) -> House:
    """The same, with a low limit: two people for everything that lends."""
    change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"KES": 100})
    return shop


def decide(
    one: Application, actor: Actor, move: MoveName = APPROVE, why: Why = WHY, *, offered_minor: int | None = None
) -> Application:
    return decide_application(application_id=one.id, move=move, why=why, actor=actor, offered_minor=offered_minor)


def state(one: Application) -> tuple[str, int, int]:
    """What a refusal must leave as it was: state, revision and how many events."""
    now = Application.objects.get(id=one.id)
    return now.state, now.revision, Event.objects.filter(object_id=str(one.id)).count()


# ---- the table


@pytest.mark.parametrize("start", list(State))
@pytest.mark.parametrize("move", ASKED)
def test_a_move_is_made_from_exactly_the_states_of_the_table(shop: House, start: State, move: MoveName) -> None:
    one = receive()
    Application.objects.filter(id=one.id).update(state=start, offered_minor=5)
    before, offered = state(one), 5 if move == OFFER else None

    if start in MOVES[move].sources:
        done = decide(one, acting(shop, "officer"), move, offered_minor=offered)
        assert (done.state, done.revision) == (MOVES[move].target, 2)
        review = Review.objects.get()
        assert (review.from_state, review.to_state, review.move, review.revision, review.reason_code) == (
            start, MOVES[move].target, move, 2, WHY.code,
        )  # fmt: skip
        assert (review.actor_id, review.actor_kind) == (str(shop.users["officer"].id), "user")
    else:
        with pytest.raises(MoveRefused):
            decide(one, acting(shop, "officer"), move, offered_minor=offered)
        assert state(one) == before


def test_the_documents_show_the_table() -> None:
    assert as_markdown() in (ROOT / "docs" / "architecture.md").read_text()


def test_a_decision_is_announced_and_a_question_is_not(shop: House) -> None:
    one, officer = receive(), acting(shop, "officer")

    decide(one, officer, MoveName.ASK_INFORMATION)
    assert not Outbox.objects.filter(topic="application.decided").exists()
    decide(one, officer, APPROVE)

    told = Outbox.objects.get(topic="application.decided")
    assert (told.object_id, told.body["state"]) == (str(one.id), "approved")


@pytest.mark.parametrize("move", [MoveName.EXPIRE, MoveName.PROPOSE, MoveName.TAKE, MoveName.LAPSE_PROPOSAL])
def test_nobody_asks_for_what_follows_from_something_else(shop: House, move: MoveName) -> None:
    with pytest.raises(MoveRefused):
        decide(receive(), acting(shop, "admin"), move)


# ---- who


@pytest.mark.parametrize("role", ["viewer", "analyst", "scientist", "developer", "compliance"])
def test_other_roles_do_not_decide(shop: House, role: str) -> None:
    one = receive()

    with pytest.raises(PersonNeeded):
        decide(one, acting(shop, role))

    assert state(one) == ("new", 1, 1)


def test_keys_the_system_and_people_switched_off_do_not_decide(shop: House) -> None:
    one, gone = receive(), acting(shop, "officer")
    User.objects.filter(id=gone.id).update(is_active=False)

    for actor in (by_key(), SYSTEM, gone):
        with pytest.raises(PersonNeeded):
            decide(one, actor)


def test_nobody_decides_about_themselves(strict: House) -> None:
    officer, approver = strict.users["officer"], strict.users["approver"]
    of_officer = receive(asked(name=officer.name))
    of_approver = receive(asked(reference=approver.email))

    with pytest.raises(OwnApplication):
        decide(of_officer, actor_of(officer))
    decide(of_approver, actor_of(officer))
    with pytest.raises(OwnApplication):
        agree_to_proposal(application_id=of_approver.id, actor=actor_of(approver))
    with pytest.raises(OwnApplication):
        assign_application(application_id=of_officer.id, assignee_id=officer.id, actor=actor_of(approver))
    assert take_next_application(actor=actor_of(officer)) is None


# ---- four eyes


def test_above_the_limit_a_second_person_has_to_agree(strict: House) -> None:
    one = receive()

    proposed = decide(one, acting(strict, "officer"), why=Why("income_confirmed", "Payslips seen"))
    done = agree_to_proposal(application_id=one.id, actor=acting(strict, "approver"), revision=proposed.revision)

    opinion = SecondOpinion.objects.get()
    assert (proposed.state, done.state) == ("in_review", "approved")
    assert (opinion.state, opinion.proposed_by, opinion.answered_by) == ("agreed", strict.users["officer"], strict.users["approver"])
    assert open_text(done, opinion) == "Payslips seen"
    assert [(one.move, one.actor_id) for one in Review.objects.all()] == [
        ("propose", str(strict.users["officer"].id)), ("approve", str(strict.users["approver"].id)),
    ]  # fmt: skip
    assert Event.objects.get(action="application.approved").detail["because"] == ["above_limit"]


def test_a_decline_lends_nothing_and_needs_one_person(strict: House) -> None:
    assert decide(receive(), acting(strict, "officer"), DECLINE).state == "declined"


def test_a_counter_offer_within_the_limit_needs_one_person(shop: House) -> None:
    change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"KES": 100})

    done = decide(receive(asked(200)), acting(shop, "officer"), OFFER, offered_minor=100)

    assert (done.state, done.offered_minor) == ("counter_offered", 100)


@pytest.mark.parametrize(("cut_offs", "start", "move"), [(DECLINES, "declined", APPROVE), (APPROVES, "new", DECLINE)])
def test_an_override_needs_a_preset_reason_and_a_second_person(
    in_north: House, cut_offs: tuple[int, int], start: str, move: MoveName
) -> None:
    add_product(cut_offs)
    change_approval_policy(product_slug=SLUG, actor=by_key(), limits={"KES": 100})
    one, officer = receive(), acting(in_north, "officer")
    assert one.state == start
    if start == "declined":
        decide(one, officer, MoveName.RECONSIDER)

    with pytest.raises(MoveDetailsRefused, match="guarantee_given"):
        decide(one, officer, move, Why("because_i_like_them"))
    decide(one, officer, move, OVERRIDE)

    opinion = SecondOpinion.objects.get()
    assert "override" in opinion.because
    assert opinion.expires_at - opinion.proposed_at == timedelta(hours=72)
    assert agree_to_proposal(application_id=one.id, actor=acting(in_north, "approver")).state == MOVES[move].target


def test_where_the_policy_says_never_an_override_needs_one_person(in_north: House) -> None:
    add_product(DECLINES)
    change_approval_policy(product_slug=SLUG, actor=by_key(), four_eyes=ApprovalPolicy.FourEyes.NEVER)
    one, officer = receive(), acting(in_north, "officer")
    decide(one, officer, MoveName.RECONSIDER)

    assert decide(one, officer, APPROVE, OVERRIDE).state == "approved"


def test_neither_who_proposed_nor_an_officer_nor_who_entered_it_agrees(strict: House) -> None:
    entered_by = another("approver", "Entered It")
    one, proposer = receive(actor=entered_by), acting(strict, "approver")
    decide(one, proposer)
    before = state(one)

    with pytest.raises(AnotherPersonNeeded):
        agree_to_proposal(application_id=one.id, actor=proposer)
    with pytest.raises(AnotherPersonNeeded):
        refuse_proposal(application_id=one.id, why=WHY, actor=proposer)
    with pytest.raises(PersonNeeded):
        agree_to_proposal(application_id=one.id, actor=acting(strict, "officer"))
    with pytest.raises(AnotherPersonNeeded):
        agree_to_proposal(application_id=one.id, actor=entered_by)

    assert state(one) == before
    assert agree_to_proposal(application_id=one.id, actor=another("approver")).state == "approved"


def test_the_database_too_refuses_one_person_twice(strict: House) -> None:
    decide(receive(), acting(strict, "approver"))
    opinion = SecondOpinion.objects.get()
    opinion.state, opinion.answered_by, opinion.answered_at = "agreed", opinion.proposed_by, datetime.now(UTC)

    with pytest.raises(DatabaseError, match="secondopinion_second_person"), transaction.atomic():
        opinion.save()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        SecondOpinion.objects.update(proposed_by=strict.users["officer"])


def test_a_refused_proposal_leaves_the_application_in_review(strict: House) -> None:
    one = receive()
    decide(one, acting(strict, "officer"))

    done = refuse_proposal(application_id=one.id, why=Why("income_not_shown", "Which payslips?"), actor=acting(strict, "approver"))

    assert (done.state, SecondOpinion.objects.get().state) == ("in_review", "refused")
    with pytest.raises(ProposalMissing):
        agree_to_proposal(application_id=one.id, actor=another("approver"))
    assert decide(one, acting(strict, "officer")).second_opinions.count() == 2


def test_who_proposed_takes_it_back_and_nobody_else(strict: House) -> None:
    one = receive()
    decide(one, acting(strict, "officer"))

    with pytest.raises(AnotherPersonNeeded):
        retract_proposal(application_id=one.id, actor=acting(strict, "approver"))
    assert retract_proposal(application_id=one.id, actor=acting(strict, "officer")).state == "in_review"
    assert SecondOpinion.objects.get().state == "retracted"


def test_while_a_proposal_waits_only_a_withdrawal_goes_past_it(strict: House) -> None:
    one = receive()
    decide(one, acting(strict, "officer"))

    for move in (APPROVE, DECLINE, MoveName.ASK_INFORMATION):
        with pytest.raises(ProposalOpen):
            decide(one, acting(strict, "approver"), move)
    assert decide(one, acting(strict, "approver"), MoveName.WITHDRAW).state == "withdrawn"
    assert SecondOpinion.objects.get().state == "retracted"


def test_a_proposal_lapses(strict: House) -> None:
    one = receive()
    decide(one, acting(strict, "officer"))
    assert lapse_proposals() == 0
    SecondOpinion.objects.update(expires_at=datetime.now(UTC))

    with pytest.raises(ProposalMissing, match="lapsed"):
        agree_to_proposal(application_id=one.id, actor=acting(strict, "approver"))
    assert (lapse_proposals(), lapse_proposals()) == (1, 0)

    assert (SecondOpinion.objects.get().state, Application.objects.get().state) == ("lapsed", "in_review")
    assert Event.objects.filter(action="application.proposal_lapsed", actor_kind="system").count() == 1


# ---- time


def test_what_nobody_decided_expires_and_what_was_decided_does_not(shop: House) -> None:
    waiting, decided = receive(), receive()
    decide(decided, acting(shop, "officer"))
    Application.objects.update(expires_at=datetime.now(UTC))

    assert (expire_applications(), expire_applications()) == (1, 0)

    assert [Application.objects.get(id=one.id).state for one in (waiting, decided)] == ["expired", "approved"]


# ---- work


def test_the_most_urgent_is_taken_first_and_nobody_gets_anothers(shop: House) -> None:
    plain, urgent, snoozed = receive(), receive(), receive()
    Application.objects.filter(id=urgent.id).update(priority=5)
    Application.objects.filter(id=snoozed.id).update(snoozed_until=datetime.now(UTC) + timedelta(hours=1), priority=9)
    officer, approver = acting(shop, "officer"), acting(shop, "approver")

    first, second, third = (take_next_application(actor=who) for who in (officer, approver, approver))

    assert first is not None
    assert second is not None
    assert (first.id, second.id) == (urgent.id, plain.id)
    assert third is None or third.id == plain.id
    assert (first.state, first.assigned_to) == ("in_review", shop.users["officer"])
    with pytest.raises(ApplicationLocked, match=shop.users["officer"].name):
        decide(first, approver)
    Application.objects.update(locked_until=datetime.now(UTC))
    assert decide(first, approver).locked_by is None


def test_only_who_holds_it_or_an_approver_releases(shop: House) -> None:
    one, officer = receive(), acting(shop, "officer")
    take_next_application(actor=officer)

    with pytest.raises(PersonNeeded):
        release_application(application_id=one.id, actor=another("officer"))
    assert release_application(application_id=one.id, actor=acting(shop, "approver")).assigned_to is None


def test_a_proposal_goes_to_approvers_and_not_to_who_made_it(strict: House) -> None:
    one = receive()
    decide(one, acting(strict, "officer"))

    assert take_next_application(actor=another("officer")) is None
    taken = take_next_application(actor=acting(strict, "approver"))
    assert taken is not None
    assert taken.id == one.id


def test_notes_are_sealed_and_end_with_the_applicant(shop: House) -> None:
    one = receive()
    note = write_note(application_id=one.id, text=" Amina calls back ", actor=acting(shop, "officer"))
    assert open_text(one, note) == "Amina calls back"
    assert b"Amina" not in bytes(note.sealed_text)

    Applicant.objects.update(
        data_key_id=None, wrapped_key=None, sealed_profile=None, phone_index=None, national_id_index=None, name_index=None
    )
    erased = Application.objects.select_related("applicant").get()

    assert open_text(erased, note) is None
    with pytest.raises(ApplicantErased):
        write_note(application_id=one.id, text="More", actor=acting(shop, "officer"))
    assert decide(one, acting(shop, "officer"), MoveName.WITHDRAW).state == "withdrawn"


def test_reviews_stay_as_they_are(shop: House) -> None:
    decide(receive(), acting(shop, "officer"))

    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        Review.objects.update(reason_code="other")


# ---- two at once

RACES = 200


@pytest.mark.slow
def test_of_two_who_decide_at_once_one_wins_and_the_other_sees_who(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product(REFERS)
        ids = [receive().id for _ in range(RACES)]
    actors = {"officer": APPROVE, "approver": DECLINE}
    together = threading.Barrier(2)

    def work(role: str) -> list[str]:
        told, actor, move = [], acting(house, role), actors[role]
        try:
            with tenant_context(house.partner):
                for one in ids:
                    together.wait(60)
                    told.append(_race(one, actor, move))
        finally:
            connection.close()
        return told

    with ThreadPoolExecutor(2) as pool:
        officer, approver = pool.map(work, actors)

    names = {role: house.users[role].name for role in actors}
    with tenant_context(house.partner):
        for at, one in enumerate(ids):
            winner = "officer" if officer[at] == "won" else "approver"
            loser = approver[at] if winner == "officer" else officer[at]
            review = Review.objects.get(application_id=one)
            found = Application.objects.get(id=one)
            assert (officer[at], approver[at]).count("won") == 1
            assert (review.actor, found.state, found.revision) == (names[winner], MOVES[actors[winner]].target, 2)
            assert loser == f"{names[winner]} {MOVES[actors[winner]].target}"
        assert Outbox.objects.filter(topic="application.decided").count() == RACES


def _race(application_id: uuid.UUID, actor: Actor, move: MoveName) -> str:
    try:
        decide_application(application_id=application_id, move=move, why=WHY, actor=actor, revision=1)
    except ApplicationChanged as refusal:
        return f"{refusal.by} {refusal.state}"
    return "won"


@pytest.mark.slow
def test_two_who_take_the_next_at_once_get_two(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product(REFERS)
        made = {receive().id for _ in range(40)}

    def work(role: str) -> list[uuid.UUID]:
        taken = []
        try:
            with tenant_context(house.partner):
                for _ in range(20):
                    found = take_next_application(actor=acting(house, role))
                    assert found is not None
                    taken.append(found.id)
                    decide_application(application_id=found.id, move=DECLINE, why=WHY, actor=acting(house, role))
        finally:
            connection.close()
        return taken

    with ThreadPoolExecutor(2) as pool:
        officer, approver = pool.map(work, ["officer", "approver"])

    assert sorted([*officer, *approver]) == sorted(made)
