"""Sandboxes: the partner's products, test applicants with known ends, a reset, and a wall to what is live."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from audit.context import SYSTEM
from audit.models import Event
from partners.accounts.keys import make_key, parse_key
from partners.accounts.services import create_api_key
from partners.errors import NotASandbox, PartnerRefused
from partners.models import Partner
from partners.sandboxes import KEPT, refresh_sandbox, reset_sandbox
from partners.services import create_partner, ensure_sandbox
from partners.tenancy import as_owner, tenant_context
from scoring import fixed
from scoring.models import Applicant, Decision, ModelVersion, Product
from scoring.services.models import rollback_model
from scoring.services.replay import replay_decisions
from tests.conftest import PRODUCT, House


@pytest.fixture
def live(new_partner: Callable[..., House]) -> House:
    """A partner of this test's own."""
    return new_partner(with_product=True)


@pytest.fixture
def trial(live: House) -> House:
    """Its sandbox, with a key."""
    sandbox = refresh_sandbox(live.partner, actor=SYSTEM)
    with tenant_context(sandbox):
        key = create_api_key(name="trials", actor=SYSTEM)
    return House(sandbox, {}, key.secret)


def score(house: House, *references: str, key: str | None = None) -> Any:
    """The answer to a score of each reference, several as a batch."""
    items = [{"applicant": {"reference": reference}, "inputs": dict(house.inputs)} for reference in references]
    body = {"product": PRODUCT, **items[0]} if len(items) == 1 else {"product": PRODUCT, "items": items}
    path = "/api/v1/scores" if len(items) == 1 else "/api/v1/score-batches"
    return house.api(key).post(path, json.dumps(body), content_type="application/json")


def rows(house: House) -> dict[str, int]:
    with tenant_context(house.partner):
        return {"applicants": Applicant.objects.count(), "decisions": Decision.objects.count()}


def test_a_sandbox_decides_as_the_partner_does_and_keeps_to_itself(live: House, trial: House) -> None:
    there, here = score(live, "A-1").json(), score(trial, "A-1").json()

    assert [there[name] for name in ("score", "band", "outcome", "answered_by")] == [
        here[name] for name in ("score", "band", "outcome", "answered_by")
    ]
    assert rows(live) == rows(trial) == {"applicants": 1, "decisions": 1}


@pytest.mark.parametrize(("reference", "outcome", "answered_by", "code"), [
    ("test-approve", "approve", "model", "TEST_APPROVE"), ("test-refer", "refer", "model", "TEST_REFER"),
    ("test-decline", "decline", "model", "TEST_DECLINE"), ("test-decline-7", "decline", "model", "TEST_DECLINE"),
    ("test-fraud", "decline", "model", "TEST_FRAUD"), ("test-model-down", None, "rules", None),
])  # fmt: skip
def test_a_test_applicant_ends_as_its_reference_says(
    trial: House, reference: str, outcome: str | None, answered_by: str, code: str | None
) -> None:
    told = score(trial, reference).json()

    assert told["answered_by"] == answered_by
    assert outcome is None or (told["outcome"], told["reasons"][0]["code"]) == (outcome, code)
    with tenant_context(trial.partner):
        (found,) = replay_decisions()
        assert found.holds, found.differences


def test_each_of_a_batch_ends_as_its_own_reference_says(trial: House) -> None:
    told = score(trial, "test-approve-1", "test-decline-1", "A-1", "test-refer-1").json()

    assert [one["outcome"] for one in told["results"]][:2] == ["approve", "decline"]
    assert told["results"][3]["outcome"] == "refer"


def test_a_slow_one_is_slow_and_holds_one_thread_at_most(trial: House, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)

    assert score(trial, "test-slow").status_code == 201
    assert waited == [fixed.SLOW_SECONDS]
    with fixed._waiting:
        assert score(trial, "test-slow").status_code == 201
    assert waited == [fixed.SLOW_SECONDS]


def test_with_the_partner_itself_a_reference_is_a_reference(live: House) -> None:
    usual = score(live, "A-1").json()

    for case in fixed.Case:
        told = score(live, str(case)).json()
        assert (told["outcome"], told["answered_by"]) == (usual["outcome"], usual["answered_by"])
        assert not any(reason["code"].startswith("TEST_") for reason in told["reasons"])


