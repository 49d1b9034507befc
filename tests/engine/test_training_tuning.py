"""The search for settings: repeatable, never worse than none, taken up where it was killed; and libraries that are not there."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scoring.engine.products.credit import MARKET_LOAN
from scoring.engine.synthetic import market_loans, write_table
from scoring.engine.training.estimators import ESTIMATORS, OPTIONAL
from scoring.engine.training.matrix import TrainingError
from scoring.engine.training.train import TrainingRequest, train
from scoring.engine.training.trials import Candidates, Range
from scoring.engine.training.tuning import Tuning
from tests.conftest import ROOT
from tests.engine.test_training_fit import table

TRIALS = 5


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loans") / "loans.csv"
    write_table(path, market_loans(400, seed=5))
    return path


def tuned(folder: Path, estimator: str = "xgboost", seed: int = 4) -> Any:
    search = Tuning(TRIALS, folder, lambda line: None)
    return ESTIMATORS[estimator].load().fit(table(300), seed=seed, threads=1, search=search)


def asked(loans: Path, folder: Path, **changed: Any) -> dict[str, Any]:
    """What the training process reads on stdin."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "product": MARKET_LOAN.to_dict(), "table": str(loans), "estimator": "xgboost", "folds": 2, "seed": 3, "threads": 1,
        "decided_on": "2026-01-01", "tune": TRIALS, "journals": str(folder / "journals"), "folder": str(folder), **changed,
    }    # fmt: skip


def run(given: dict[str, Any], *, without: str = "", kill_after: str = "") -> tuple[str, int]:
    """Trains in a process of its own; it is killed when a line ends with `kill_after`. `without`: a module it does not find."""
    program = f"import sys, runpy; sys.modules.update({{name: None for name in {without.split()!r}}})\n"
    program += "runpy.run_module('scoring.engine.training', run_name='__main__')"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = []
    with process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(json.dumps(given))
        process.stdin.close()
        for line in process.stderr:
            said.append(line)
            if kill_after and kill_after in line:
                process.send_signal(signal.SIGKILL)
    return "".join(said), process.returncode


@pytest.mark.parametrize("estimator", ["boosted", "xgboost", "catboost"])
def test_a_search_repeats_and_stays_within_what_is_allowed(tmp_path: Path, estimator: str) -> None:
    kind = ESTIMATORS[estimator].load()
    plain = kind.fit(table(300), seed=4, threads=1, search=Candidates())

    first, second = (tuned(tmp_path / name, estimator) for name in ("a", "b"))

    assert first.settings == second.settings
    rows = table(50, seed=9).values
    assert first.margins(rows).tobytes() == second.margins(rows).tobytes()
    assert first.trial.loss <= plain.trial.loss
    tried = [json.loads(line)["settings"] for path in (tmp_path / "a").iterdir() for line in path.read_text().split("\n") if line]
    space: dict[str, Range] = sys.modules[kind.fit.__module__].SPACE
    assert len(tried) == TRIALS
    assert all(allowed.low <= settings[name] <= allowed.high for settings in tried for name, allowed in space.items())


def test_what_the_journal_holds_is_not_measured_again(tmp_path: Path) -> None:
    expected = tuned(tmp_path).settings
    (path,) = tmp_path.iterdir()
    best = min((json.loads(line) for line in path.read_text().split("\n") if line), key=lambda one: one["loss"])
    path.write_text(json.dumps({**best, "loss": best["loss"] - 1.0}) + '\n{"settings": {"max_depth": 3, "eta')

    found = tuned(tmp_path)

    assert found.trial.settings == replace(found.trial.settings, **best["settings"])    # the planted loss was believed,
    assert len([line for line in path.read_text().split("\n") if line]) > TRIALS - 1    # the torn line was not,
    assert tuned(tmp_path / "other").settings == expected                               # and elsewhere nothing is known of either


def test_other_rows_or_another_seed_begin_a_journal_of_their_own(tmp_path: Path) -> None:
    tuned(tmp_path, seed=4)
    tuned(tmp_path, seed=5)

    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
def test_a_search_that_is_killed_ends_as_if_it_was_not(loans: Path, tmp_path: Path) -> None:
    whole, killed = asked(loans, tmp_path / "whole"), asked(loans, tmp_path / "killed")
    assert run(whole)[1] == 0

    said, code = run(killed, kill_after=f"tuning xgboost: 3 of {TRIALS}")
    assert code == -signal.SIGKILL
    assert not (tmp_path / "killed" / "bundle").exists()
    said, code = run(killed)

    assert code == 0
    assert "trials were done before" in said.split("tuning xgboost: 1 of")[0]
    assert (tmp_path / "killed" / "bundle").read_bytes() == (tmp_path / "whole" / "bundle").read_bytes()
    assert list((tmp_path / "killed" / "journals").iterdir()) == []


def test_the_bundle_tells_what_was_found(loans: Path, tmp_path: Path) -> None:
    request = TrainingRequest.from_dict(asked(loans, tmp_path, estimator="stack", tune=1))

    body = train(request, lambda line: None).bundle

    manifest = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])
    assert manifest["settings"]["tuned_trials"] == 1
    assert manifest["settings"]["members"].keys() == {"boosted", "xgboost", "catboost"}
    assert {"lightgbm", "xgboost-cpu", "catboost", "optuna"} <= manifest["versions"].keys()


@pytest.mark.parametrize(("changed", "without", "name"), [
    ({"estimator": "xgboost", "tune": 0}, "xgboost", "XGBoost"), ({"estimator": "catboost", "tune": 0}, "catboost", "CatBoost"),
    ({"estimator": "stack", "tune": 0}, "catboost", "CatBoost"), ({"estimator": "boosted"}, "optuna", "Optuna"),
])
def test_a_library_that_is_not_there_is_named_with_how_to_add_it(
    loans: Path, tmp_path: Path, changed: dict[str, Any], without: str, name: str
) -> None:
    said, code = run(asked(loans, tmp_path, **changed), without=without)

    error = json.loads((tmp_path / "result.json").read_text())
    assert (code, error["code"], said) == (1, "learner_missing", "")
    assert error["error"] == f"{name} is not installed. Fix: make learners (or pip install 'vouch[learners]')"


def test_the_default_needs_no_optional_library(loans: Path, tmp_path: Path) -> None:
    _, code = run(asked(loans, tmp_path, estimator="scorecard", tune=0), without=" ".join(OPTIONAL))

    assert code == 0


@pytest.mark.parametrize(("changed", "said"), [
    ({"estimator": "scorecard"}, "no settings to search"),
    ({"estimator": "forest"}, "use one of boosted, xgboost, catboost, stack, scorecard"),
])
def test_what_cannot_be_trained_is_refused_before_the_table_is_read(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        train(TrainingRequest.from_dict(asked(tmp_path / "nothing.csv", tmp_path, **changed)), lambda line: None)
