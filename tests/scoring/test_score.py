"""Scoring applicants: one path, stored before it is answered, right about whatever changed meanwhile."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from audit.actions import Action
from audit.context import SYSTEM, Actor
from audit.errors import IdempotencyMismatch
from audit.models import Event, Idempotency, Outbox
from audit.services import Attempt, event_leaf_hash, verify_receipt
from audit.vault import keyring, rotate_key
from partners.accounts.models import ApiKey
from partners.tenancy import tenant_context
from scoring import applicants as applicants_module
from scoring import registry
from scoring.applicants import ApplicantDetails, details_of, key_of
from scoring.decided import Decided
from scoring.engine.contract import ContractViolation
from scoring.errors import ApplicantErased, CredentialRevoked, ProductUnknown
from scoring.models import Applicant, Channel, Decision, Product
from scoring.sealed import open_content, stored_digest
from scoring.services.models import promote_model, rollback_model
from scoring.services.products import change_product
from scoring.services.score import Answer, ScoreItem, score_applicants, score_once
from scoring.wire import Statement
from tests.conftest import House
from tests.scoring.factories import INPUTS, PERSON, SLUG, a_definition, add_product, an_item, by_key, put_in_force

Partners = Callable[..., House]


@pytest.fixture
def shop(in_north: House) -> House:
    """North with a product of which a model is in force."""
    add_product()
    put_in_force()
    return in_north


def decide(*items: ScoreItem, actor: Actor | None = None) -> list[Decided]:
    return score_applicants(product_slug=SLUG, items=items or [an_item()], actor=actor or by_key(), channel=Channel.API)


def render(decided: Sequence[Decided]) -> bytes:
    return msgspec.json.encode([{"id": str(one.id), "receipt": one.receipt.signature} for one in decided])


def once(*items: ScoreItem, key: str = "key-1", body: bytes = b"{}", actor: Actor | None = None) -> Answer:
    who = actor or by_key()
    attempt = Attempt.of(route="POST /scores", key=key, actor=who, body=body)
    return score_once(attempt=attempt, render=render, product_slug=SLUG, items=items or [an_item()], actor=who, channel=Channel.API)


def counts() -> list[int]:
    announced = Outbox.objects.filter(topic=Action.DECISION_MADE).count()    # a promotion is announced too
    return [Applicant.objects.count(), Decision.objects.count(), announced, Idempotency.objects.count()]


# ---- what is stored


def test_what_is_answered_is_what_is_stored(shop: House) -> None:
    [decided] = decide(an_item(applicant=PERSON))

    decision = Decision.objects.select_related("applicant").get(id=decided.id)
    for name in ("created_at", "applicant_id", "probability", "score", "band", "outcome", "answered_by", "channel", "request_id"):
        assert getattr(decision, name) == getattr(decided, name)
    assert decision.processing_microseconds == round(decided.processing_ms * 1000)
    assert (decided.answered_by, decided.model_version, decided.policy_version) == ("model", 1, 1)
    key = key_of(keyring(), decision.applicant)
    assert key is not None
    content = open_content(keyring(), key, decision)
    assert content.inputs == INPUTS
    assert content.contributions == dict(decided.contributions)
    assert [(one.code, one.text, one.points) for one in content.reasons] == [(one.code, one.text, one.points) for one in decided.reasons]
    assert details_of(keyring(), decision.applicant) == PERSON


def test_contributions_and_base_add_up_to_the_probability(shop: House) -> None:
    [decided] = decide()
    log_odds = decided.base + sum(decided.contributions.values())

    assert decided.probability == pytest.approx(1 / (1 + 2.718281828459045**-log_odds), abs=1e-12)


def test_the_event_holds_a_digest_of_the_decision_and_the_receipt_signs_the_event(shop: House) -> None:
    [decided] = decide()

    event = Event.objects.get(object_kind="decision", object_id=str(decided.id))
    assert event.detail == {
        "product": SLUG,
        "outcome": decided.outcome,
        "digest": stored_digest(Decision.objects.get(id=decided.id)),
    }
    assert event_leaf_hash(event) == bytes(event.leaf_hash)
    assert decided.receipt.event_id == str(event.id)
    verify_receipt(decided.receipt, schema=shop.schema, public_keys=keyring().public_keys())


def test_one_and_many_decide_alike(shop: House) -> None:
    items = [an_item(f"B-{number}", income=100.0 * number + 1, months=None if number % 3 == 0 else number) for number in range(40)]

    together = decide(*items)
    alone = [decide(item)[0] for item in items]

    def result(one: Decided) -> tuple[Any, ...]:
        return one.probability.hex(), one.score, one.band, one.outcome, one.reasons, dict(one.contributions)

    assert [result(one) for one in together] == [result(one) for one in alone]
    assert [one.reference for one in together] == [item.applicant.reference for item in items]


def test_no_items_are_no_decisions(shop: House) -> None:
    before = counts()

    assert score_applicants(product_slug=SLUG, items=[], actor=by_key(), channel=Channel.FILE) == []
    assert counts() == before


def test_an_unknown_product_is_refused(in_north: House) -> None:
    with pytest.raises(ProductUnknown):
        score_applicants(product_slug="nothing", items=[an_item()], actor=by_key(), channel=Channel.API)


def test_without_a_model_the_rules_answer_and_say_so(in_north: House) -> None:
    add_product()

    [decided] = decide()

    assert (decided.answered_by, decided.model_version) == ("rules", None)
    assert decided.reasons[0].code == "high_amount"
    assert Decision.objects.get(id=decided.id).model_version_id is None


# ---- applicants


def test_a_known_applicant_keeps_key_and_profile_and_gains_what_is_told_now(shop: House) -> None:
    [first] = decide(an_item(applicant=ApplicantDetails(reference="A-1", name="Amina Odhiambo", phone="0712345678")))
    before = Applicant.objects.get(id=first.applicant_id)

    [second] = decide(an_item(applicant=ApplicantDetails(reference="A-1", phone="0733000000")))

    after = Applicant.objects.get(id=second.applicant_id)
    assert (after.id, after.data_key_id) == (before.id, before.data_key_id)
    assert details_of(keyring(), after) == ApplicantDetails(reference="A-1", name="Amina Odhiambo", phone="0733000000")
    assert bytes(after.phone_index or b"") == keyring().blind_index("phone", "+254733000000")
    assert bytes(after.name_index or b"") == keyring().blind_index("name", "odhiambo amina")


def test_a_known_applicant_is_stored_by_one_statement_once_remembered(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(an_item("warm"))
    sent: list[str] = []
    run = Statement.run

    def counted(self: Statement, *given: Any) -> Any:
        sent.append("store")
        return run(self, *given)

    monkeypatch.setattr(Statement, "run", counted)

    for expected in (1, 1):
        decide(an_item("known"))
        assert len(sent) == expected
        sent.clear()
    monkeypatch.setattr(applicants_module, "_remembered", OrderedDict())
    decide(an_item("known"))

    assert len(sent) == 2


def test_an_applicant_twice_in_one_batch_is_one_applicant(shop: House) -> None:
    told = [ApplicantDetails(reference="A-1", name="Amina Odhiambo"), ApplicantDetails(reference="A-1", phone="0712345678")]
    before = counts()

    first, second = decide(*(an_item(applicant=details) for details in told))

    assert first.applicant_id == second.applicant_id
    assert counts() == [before[0] + 1, before[1] + 2, before[2] + 2, before[3]]
    applicant = Applicant.objects.get(id=first.applicant_id)
    assert details_of(keyring(), applicant) == ApplicantDetails(reference="A-1", name="Amina Odhiambo", phone="0712345678")


def test_an_erased_applicant_is_refused_by_position_and_nothing_stored(shop: House) -> None:
    [decided] = decide(an_item("A-1"))
    erase(decided)
    before = counts()

    with pytest.raises(ApplicantErased) as refusal:
        decide(an_item("A-0"), an_item("A-1"), an_item("A-2"), an_item("A-1"))

    assert refusal.value.positions == (1, 3)
    assert counts() == before


def erase(decided: Decided) -> None:
    """What erasing an applicant leaves of the row."""
    columns = ("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index")
    Applicant.objects.filter(id=decided.applicant_id).update(**dict.fromkeys(columns))


# ---- what changed since it was remembered


def test_a_promotion_counts_from_the_next_decision(shop: House) -> None:
    [before] = decide()

    second = put_in_force(seed=2)
    [after] = decide()

    assert (before.model_version, after.model_version) == (1, second.version)
    assert before.probability != after.probability


def test_a_promotion_between_loading_and_storing_is_honoured(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    second = put_in_force(seed=2)
    promote_model(product_slug=SLUG, version=1, actor=SYSTEM)
    registry.current(SLUG)
    promoted: list[int] = []
    read = registry.active

    def and_promote(slug: str) -> registry.Active:
        found = read(slug)
        if not promoted:
            promote_model(product_slug=SLUG, version=second.version, actor=SYSTEM)
            promoted.append(second.version)
        return found

    monkeypatch.setattr(registry, "active", and_promote)

    [decided] = decide()

    assert decided.model_version == second.version
    assert Decision.objects.get(id=decided.id).model_version_id == second.id


def test_a_rollback_counts_from_the_next_decision_down_to_the_rules(shop: House) -> None:
    decide()

    rollback_model(product_slug=SLUG, actor=SYSTEM)

    assert decide()[0].answered_by == "rules"


def test_inputs_that_a_new_contract_refuses_are_refused_though_they_were_checked_by_the_old_one(in_north: House) -> None:
    add_product()
    decide()
    definition = a_definition()
    stricter = [replace(one, maximum=100.0) if one.name == "amount" else one for one in definition.contract.inputs]
    change_product(definition=replace(definition, contract=type(definition.contract)(tuple(stricter))), actor=SYSTEM)
    before = counts()

    with pytest.raises(ContractViolation):
        decide()

    assert counts() == before


def test_rules_that_could_not_score_are_forgotten_once_they_are_corrected(in_north: House) -> None:
    product = add_product()
    good = product.definition
    rule = good["rules"]["rules"][0] | {"log_odds": 1e308}
    broken = good | {"rules": good["rules"] | {"rules": [rule, rule | {"code": "again"}]}}
    Product.objects.filter(slug=SLUG).update(definition=broken)    # no service lets them in any more
    with pytest.raises(OverflowError):
        decide()
    Product.objects.filter(slug=SLUG).update(definition=good)

    assert decide()[0].answered_by == "rules"


def test_a_key_revoked_meanwhile_stores_nothing(shop: House) -> None:
    actor = by_key()
    ApiKey.objects.filter(id=actor.id).update(revoked_at=timezone.now())
    before = counts()

    with pytest.raises(CredentialRevoked):
        decide(actor=actor)

    assert counts() == before


def test_keys_rotated_by_another_process_are_noticed(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    old = keyring()
    [known] = decide(an_item("A-1"))
    rotate_key("wrap")
    monkeypatch.setattr("audit.vault._rings", {shop.schema: old})
    monkeypatch.setattr(applicants_module, "_remembered", OrderedDict())

    [new] = decide(an_item("A-2"))
    [again] = decide(an_item("A-1"))

    assert again.applicant_id == known.applicant_id
    assert bytes(Applicant.objects.get(id=new.applicant_id).wrapped_key or b"")[0] == 2
    assert bytes(Applicant.objects.get(id=known.applicant_id).wrapped_key or b"")[0] == 1


# ---- repeated requests


def test_a_repeat_gets_the_same_bytes_and_decides_nothing(shop: House) -> None:
    first = once()
    before = counts()

    again = once()

    assert (first.is_replayed, again.is_replayed) == (False, True)
    assert (again.status, again.body) == (first.status, first.body)
    assert counts() == before


def test_a_repeat_with_another_body_is_refused(shop: House) -> None:
    once()
    before = counts()

    with pytest.raises(IdempotencyMismatch):
        once(body=b"other")

    assert counts() == before


def test_a_repeat_about_an_erased_applicant_is_refused(shop: House) -> None:
    once()
    erase(decide()[0])

    with pytest.raises(ApplicantErased):
        once()


def test_a_batchs_repeat_survives_one_erasure(shop: House) -> None:
    items = [an_item("A-1"), an_item("A-2")]
    first = once(*items)
    erase(decide(an_item("A-1"))[0])

    assert once(*items).body == first.body


def test_a_repeat_by_a_revoked_key_is_refused(shop: House) -> None:
    actor = by_key()
    once(actor=actor)
    ApiKey.objects.filter(id=actor.id).update(revoked_at=timezone.now())

    with pytest.raises(CredentialRevoked):
        once(actor=actor)


def test_after_a_day_the_key_decides_anew(shop: House) -> None:
    first = once()
    Idempotency.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    assert once(body=b"other").body != first.body


def test_a_refused_request_keeps_no_answer(in_north: House) -> None:
    actor = by_key()
    with pytest.raises(ProductUnknown):
        once(actor=actor)
    add_product()

    assert not once(actor=actor).is_replayed


def test_fifty_parallel_requests_with_one_key_make_one_decision(new_partner: Partners) -> None:
    house = a_shop(new_partner)

    answers = at_once(50, house, lambda _: once(an_item(applicant=PERSON)))

    with tenant_context(house.partner):
        assert len({answer.body for answer in answers}) == 1
        assert [answer.is_replayed for answer in answers].count(False) == 1
        assert counts() == [1, 1, 1, 1]
        assert Event.objects.filter(object_kind="decision").count() == 1


def test_sixteen_requests_about_one_new_applicant_make_one_applicant(new_partner: Partners) -> None:
    house = a_shop(new_partner)

    decided = at_once(16, house, lambda number: decide(an_item(applicant=replace_name(number))))

    with tenant_context(house.partner):
        assert counts() == [1, 16, 16, 0]
        ring, applicant = keyring(), Applicant.objects.get()
        key = key_of(ring, applicant)
        assert key is not None
        for [one] in decided:
            open_content(ring, key, Decision.objects.get(id=one.id))


def replace_name(number: int) -> ApplicantDetails:
    return ApplicantDetails(reference="A-1", name=f"Amina {number}")


def test_batches_that_overlap_in_new_applicants_neither_lose_nor_deadlock(new_partner: Partners) -> None:
    house = a_shop(new_partner)

    def batch(number: int) -> list[Decided]:
        references = [f"A-{place}" for place in range(number % 5, number % 5 + 12)]
        return decide(*(an_item(reference) for reference in (references if number % 2 else references[::-1])))

    at_once(8, house, batch)

    with tenant_context(house.partner):
        assert counts() == [16, 96, 96, 0]


def a_shop(new_partner: Partners) -> House:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        put_in_force()
    return house


def at_once(count: int, house: House, act: Callable[[int], Any]) -> list[Any]:
    """What `count` threads get that act in the partner at the same moment."""
    together = threading.Barrier(count)

    def run(number: int) -> Any:
        try:
            with tenant_context(house.partner):
                together.wait(60)
                return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(run, number) for number in range(count)]]


# ---- personal data


def test_nothing_personal_is_in_the_database_in_clear(new_partner: Partners) -> None:
    house = a_shop(new_partner)
    secrets = [
        "Amina Odhiambo",
        "Amina",
        "712 345 678",
        "712345678",
        "AB-1234567",
        "AB1234567",
        "1990-02-28",
        "A-1-secret-reference",
        "repair",
    ]
    person = ApplicantDetails(
        reference="A-1-secret-reference", name=PERSON.name, phone=PERSON.phone, national_id=PERSON.national_id, birth_date=PERSON.birth_date
    )
    with tenant_context(house.partner):
        once(an_item(applicant=person, trade="repair", income=98765.25))
        decide(an_item(applicant=person, trade="repair", income=98765.25))
        dump = as_text(house)

    assert b"decision.made" in dump
    needles = [*secrets, "98765.25", (98765.25).hex()]
    packed = [text.encode() for text in needles] + [msgspec.msgpack.encode(98765.25)[1:], hashlib.sha256(b"Amina Odhiambo").digest()]
    for needle in packed:
        assert needle not in dump
        assert needle.hex().encode() not in dump


def as_text(house: House) -> bytes:
    """Every column of every row of the partner's tables about applicants and decisions, as PostgreSQL writes it."""
    tables = ("scoring_applicant", "scoring_decision", "audit_event", "audit_outbox", "audit_idempotency", "audit_leaf", "scoring_job")
    parts: list[str] = []
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{house.schema}".{table} t')
            parts += [row for (row,) in cursor.fetchall()]
    return "\n".join(parts).encode()


def test_processing_time_counts_from_receipt_and_is_never_negative(shop: House) -> None:
    def processing(received_at: datetime) -> float:
        [one] = score_applicants(product_slug=SLUG, items=[an_item()], actor=by_key(), channel=Channel.API, received_at=received_at)
        return one.processing_ms

    assert processing(datetime.now(UTC) - timedelta(seconds=2)) >= 2000
    assert processing(datetime.now(UTC) + timedelta(seconds=2)) == 0


def test_the_time_of_a_batch_is_shared_by_its_items(shop: House) -> None:
    items = [an_item(f"T-{at}") for at in range(10)]

    decided = score_applicants(
        product_slug=SLUG, items=items, actor=by_key(), channel=Channel.API, received_at=datetime.now(UTC) - timedelta(seconds=20)
    )

    assert len({one.processing_ms for one in decided}) == 1
    assert 2000 <= decided[0].processing_ms < 4000