def test_a_key_opens_its_own_side_only(live: House, trial: House) -> None:
    assert trial.api_key.startswith(f"vk_test_{live.slug}_")
    assert live.api_key.startswith(f"vk_live_{live.slug}_")
    assert score(live, "A-1", key=trial.api_key).status_code == 401
    assert score(trial, "A-1", key=live.api_key).status_code == 401
    assert rows(live) == rows(trial) == {"applicants": 0, "decisions": 0}


def test_a_key_says_which_side_it_opens() -> None:
    test, live = parse_key(make_key("north-sandbox")), parse_key(make_key("north"))

    assert test is not None
    assert live is not None
    assert (test.kind, test.slug, live.kind, live.slug) == ("test", "north-sandbox", "live", "north")


def test_a_reset_leaves_products_keys_and_the_record_and_nothing_else(live: House, trial: House) -> None:
    score(live, "A-1")
    score(trial, "A-1")
    score(trial, "B-1", "B-2")
    with tenant_context(trial.partner):
        events = Event.objects.count()
        reset_sandbox(actor=SYSTEM)
        assert Event.objects.count() == events + 1
        assert Product.objects.get().slug == PRODUCT

    assert rows(trial) == {"applicants": 0, "decisions": 0}
    assert rows(live) == {"applicants": 1, "decisions": 1}
    assert score(trial, "A-1").status_code == 201    # known to this process, and not there any more
    assert score(trial, "B-1", "B-2").status_code == 201


def test_after_a_reset_only_what_is_to_be_kept_has_rows_and_its_guards_are_back(trial: House) -> None:
    score(trial, "A-1")
    with tenant_context(trial.partner):
        reset_sandbox(actor=SYSTEM)

    with as_owner(trial.schema), connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [trial.schema])
        tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{trial.schema}"."{table}"')
            assert table.startswith(KEPT) or cursor.fetchone() == (0,), table
        cursor.execute("SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = %s::regnamespace"
                       " AND t.tgenabled = 'D'", [trial.schema])  # fmt: skip
        assert cursor.fetchone() == (0,)


def test_nothing_live_can_be_reset(live: House) -> None:
    score(live, "A-1")

    with tenant_context(live.partner), pytest.raises(NotASandbox):
        reset_sandbox(actor=SYSTEM)

    assert rows(live) == {"applicants": 1, "decisions": 1}


def test_a_refresh_brings_what_changed_and_no_more(live: House, trial: House) -> None:
    def versions() -> int:
        with tenant_context(trial.partner):
            return ModelVersion.objects.count()

    score(trial, "A-1")
    refresh_sandbox(live.partner, actor=SYSTEM)
    assert (versions(), rows(trial)["decisions"]) == (1, 1)
    with tenant_context(live.partner):
        rollback_model(product_slug=PRODUCT, actor=SYSTEM)
    refresh_sandbox(live.partner, actor=SYSTEM)

    assert versions() == 1
    assert score(live, "A-1").json()["answered_by"] == score(trial, "A-1").json()["answered_by"] == "rules"


def test_a_sandbox_has_limits_of_its_own(live: House, trial: House, settings: Any) -> None:
    settings.PLAN_REQUESTS_PER_HOUR = {**settings.PLAN_REQUESTS_PER_HOUR, "sandbox": 7}

    answer = trial.api().get("/api/v1/products")

    assert answer["X-RateLimit-Limit"] == "7"
    assert live.api().get("/api/v1/products")["X-RateLimit-Limit"] == "10000000"


def test_names_of_sandboxes_are_theirs_alone(live: House, trial: House) -> None:
    with pytest.raises(PartnerRefused, match="not ending in -sandbox"):
        create_partner(slug="any-sandbox", name="Any", country="KE", currency="KES", actor=SYSTEM)
    with pytest.raises(PartnerRefused, match="not a plan"):
        create_partner(slug="any", name="Any", country="KE", currency="KES", plan="sandbox", actor=SYSTEM)
    with pytest.raises(PartnerRefused, match="a sandbox itself"):
        ensure_sandbox(trial.partner, actor=SYSTEM)
    with as_owner("public"), pytest.raises(IntegrityError, match="partner_sandbox_named"), transaction.atomic():
        Partner.objects.filter(id=trial.partner.id).update(sandbox_of=None)
