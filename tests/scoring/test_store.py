"""The storing statement: whole or not at all, and honest about which guard failed."""

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from audit.actions import Action
from audit.context import Actor
from audit.ids import uuid7
from audit.models import Event, Idempotency, Keyring, Outbox
from audit.services import Attempt, event_leaf_hash, new_event
from audit.vault import keyring
from partners.accounts.models import ApiKey, User
from partners.tenancy import as_owner, tenant_context
from scoring.models import Applicant, Decision, ModelVersion, Policy, Product, ProductRevision
from scoring.store import ApplicantRow, Batch, DecisionRow, EarlierAnswer, KnownApplicant, SealedAnswer, Verdict, store
from tests.conftest import House
from tests.waiting import until

NOW = datetime.now(UTC)


def a_product() -> Product:
    product_id, policy_id = uuid7(), uuid7()
    with transaction.atomic():
        product = Product.objects.create(
            id=product_id, slug=f"p-{product_id.hex[-12:]}", title="P", kind="credit", definition={}, policy_id=policy_id
        )
        Policy.objects.create(id=policy_id, product=product, version=1, definition={})
    return product


def by_key() -> Actor:
    return Actor(kind="api_key", id=str(ApiKey.objects.first().id), label="tests", address="203.0.113.9", request_id="req-1")  # type: ignore[union-attr]


def an_applicant(reference: str | None = None) -> ApplicantRow:
    ring = keyring()
    key, applicant_id = ring.new_data_key(), ring.applicant_id(reference or uuid7().hex)
    return ApplicantRow(
        applicant_id, key.id, ring.wrap(key, owner=applicant_id), b"profile", b"p" * 16, None, b"n" * 16, None, is_written=True
    )


def a_decision(applicant_id: uuid.UUID, actor: Actor) -> DecisionRow:
    decision_id = uuid7()
    event = new_event(action=Action.DECISION_MADE, actor=actor, object_kind="decision", object_id=decision_id, recorded_at=NOW)
    return DecisionRow(decision_id, applicant_id, 0.1, 700, "LOW", "approve", b"sealed", event, uuid7())


def a_batch(product: Product, *applicants: ApplicantRow, actor: Actor | None = None, answer: SealedAnswer | None = None) -> Batch:
    who = actor or by_key()
    rows = applicants or (an_applicant(),)
    return Batch(
        product_id=product.id,
        revision=product.revision,
        model_version_id=None,
        policy_id=product.policy_id,
        keyring_id=keyring().wrap_id,
        actor=who,
        channel="api",
        now=NOW,
        processing_microseconds=1500,
        applicants=rows,
        decisions=[a_decision(row.id, who) for row in rows],
        answer=answer,
    )


def an_answer(key: str = "key-1", body: bytes = b"{}", applicant_id: uuid.UUID | None = None) -> SealedAnswer:
    return SealedAnswer(uuid7(), Attempt.of(route="POST /scores", key=key, actor=by_key(), body=body), 201, b"sealed answer", applicant_id)


def counts() -> list[int]:
    return [model.objects.count() for model in (Applicant, Decision, Outbox, Idempotency)] + [
        Event.objects.filter(action=Action.DECISION_MADE).count()
    ]


def assert_refused(batch: Batch, expected: Verdict) -> None:
    before = counts()

    assert store(batch) == expected
    assert counts() == before


def test_a_decision_is_stored_with_applicant_event_announcement_and_answer(in_north: House) -> None:
    batch = a_batch(a_product(), answer=an_answer())
    before = counts()

    assert store(batch) == Verdict(is_stored=True)

    assert counts() == [number + 1 for number in before]
    decision = Decision.objects.get(id=batch.decisions[0].id)
    assert (decision.probability, decision.score, decision.band, decision.outcome) == (0.1, 700, "LOW", "approve")
    assert (decision.answered_by, decision.model_version_id, decision.revision) == ("rules", None, 1)
    assert (decision.created_at, decision.channel, decision.processing_microseconds) == (NOW, "api", 1500)
    assert (decision.actor_kind, decision.actor_id, decision.request_id) == ("api_key", batch.actor.id, "req-1")
    assert bytes(decision.sealed) == b"sealed"
    applicant = Applicant.objects.get(id=decision.applicant_id)
    assert (applicant.phone_index, applicant.national_id_index, applicant.name_index) == (b"p" * 16, None, b"n" * 16)
    event = Event.objects.get(id=batch.decisions[0].event.id)
    assert event_leaf_hash(event) == bytes(event.leaf_hash) == batch.decisions[0].event.leaf_hash
    announced = Outbox.objects.get(id=batch.decisions[0].announcement_id)
    assert (announced.topic, announced.object_id) == ("decision.made", str(decision.id))
    assert announced.body == {"applicant_id": str(applicant.id), "outcome": "approve"}
    kept = Idempotency.objects.get(key="key-1")
    assert (bytes(kept.body_digest), kept.status, bytes(kept.sealed_response)) == (batch.answer.attempt.body_digest, 201, b"sealed answer")  # type: ignore[union-attr]


