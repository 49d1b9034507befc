"""A version is put in force by two people; its states change only as the one table allows; who, when and why are kept."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import product as pairs
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.models import Event
from partners.accounts.roles import Permission, permissions_of
from partners.tenancy import tenant_context
from scoring import registry
from scoring.errors import (
    CardUnread,
    ModelRefused,
    NoChallenger,
    NothingToRollBack,
    PromotionAnswered,
    PromotionOpen,
    PromotionUnknown,
    RanksLikeChance,
    ReasonMissing,
    SecondPersonNeeded,
    TransitionRefused,
    VersionInForce,
)
from scoring.models import TRANSITIONS, ModelVersion, Product, Promotion, PromotionRequest
from scoring.selectors import model_card
from scoring.services.challengers import remove_challenger, set_challenger
from scoring.services.models import move, offer_model, promote_model, retire_model, rollback_model, store_model_version
from scoring.services.promotions import ask_promotion, confirm_promotion, refuse_promotion, withdraw_promotion
from tests.conftest import House
from tests.scoring.factories import SLUG, a_bundle, add_product, add_version, by_force, card_of, put_in_force

State = ModelVersion.State
OPERATOR = Actor(kind="operator", id="0", label="command line")


def acting(house: House, role: str) -> Actor:
    """The person of this role, signed in."""
    user = house.users[role]
    return Actor(kind="user", id=str(user.id), label=user.name, role=role)


def asked(house: House, version: int = 1, *, by: str = "scientist", **changed: Any) -> PromotionRequest:
    """A request to put the version in force."""
    given = {"reason": "It finds more of the bad ones.", "is_card_read": True, "card_sha256": card_of(version), **changed}
    return ask_promotion(product_slug=SLUG, version=version, actor=acting(house, by), **given)


def state_of(version: int) -> str:
    return str(ModelVersion.objects.get(product__slug=SLUG, version=version).state)


def champion() -> int | None:
    found = Product.objects.select_related("champion").get(slug=SLUG).champion
    return None if found is None else found.version


def events(*actions: Action) -> list[Event]:
    return list(Event.objects.filter(action__in=actions, detail__product=SLUG).order_by("id"))


# two people


def test_what_one_asks_another_puts_in_force_and_both_are_recorded(in_north: House) -> None:
    add_product()
    add_version()
    request = asked(in_north)
    assert champion() is None

    promotion = confirm_promotion(request_id=request.id, actor=acting(in_north, "analyst"), answer="The curves hold.")

    assert (champion(), state_of(1)) == (1, "champion")
    assert (promotion.request_id, promotion.reason, promotion.actor_kind) == (request.id, request.reason, "user")
    request.refresh_from_db()
    assert (request.state, request.answered_by, request.answer) == ("confirmed", in_north.users["analyst"], "The curves hold.")
    ask, done = events(Action.PROMOTION_ASKED, Action.MODEL_PROMOTED)
    assert (ask.actor_id, ask.detail["reason"]) == (str(in_north.users["scientist"].id), request.reason)
    assert (done.actor_id, done.detail["asked_by"]) == (str(in_north.users["analyst"].id), str(in_north.users["scientist"].id))
    assert (done.detail["reason"], done.detail["request"]) == (request.reason, str(request.id))


def test_who_asked_can_neither_confirm_nor_refuse(in_north: House) -> None:
    add_product()
    add_version()
    request = asked(in_north, by="admin")

    with pytest.raises(SecondPersonNeeded):
        confirm_promotion(request_id=request.id, actor=acting(in_north, "admin"))
    with pytest.raises(SecondPersonNeeded):
        refuse_promotion(request_id=request.id, actor=acting(in_north, "admin"), answer="No.")

    request.refresh_from_db()
    assert (request.state, champion()) == ("open", None)
    assert events(Action.MODEL_PROMOTED) == []


def test_who_trained_cannot_confirm(in_north: House) -> None:
    add_product()
    store_model_version(product_slug=SLUG, bundle=a_bundle(), estimator="boosted", metrics={}, actor=acting(in_north, "admin"))
    request = asked(in_north)

    with pytest.raises(SecondPersonNeeded, match="trained"):
        confirm_promotion(request_id=request.id, actor=acting(in_north, "admin"))
    assert champion() is None
    confirm_promotion(request_id=request.id, actor=acting(in_north, "analyst"))


@pytest.mark.parametrize("actor", [SYSTEM, OPERATOR, Actor(kind="api_key", id=str(uuid.uuid4())), Actor(kind="user", id=str(uuid.uuid4()))])
def test_only_people_ask_and_answer(in_north: House, actor: Actor) -> None:
    add_product()
    add_version()
    request = asked(in_north)

    with pytest.raises(SecondPersonNeeded):
        confirm_promotion(request_id=request.id, actor=actor)
    withdraw_promotion(request_id=request.id, actor=acting(in_north, "scientist"))
    with pytest.raises(SecondPersonNeeded):
        ask_promotion(product_slug=SLUG, version=1, reason="So.", is_card_read=True, card_sha256=card_of(1), actor=actor)


def test_nobody_who_signs_in_promotes_alone(in_north: House) -> None:
    add_product()
    add_version()

    for role in ("admin", "scientist", "analyst"):
        with pytest.raises(SecondPersonNeeded):
            promote_model(product_slug=SLUG, version=1, actor=acting(in_north, role), reason="I know it.")
    assert champion() is None
    promote_model(product_slug=SLUG, version=1, actor=OPERATOR)
    assert Promotion.objects.get(product__slug=SLUG).actor_kind == "operator"


def test_more_than_one_role_may_be_the_second_person() -> None:
    roles = {role for role in ("viewer", "officer", "approver", "analyst", "scientist", "developer", "compliance", "admin")
             if Permission.MODEL_PROMOTE in permissions_of(role)}

    assert roles == {"analyst", "scientist", "admin"}


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\x00b"])
def test_a_request_says_why(in_north: House, reason: str) -> None:
    add_product()
    add_version()

    with pytest.raises(ReasonMissing):
        asked(in_north, reason=reason)
    assert not PromotionRequest.objects.exists()


def test_a_request_says_that_the_figures_were_read(in_north: House) -> None:
    add_product()
    add_version()

    with pytest.raises(CardUnread):
        asked(in_north, is_card_read=False)


def test_one_request_is_open_at_a_time(in_north: House) -> None:
    add_product()
    add_version(1)
    add_version(2)
    first = asked(in_north)

    with pytest.raises(PromotionOpen):
        asked(in_north, 2, by="analyst")
    withdraw_promotion(request_id=first.id, actor=acting(in_north, "scientist"))
    assert asked(in_north, 2, by="analyst").state == "open"


def test_a_request_is_answered_once(in_north: House) -> None:
    add_product()
    add_version()
    request = asked(in_north)
    refuse_promotion(request_id=request.id, actor=acting(in_north, "analyst"), answer="Too few rows.")

    for answer in (
        lambda: confirm_promotion(request_id=request.id, actor=acting(in_north, "admin")),
        lambda: refuse_promotion(request_id=request.id, actor=acting(in_north, "admin"), answer="No."),
        lambda: withdraw_promotion(request_id=request.id, actor=acting(in_north, "scientist")),
    ):
        with pytest.raises(PromotionAnswered):
            answer()
    assert champion() is None
    assert [event.detail["answer"] for event in events(Action.PROMOTION_REFUSED)] == ["Too few rows."]


def test_a_refusal_says_why(in_north: House) -> None:
    add_product()
    add_version()
    request = asked(in_north)

    with pytest.raises(ReasonMissing):
        refuse_promotion(request_id=request.id, actor=acting(in_north, "analyst"), answer=" ")


def test_only_who_asked_withdraws(in_north: House) -> None:
    add_product()
    add_version()
    request = asked(in_north)

    with pytest.raises(SecondPersonNeeded):
        withdraw_promotion(request_id=request.id, actor=acting(in_north, "analyst"))
    with pytest.raises(PromotionUnknown):
        withdraw_promotion(request_id=uuid.uuid4(), actor=acting(in_north, "analyst"))


def test_a_request_lapses_when_something_else_is_put_in_force(in_north: House) -> None:
    add_product()
    add_version(1)
    add_version(2)
    request = asked(in_north)

    promote_model(product_slug=SLUG, version=2, actor=OPERATOR)

    request.refresh_from_db()
    assert (request.state, request.answered_by) == ("lapsed", None)
    assert len(events(Action.PROMOTION_LAPSED)) == 1
    with pytest.raises(PromotionAnswered):
        confirm_promotion(request_id=request.id, actor=acting(in_north, "analyst"))
    assert champion() == 2


def test_what_is_in_force_or_damaged_or_a_draft_cannot_be_asked_for(in_north: House) -> None:
    add_product()
    put_in_force(1)
    store_model_version(product_slug=SLUG, bundle=a_bundle(2), estimator="boosted", metrics={}, actor=SYSTEM, state=State.DRAFT)
    damaged = add_version(3)
    by_force(in_north, "scoring_modelversion", "UPDATE scoring_modelversion SET bundle = '\\x00' WHERE id = %s", damaged.id)

    for version, refusal in ((1, VersionInForce), (2, TransitionRefused), (3, ModelRefused)):
        with pytest.raises(refusal):
            asked(in_north, version)


def test_a_bundle_damaged_meanwhile_is_not_put_in_force(in_north: House) -> None:
    add_product()
    version = add_version()
    request = asked(in_north)
    by_force(in_north, "scoring_modelversion", "UPDATE scoring_modelversion SET bundle = '\\x00' WHERE id = %s", version.id)

    with pytest.raises(ModelRefused):
        confirm_promotion(request_id=request.id, actor=acting(in_north, "analyst"))
    request.refresh_from_db()
    assert (request.state, champion()) == ("open", None)


def test_of_many_who_confirm_at_once_one_does(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        add_version()
        request = asked(house)

    def confirm(role: str) -> str:
        try:
            with tenant_context(house.partner):
                confirm_promotion(request_id=request.id, actor=acting(house, role))
        except PromotionAnswered:
            return "answered"
        finally:
            connection.close()
        return "confirmed"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(confirm, ["analyst", "admin"] * 4))

    assert outcomes == ["answered"] * 7 + ["confirmed"]
    with tenant_context(house.partner):
        assert Promotion.objects.count() == 1


# the database itself


def refused_by_the_database(write: Callable[[], Any]) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        write()


def test_the_database_wants_two_people(in_north: House) -> None:
    add_product()
    request, now = (add_version(), asked(in_north))[1], datetime.now(UTC)
    one = PromotionRequest.objects.filter(id=request.id)

    for state in ("confirmed", "refused"):
        refused_by_the_database(partial(one.update, state=state, answered_at=now, answered_by=request.asked_by_id))
        refused_by_the_database(partial(one.update, state=state, answered_at=now))
    refused_by_the_database(lambda: one.update(state="confirmed", answered_by=in_north.users["analyst"]))

    assert one.update(state="confirmed", answered_by=in_north.users["analyst"], answered_at=now) == 1


def test_the_database_puts_nothing_in_force_for_one_person(in_north: House) -> None:
    product, version = add_product(), add_version()
    row: dict[str, Any] = {"product": product, "version": version, "actor": "Somebody", "reason": "So."}

    for kind in ("user", "api_key"):
        refused_by_the_database(partial(Promotion.objects.create, **row, action="promote", actor_kind=kind))
    Promotion.objects.create(**row, action="promote", actor_kind="operator")
    Promotion.objects.create(**row, action="rollback", actor_kind="user")
    request = asked(in_north)
    Promotion.objects.create(**row, action="promote", actor_kind="user", request=request)
    refused_by_the_database(lambda: Promotion.objects.create(**row, action="promote", actor_kind="user", request=request))


def test_the_database_keeps_what_was_asked_and_answered(in_north: House) -> None:
    add_product()
    add_version()
    request = asked(in_north)
    one = PromotionRequest.objects.filter(id=request.id)

    for change in ({"reason": "Another."}, {"asked_by": in_north.users["admin"]}, {"card_sha256": "0" * 64}):
        refused_by_the_database(partial(one.update, **change))
    refused_by_the_database(one.delete)
    refuse_promotion(request_id=request.id, actor=acting(in_north, "analyst"), answer="No.")
    refused_by_the_database(lambda: one.update(state="open", answered_by=None, answered_at=None))
    refused_by_the_database(lambda: one.update(answer="Yes."))


@pytest.mark.parametrize("state", ["champion", "challenger"])
def test_the_database_has_one_of_each_kind(in_north: House, state: str) -> None:
    add_product()
    add_version(1)
    add_version(2)
    ModelVersion.objects.filter(version=1, product__slug=SLUG).update(state=state)

    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(version=2, product__slug=SLUG).update(state=state)
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(version=2, product__slug=SLUG).update(state="emeritus")


# states


@pytest.mark.parametrize(("before", "after"), list(pairs(State.values, State.values)))
def test_a_version_goes_only_where_the_table_says(in_north: House, before: str, after: str) -> None:
    add_product()
    version = add_version()
    ModelVersion.objects.filter(id=version.id).update(state=before)
    version.refresh_from_db()

    if after in TRANSITIONS[before]:
        move(version, State(after))
    else:
        with pytest.raises(TransitionRefused):
            move(version, State(after))

    assert state_of(1) == (after if after in TRANSITIONS[before] else before)


def test_a_version_that_was_moved_meanwhile_is_not_moved_again(in_north: House) -> None:
    add_product()
    version = add_version()
    ModelVersion.objects.filter(id=version.id).update(state="retired")

    with pytest.raises(TransitionRefused):
        move(version, State.DRAFT)
    assert state_of(1) == "retired"


def test_a_draft_is_offered_before_it_is_asked_for(in_north: House) -> None:
    add_product()
    store_model_version(product_slug=SLUG, bundle=a_bundle(), estimator="boosted", metrics={}, actor=SYSTEM, state=State.DRAFT)

    offer_model(product_slug=SLUG, version=1, actor=acting(in_north, "scientist"))

    assert asked(in_north).version.version == 1
    assert [event.detail["version"] for event in events(Action.MODEL_OFFERED)] == [1]


CHANCE = {"auc_interval": [0.44, 0.58]}


def chance_draft() -> None:
    store_model_version(product_slug=SLUG, bundle=a_bundle(), estimator="boosted", metrics=CHANCE, actor=SYSTEM, state=State.DRAFT)


@pytest.mark.parametrize(
    ("role", "reason", "said"),
    [("scientist", " ", r"AUC 0\.440 to 0\.580.*write why"), ("analyst", "We need it.", "Only a data scientist")],
)
def test_a_draft_that_ranks_like_chance_is_not_just_offered(in_north: House, role: str, reason: str, said: str) -> None:
    add_product()
    chance_draft()

    with pytest.raises(RanksLikeChance, match=said):
        offer_model(product_slug=SLUG, version=1, actor=acting(in_north, role), reason=reason)

    assert ModelVersion.objects.get(product__slug=SLUG).state == State.DRAFT
    assert not events(Action.MODEL_OFFERED)


def test_why_a_draft_is_offered_though_it_ranks_like_chance_is_on_its_card(in_north: House) -> None:
    add_product()
    chance_draft()

    offer_model(product_slug=SLUG, version=1, actor=acting(in_north, "scientist"), reason="A first month, to collect outcomes.")

    told = model_card(SLUG, 1).history[-1]
    assert (told.action, told.reason, told.actor) == (Action.MODEL_OFFERED, "A first month, to collect outcomes.", "North Data scientist")


def test_a_champion_is_not_retired_but_rolled_back(in_north: House) -> None:
    add_product()
    put_in_force()

    with pytest.raises(TransitionRefused, match="in force"):
        retire_model(product_slug=SLUG, version=1, actor=acting(in_north, "scientist"), reason="Old.")
    assert champion() == 1


def test_a_rollback_needs_one_person_and_a_reason(in_north: House) -> None:
    add_product()
    put_in_force(1)
    put_in_force(2)

    with pytest.raises(ReasonMissing):
        rollback_model(product_slug=SLUG, actor=acting(in_north, "analyst"))
    rollback_model(product_slug=SLUG, actor=acting(in_north, "analyst"), reason="Too many declined.")

    assert (champion(), state_of(1), state_of(2)) == (1, "champion", "retired")
    assert registry.current(SLUG).model_version == 1
    assert events(Action.MODEL_ROLLED_BACK)[-1].detail["reason"] == "Too many declined."
    rollback_model(product_slug=SLUG, actor=OPERATOR)
    assert champion() is None
    with pytest.raises(NothingToRollBack):
        rollback_model(product_slug=SLUG, actor=OPERATOR)


# the challenger


def test_a_challenger_is_set_changed_and_removed(in_north: House) -> None:
    add_product()
    put_in_force(1)
    add_version(2)
    add_version(3)
    before = Product.objects.get(slug=SLUG).revision

    set_challenger(product_slug=SLUG, version=2, actor=acting(in_north, "scientist"), reason="Promising.")
    set_challenger(product_slug=SLUG, version=3, actor=acting(in_north, "scientist"))
    assert [state_of(number) for number in (1, 2, 3)] == ["champion", "candidate", "challenger"]
    remove_challenger(product_slug=SLUG, actor=acting(in_north, "scientist"))

    assert [state_of(number) for number in (1, 2, 3)] == ["champion", "candidate", "candidate"]
    assert Product.objects.get(slug=SLUG).revision == before    # nothing that decides has changed
    assert [event.detail["version"] for event in events(Action.CHALLENGER_SET, Action.CHALLENGER_REMOVED)] == [2, 3, 3]
    with pytest.raises(NoChallenger):
        remove_challenger(product_slug=SLUG, actor=OPERATOR)


def test_a_champion_challenges_nobody_and_a_retired_one_may(in_north: House) -> None:
    add_product()
    put_in_force(1)
    with pytest.raises(TransitionRefused):
        set_challenger(product_slug=SLUG, version=1, actor=OPERATOR)
    put_in_force(2)

    set_challenger(product_slug=SLUG, version=1, actor=OPERATOR)
    assert state_of(1) == "challenger"
    remove_challenger(product_slug=SLUG, actor=OPERATOR)
    assert state_of(1) == "retired"


def test_a_challenger_can_become_champion(in_north: House) -> None:
    add_product()
    put_in_force(1)
    add_version(2)
    set_challenger(product_slug=SLUG, version=2, actor=OPERATOR)

    confirm_promotion(request_id=asked(in_north, 2).id, actor=acting(in_north, "analyst"))

    assert [state_of(number) for number in (1, 2)] == ["retired", "champion"]
