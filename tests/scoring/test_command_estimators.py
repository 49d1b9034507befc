"""`train_model --estimator` and `--tune` through the command: stored, promoted and answering like any other version."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from audit.vault import keyring
from partners.tenancy import tenant_context
from scoring.engine.bundle import read_bundle
from scoring.engine.synthetic import market_loans, write_table
from scoring.models import ModelVersion
from scoring.services.definitions import definition_file
from tests.conftest import House


@pytest.mark.slow
def test_a_tuned_stack_is_trained_promoted_and_answers(new_partner: Callable[..., House], tmp_path: Path) -> None:
    house, loans, answers = new_partner(), tmp_path / "loans.csv", tmp_path / "answers.csv"
    write_table(loans, market_loans(300, seed=7))
    out, progress = StringIO(), StringIO()
    quiet = {"stdout": StringIO(), "stderr": StringIO()}
    call_command("create_product", house.slug, "loan", from_csv=str(loans), target="defaulted", id="loan_id", **quiet)

    call_command(
        "train_model", house.slug, "loan", csv=str(loans), estimator="stack", tune=1, folds=2, json=True, stdout=out, stderr=progress
    )

    trained = json.loads(out.getvalue())
    assert (trained["version"], trained["estimator"]) == (1, "stack")
    assert "tuning catboost: 1 of 1" in progress.getvalue()
    with tenant_context(house.partner):
        bundle = read_bundle(bytes(ModelVersion.objects.get(version=1).bundle), keyring().public_keys())
        journals = definition_file("loan").parent.parent / "tuning" / "loan"
    assert bundle.settings["tuned_trials"] == 1
    assert journals.is_dir()
    assert not list(journals.iterdir())
    call_command("promote_model", house.slug, "loan", "1", **quiet)
    call_command("score_file", house.slug, "loan", "--in", str(loans), "--out", str(answers), **quiet)
    assert len(answers.read_text().splitlines()) == 301


@pytest.mark.parametrize("wrong", [["--tune", "0"], ["--tune", "201"], ["--tune", "many"], ["--estimator", "forest"]])
def test_what_is_not_on_offer_is_refused_by_the_command(wrong: list[str]) -> None:
    with pytest.raises(CommandError, match="1 to 200 trials|invalid choice"):
        call_command("train_model", "nobody", "loan", "--csv", "loans.csv", *wrong)
