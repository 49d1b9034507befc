"""The registry: loaded once, right at once, and never without an answer."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event, Outbox
from partners.tenancy import tenant_context
from portal.metrics import model_refused_total
from scoring import registry
from scoring.engine.contract import ContractViolation
from scoring.errors import ProductUnknown
from scoring.models import Channel, ModelVersion, Policy, Product
from scoring.selectors import refused_champions
from scoring.services.models import promote_model, rollback_model
from scoring.services.products import change_product
from scoring.services.score import score_applicants
from tests.conftest import House
from tests.scoring.factories import INPUTS, SLUG, a_definition, add_product, add_version, an_item, by_force, by_key, put_in_force

RAW = b'{"income":900,"amount":3000,"months":14,"trade":"food","born":"1990-02-28","member":true}'


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    registry.forget()


def test_a_product_is_loaded_once(in_north: House, django_assert_num_queries: Callable[[int], Any]) -> None:
    add_product()
    put_in_force()
    first = registry.active(SLUG)

    with django_assert_num_queries(0):
        assert registry.active(SLUG) is first
    assert (first.model_version, first.policy_version, first.revision) == (1, 1, 2)


def test_an_unknown_product_is_refused_and_not_remembered(in_north: House) -> None:
    with pytest.raises(ProductUnknown):
        registry.active(SLUG)
    assert not registry._loading

    add_product()
    assert registry.active(SLUG).model_version is None


def test_partners_with_the_same_product_have_their_own(north: House, south: House) -> None:
    found = []
    for house, seed in ((north, 1), (south, 2)):
        with tenant_context(house.partner):
            add_product()
            put_in_force(seed)
            found.append(registry.active(SLUG))

    assert found[0].product_id != found[1].product_id
    assert found[0].model is not found[1].model


def test_current_looks_and_active_does_not(in_north: House) -> None:
    add_product()
    before = registry.active(SLUG)
    put_in_force()

    assert registry.active(SLUG) is before
    assert registry.current(SLUG).model_version == 1


def test_a_changed_policy_keeps_the_loaded_model(in_north: House) -> None:
    product = add_product()
    put_in_force()
    before = registry.active(SLUG)
    policy = Policy.objects.create(product=product, version=2, definition={**before.policy.to_dict(), "approve_from": 800})
    Product.objects.filter(id=product.id).update(policy=policy)

    after = registry.current(SLUG)

    assert (after.policy_version, after.policy.approve_from) == (2, 800)
    assert after.model is before.model


def test_inputs_are_checked_by_the_contract_in_force_though_another_was_loaded(in_north: House) -> None:
    add_product()
    definition = a_definition()
    contract = type(definition.contract)
    narrow = replace(
        definition,
        contract=contract(tuple(replace(one, maximum=100.0) if one.name == "amount" else one for one in definition.contract.inputs)),
    )
    change_product(definition=narrow, actor=SYSTEM)
    with pytest.raises(ContractViolation):
        registry.check_inputs(SLUG, lambda validator: validator.check_json(RAW))

    change_product(definition=definition, actor=SYSTEM)

    assert registry.check_inputs(SLUG, lambda validator: validator.check_json(RAW)) == INPUTS


def test_an_edited_draft_does_not_change_the_contract_of_the_model_in_force(in_north: House) -> None:
    add_product()
    put_in_force()
    definition = a_definition()
    contract = type(definition.contract)
    change_product(
        definition=replace(definition, contract=contract(tuple(replace(one, required=True) for one in definition.contract.inputs))),
        actor=SYSTEM,
    )

    assert registry.check_inputs(SLUG, lambda validator: validator.check({"income": 900.0, "amount": 3000.0}))["months"] is None
    assert not next(one for one in registry.current(SLUG).definition.contract.inputs if one.name == "months").required


def break_bundle(house: House, version: ModelVersion) -> None:
    """One bit of the stored bundle is another, as a failing disk or an administrator leaves it."""
    statement = "UPDATE scoring_modelversion SET bundle = set_byte(bundle, 500, get_byte(bundle, 500) # 1) WHERE id = %s"
    assert by_force(house, "scoring_modelversion", statement, version.id) == 1


def refusals(version: ModelVersion) -> int:
    return Event.objects.filter(action=Action.MODEL_REFUSED, object_id=str(version.id)).count()


def test_a_refused_bundle_leaves_the_last_good_model_answering_and_is_recorded_once(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        first = put_in_force(1)
        registry.active(SLUG)
        second = put_in_force(2)
        break_bundle(house, second)

        [decided] = score_applicants(product_slug=SLUG, items=[an_item()], actor=by_key(), channel=Channel.API)

        assert (decided.answered_by, decided.model_version) == ("model", first.version)
        assert refusals(second) == 1
        registry.refresh(registry.active(SLUG))
        assert refusals(second) == 1


def test_a_refused_bundle_in_a_new_process_leaves_the_rules_answering(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        only = put_in_force()
        break_bundle(house, only)
        registry.forget()

        [decided] = score_applicants(product_slug=SLUG, items=[an_item()], actor=by_key(), channel=Channel.API)

        assert (decided.answered_by, decided.model_version) == ("rules", None)
        assert refusals(only) == 1


def test_a_refused_bundle_is_looked_at_again_after_a_while(new_partner: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    house = new_partner()
    monkeypatch.setattr(registry, "RETRY_REFUSED_SECONDS", 0.0)
    with tenant_context(house.partner):
        add_product()
        only = put_in_force()
        break_bundle(house, only)
        registry.forget()
        assert registry.active(SLUG).model_version is None
        break_bundle(house, only)

        assert registry.active(SLUG).model_version == only.version
        assert registry.active(SLUG).retry_at is None


def test_each_refusal_is_told_once_until_the_bundle_was_good_again(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    counted = model_refused_total._value.get()
    with tenant_context(house.partner):
        add_product()
        only = put_in_force()
        for _ in range(2):
            break_bundle(house, only)
            registry.forget()
            for _ in range(3):
                score_applicants(product_slug=SLUG, items=[an_item()], actor=by_key(), channel=Channel.API)
                registry.forget()
            assert [(one.product, one.version) for one in refused_champions()] == [(SLUG, only.version)]
            break_bundle(house, only)
            registry.forget()
            [decided] = score_applicants(product_slug=SLUG, items=[an_item()], actor=by_key(), channel=Channel.API)
            assert decided.answered_by == "model"
            assert refused_champions() == []

        assert refusals(only) == 2
        assert Event.objects.filter(action=Action.MODEL_REPAIRED, object_id=str(only.id)).count() == 2
        assert model_refused_total._value.get() == counted + 2
        break_bundle(house, only)
        registry.forget()
        registry.active(SLUG)
        rollback_model(product_slug=SLUG, actor=SYSTEM)
        assert refused_champions() == []    # it is not in force any more


def test_a_bundle_of_another_partner_is_refused(north: House, south: House) -> None:
    with tenant_context(south.partner):
        add_product()
        theirs = add_version()
    with tenant_context(north.partner):
        product = add_product()
        version = ModelVersion.objects.create(
            product=product, version=1, estimator="boosted", bundle=bytes(theirs.bundle), bundle_sha256=theirs.bundle_sha256
        )
        Product.objects.filter(id=product.id).update(champion=version)

        assert registry.active(SLUG).model_version is None
        assert refusals(version) == 1


def test_many_threads_that_ask_at_once_load_once(new_partner: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    house = new_partner()
    loads: list[str] = []
    read = registry._read

    def counted(slug: str, last: registry.Active | None) -> registry.Active:
        loads.append(slug)
        return read(slug, last)

    monkeypatch.setattr(registry, "_read", counted)
    together = threading.Barrier(12)
    with tenant_context(house.partner):
        add_product()
        put_in_force()

    def ask(_: int) -> int:
        try:
            with tenant_context(house.partner):
                together.wait(30)
                return id(registry.active(SLUG))
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        assert len(set(pool.map(ask, range(12)))) == 1
    assert loads == [SLUG]


def test_the_least_used_products_are_forgotten_first(in_north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_KEPT_AT_MOST", 2)
    for slug in ("one", "two", "three"):
        add_product(slug)

    registry.active("one")
    registry.active("two")
    registry.active("one")
    registry.active("three")

    assert [slug for _, slug in registry._active] == ["one", "three"]


def test_a_promotion_and_its_rollback_are_announced(in_north: House) -> None:
    add_product()
    put_in_force(1)
    put_in_force(2)
    rollback_model(product_slug=SLUG, actor=SYSTEM)

    told = Outbox.objects.filter(body__product=SLUG).order_by("id")
    assert [(row.topic, row.body["version"]) for row in told] == [("model.promoted", 1), ("model.promoted", 2), ("model.rolled_back", 1)]


def test_a_promoted_version_is_read_at_the_next_look_only(in_north: House) -> None:
    add_product()
    put_in_force(1)
    put_in_force(2)
    assert registry.active(SLUG).model_version == 2
    promote_model(product_slug=SLUG, version=1, actor=SYSTEM)

    assert registry.active(SLUG).model_version == 2
    assert registry.refresh(registry.active(SLUG)).model_version == 1