def test_many_are_stored_by_the_same_statement(in_north: House) -> None:
    batch = a_batch(a_product(), *(an_applicant() for _ in range(50)))
    before = counts()

    assert store(batch).is_stored

    assert counts() == [before[0] + 50, before[1] + 50, before[2] + 50, before[3], before[4] + 50]
    stored = {row.id: row for row in Decision.objects.filter(id__in=[decision.id for decision in batch.decisions])}
    assert all(stored[decision.id].applicant_id == decision.applicant_id for decision in batch.decisions)


def test_a_later_revision_is_told_and_nothing_stored(in_north: House) -> None:
    product = a_product()
    batch = a_batch(product)
    Product.objects.filter(id=product.id).update(definition={"changed": True})

    assert_refused(batch, Verdict(is_stored=False, is_product_current=False))


@pytest.mark.parametrize("change", [{"revoked_at": NOW}, {"expires_at": NOW - timedelta(seconds=1)}])
def test_a_revoked_or_expired_key_stores_nothing(in_north: House, change: dict[str, Any]) -> None:
    batch = a_batch(a_product())
    ApiKey.objects.filter(id=batch.actor.id).update(**change)

    assert_refused(batch, Verdict(is_stored=False, is_credential_valid=False))


def test_a_key_that_is_to_expire_later_still_stores(in_north: House) -> None:
    batch = a_batch(a_product())
    ApiKey.objects.filter(id=batch.actor.id).update(expires_at=NOW + timedelta(hours=1))

    assert store(batch).is_stored


@pytest.mark.parametrize("change", [{"is_active": False}, {"token_epoch": 7}])
def test_a_user_switched_off_or_with_ended_tokens_stores_nothing(in_north: House, change: dict[str, Any]) -> None:
    user = in_north.users["officer"]
    batch = a_batch(a_product(), actor=Actor(kind="user", id=str(user.id), token_epoch=user.token_epoch))
    User.objects.filter(id=user.id).update(**change)

    assert_refused(batch, Verdict(is_stored=False, is_credential_valid=False))


def test_users_operators_and_the_system_store(in_north: House) -> None:
    user = in_north.users["officer"]
    product = a_product()

    for actor in (
        Actor(kind="user", id=str(user.id), token_epoch=user.token_epoch),
        Actor(kind="user", id=str(user.id)),
        Actor(kind="operator", id="0", label="command line"),
        Actor(kind="system"),
    ):
        assert store(a_batch(product, actor=actor)).is_stored


def test_an_unknown_credential_stores_nothing(in_north: House) -> None:
    for kind in ("user", "api_key"):
        batch = a_batch(a_product(), actor=Actor(kind=kind, id=str(uuid7())))
        assert_refused(batch, Verdict(is_stored=False, is_credential_valid=False))


def test_rotated_keys_are_told_and_nothing_stored(in_north: House) -> None:
    batch = a_batch(a_product())
    Keyring.objects.filter(id=batch.keyring_id).update(retired_at=NOW)

    assert_refused(batch, Verdict(is_stored=False, is_keyring_current=False))


def test_a_known_applicant_is_handed_back_and_the_whole_batch_waits(in_north: House) -> None:
    product = a_product()
    known = an_applicant("known")
    store(a_batch(product, known))
    before = counts()

    verdict = store(a_batch(product, an_applicant(), replace(an_applicant("known")), an_applicant()))

    assert not verdict.is_stored
    assert [(other.id, other.data_key_id, bytes(other.wrapped_key or b"")) for other in verdict.known] == [
        (known.id, known.data_key_id, known.wrapped_key)
    ]
    assert verdict.known[0].sealed_profile == b"profile"
    assert counts() == before


def test_an_erased_applicant_is_handed_back_without_a_key(in_north: House) -> None:
    product = a_product()
    known = an_applicant("erased")
    store(a_batch(product, known))
    blank = ("data_key_id", "wrapped_key", "sealed_profile", "phone_index", "national_id_index", "name_index")
    Applicant.objects.filter(id=known.id).update(**dict.fromkeys(blank))

    verdict = store(a_batch(product, replace(known)))

    assert not verdict.is_stored
    assert (verdict.known[0].data_key_id, verdict.known[0].wrapped_key) == (None, None)


def test_an_applicant_believed_to_be_there_who_is_not_is_told(in_north: House) -> None:
    believed = replace(an_applicant("gone"), is_written=False, profile_digest=b"digest")

    assert_refused(a_batch(a_product(), believed), Verdict(is_stored=False, known=(KnownApplicant(believed.id, False, None, None, None),)))


def test_a_profile_that_others_changed_is_handed_back(in_north: House) -> None:
    product = a_product()
    known = an_applicant("known")
    store(a_batch(product, known))
    believed = replace(known, is_written=False, profile_digest=b"another digest")

    assert store(a_batch(product, believed)).known[0].sealed_profile == b"profile"


