"""Validation over time: nothing of the future is fitted on, drift is told, and real loans show it."""

import csv
import gzip
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from scoring.engine.training.draft import draft_product
from scoring.engine.training.events import EventsFile
from scoring.engine.training.forward import FIRST_SHARE, STEPS, Days, ForwardValidation, validate_forward
from scoring.engine.training.infer import Roles
from scoring.engine.training.matrix import Samples
from scoring.engine.training.metrics import Floats
from scoring.engine.training.scorecard import fit_scorecard
from scoring.engine.training.train import Trained, TrainingRequest, train
from scoring.engine.training.validate import Fit, cross_validate

BERKA = Path(os.environ.get("VOUCH_REAL_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "berka"


def table(rows: int = 1_500, *, drift: float, seed: int = 1) -> tuple[Samples, Days]:
    """Cases over 500 days, shuffled. What `income` means turns round by `drift` from the first day to the last."""
    draw = np.random.default_rng(seed)
    passed = draw.random(rows)
    income, other = draw.normal(size=rows), draw.normal(size=rows)
    margin = -1 + 1.8 * income * (1 - 2 * drift * passed) + 0.5 * other
    target = (draw.random(rows) < 1 / (1 + np.exp(-margin))).astype(np.int8)
    days = np.datetime64("2024-01-01") + (passed * 500).astype("timedelta64[D]")
    return Samples(np.column_stack([income, other]), target, ("income", "other"), (False, False), (0, 0)), days


def judged(samples: Samples, days: Days, fit: Fit = fit_scorecard) -> ForwardValidation | None:
    return validate_forward(samples, days, fit, seed=1, threads=1, progress=lambda line: None)


def told(samples: Samples, days: Days) -> str:
    shuffled = cross_validate(samples, fit_scorecard, folds=3, seed=1, threads=1, progress=lambda line: None)
    forward = judged(samples, days)
    assert forward
    return forward.worse(shuffled)


def test_every_fit_has_seen_earlier_days_only_and_every_later_row_is_judged_once() -> None:
    samples, days = table(drift=0.5)
    income = dict(zip(samples.values[:, 0].tolist(), days, strict=True))
    fitted: list[Days] = []
    held: list[Days] = []

    class Watched:
        def __init__(self, part: Samples) -> None:
            fitted.append(np.array([income[one] for one in part.values[:, 0].tolist()]))

        def margins(self, values: Floats) -> Floats:
            held.append(np.array([income[one] for one in values[:, 0].tolist()]))
            return values[:, 0]

    forward = judged(samples, days, lambda part, *, seed, threads: Watched(part))

    assert forward
    assert len(fitted) == len(held) == len(forward.steps) == STEPS
    assert all(before.max() < after.min() for before, after in zip(fitted, held, strict=True))
    assert len(fitted[0]) == pytest.approx(FIRST_SHARE * len(days), rel=0.02)
    assert sum(map(len, held)) == len(days) - len(fitted[0])
    assert forward.to_dict()["steps"][0]["from"] == str(held[0].min())


def test_a_table_that_drifts_is_told_and_one_that_does_not_is_not() -> None:
    assert "fitted on the past and judged on what followed, the AUC is" in told(*table(drift=0.8))
    assert [told(*table(drift=0.0, seed=seed)) for seed in range(5)] == [""] * 5


def test_rows_without_a_day_are_left_out_and_counted() -> None:
    samples, days = table(drift=0.0)
    days[::3] = np.datetime64("NaT")

    forward = judged(samples, days)

    assert forward
    assert (forward.undated, forward.to_dict()["undated_rows"]) == (500, 500)
    assert forward.steps[-1].fitted_rows + forward.steps[-1].rows == 1_000


@pytest.mark.parametrize("days", [
    np.full(1_500, np.datetime64("2024-05-05")), np.full(1_500, np.datetime64("NaT"), "datetime64[D]"),
])
def test_without_days_apart_nothing_is_said_over_time(days: Days) -> None:
    assert judged(table(drift=0.0)[0], days) is None


def test_a_step_without_outcomes_to_judge_by_is_passed_over() -> None:
    samples, days = table(drift=0.0)
    samples.target[days >= np.datetime64("2025-01-20")] = 0

    forward = judged(samples, days)

    assert forward
    assert len(forward.steps) < STEPS
    assert all(step.positives >= 5 for step in forward.steps)


def trained(folder: Path, rows: int, *, drift: float) -> Trained:
    samples, days = table(rows, drift=drift)
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["day", "income", "other", "bad"])
        cases = zip(days, samples.values, samples.target, strict=True)
        writer.writerows([str(day), *map(str, values), target] for day, values, target in cases)
    draft = draft_product(folder / "t.csv", slug="x", title="", target="bad", positive=None, roles=Roles(time="day"))
    return train(TrainingRequest(
        product=draft.product, table=folder / "t.csv", estimator="scorecard", folds=3, seed=1, threads=1, decided_on=date(2026, 1, 1),
    ), lambda line: None)    # fmt: skip


def test_training_keeps_what_it_found_over_time_and_warns(tmp_path: Path) -> None:
    made = trained(tmp_path, 1_500, drift=0.8)

    found = made.metrics["cv_time"]
    assert found["auc"] < made.metrics["cv"]["auc"] - 0.05
    assert [step["from"] <= step["to"] for step in found["steps"]] == [True] * STEPS
    assert any("fitted on the past" in warning for warning in made.warnings)


def test_training_says_when_it_cannot_judge_over_time(tmp_path: Path) -> None:
    made = trained(tmp_path, 60, drift=0.0)

    assert "cv_time" not in made.metrics
    assert any("to validate over time" in warning for warning in made.warnings)


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.skipif(not BERKA.exists(), reason=f"{BERKA} is not there; VOUCH_REAL_DATA names the folder of the real tables")
def test_berka_over_time(tmp_path: Path) -> None:
    with (BERKA / "loan.csv").open() as loans, gzip.open(BERKA / "trans_354_accounts_before_loan.csv.gz", "rt") as payments:
        known = {row["account_id"] for row in csv.DictReader(payments)}
        rows = [{**row, "bad": int(row.pop("status") in "BD")} for row in csv.DictReader(loans) if row["account_id"] in known]
    with (tmp_path / "loans.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    events = EventsFile("transactions", BERKA / "trans_354_accounts_before_loan.csv.gz", "account_id", "date")
    roles = Roles(id="loan_id", time="date")
    draft = draft_product(tmp_path / "loans.csv", slug="berka", title="", target="bad", positive=None, roles=roles, events=[events])
    request = TrainingRequest(
        product=draft.product, table=tmp_path / "loans.csv", estimator="scorecard", folds=5, seed=1, threads=2,
        decided_on=date(2026, 1, 1), events={"transactions": events.file},
    )    # fmt: skip

    made = train(request, lambda line: None)

    found = made.metrics["cv_time"]
    assert 0.7 < found["auc"] <= 1
    assert 1 <= len(found["steps"]) <= STEPS
    assert all(date.fromisoformat(step["to"]) - date.fromisoformat(step["from"]) >= timedelta() for step in found["steps"])
