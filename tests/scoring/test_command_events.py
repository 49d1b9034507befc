"""A product over files of events, from the files to a decision through the API, with nothing of the future in it."""

import csv
import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from partners.tenancy import tenant_context
from scoring import registry, selectors
from scoring.models import Job, ModelVersion
from tests.conftest import House
from tests.scoring.test_api_scores import SCORES, post
from tests.scoring.test_command_products import run

PRODUCT = "group-loan"


def write(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Loans, and payments of their members: who paid lately pays again. What comes after a loan gives it away."""
    folder, draw = tmp_path_factory.mktemp("events"), random.Random(5)
    loans, payments = [], []
    for number in range(400):
        day = date(2025, 1, 1) + timedelta(days=draw.randrange(200))
        paid = draw.randrange(1, 12)
        bad = int(draw.random() < (0.6 if paid < 4 else 0.1))
        loans.append([f"L-{number}", f"M-{number}", day.isoformat(), draw.randrange(100, 900), bad])
        for _ in range(paid):
            before = day - timedelta(days=draw.randrange(1, 80))
            payments.append([f"M-{number}", f"{before} 10:15:00", round(draw.uniform(5, 50), 2), draw.choice(["cash", "mobile"])])
        after = day + timedelta(days=draw.randrange(0, 60))
        payments.append([f"M-{number}", after.isoformat(), 9_000 if bad else 1, "cash"])
    draw.shuffle(payments)
    return (
        write(folder / "loans.csv", ["loan", "member", "day", "amount", "bad"], loans),
        write(folder / "payments.csv", ["member", "paid_on", "sum", "how"], payments),
    )


@pytest.fixture
def made(new_partner: Callable[..., House], files: tuple[Path, Path]) -> House:
    house = new_partner()
    events = ("--events", f"payments={files[1]}:member:paid_on")
    created = run("create_product", house.slug, PRODUCT, *events, from_csv=str(files[0]), target="bad", id="loan", time="day")
    assert [one["name"] for one in created["inputs"]] == ["amount", "payments"]
    return house


@pytest.mark.slow
def test_events_lead_to_a_decision_and_the_future_to_none(made: House, files: tuple[Path, Path]) -> None:
    trained = run("train_model", made.slug, PRODUCT, "--events", f"payments={files[1]}", csv=str(files[0]), folds=3)
    assert trained["edited"] == []
    assert not any("payments" in warning for warning in trained["warnings"])
    assert trained["cv_time"]["steps"]
    assert 0.65 < trained["cv"]["auc"] < 0.9    # what came after the loan would rank every pair right
    run("promote_model", made.slug, PRODUCT, "1")
    today = datetime.now(UTC).date()
    told = [{"paid_on": (today - timedelta(days=ago)).isoformat(), "sum": 20.5, "how": "cash"} for ago in (3, 9, 30)]
    body = {"product": PRODUCT, "applicant": {"reference": "M-1"}, "inputs": {"amount": 300, "payments": told}}

    first = post(made.api(), SCORES, body)
    later = [{"paid_on": (today + timedelta(days=ahead)).isoformat(), "sum": 9_000, "how": "cash"} for ahead in (0, 20)]
    second = post(made.api(), SCORES, {**body, "inputs": {"amount": 300, "payments": [*told, *later]}})
    nothing = post(made.api(), SCORES, {**body, "inputs": {"amount": 300, "payments": []}})

    assert first.status_code == 201, first.content
    assert first.json()["probability"] == second.json()["probability"]
    assert first.json()["probability"] != nothing.json()["probability"]
    with tenant_context(made.partner):
        kept = selectors.decision_detail(first.json()["id"]).inputs
        assert kept is not None
        assert kept["payments"] == told
        assert any(feature.kind == "window" for feature in registry.current(PRODUCT).definition.features)
    assert run("replay", made.slug)["identical"] == 3
    for role in ("officer", "viewer"):
        for path in (f"/decisions/{first.json()['id']}", f"/products/{PRODUCT}", f"/decisions/new?product={PRODUCT}"):
            assert made.client(role).get(path).status_code == (403 if role == "viewer" and "new" in path else 200)
    described = made.api().get(f"/api/v1/products/{PRODUCT}").json()
    assert post(made.api(), SCORES, described["example"]).status_code == 201


def test_a_wrong_event_is_told_with_its_place(made: House) -> None:
    payments = [{"paid_on": "2026-01-01", "sum": "a lot"}, {"sum": 3}]
    body = {"product": PRODUCT, "applicant": {"reference": "M-1"}, "inputs": {"amount": 300, "payments": payments}}

    answer = post(made.api(), SCORES, body)

    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == {"/inputs/payments/0/sum", "/inputs/payments/1/paid_on"}


@pytest.mark.parametrize(
    ("events", "time", "said"),
    [
        ("payments=nowhere.csv:member:paid_on", "day", "nowhere.csv"),
        ("payments={payments}:nobody:paid_on", "day", "nobody"),
        ("payments={payments}:member:how", "day", "YYYY-MM-DD"),
        ("payments={payments}:member:paid_on", None, "--time"),
        ("payments", "day", "NAME=FILE:KEY:TIME"),
    ],
)
def test_files_of_events_that_cannot_be_used_are_refused(
    new_partner: Callable[..., House], files: tuple[Path, Path], events: str, time: str | None, said: str
) -> None:
    house, given = new_partner(), ("--events", events.format(payments=files[1]))

    with pytest.raises(CommandError, match=said):
        run("create_product", house.slug, PRODUCT, *given, from_csv=str(files[0]), target="bad", id="loan", time=time)


@pytest.mark.slow
def test_a_table_with_its_events_is_scored_as_the_api_scores_each_applicant(made: House, files: tuple[Path, Path], tmp_path: Path) -> None:
    run("train_model", made.slug, PRODUCT, "--events", f"payments={files[1]}", csv=str(files[0]), folds=2, estimator="scorecard")
    run("promote_model", made.slug, PRODUCT, "1")
    today = datetime.now(UTC).date()
    days = {ago: (today - timedelta(days=ago)).isoformat() for ago in (-2, 2, 3, 9, 30)}
    told: dict[str, list[tuple[str, float, str]]] = {
        "M-1": [(days[ago], 20.5, "cash") for ago in (3, 9, 30)],
        "M-2": [(f"{days[2]} 08:00:00", 7, "mobile"), (days[-2], 9_000, "cash")],
    }
    lines = [[name, *event] for name in ("M-2", "M-1") for event in told[name]]
    events = write(tmp_path / "paid.csv", ["member", "paid_on", "sum", "how"], lines)
    source = write(tmp_path / "in.csv", ["loan", "member", "amount"], [[f"N-{name}", name, 300] for name in ("M-1", "M-2", "M-3")])

    done = run("score_file", made.slug, PRODUCT, "--in", str(source), "--out", str(tmp_path / "out.csv"), "--events", f"payments={events}")

    assert (done["scored"], done["bad_rows"]) == (3, 0)
    with (tmp_path / "out.csv").open() as file:
        scored = {row["loan"]: float(row["probability"]) for row in csv.DictReader(file)}
    bodies = {name: [{"paid_on": day[:10], "sum": paid, "how": how} for day, paid, how in rows] for name, rows in told.items()}
    for name in ("M-1", "M-2", "M-3"):
        inputs = {"amount": 300, **({"payments": bodies[name]} if name in bodies else {})}
        answer = post(made.api(), SCORES, {"product": PRODUCT, "applicant": {"reference": f"A-{name}"}, "inputs": inputs})
        assert answer.json()["probability"] == scored[f"N-{name}"], name
    assert len(set(scored.values())) > 1


def test_a_wrong_event_in_a_file_is_a_bad_row_of_its_applicant(made: House, files: tuple[Path, Path], tmp_path: Path) -> None:
    events = write(tmp_path / "paid.csv", ["member", "paid_on", "sum", "how"], [["M-1", "2026-01-01", "a lot", "cash"]])
    source = write(tmp_path / "in.csv", ["loan", "member", "amount"], [["N-1", "M-1", 300], ["N-2", "M-2", 300]])
    asked = ("--in", str(source), "--out", str(tmp_path / "out.csv"))

    done = run("score_file", made.slug, PRODUCT, *asked, "--events", f"payments={events}")

    assert (done["scored"], done["bad_rows"], [fault["row"] for fault in done["problems"]]) == (1, 1, [2])
    with pytest.raises(CommandError, match="no events called salaries"):
        run("score_file", made.slug, PRODUCT, *asked, "--events", f"payments={events}", "--events", f"salaries={events}")
    with pytest.raises(CommandError, match=r"misses the columns 'paid_on', 'sum', 'how'; it has loan, member, amount \(in in\.csv\)"):
        run("score_file", made.slug, PRODUCT, *asked, "--events", f"payments={source}")
    nameless = write(tmp_path / "nameless.csv", ["loan", "amount"], [["N-1", 300]])
    with pytest.raises(CommandError, match="misses the column 'member'"):
        run("score_file", made.slug, PRODUCT, "--in", str(nameless), "--out", str(tmp_path / "o.csv"), "--events", f"payments={events}")


def test_events_without_room_in_memory_are_refused_while_their_beginning_is_read(made: House, tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_MEMORY_MB = 20
    lines = [[f"M-{number}", "2026-01-01", number, "cash"] for number in range(300_000)]
    events = write(tmp_path / "paid.csv", ["member", "paid_on", "sum", "how"], lines)
    source = write(tmp_path / "in.csv", ["loan", "member", "amount"], [["N-1", "M-1", 300]])
    asked = ("--in", str(source), "--out", str(tmp_path / "out.csv"), "--events", f"payments={events}")

    with pytest.raises(CommandError, match=r"a table of about 3\d\d,\d{3} rows and 4 columns takes .* \(in paid\.csv\)\. Fix: score"):
        run("score_file", made.slug, PRODUCT, *asked)

    assert not (tmp_path / "out.csv").exists()
    with tenant_context(made.partner):
        assert not Job.objects.exists()
    settings.EVENTS_MEMORY_MB = 0
    assert run("score_file", made.slug, PRODUCT, *asked)["scored"] == 1


def test_a_table_alone_is_not_scored_by_a_product_that_reads_events(made: House, files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="reads payments"):
        run("score_file", made.slug, PRODUCT, "--in", str(files[0]), "--out", str(tmp_path / "out.csv"))

    assert not (tmp_path / "out.csv").exists()


def test_training_names_the_file_of_events_that_is_missing_or_unknown(made: House, files: tuple[Path, Path]) -> None:
    both = ("--events", f"payments={files[1]}", "--events", f"salaries={files[1]}")
    for events, said in (((), "--events payments="), (both, "salaries"), (("--events", "payments"), "NAME=FILE")):
        with pytest.raises(CommandError, match=said):
            run("train_model", made.slug, PRODUCT, *events, csv=str(files[0]), folds=2)
    with tenant_context(made.partner):
        assert not ModelVersion.objects.exists()


def test_the_definition_written_for_people_is_taken_up_unchanged(made: House) -> None:
    with tenant_context(made.partner):
        definition = registry.current(PRODUCT).definition.to_dict()

    assert json.loads(json.dumps(definition)) == definition
