"""Another policy over a partner's own decisions: what is read, what is opened, and a change of policy that is recorded."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from scoring import registry
from scoring.decided import Decided
from scoring.engine.policy import Condition, KnockOut, Outcome, Policy
from scoring.engine.what_if import Range, Terms
from scoring.errors import PolicyChanged, ProductRefused, ProductUnknown, ReasonMissing
from scoring.models import Applicant, Channel, Decision, OutcomeSource
from scoring.models import Policy as PolicyRow
from scoring.services import what_if as service
from scoring.services.outcomes import Observed, record_outcomes
from scoring.services.policies import change_policy
from scoring.services.score import score_applicants
from scoring.services.what_if import Found, what_if
from tests.conftest import House
from tests.scoring.factories import SLUG, add_product, an_item, by_force, by_key, put_in_force

TRADE = KnockOut("cloth", Condition("trade", "eq", "cloth"), Outcome.DECLINE, {"en": "Loans for cloth are not made here."})


@pytest.fixture
def decided(in_north: House) -> list[Decided]:
    """Twelve decisions by a model."""
    add_product()
    put_in_force()
    items = [an_item(f"A-{place}", income=60.0 + 300.0 * place, trade=("food", "cloth")[place % 2], amount=1_000.0) for place in range(12)]
    return score_applicants(product_slug=SLUG, items=items, actor=by_key(), channel=Channel.API)


def in_force() -> Policy:
    return registry.current(SLUG).policy


def found(policy: Policy, **named: Any) -> Found:
    return what_if(product_slug=SLUG, policy=policy, since=datetime.now(UTC) - timedelta(days=1), terms=Terms(), **named)


def test_the_policy_in_force_moves_nobody_and_makes_what_was_made(decided: list[Decided]) -> None:
    same = found(in_force())

    side = same.comparison.new
    outcomes = [one.outcome for one in decided]
    assert (side.approved, side.referred, side.declined) == tuple(outcomes.count(one) for one in ("approve", "refer", "decline"))
    assert (same.comparison.moved, same.decisions, same.left_out) == ((), 12, 0)


def erase(decision: Decided) -> None:
    columns = ("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index")
    Applicant.objects.filter(id=decision.applicant_id).update(**dict.fromkeys(columns))


def test_cut_offs_alone_open_nothing(decided: list[Decided]) -> None:
    for one in decided:
        erase(one)

    moved = found(replace(in_force(), approve_from=300, decline_below=300))

    assert (moved.opened, moved.left_out, moved.comparison.new.approved) == (0, 0, 12)


def test_rules_and_amounts_are_read_from_what_was_sealed(decided: list[Decided]) -> None:
    policy = replace(in_force(), approve_from=300, decline_below=300, knock_outs=(TRADE,))

    moved = found(policy, amount="amount")

    assert (moved.opened, moved.comparison.new.approved, moved.comparison.new.declined) == (12, 6, 6)
    assert moved.comparison.new.amount == 6_000.0


def test_parts_of_any_size_count_each_decision_once(decided: list[Decided], monkeypatch: pytest.MonkeyPatch) -> None:
    policy = replace(in_force(), approve_from=300, decline_below=300, knock_outs=(TRADE,))
    whole = found(policy).comparison

    for size in (1, 5, 11):
        monkeypatch.setattr(service, "AT_ONCE", size)
        assert found(policy).comparison == whole
    assert (found(policy, at_most=7).decisions, found(policy, at_most=7).is_cut) == (7, True)
    assert (found(policy, at_most=12).decisions, found(policy, at_most=12).is_cut) == (12, False)


def test_what_cannot_be_opened_is_left_out_and_counted(north: House, decided: list[Decided]) -> None:
    erase(decided[0])
    first, second = (Decision.objects.get(id=decided[place].id) for place in (1, 2))
    by_force(north, "scoring_decision", "UPDATE scoring_decision SET sealed = %s WHERE id = %s", bytes(first.sealed), second.id)

    moved = found(replace(in_force(), knock_outs=(TRADE,)))

    assert (moved.decisions, moved.left_out) == (10, 2)    # erased; another row's content


def test_outcomes_that_hold_count_as_they_were(decided: list[Decided]) -> None:
    today = datetime.now(UTC).date()
    items = [Observed("repaid", today, decision_id=one.id) for one in decided]
    record_outcomes(items=items, source=OutcomeSource.FORM, actor=SYSTEM)
    record_outcomes(items=[Observed("defaulted", today, decision_id=decided[3].id)], source=OutcomeSource.FORM, actor=SYSTEM)

    moved = found(replace(in_force(), approve_from=300, decline_below=300))

    assert moved.comparison.known_outcomes == 12
    assert moved.comparison.new.loss == Range(0.6, 0.6, 0.6)
    known = [one.is_bad for movers in moved.movers.values() for one in movers if one.decision_id == decided[3].id]
    assert known == [True]


def test_those_who_move_are_named_newest_first_and_not_all(decided: list[Decided], monkeypatch: pytest.MonkeyPatch) -> None:
    was = {one.id: Outcome(one.outcome) for one in decided}
    policy = replace(in_force(), approve_from=851, decline_below=851)

    moved = found(policy, amount="amount").movers

    assert {one.decision_id: before for (before, _), movers in moved.items() for one in movers} == {
        key: before for key, before in was.items() if before is not Outcome.DECLINE
    }
    every = {key: [one.decision_id for one in movers] for key, movers in moved.items()}
    assert all(ids == sorted(ids, reverse=True) for ids in every.values())
    assert {one.amount for movers in moved.values() for one in movers} == {1_000.0}
    monkeypatch.setattr(service, "SHOWN", 2)
    monkeypatch.setattr(service, "AT_ONCE", 3)
    assert {key: [one.decision_id for one in movers] for key, movers in found(policy).movers.items()} == {
        key: ids[:2] for key, ids in every.items()
    }


def test_a_trial_ends_in_time_and_says_so(decided: list[Decided], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "AT_ONCE", 5)

    moved = found(in_force(), at_most_seconds=0.0)

    assert (moved.decisions, moved.is_cut) == (5, True)


def test_ages_are_those_on_the_day_of_the_decision(decided: list[Decided]) -> None:
    everybody = replace(in_force(), approve_from=300, decline_below=300)

    groups = found(everybody, group="born").comparison.groups_new

    assert [(one.group, one.people) for one in groups] == [("<25", 0), ("25–34", 0), ("35–44", 12), ("45–54", 0), ("55+", 0)]


def test_a_product_that_nobody_has_is_unknown(in_north: House) -> None:
    with pytest.raises(ProductUnknown):
        what_if(product_slug="nothing", policy=Policy.for_base_rate(0.2), since=datetime.now(UTC), terms=Terms())


# ---- the change


def test_a_changed_policy_is_the_next_version_recorded_and_decides(decided: list[Decided]) -> None:
    policy = replace(in_force(), approve_from=300, decline_below=300)

    made = change_policy(product_slug=SLUG, policy=policy, actor=SYSTEM, reason="A trial of open doors.", seen=1)

    event = Event.objects.get(action=Action.POLICY_CHANGED)
    assert made.version == 2
    told = {"slug": SLUG, "version": 2, "previous": 1, "reason": "A trial of open doors."}
    assert event.detail == {**told, "revision": event.detail["revision"]}
    again = score_applicants(product_slug=SLUG, items=[an_item("B-1")], actor=by_key(), channel=Channel.API)[0]
    assert (again.outcome, again.policy_version) == ("approve", 2)


def test_the_same_policy_again_is_no_new_version(decided: list[Decided]) -> None:
    assert change_policy(product_slug=SLUG, policy=in_force(), actor=SYSTEM, reason="Again.").version == 1
    assert not Event.objects.filter(action=Action.POLICY_CHANGED).exists()


@pytest.mark.parametrize(
    ("changed", "reason", "seen", "refusal"),
    [
        ({"approve_from": 700}, " ", 1, ReasonMissing),
        ({"approve_from": 700}, "Why not.", 7, PolicyChanged),
        ({"knock_outs": (KnockOut("x", Condition("nothing", "gt", 1), Outcome.REFER),)}, "Why not.", 1, ProductRefused),
        ({"knock_outs": (TRADE, TRADE)}, "Why not.", 1, ProductRefused),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    decided: list[Decided], changed: dict[str, Any], reason: str, seen: int, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        change_policy(product_slug=SLUG, policy=replace(in_force(), **changed), actor=SYSTEM, reason=reason, seen=seen)

    assert PolicyRow.objects.filter(product__slug=SLUG).count() == 1
