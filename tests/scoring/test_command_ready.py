"""Ready-made products, as a person begins with one: made, trained on the invented table, promoted, scored; and what is refused."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from partners.tenancy import tenant_context
from scoring import registry
from scoring.models import Decision, Product
from tests.conftest import House


def run(name: str, *arguments: str, **options: Any) -> dict[str, Any]:
    """The command's one JSON object."""
    out = StringIO()
    call_command(name, *arguments, json=True, stdout=out, stderr=StringIO(), **options)
    return dict(json.loads(out.getvalue()))


def test_tontine_credit_goes_from_nothing_to_decisions(new_partner: Callable[..., House], tmp_path: Path) -> None:
    house, table = new_partner(), tmp_path / "members.csv"

    made = run("create_product", house.slug, "group-loan", ready="tontine", write_table=str(table), title="Prêt du groupe")
    by_rules = run("score_file", house.slug, "group-loan", "--in", str(table), "--out", str(tmp_path / "rules.csv"))
    trained = run("train_model", house.slug, "group-loan", csv=str(table), folds=2, estimator="scorecard")
    run("promote_model", house.slug, "group-loan", "1")
    by_model = run("score_file", house.slug, "group-loan", "--in", str(table), "--out", str(tmp_path / "model.csv"))

    assert (made["ready"], made["table"], len(made["inputs"])) == ("tontine", str(table), 6)
    assert trained["cv"]["auc"] > 0.65
    assert by_rules["scored"] == by_model["scored"] == 3_000
    with tenant_context(house.partner):
        product = Product.objects.get()
        assert (product.slug, product.title) == ("group-loan", "Prêt du groupe")
        assert registry.current("group-loan").definition.contract.inputs[0].unit == house.partner.currency
        counted = {answered: Decision.objects.filter(answered_by=answered).count() for answered in ("rules", "model")}
        assert set(Decision.objects.filter(answered_by="model").values_list("outcome", flat=True)) == {"approve", "refer", "decline"}
    assert counted == {"rules": 3_000, "model": 3_000}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"ready": "fraud"}, "There is no ready-made product 'fraud'; choose one of credit, tontine."),
        ({"ready": "tontine", "target": "defaulted"}, "--target: only with --from-csv"),
        ({"ready": "tontine", "write_table": "{tmp}"}, "{tmp} is there already; name a file that is not."),
        ({"ready": "tontine", "write_table": "{tmp}/none/t.csv"}, "{tmp}/none/t.csv cannot be written: No such file or directory"),
        ({"from_csv": "t.csv"}, "Say with --target which column"),
        ({"from_csv": "t.csv", "target": "y", "write_table": "u.csv"}, "--write-table goes with --ready"),
    ],
)  # fmt: skip
def test_what_cannot_be_begun_with_is_refused_in_one_sentence_and_leaves_nothing(
    north: House, options: dict[str, str], told: str, tmp_path: Path
) -> None:
    given = {name: value.replace("{tmp}", str(tmp_path)) for name, value in options.items()}

    with pytest.raises(CommandError) as refusal:
        run("create_product", north.slug, "group-loan", **given)

    assert str(refusal.value).startswith(told.replace("{tmp}", str(tmp_path)))
    assert list(tmp_path.iterdir()) == []
    with tenant_context(north.partner):
        assert not Product.objects.filter(slug="group-loan").exists()


def test_a_table_or_a_ready_made_product_is_needed_and_not_both(north: House) -> None:
    for arguments in ((), ("--from-csv", "t.csv", "--ready", "tontine")):
        with pytest.raises(CommandError, match="--ready"):
            call_command("create_product", north.slug, "group-loan", *arguments)


def test_the_table_can_be_had_when_the_product_is_there(new_partner: Callable[..., House], tmp_path: Path) -> None:
    house, table = new_partner(), tmp_path / "t.csv"
    run("create_product", house.slug, "credit", ready="credit")

    with pytest.raises(CommandError, match=f"There is already a product 'credit'. Choose another slug. The table {table} is written."):
        run("create_product", house.slug, "credit", ready="credit", write_table=str(table))

    assert len(table.read_text().splitlines()) == 3_001