def test_an_earlier_answer_is_handed_back_and_nothing_stored(in_north: House) -> None:
    product = a_product()
    applicant = an_applicant()
    store(a_batch(product, applicant, answer=an_answer(applicant_id=applicant.id)))
    before = counts()

    verdict = store(a_batch(product, answer=an_answer(body=b"other")))

    assert counts() == before
    assert verdict.earlier is not None
    assert (verdict.earlier.status, verdict.earlier.sealed, verdict.earlier.wrapped_key) == (201, b"sealed answer", applicant.wrapped_key)
    assert verdict.earlier.body_digest == an_answer().attempt.body_digest


def test_an_answer_older_than_a_day_makes_room(in_north: House) -> None:
    product = a_product()
    store(a_batch(product, answer=an_answer()))
    Idempotency.objects.filter(key="key-1").update(created_at=NOW - timedelta(hours=24, seconds=1))

    assert store(a_batch(product, answer=an_answer(body=b"other"))).is_stored
    assert bytes(Idempotency.objects.get(key="key-1").body_digest) == an_answer(body=b"other").attempt.body_digest


@pytest.mark.parametrize("size", [1, 2])
def test_a_twin_that_commits_first_leaves_nothing_of_the_second(new_partner: Callable[..., House], size: int) -> None:
    house = new_partner()
    claimed, finish = threading.Event(), threading.Event()

    def twin() -> None:
        try:
            with tenant_context(house.partner), transaction.atomic():
                first = an_answer()
                Idempotency.objects.create(
                    route=first.attempt.route,
                    key=first.attempt.key,
                    actor_id=first.attempt.actor_id,
                    body_digest=first.attempt.body_digest,
                    status=201,
                    sealed_response=b"first",
                )
                claimed.set()
                finish.wait(30)
        finally:
            connection.close()

    def second() -> Verdict:
        try:
            with tenant_context(house.partner):
                return store(a_batch(product, *(an_applicant() for _ in range(size)), answer=an_answer()))
        finally:
            connection.close()

    with tenant_context(house.partner), ThreadPoolExecutor(2) as pool:
        product = a_product()
        running = pool.submit(twin)
        assert claimed.wait(30)
        waiting = pool.submit(second)
        until(is_blocked)
        finish.set()
        running.result()

        told = EarlierAnswer(an_answer().attempt.body_digest, 201, b"first", None, None, None)
        assert waiting.result() == Verdict(is_stored=False, earlier=told if size == 1 else None)
        assert counts() == [0, 0, 0, 1, 0]


def is_blocked() -> bool:
    """Whether some statement of this database waits for another transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        return bool(cursor.fetchone()[0])


def test_storing_inside_a_transaction_is_refused(new_partner: Callable[..., House]) -> None:
    with tenant_context(new_partner().partner):
        batch = a_batch(a_product())

        with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
            store(batch)

        assert counts() == [0, 0, 0, 0, 0]


def test_the_database_refuses_what_no_decision_can_be(new_partner: Callable[..., House]) -> None:
    impossible: dict[str, list[Any]] = {"probability": [float("nan"), -0.1, 1.5], "score": [299, 851], "band": ["ODD"], "outcome": ["odd"]}
    with tenant_context(new_partner().partner):
        batch = a_batch(a_product())

        for column, values in impossible.items():
            for value in values:
                with pytest.raises(IntegrityError, match=f"decision_{column}"):
                    store(replace(batch, decisions=[replace(batch.decisions[0], **{column: value})]))

        assert counts() == [0, 0, 0, 0, 0]


def test_what_was_decided_is_refused_to_be_changed(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        store(a_batch(a_product()))

        for table in ("scoring_decision", "scoring_policy", "scoring_promotion", "scoring_productrevision"):
            for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
                assert_database_refuses(statement, "permission denied")
                with as_owner(house.schema):
                    assert_database_refuses(statement, "append-only")


def assert_database_refuses(statement: str, reason: str) -> None:
    with pytest.raises(ProgrammingError, match=reason), connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_was_trained_is_refused_to_be_changed_but_its_state_is_not(in_north: House) -> None:
    version = ModelVersion.objects.create(product=a_product(), version=1, estimator="boosted", bundle=b"bundle", bundle_sha256=b"hash")
    version.state = ModelVersion.State.RETIRED
    version.save()
    version.bundle = b"another"

    with pytest.raises(ProgrammingError, match="append-only"):
        version.save()


def test_the_database_counts_and_keeps_revisions(in_north: House) -> None:
    product = a_product()
    product.revision, product.title = 40, "Other title"
    product.save()
    product.refresh_from_db()
    assert product.revision == 1

    product.definition = {"changed": True}
    product.save()
    product.refresh_from_db()

    assert product.revision == 2
    kept = ProductRevision.objects.filter(product=product).order_by("revision")
    assert [(row.revision, row.definition, row.policy_id) for row in kept] == [
        (1, {}, product.policy_id),
        (2, {"changed": True}, product.policy_id),
    ]
