"""The model card in the registry: read over HTTP as it was written, named by every promotion, and refused when it is another one."""

import hashlib
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.context import SYSTEM, Actor
from audit.vault import keyring
from partners.tenancy import public_context
from scoring import selectors
from scoring.engine.bundle import read_bundle, sign_bundle, write_bundle
from scoring.errors import CardDiffers, CardMissing, CardUnread
from scoring.models import ModelVersion, Product, PromotionRequest
from scoring.services.challengers import remove_challenger, set_challenger
from scoring.services.models import promote_model, retire_model, rollback_model, store_model_version
from scoring.services.promotions import ask_promotion, confirm_promotion, refuse_promotion
from tests.conftest import House
from tests.scoring.factories import SLUG, a_bundle, add_product, add_version, by_force, card_of, put_in_force

OPERATOR = Actor(kind="operator", id="0", label="command line")


@pytest.fixture
def stalls(in_north: House) -> House:
    """North with version 1 in force and 2 waiting, each with a card of its own."""
    add_product()
    put_in_force(1)
    add_version(2)
    return in_north


def acting(house: House, role: str) -> Actor:
    user = house.users[role]
    return Actor(kind="user", id=str(user.id), label=user.name, role=role)


def ask(house: House, version: int = 2, **changed: Any) -> PromotionRequest:
    given = {"reason": "It ranks better.", "is_card_read": True, "card_sha256": card_of(version), **changed}
    return ask_promotion(product_slug=SLUG, version=version, actor=acting(house, "scientist"), **given)


def add_old(seed: int = 3) -> ModelVersion:
    """A version of before there were cards."""
    bundle = a_bundle(seed, is_old=True)
    return store_model_version(product_slug=SLUG, bundle=bundle, estimator="boosted", metrics={}, actor=SYSTEM)


def champion() -> int | None:
    found = Product.objects.select_related("champion").get(slug=SLUG).champion
    return None if found is None else found.version


def got(house: House, path: str) -> tuple[int, bytes]:
    with public_context():
        answer = house.api().get(f"/api/v1/{path}")
    return answer.status_code, answer.content


# promotion names the card


def test_a_request_names_the_card_that_was_read_and_keeps_it(stalls: House) -> None:
    request = ask(stalls)

    assert request.card_sha256 == card_of(2) != card_of(1)
    confirm_promotion(request_id=request.id, actor=acting(stalls, "analyst"))
    assert champion() == 2


@pytest.mark.parametrize(
    ("named", "refusal", "told"),
    [("ab" * 32, CardDiffers, "read it as it is now"), ("", CardUnread, "names it")],
)
def test_another_card_or_none_puts_nothing_on_its_way(stalls: House, named: str, refusal: type[Exception], told: str) -> None:
    with pytest.raises(refusal, match=told):
        ask(stalls, card_sha256=named)
    with pytest.raises(CardDiffers):
        ask(stalls, card_sha256=card_of(1))

    assert not PromotionRequest.objects.exists()


def test_a_request_that_named_no_card_cannot_be_confirmed(stalls: House) -> None:
    request = ask(stalls)
    by_force(stalls, "scoring_promotionrequest", "UPDATE scoring_promotionrequest SET card_sha256 = '' WHERE id = %s", request.id)

    with pytest.raises(CardDiffers):
        confirm_promotion(request_id=request.id, actor=acting(stalls, "analyst"))

    assert champion() == 1


def test_a_version_without_a_card_says_what_to_do(stalls: House) -> None:
    add_old()

    with pytest.raises(CardMissing, match="Version 3 has no model card.*Train it again"):
        ask(stalls, version=3)
    with pytest.raises(CardMissing):
        promote_model(product_slug=SLUG, version=3, actor=OPERATOR)

    assert champion() == 1
    status, told = got(stalls, f"models/3/card?product={SLUG}")
    assert (status, json.loads(told)["code"]) == (409, "card_missing")
    assert "Train it again" in json.loads(told)["detail"]


def test_a_rollback_needs_no_card(stalls: House) -> None:
    by_force(stalls, "scoring_modelversion", "UPDATE scoring_modelversion SET bundle = %s WHERE version = 1", a_bundle(1, is_old=True))
    promote_model(product_slug=SLUG, version=2, actor=OPERATOR)

    rollback_model(product_slug=SLUG, actor=OPERATOR)

    assert champion() == 1


def test_the_operator_may_name_the_card_too(stalls: House) -> None:
    with pytest.raises(CommandError, match=f"The card of version 2 is {card_of(2)[:12]}"):
        call_command("promote_model", stalls.slug, SLUG, "2", card=card_of(1), stdout=StringIO(), stderr=StringIO())
    assert champion() == 1

    call_command("promote_model", stalls.slug, SLUG, "2", card=card_of(2), stdout=StringIO(), stderr=StringIO())

    assert champion() == 2


