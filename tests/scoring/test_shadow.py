"""The challenger scores what was answered, from what was sealed, once each; nobody is answered with it, and both are compared."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from redis import Redis

from audit.context import SYSTEM
from audit.vault import keyring
from bench.statements import statements
from partners.tenancy import tenant_context
from portal.celery import app
from portal.scheduler import ring_for_challengers
from scoring import registry, selectors
from scoring.applicants import key_of
from scoring.engine.bundle import read_bundle, sign_bundle, write_bundle
from scoring.engine.contract import Contract, Input, InputKind
from scoring.engine.pipeline import ServingModel, score
from scoring.engine.policy import Policy
from scoring.errors import ModelRefused, NoChallenger, VersionInForce
from scoring.models import Applicant, Channel, Decision, ModelVersion, Shadow
from scoring.sealed import open_content
from scoring.services import shadow
from scoring.services.challengers import remove_challenger, set_challenger
from scoring.services.models import promote_model, store_model_version
from scoring.services.score import score_applicants
from scoring.services.shadow import shadow_outstanding, shadow_since
from tests.conftest import House
from tests.scoring.factories import SLUG, a_bundle, add_product, add_version, an_item, by_force, put_in_force
from tests.waiting import until


def decide(count: int, **changed: Any) -> list[Any]:
    """Decisions about applicants who differ."""
    items = [an_item(f"S-{number}", income=300.0 + 97 * number, amount=200.0 * (number + 1), **changed) for number in range(count)]
    return list(score_applicants(product_slug=SLUG, items=items, actor=SYSTEM, channel=Channel.API))


@pytest.fixture
def watched(in_north: House) -> House:
    """North with version 1 in force and version 2 in shadow."""
    add_product()
    put_in_force(1)
    add_version(2)
    set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
    return in_north


def version(number: int) -> ModelVersion:
    return ModelVersion.objects.get(product__slug=SLUG, version=number)


def test_every_decision_since_it_challenges_is_scored_once_by_the_challenger(in_north: House) -> None:
    add_product()
    put_in_force(1)
    add_version(2)
    decide(3)
    set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
    after = decide(5)

    assert shadow_outstanding().looked_at == 5
    assert shadow_outstanding().looked_at == 0

    assert set(Shadow.objects.values_list("decision_id", flat=True)) == {one.id for one in after}
    assert set(Shadow.objects.values_list("version__version", flat=True)) == {2}


def test_a_shadow_is_what_the_version_would_have_decided(watched: House) -> None:
    decide(20)
    shadow_outstanding()
    ring = keyring()
    model = ServingModel.of_bundle(read_bundle(bytes(version(2).bundle), ring.public_keys()))
    policy = Policy.from_dict(version(2).product.policy.definition)

    for one in Shadow.objects.select_related("decision__applicant"):
        key = key_of(ring, one.decision.applicant)
        assert key is not None
        content = open_content(ring, key, one.decision)
        [result] = score(model, policy, [content.inputs], decided_on=content.decided_on)
        told = (one.probability, one.score, one.band, one.outcome, one.decided_at)
        assert told == (result.probability, result.score, result.band, result.outcome, one.decision.created_at)
    assert {one.score for one in Shadow.objects.all()} != {one.score for one in Decision.objects.all()}


def test_a_challenger_in_force_gives_what_its_shadow_gave(watched: House) -> None:
    decide(6)
    shadow_outstanding()
    shadows = {one.decision.applicant_id: (one.probability, one.score, one.outcome) for one in Shadow.objects.select_related("decision")}
    promote_model(product_slug=SLUG, version=2, actor=SYSTEM)
    registry.forget()

    again = {one.applicant_id: (one.probability, one.score, one.outcome) for one in decide(6)}

    assert again == shadows


def test_a_decision_sends_no_more_statements_with_a_challenger(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        put_in_force(1)
        add_version(2)
        decide(1)
        with statements() as without:
            decide(1)
        set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
        with statements() as beside:
            decide(1)

        assert len(beside) == len(without) <= 2
        assert Shadow.objects.count() == 0


def test_it_goes_on_where_it_was_stopped(watched: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "_AT_ONCE", 4)
    decide(14)

    looked_at = [shadow_outstanding(passes=1).looked_at for _ in range(5)]

    assert looked_at == [4, 4, 4, 2, 0]
    assert Shadow.objects.count() == 14


def test_a_decision_that_was_committed_late_is_found(watched: House) -> None:
    first = decide(4)
    earlier = "UPDATE scoring_decision SET created_at = created_at - interval '2 seconds' WHERE id = %s"
    by_force(watched, "scoring_decision", earlier, first[2].id)
    ModelVersion.objects.filter(id=version(2).id).update(challenged_at=datetime.now(UTC) - timedelta(hours=1))
    Shadow.objects.bulk_create(
        [Shadow(decision_id=one.id, version=version(2), decided_at=one.created_at, probability=0.5, score=500, band="LOW", outcome="refer")
         for one in first if one is not first[2]]
    )    # fmt: skip
    ModelVersion.objects.filter(id=version(2).id).update(shadowed_until=first[3].created_at)

    assert shadow_outstanding().looked_at == 1
    assert Shadow.objects.filter(decision_id=first[2].id).exists()


def test_many_at_once_score_each_decision_once(new_partner: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "_AT_ONCE", 5)
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        put_in_force(1)
        add_version(2)
        set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
        decide(60)
        since, challenger = version(2).challenged_at, version(2).id
    assert since is not None

    def work(number: int) -> None:
        try:
            with tenant_context(house.partner):
                if number % 2:
                    list(shadow_since(version_id=challenger, since=since))
                else:
                    shadow_outstanding()
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    with tenant_context(house.partner):
        assert Shadow.objects.count() == Shadow.objects.values("decision_id").distinct().count() == 60


def test_the_database_keeps_one_shadow_per_decision_and_never_changes_it(watched: House) -> None:
    made = decide(1)[0]
    shadow_outstanding()
    one = Shadow.objects.get()
    twin = {"decision_id": made.id, "version": version(2), "decided_at": made.created_at, "probability": 0.1, "score": 600, "band": "LOW"}

    for write in (
        lambda: Shadow.objects.filter(id=one.id).update(score=700),
        lambda: Shadow.objects.filter(id=one.id).delete(),
        lambda: Shadow.objects.create(**twin, outcome="approve"),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            write()


def test_erased_applicants_and_insufficient_inputs_are_passed_over_and_not_for_ever(watched: House) -> None:
    made = decide(3)
    Applicant.objects.filter(id=made[1].applicant_id).update(
        data_key_id=None, wrapped_key=None, sealed_profile=None, phone_index=None, national_id_index=None, name_index=None
    )

    found = shadow_outstanding()

    assert (found.looked_at, found.skipped, Shadow.objects.count()) == (3, 1, 2)
    now = datetime.now(UTC)
    assert selectors.has_outstanding(version(2), now)
    assert not selectors.has_outstanding(version(2), now + timedelta(minutes=11))


def with_contract(number: int, *inputs: Input) -> bytes:
    """The bundle drawn from this number, over a contract of these inputs more."""
    bundle = read_bundle(a_bundle(number), keyring().public_keys())
    product = replace(bundle.product, contract=Contract((*bundle.product.contract.inputs, *inputs)))
    ring = keyring()
    return sign_bundle(write_bundle(replace(bundle, product=product)), sign=ring.sign, key_id=ring.key_id)


def test_a_challenger_with_other_inputs_scores_what_it_can(watched: House) -> None:
    extra = Input(name="region", kind=InputKind.CATEGORY, categories=("coast", "hills"), required=False)
    needed = Input(name="region", kind=InputKind.CATEGORY, categories=("coast", "hills"))
    decide(3, months=None)

    for bundle, expected in ((with_contract(5, extra), (3, 0)), (with_contract(6, needed), (3, 3))):
        made = store_model_version(product_slug=SLUG, bundle=bundle, estimator="boosted", metrics={}, actor=SYSTEM)
        found = list(shadow_since(version_id=made.id, since=datetime.now(UTC) - timedelta(hours=1)))[-1]
        assert (found.looked_at, found.skipped) == expected


def test_decisions_of_the_rules_are_scored_too_and_its_own_are_not(in_north: House) -> None:
    add_product()
    add_version(1)
    set_challenger(product_slug=SLUG, version=1, actor=SYSTEM)
    decide(2)
    assert shadow_outstanding().looked_at == 2
    promote_model(product_slug=SLUG, version=1, actor=SYSTEM)
    decide(2)

    assert shadow_outstanding().looked_at == 0
    assert list(shadow_since(version_id=version(1).id, since=datetime.now(UTC) - timedelta(hours=1))) == []


def test_nothing_is_scored_once_the_challenger_is_removed(watched: House) -> None:
    remove_challenger(product_slug=SLUG, actor=SYSTEM)
    decide(2)

    assert shadow_outstanding().looked_at == 0
    set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
    decide(1)
    assert shadow_outstanding().looked_at == 1


def test_a_damaged_challenger_is_told_and_answers_go_on(watched: House) -> None:
    by_force(watched, "scoring_modelversion", "UPDATE scoring_modelversion SET bundle = '\\x00' WHERE id = %s", version(2).id)
    shadow._scorers.clear()
    decide(1)

    with pytest.raises(ModelRefused):
        shadow_outstanding()
    assert decide(1)[0].model_version == 1


# the worker


def test_the_clock_calls_a_worker_and_the_worker_scores(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.flushdb()
        with tenant_context(house.partner):
            add_product()
            put_in_force(1)
            add_version(2)
            set_challenger(product_slug=SLUG, version=2, actor=SYSTEM)
            ring_for_challengers()
            assert redis.llen("vouch:vouch.bulk") == 0
            decide(3)
            ring_for_challengers()
            ring_for_challengers()
        assert redis.llen("vouch:vouch.bulk") == 2

        with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL", shutdown_timeout=30):
            until(lambda: not redis.llen("vouch:vouch.bulk") and not redis.hlen("vouch:unacked"))
        with tenant_context(house.partner):
            assert Shadow.objects.count() == 3
            ring_for_challengers()
        assert redis.llen("vouch:vouch.bulk") == 0
        redis.flushdb()


# comparing


def test_a_comparison_counts_what_both_decided(watched: House) -> None:
    decide(40)
    shadow_outstanding()
    pairs = [(one.decision, one) for one in Shadow.objects.select_related("decision")]

    found = selectors.comparison(SLUG, challenger=2, since=datetime.now(UTC) - timedelta(hours=1))

    assert (found.rows, found.not_scored, found.champion, found.challenger) == (40, 0, 1, 2)
    for before in ("approve", "refer", "decline"):
        for after in ("approve", "refer", "decline"):
            assert found.shifts[before][after] == sum((a.outcome, b.outcome) == (before, after) for a, b in pairs)
    assert found.agreement_share == sum(a.outcome == b.outcome for a, b in pairs) / 40
    assert found.champion_probability == pytest.approx(sum(a.probability for a, _ in pairs) / 40)
    assert found.challenger_probability == pytest.approx(sum(b.probability for _, b in pairs) / 40)
    gaps = [b.score - a.score for a, b in pairs]
    assert found.mean_gap == pytest.approx(sum(gaps) / 40)
    assert found.mean_absolute_gap == pytest.approx(sum(map(abs, gaps)) / 40)
    for place, one in enumerate(found.gaps):
        low = -(10**6) if place == 0 else one.low
        high = 10**6 if place == len(found.gaps) - 1 else one.high
        assert one.count == sum(low <= gap < high for gap in gaps), (one.low, one.high)


def test_a_comparison_is_with_the_champion_of_now_only(watched: House) -> None:
    decide(3)
    shadow_outstanding()
    put_in_force(3)
    decide(2)

    found = selectors.comparison(SLUG, challenger=2, since=datetime.now(UTC) - timedelta(hours=1))

    assert (found.champion, found.rows, found.not_scored) == (3, 0, 2)
    assert (found.agreement_share, found.champion_probability, found.mean_gap) == (None, None, None)
    with pytest.raises(VersionInForce):
        selectors.comparison(SLUG, challenger=3, since=found.since)


def compared(house: House, *options: str) -> str:
    said = StringIO()
    call_command("compare", house.slug, SLUG, *options, stdout=said, stderr=StringIO())
    return said.getvalue()


def test_the_command_scores_what_is_missing_and_compares(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        put_in_force(1)
        add_version(2)
        decide(12)
        with pytest.raises(NoChallenger):
            selectors.challenger_of(SLUG)
    with pytest.raises(CommandError, match="scores in shadow"):
        compared(house)
    with pytest.raises(CommandError, match="in force itself"):
        compared(house, "--challenger", "1")

    found = json.loads(compared(house, "--challenger", "2", "--since", "2026-01-01", "--json"))
    again = json.loads(compared(house, "--challenger", "2", "--since", "2026-01-01", "--json"))
    text = compared(house, "--challenger", "2")

    assert (found["rows"], found["scored_now"], again["scored_now"], found["not_scored"]) == (12, 12, 0, 0)
    assert sum(sum(after.values()) for after in found["shifts"].values()) == 12
    assert sum(one["count"] for one in found["score_difference"]["bins"]) == 12
    assert found["agreement_share"] == again["agreement_share"]
    assert f"agree on {found['agreement_share']:.1%} of 12 decisions" in text


def test_the_command_sets_and_ends_a_challenger(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        add_product()
        add_version(1)
    call_command("set_challenger", house.slug, SLUG, "1", "--reason", "Try it.", stdout=StringIO(), stderr=StringIO())
    with tenant_context(house.partner):
        assert selectors.challenger_of(SLUG) == 1
    call_command("set_challenger", house.slug, SLUG, "none", stdout=StringIO(), stderr=StringIO())
    with pytest.raises(CommandError, match="no model version"):
        call_command("set_challenger", house.slug, SLUG, "seven", stdout=StringIO(), stderr=StringIO())
