"""A product is trained again on how its decisions ended: on the right cases, once, and never in force by itself."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.actions import Action
from audit.context import SYSTEM
from audit.ids import uuid7
from audit.models import Event
from scoring import registry, selectors
from scoring.engine.contract import Contract, Input, InputKind
from scoring.engine.features import Feature, FeaturePlan
from scoring.engine.product import Product as Definition
from scoring.engine.ranking import auc, gain
from scoring.engine.synthetic import market_loans, write_table
from scoring.engine.training import metrics as judge
from scoring.engine.training.rows import read_training_rows
from scoring.engine.windows import Window
from scoring.errors import LeaseLost, RetrainingUnderWay, TrainingRefused
from scoring.models import Channel, Job, JobChunk, ModelVersion, Outcome, OutcomeSource, Product, RetrainingPlan
from scoring.services import jobs, retraining
from scoring.services.cases import Case, known_outcomes, read_cases, write_cases
from scoring.services.outcomes import Observed, record_outcomes
from scoring.services.retraining import begin_due, begin_retraining, plan_retraining, state_of
from scoring.services.score import ApplicantDetails, ScoreItem, score_applicants
from scoring.services.uploads import folder
from scoring.services.work import end, work_on
from tests.conftest import PRODUCT, House


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, settings: Any) -> None:
    settings.VOUCH_HOME = tmp_path / "home"


def decide(rows: int, *, seed: int = 3, bad_share: float | None = None) -> list[Any]:
    """Decisions about invented traders whose loans are over, with what came of them."""
    loans = market_loans(rows, seed=seed)
    validator = registry.current(PRODUCT).validator
    inputs = [{name: value for name, value in loan.items() if name not in {"loan_id", "defaulted"}} for loan in loans]
    inputs = [{**told, "savings_balance": min(told["savings_balance"] or 0.0, 50_000.0)} for told in inputs]
    items = [ScoreItem(ApplicantDetails(reference=f"R-{seed}-{place}"), validator.check(told)) for place, told in enumerate(inputs)]
    made = score_applicants(product_slug=PRODUCT, items=items, actor=SYSTEM, channel=Channel.API)
    ended = ["defaulted" if loan["defaulted"] else "repaid" for loan in loans]
    if bad_share is not None:
        ended = ["defaulted" if place < bad_share * rows else "repaid" for place in range(rows)]
    today = timezone.now().date()
    observed = [Observed(kind, today, decision_id=one.id) for kind, one in zip(ended, made, strict=True)]
    record_outcomes(items=observed, source=OutcomeSource.API, actor=SYSTEM)
    return made


def worked(job: Job) -> Job:
    """The job after a worker was at it until nothing was left."""
    while work_on(job):
        pass
    end(job)
    job.refresh_from_db()
    return job


def product_id() -> Any:
    return Product.objects.get(slug=PRODUCT).id


def test_a_retraining_makes_a_version_that_is_compared_and_not_in_force(in_north: House) -> None:
    decide(400)

    job = worked(begin_retraining(product_slug=PRODUCT, actor=SYSTEM))

    assert (job.state, job.problem) == ("done", "")
    version = ModelVersion.objects.get(version=job.body["version"])
    told = version.metrics["retrained"]
    assert (told["cases"], told["original_rows"], told["newest"]["rows"], told["newest"]["champion"]) == (320, 0, 80, 1)
    newest = told["newest"]
    assert version.state == ("candidate" if newest["new_auc"] > newest["old_auc"] else "draft")
    assert newest["low"] <= newest["new_auc"] - newest["old_auc"] <= newest["high"]
    assert selectors.product(PRODUCT).champion_version == 1
    assert Event.objects.filter(action=Action.JOB_FINISHED, object_id=str(job.id)).count() == 1
    assert not list(folder().iterdir())    # what applicants said is on no disk any more


@pytest.mark.parametrize(
    ("interval", "newest", "state"),
    [
        ([0.61, 0.70], {"champion": 1, "new_auc": 0.66, "old_auc": 0.64}, "candidate"),
        ([0.61, 0.70], {"champion": 1, "new_auc": 0.64, "old_auc": 0.64}, "draft"),
        ([0.44, 0.58], {"champion": 1, "new_auc": 0.66, "old_auc": 0.64}, "draft"),    # better than the champion, and no better than chance
        ([0.44, 0.58], {"champion": None}, "draft"),
    ],
)
def test_what_ranks_like_chance_stays_a_draft(interval: list[float], newest: dict[str, Any], state: str) -> None:
    assert state_of({"auc_interval": interval, "retrained": {"newest": newest}}) == state


def test_the_newest_outcomes_are_judged_as_their_own_decisions_were(in_north: House) -> None:
    made = decide(300)

    job = worked(begin_retraining(product_slug=PRODUCT, actor=SYSTEM))

    known = dict(known_outcomes(product_id(), timezone.now()))
    newest = sorted(made, key=lambda one: (one.created_at, one.id))[-60:]
    bad = np.array([known[one.id] for one in newest], np.int8)
    expected = judge.auc(bad, np.array([one.probability for one in newest]))
    assert ModelVersion.objects.get(version=job.body["version"]).metrics["retrained"]["newest"]["old_auc"] == pytest.approx(expected)


@pytest.mark.parametrize(("rows", "bad_share", "said"), [(120, None, "120 decisions have one"), (240, 0.1, "24 of them bad")])
def test_too_few_outcomes_are_refused_at_once_and_seen_where_it_ran_by_itself(
    in_north: House, rows: int, bad_share: float | None, said: str
) -> None:
    decide(rows, bad_share=bad_share)

    with pytest.raises(TrainingRefused, match=said):
        begin_retraining(product_slug=PRODUCT, actor=SYSTEM)
    assert not Job.objects.exists()

    job = worked(begin_retraining(product_slug=PRODUCT, actor=SYSTEM, because=retraining.WEEKLY))
    assert job.state == "failed"
    assert said in job.problem
    assert [said in one.problem for one in selectors.failed_jobs(timezone.now() - timedelta(days=1))] == [True]
    assert ModelVersion.objects.count() == 1


def test_only_what_holds_at_the_moment_counts(in_north: House) -> None:
    made = decide(4, bad_share=0)
    before = timezone.now()
    record_outcomes(
        items=[Observed("defaulted", before.date(), decision_id=made[0].id)], source=OutcomeSource.API, actor=SYSTEM
    )

    assert [bad for _, bad in known_outcomes(product_id(), before)] == [False] * 4
    assert dict(known_outcomes(product_id(), timezone.now()))[made[0].id] is True
    assert Outcome.objects.count() == 5


def test_cases_come_back_from_the_table_as_they_were_decided(in_north: House, tmp_path: Path) -> None:
    decide(50)
    definition = Definition.from_dict(Product.objects.get(slug=PRODUCT).definition)
    cases = list(read_cases(known_outcomes(product_id(), timezone.now())))
    original = tmp_path / "loans.csv"
    write_table(original, [{**loan, "defaulted": "bad" if loan["defaulted"] else "fine"} for loan in market_loans(30, seed=9)])

    written = write_cases(tmp_path, replace(definition, positive="bad"), cases, {"csv": str(original), "events": {}})

    lines = written.table.read_text().splitlines()
    assert (written.cases, written.original_rows, len(lines)) == (50, 30, 81)
    header = lines[0].split(",")
    validator = registry.current(PRODUCT).validator
    for case, line in zip(cases, lines[31:], strict=True):
        cells = dict(zip(header, line.split(","), strict=True))
        assert cells.pop("defaulted") == ("bad" if case.is_bad else "fine")
        assert validator.check_text({name: cells[name] for name in case.inputs}) == case.inputs


def test_events_come_back_as_they_were_decided(tmp_path: Path) -> None:
    columns = (Input(name="day", kind=InputKind.DATE), Input(name="paid", kind=InputKind.NUMBER, required=False))
    payments = Input(name="payments", kind=InputKind.EVENTS, columns=columns, time="day", key="account", required=False)
    window = Feature(name="mean_paid", kind="window", inputs=("payments",), window=Window(statistic="mean", column="paid"))
    product = Definition(
        slug="stall-loan", title="Stall loan", contract=Contract((Input(name="amount", kind=InputKind.NUMBER), payments)),
        features=(Feature(name="amount"), window), target="bad", positive="1", time_column="asked_on",
    )  # fmt: skip
    told: list[list[dict[str, Any]] | None] = [[{"day": "2026-01-02", "paid": 12.5}, {"day": "2026-01-09", "paid": None}], None]
    days = [date(2026, 2, 1), date(2026, 3, 1)]
    inputs = [{"amount": 0.1 + place, "payments": events} for place, events in enumerate(told)]
    cases = [Case(uuid7(), day, values, is_bad=not place) for place, (day, values) in enumerate(zip(days, inputs, strict=True))]

    written = write_cases(tmp_path, product, cases, {})
    rows = read_training_rows(written.table, product, decided_on=date(2020, 1, 1), events=written.events)

    expected = FeaturePlan(product.contract, product.features).matrix(inputs, days)
    assert np.array_equal(rows.samples.values, expected, equal_nan=True)
    assert not np.isnan(expected[0, 1])
    assert rows.samples.target.tolist() == [1, 0]


def test_a_worker_that_died_is_made_good_by_another_and_one_version_comes_of_both(in_north: House) -> None:
    decide(250)
    job = begin_retraining(product_slug=PRODUCT, actor=SYSTEM)
    dead = jobs.take_chunk(job.id)
    assert dead is not None
    assert not work_on(job)    # somebody has it
    JobChunk.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    worked(job)

    assert (job.state, ModelVersion.objects.count()) == ("done", 2)
    bundle = bytes(ModelVersion.objects.get(version=2).bundle)
    with pytest.raises(LeaseLost):
        retraining._store(job, dead, "boosted", bundle, {"retrained": {"newest": {"champion": 1}}})
    assert ModelVersion.objects.count() == 2


def test_the_lease_is_kept_while_the_training_lasts_and_its_loss_ends_it(in_north: House, settings: Any) -> None:
    decide(250)
    job = begin_retraining(product_slug=PRODUCT, actor=SYSTEM)
    lease = jobs.take_chunk(job.id)
    assert lease is not None
    first = JobChunk.objects.get().lease_until or timezone.now()
    settings.JOB_LEASE_SECONDS = 600

    beat = retraining._Beat(job, lease)
    beat()

    assert (JobChunk.objects.get().lease_until or first) > first
    JobChunk.objects.update(lease=None)
    settings.JOB_LEASE_SECONDS = 0
    with pytest.raises(LeaseLost):
        retraining._Beat(job, lease)()


def test_one_product_is_trained_by_one_at_a_time(in_north: House) -> None:
    decide(250)
    begin_retraining(product_slug=PRODUCT, actor=SYSTEM)

    with pytest.raises(RetrainingUnderWay):
        begin_retraining(product_slug=PRODUCT, actor=SYSTEM)


def test_a_plan_is_off_until_somebody_wants_it_and_begins_on_its_day_once(in_north: House) -> None:
    begin_due()
    assert not Job.objects.exists()
    today = timezone.now().date()

    plan = plan_retraining(product_slug=PRODUCT, weekday=today.weekday(), actor=SYSTEM)

    assert plan.next_on == today + timedelta(days=7)
    begin_due()
    assert not Job.objects.exists()
    RetrainingPlan.objects.update(next_on=today - timedelta(days=3))    # nobody was there on the day
    begin_due()
    begin_due()
    job = Job.objects.get()
    assert (job.kind, job.body["because"]) == ("retraining", "weekly")
    assert RetrainingPlan.objects.get().next_on == today + timedelta(days=7)
    planned = Event.objects.get(action=Action.RETRAINING_PLANNED)
    assert planned.detail["every"] == retraining.DAYS[today.weekday()]


def test_the_next_day_is_always_to_come() -> None:
    for weekday in range(7):
        for day in (date(2026, 11, 16) + timedelta(days=more) for more in range(7)):
            found = retraining._next(weekday, day)
            assert found.weekday() == weekday
            assert timedelta(0) < found - day <= timedelta(days=7)


def test_a_week_without_news_trains_nothing(in_north: House) -> None:
    decide(250)
    worked(begin_retraining(product_slug=PRODUCT, actor=SYSTEM))

    job = worked(begin_retraining(product_slug=PRODUCT, actor=SYSTEM, because=retraining.WEEKLY))

    assert job.problem.startswith("No outcome was recorded since the last retraining")
    assert ModelVersion.objects.count() == 2


@pytest.mark.parametrize("seed", range(5))
def test_ranking_is_the_one_of_training(seed: int) -> None:
    draw = np.random.default_rng(seed)
    bad = draw.integers(0, 2, 60).astype(np.int8)
    old, new = draw.random(60).round(1), draw.random(60)

    assert auc(bad, old) == pytest.approx(judge.auc(bad, old), abs=1e-12)
    found = gain(bad, old, new)
    assert found.low <= found.new_auc - found.old_auc <= found.high


def test_the_command_plans_runs_and_says_what_came_of_it(in_north: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decide(250)
    table = tmp_path / "loans.csv"
    write_table(table, market_loans(100, seed=9))

    call_command("retrain_model", "north", PRODUCT, every="friday")
    call_command("retrain_model", "north", PRODUCT, csv=str(table))
    said = capsys.readouterr().out

    assert "is trained again every Friday" in said
    assert "from 200 decisions and 100 rows of the original table" in said
    assert "On the newest 50 outcomes" in said
    call_command("retrain_model", "north", PRODUCT, every="never", json=True)
    assert json.loads(capsys.readouterr().out)["next_on"] is None
    with pytest.raises(CommandError, match="There is no file"):
        call_command("retrain_model", "north", PRODUCT, csv=str(tmp_path / "nothing.csv"))