# over HTTP


def test_the_card_is_answered_byte_for_byte_under_its_digest(stalls: House) -> None:
    status, raw = got(stalls, f"models/2/card?product={SLUG}")

    answered = json.loads(raw)
    written = json.dumps(answered["card"], ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    assert status == 200
    assert written in raw
    assert answered["card_sha256"] == hashlib.sha256(written).hexdigest() == card_of(2)
    assert answered["bundle_sha256"] == bytes(ModelVersion.objects.get(product__slug=SLUG, version=2).bundle_sha256).hex()


def test_the_card_judges_the_cut_offs_in_force(stalls: House) -> None:
    answered = json.loads(got(stalls, f"models/2/card?product={SLUG}")[1])

    assert answered["policy"] == {"version": 1}
    (gender,) = answered["protected"]
    assert [(one["group"], one["cases"], one["approved_share"], one["ratio"]) for one in gender["groups"]] == [
        ("female", 40, 0.75, 1.0), ("male", 52, 20 / 52, pytest.approx(20 / 52 / 0.75)), ("not known", 8, None, None),
    ]  # fmt: skip
    assert {one["outcome"] for one in answered["outcomes"]} == {"approve", "refer", "decline"}
    assert sum(one["good"] + one["bad"] for one in answered["outcomes"]) == answered["card"]["figures"]["rows"]


def test_the_card_compares_with_the_champion_of_that_time_and_with_earlier_versions(stalls: House) -> None:
    promote_model(product_slug=SLUG, version=2, actor=OPERATOR)
    add_version(5)

    second, third = (json.loads(got(stalls, f"models/{number}/card?product={SLUG}")[1]) for number in (2, 3))

    assert second["champion"]["version"] == 1
    assert (third["champion"]["version"], third["champion"]["state"]) == (2, "champion")
    assert [one["version"] for one in third["earlier"]] == [2, 1]
    assert json.loads(got(stalls, f"models/1/card?product={SLUG}")[1])["champion"] is None


def test_the_card_tells_who_asked_who_answered_and_every_state(stalls: House) -> None:
    set_challenger(product_slug=SLUG, version=2, actor=acting(stalls, "scientist"))
    remove_challenger(product_slug=SLUG, actor=acting(stalls, "scientist"))
    refused = ask(stalls)
    refuse_promotion(request_id=refused.id, actor=acting(stalls, "analyst"), answer="Thin data.")
    confirm_promotion(request_id=ask(stalls).id, actor=acting(stalls, "analyst"))
    put_in_force(3)
    retired = add_version(4)
    retire_model(product_slug=SLUG, version=retired.version, actor=OPERATOR, reason="Of another version.")

    answered = json.loads(got(stalls, f"models/2/card?product={SLUG}")[1])

    assert [one["action"] for one in answered["history"]] == [
        "model.stored", "challenger.set", "challenger.removed", "promotion.asked", "promotion.refused", "promotion.asked", "model.promoted",
        "model.promoted",
    ]  # fmt: skip
    assert [one["other"] for one in answered["history"][-2:]] == [1, 3]
    assert answered["history"][4]["reason"] == "Thin data."
    assert [(one["state"], one["asked_by"], one["answered_by"]) for one in answered["promotions"]] == [
        ("confirmed", "North Data scientist", "North Risk analyst"), ("refused", "North Data scientist", "North Risk analyst"),
    ]  # fmt: skip


def test_a_card_of_nothing_is_not_there(stalls: House) -> None:
    assert got(stalls, f"models/9/card?product={SLUG}")[0] == 404
    assert got(stalls, "models/1/card?product=nothing")[0] == 404
    assert got(stalls, f"models/{2**31}/card?product={SLUG}")[0] == 404
    assert selectors.card_digest(SLUG, 9) == ""


def test_a_card_of_another_form_is_told_and_not_half_read(stalls: House) -> None:
    keys = keyring()
    content = read_bundle(a_bundle(5), keys.public_keys())
    bundle = sign_bundle(write_bundle(content, card=b'{"format":2}'), sign=keys.sign, key_id=keys.key_id)
    store_model_version(product_slug=SLUG, bundle=bundle, estimator="boosted", metrics={}, actor=SYSTEM)

    status, told = got(stalls, f"models/3/card?product={SLUG}")

    assert (status, json.loads(told)["code"]) == (409, "card_missing")
    assert "another form than this installation reads" in json.loads(told)["detail"]


def test_a_bundle_that_was_changed_shows_no_card(stalls: House) -> None:
    by_force(stalls, "scoring_modelversion", "UPDATE scoring_modelversion SET bundle = '\\x00' WHERE version = 2")

    status, told = got(stalls, f"models/2/card?product={SLUG}")

    assert (status, json.loads(told)["code"]) == (409, "model_refused")
