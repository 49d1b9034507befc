"""Commands of a product's life, as a partner uses them: make, train, promote, score a file, roll back; and what each refuses."""

import gzip
import json
import re
import uuid
from collections.abc import Callable, Iterator
from functools import reduce
from io import StringIO
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from audit.actions import Action
from audit.context import SYSTEM
from audit.models import Event
from audit.vault import keyring
from partners.tenancy import tenant_context
from scoring import registry
from scoring.engine.bundle import read_bundle
from scoring.engine.synthetic import market_loans, write_table
from scoring.engine.tables import Row, TableReader
from scoring.errors import ProductFileRefused
from scoring.models import Applicant, Decision, ModelVersion, Product, Promotion
from scoring.selectors import card_digest
from scoring.services.definitions import definition_file, take_up_edits, write_definition
from tests.conftest import House

PRODUCT = "stall-loan"


def run(name: str, *arguments: str, **options: Any) -> dict[str, Any]:
    """The command's one JSON object."""
    out = StringIO()
    call_command(name, *arguments, json=True, stdout=out, stderr=StringIO(), **options)
    assert out.getvalue().count("\n") == 1
    return dict(json.loads(out.getvalue()))


def cells_of(path: Path) -> list[dict[str, str]]:
    with TableReader(path) as reader:
        return [row.cells for row in reader if isinstance(row, Row)]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("commands") / "loans.csv"
    write_table(path, market_loans(500, seed=21))
    return path


@pytest.fixture
def made(new_partner: Callable[..., House], table: Path) -> House:
    """A committed partner with a product from the table, no model yet."""
    house = new_partner()
    run("create_product", house.slug, PRODUCT, from_csv=str(table), target="defaulted", id="loan_id", protected="age,gender")
    return house


@pytest.mark.slow
def test_a_product_lives_from_a_table_to_decisions_and_back(made: House, table: Path, tmp_path: Path) -> None:
    first = run("train_model", made.slug, PRODUCT, csv=str(table), folds=2)
    second = run("train_model", made.slug, PRODUCT, csv=str(table), folds=2, estimator="scorecard")

    assert (first["version"], first["estimator"], second["version"], second["estimator"]) == (1, "boosted", 2, "scorecard")
    assert set(first["cv"]) >= {"auc", "ks", "brier"}
    assert first["cv"]["auc"] > 0.6
    with tenant_context(made.partner):
        version = ModelVersion.objects.get(version=1)
        bundle = read_bundle(bytes(version.bundle), keyring().public_keys())
        assert not {"age", "gender"} & {feature.name for feature in bundle.product.features}
        assert bundle.metrics["cv"]["auc"] == version.metrics["cv"]["auc"] == first["cv"]["auc"]
        assert "seconds" not in bundle.metrics

    for number in (1, 2):
        assert run("promote_model", made.slug, PRODUCT, str(number))["version"] == number
    scored = [tmp_path / name for name in ("a.csv", "b.csv.gz", "c.parquet", "d.csv")]
    for path in scored:
        assert run("score_file", made.slug, PRODUCT, "--in", str(table), "--out", str(path))["scored"] == 500
    by_format = [cells_of(path) for path in scored]

    assert gzip.decompress(scored[1].read_bytes()).startswith(scored[0].read_bytes().partition(b"\n")[0])
    ids = [cells.pop("decision_id") for rows in by_format for cells in rows]
    assert by_format[0] == by_format[1] == by_format[3]
    assert [cells["loan_id"] for cells in by_format[2]] == [cells["loan_id"] for cells in by_format[0]]
    assert [cells["score"] for cells in by_format[2]] == [cells["score"] for cells in by_format[0]]
    assert {(cells["answered_by"], cells["model_version"]) for rows in by_format for cells in rows} == {("model", "2")}
    with tenant_context(made.partner):
        made_here = Decision.objects.filter(model_version__version=2, channel="file").values_list("id", flat=True)
        assert sorted(map(str, made_here)) == sorted(ids)
        assert len(ids) == 2000

    for expected in (1, None):
        assert run("rollback_model", made.slug, PRODUCT)["version"] == expected
    with pytest.raises(CommandError, match="rules answer"):
        run("rollback_model", made.slug, PRODUCT)
    with tenant_context(made.partner):
        assert registry.current(PRODUCT).model_version_id is None
        assert [one.action for one in Promotion.objects.order_by("id")] == ["promote", "promote", "rollback", "rollback"]
        actions = set(Event.objects.values_list("action", flat=True))
        assert actions >= {Action.PRODUCT_CREATED, Action.MODEL_STORED, Action.MODEL_PROMOTED, Action.MODEL_ROLLED_BACK}


def test_a_draft_is_offered_promoted_or_retired_by_commands(made: House, table: Path) -> None:
    for number in (1, 2):
        drafted = run("train_model", made.slug, PRODUCT, csv=str(table), folds=2, estimator="scorecard", draft=True)
        assert (drafted["version"], drafted["state"], drafted["cv_time"]) == (number, "draft", None)
        assert drafted["report"] == {
            "duplicates": {name: {"rows": 0, "examples": []} for name in ("copies", "contradictions", "references")}, "leakage": {},
        }  # fmt: skip
    with pytest.raises(CommandError, match="is draft and can become candidate, retired, not champion"):
        run("promote_model", made.slug, PRODUCT, "1")

    assert run("offer_model", made.slug, PRODUCT, "1")["state"] == "candidate"
    assert run("promote_model", made.slug, PRODUCT, "1")["version"] == 1
    assert run("retire_model", made.slug, PRODUCT, "2", reason="Worse.")["state"] == "retired"
    said = lines_of("train_model", made.slug, PRODUCT, "--csv", str(table), "--folds", "2", "--estimator", "scorecard")
    assert "another one confirms" in said[-2]
    assert said[-1] == f"Before there are two people: manage.py promote_model {made.slug} {PRODUCT} 3 --reason WHY"
    with pytest.raises(CommandError, match="in force: roll it back"):
        run("retire_model", made.slug, PRODUCT, "1", reason="Worse.")
    with tenant_context(made.partner):
        assert set(Event.objects.values_list("action", flat=True)) >= {Action.MODEL_OFFERED, Action.MODEL_RETIRED}
        card = card_digest(PRODUCT, 3)

    told = lines_of("promote_model", made.slug, PRODUCT, "3", "--reason", "The first was a trial.", "--card", card)

    assert told[1].startswith("One person did this, and the record says so: command line (")
    assert len(told) == 2
    with tenant_context(made.partner):
        detail = Event.objects.filter(action=Action.MODEL_PROMOTED).latest("id").detail
        assert (detail["reason"], detail["card_sha256"]) == ("The first was a trial.", card)


def test_a_promotion_by_one_person_says_what_the_record_lacks(made: House, table: Path) -> None:
    run("train_model", made.slug, PRODUCT, csv=str(table), folds=2, estimator="scorecard")
    with tenant_context(made.partner):
        card = card_digest(PRODUCT, 1)

    told = lines_of("promote_model", made.slug, PRODUCT, "1")

    assert told[2:] == [
        "Warning: the record holds no reason; say it with --reason.",
        f"Warning: the record names no card; --card {card} says that it was read.",
    ]


def test_a_model_without_signal_stays_a_draft_and_says_why(made: House, tmp_path: Path) -> None:
    noise = tmp_path / "noise.csv"
    write_table(noise, [{**row, "defaulted": number % 2} for number, row in enumerate(market_loans(300, seed=21))])

    said = lines_of("train_model", made.slug, PRODUCT, "--csv", str(noise), "--folds", "2", "--estimator", "scorecard")

    assert any(line.startswith("Warning: its ranking cannot be told from chance (AUC 0.") for line in said)
    assert said[-1] == f"Next: manage.py offer_model {made.slug} {PRODUCT} 1 --reason WHY"
    assert any(re.match(r"\d+ features with \d+ ranges and categories, whose points are on the model card; ", line) for line in said)
    with tenant_context(made.partner):
        assert ModelVersion.objects.get().state == "draft"
    with pytest.raises(CommandError, match="is draft"):
        run("promote_model", made.slug, PRODUCT, "1")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("create_partner", {"--name", "--country", "--currency"}), ("create_user", {"--role"}), ("create_api_key", {"--name"}),
        ("create_product", {"--from-csv", "--ready"}), ("train_model", {"--csv"}), ("score_file", {"--in", "--out"}),
        ("retire_model", {"--reason"}), ("promote_model", set()),
    ],
)  # fmt: skip
def test_help_tells_required_options_apart(name: str, wanted: set[str]) -> None:
    told = load_command_class(get_commands()[name], name).create_parser("manage.py", name).format_help()

    required = told.partition("\nrequired:\n")[2].partition("\n\n")[0]

    assert set(re.findall(r"^  (--[a-z-]+)", required, re.MULTILINE)) == wanted


def test_bad_rows_are_listed_with_row_column_and_fix_and_the_others_are_scored_by_rules(made: House, table: Path, tmp_path: Path) -> None:
    header, *rows = table.read_text().splitlines()[:7]
    names = header.split(",")

    def with_cell(row: str, name: str, cell: str) -> str:
        cells = row.split(",")
        cells[names.index(name)] = cell
        return ",".join(cells)

    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("\n".join([
        header, rows[0], rows[1] + ",extra", with_cell(rows[2], "stall", "=1+1"), with_cell(rows[3], "term_months", "six"),
        with_cell(rows[4], "loan_id", ""), with_cell(rows[5], "loan_id", "@SUM"),
    ]))

    done = run("score_file", made.slug, PRODUCT, "--in", str(source), "--out", str(out))

    assert (done["scored"], done["bad_rows"], done["answered_by_rules"]) == (2, 4, 2)
    assert [(cells["answered_by"], cells["model_version"]) for cells in cells_of(out)] == [("rules", "")] * 2
    assert [(one["row"], one["column"]) for one in done["problems"]] == [(3, ""), (4, "stall"), (5, "term_months"), (6, "loan_id")]
    assert all(one["fix"] for one in done["problems"])
    assert (tmp_path / "out.errors.csv").read_text().count("\n") == 5
    assert out.read_text().splitlines()[2].startswith("'@SUM,")


def test_a_column_called_reference_names_the_applicants_of_a_product_without_one(
    new_partner: Callable[..., House], table: Path, tmp_path: Path,
) -> None:
    house = new_partner()
    run("create_product", house.slug, PRODUCT, from_csv=str(table), target="defaulted", exclude="loan_id", protected="age,gender")
    header, *rows = table.read_text().splitlines()[:5]
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    named = [f"{row},{name}" for row, name in zip(rows, ("A-1", "A-2", "", "A-1"), strict=True)]
    source.write_text("\n".join([f"{header},reference", *named]))

    done = run("score_file", house.slug, PRODUCT, "--in", str(source), "--out", str(out))

    assert [cells["reference"] for cells in cells_of(out)] == ["A-1", "A-2", "A-1"]
    assert [(one["row"], one["column"]) for one in done["problems"]] == [(4, "reference")]
    assert done["repeated_references"] == {"count": 1, "rows": [5]}


def test_rows_without_references_are_called_after_their_file_and_not_after_another_one_of_its_name(
    new_partner: Callable[..., House], table: Path, tmp_path: Path,
) -> None:
    house = new_partner()
    run("create_product", house.slug, PRODUCT, from_csv=str(table), target="defaulted", exclude="loan_id", protected="age,gender")
    header, *rows = table.read_text().splitlines()[:5]
    source, out = tmp_path / "applicants.csv", tmp_path / "out.csv"

    def scored(*lines: str) -> list[dict[str, str]]:
        source.write_text("\n".join([header, *lines]))
        run("score_file", house.slug, PRODUCT, "--in", str(source), "--out", str(out))
        return cells_of(out)

    this_week, next_week, again = scored(*rows[:2]), scored(*rows[2:]), scored(*rows[:2])

    assert [cells["row"] for cells in this_week] == ["2", "3"]
    named = [cells["reference"] for cells in this_week]
    assert all(re.fullmatch(r"applicants [0-9a-f]{12} row [23]", name) for name in named)
    assert [cells["reference"] for cells in again] == named
    assert not set(named) & {cells["reference"] for cells in next_week}
    with tenant_context(house.partner):
        assert (Applicant.objects.count(), Decision.objects.count()) == (4, 6)


def test_an_edited_definition_is_taken_up_recorded_and_an_old_file_is_not(made: House, table: Path) -> None:
    with tenant_context(made.partner):
        path = definition_file(PRODUCT)
    before = path.read_text()
    edited = json.loads(before)
    edited["inputs"][0] |= {"label": "Amount asked for", "unit": "KES"}
    edited["features"] = [feature for feature in edited["features"] if feature["name"] != "area"]
    path.write_text(json.dumps(edited))

    trained = run("train_model", made.slug, PRODUCT, csv=str(table), folds=2, estimator="scorecard")

    assert trained["edited"] == ["features", "inputs"]
    with tenant_context(made.partner):
        product = Product.objects.get(slug=PRODUCT)
        assert (product.definition["inputs"][0]["unit"], product.revision) == ("KES", 2)
        assert Event.objects.get(action=Action.PRODUCT_CHANGED).detail["changed"] == ["features", "inputs"]
    path.write_text(before)
    with pytest.raises(CommandError, match="written before"):
        run("train_model", made.slug, PRODUCT, csv=str(table), folds=2)


def _edits() -> Iterator[tuple[str, Callable[[dict[str, Any]], Any], str]]:
    def at(part: str, **changed: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda shown: shown[part][0].update(changed)

    def set_to(part: str, value: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda shown: shown.update({part: value})

    def without(*parts: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda shown: reduce(getitem, parts[:-1], shown).pop(parts[-1])

    def plus_feature(name: str) -> Callable[[dict[str, Any]], Any]:
        return lambda shown: shown["features"].append({"name": name})

    rule = {"code": "r", "if": {"input": "loan_amount", "operator": "gt", "value": 3}, "log_odds": 1}
    yield "unknown key of an input", at("inputs", colour="red"), "input 'loan_amount': there is no key 'colour'; the keys are name, "
    yield "no such kind", at("inputs", kind="red"), "'kind' must be one of number, integer, category, boolean, date, events, not \"red\""
    yield "minimum is a text", at("inputs", minimum="ten"), "'loan_amount': 'minimum' must be a number or null, not \"ten\""
    yield "required is a text", at("inputs", required="no"), "'required' must be true or false"
    yield "a kind is missing", without("inputs", 0, "kind"), "input 'loan_amount': the key 'kind' is missing; write one of number"
    yield "an input is no object", set_to("inputs", ["amount"]), r"input 1: write an object, \{...\}, not \"amount\""
    yield "unknown key of a feature", at("features", colour="red"), "feature 'loan_amount': there is no key 'colour'; the keys are name"
    yield "a feature of a protected input", plus_feature("age"), "'age' is protected.* take the feature out of features"
    yield "a feature of nothing", plus_feature("wage"), "there is no input 'wage'; correct the name, or take"
    yield "unknown part", set_to("colour", "red"), "there is no key 'colour'; the keys are slug, title"
    yield "slug is a number", set_to("slug", 7), "the definition: 'slug' must be a text, not 7"
    yield "no features", lambda shown: shown.pop("features"), "the definition: the key 'features' is missing; write a list"
    yield "unknown key of the scale", set_to("scale", {"anchor": 600}), "scale: there is no key 'anchor'; the keys are anchor_score"
    yield "rules are a list", set_to("rules", []), "'rules' must be an object"
    yield "a rule without its condition", set_to("rules", {"rules": [{"code": "r", "log_odds": 1}]}), "rule 1: the key 'if' is missing"
    yield "a rule about nothing", set_to("rules", {"rules": [{**rule, "if": {"operator": "gt"}}]}), "rule 'r': the key 'input' is missing"
    yield "texts are flat", set_to("texts", {"income.low": "Low."}), "'texts' must be an object of objects of texts"


@pytest.mark.parametrize(("edit", "said"), [pytest.param(edit, said, id=name) for name, edit, said in _edits()])
def test_a_fault_in_an_edited_definition_says_where_what_and_how_to_repair_it(
    in_north: House, tmp_path: Path, settings: Any, edit: Callable[[dict[str, Any]], Any], said: str
) -> None:
    settings.VOUCH_HOME = tmp_path
    product = Product.objects.get(slug=in_north.product)
    before = product.revision
    shown = json.loads(write_definition(product).read_text())
    next(one for one in shown["inputs"] if one["name"] == "age")["is_protected"] = True
    shown["features"] = [one for one in shown["features"] if one["name"] != "age"]
    edit(shown)
    definition_file(product.slug).write_text(json.dumps(shown))

    with pytest.raises(ProductFileRefused, match=said):
        take_up_edits(product=product, actor=SYSTEM)

    product.refresh_from_db()
    assert product.revision == before


@pytest.mark.parametrize(("content", "said"), [
    (b"{\n  slug: 7\n}", "is not JSON at line 2, column 3: look there"),
    (b"[]", "write one JSON object"),
    ('{"slug": "\u00e9"}'.encode("latin-1"), "is not UTF-8; save it as UTF-8"),
    (b"[" * 100_000, "nested too deeply"),
])
def test_a_file_that_is_no_definition_is_refused_in_our_words(
    in_north: House, tmp_path: Path, settings: Any, content: bytes, said: str
) -> None:
    settings.VOUCH_HOME = tmp_path
    product = Product.objects.get(slug=in_north.product)
    write_definition(product).write_bytes(content)

    with pytest.raises(ProductFileRefused, match=said):
        take_up_edits(product=product, actor=SYSTEM)


@pytest.mark.parametrize(("lines", "said"), [
    (["loan_amount,defaulted", "1,0", "2,1"], "misses the column"),
    ([], "empty"),
    (None, "never says '1'"),
])
def test_a_table_that_cannot_train_makes_no_version(made: House, table: Path, tmp_path: Path, lines: list[str] | None, said: str) -> None:
    header, *rows = table.read_text().splitlines()
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines if lines is not None else [header, *(row for row in rows if row.endswith(",0"))]))

    with pytest.raises(CommandError, match=said):
        run("train_model", made.slug, PRODUCT, csv=str(path), folds=2)

    with tenant_context(made.partner):
        assert not ModelVersion.objects.exists()


def test_refusals_are_one_clear_line(made: House, table: Path, tmp_path: Path) -> None:
    with tenant_context(made.partner):
        path = definition_file(PRODUCT)
    path.unlink()
    with pytest.raises(CommandError, match=rf"already a product.* edit {path}, then manage.py train_model .* choose another slug"):
        run("create_product", made.slug, PRODUCT, from_csv=str(table), target="defaulted")
    assert path.exists()
    with pytest.raises(CommandError, match="'paid'"):
        run("create_product", made.slug, "other", from_csv=str(table), target="paid")
    with pytest.raises(CommandError, match="no model version 9. There is none yet: make one with `manage.py train_model`"):
        run("promote_model", made.slug, PRODUCT, "9")
    with pytest.raises(CommandError, match="cannot be a product's slug"):
        run("create_product", made.slug, "Stall_Loan", from_csv=str(table), target="defaulted")
    out = str(tmp_path / "o.csv")
    asked = {"score_file": ["--in", str(table), "--out", out], "train_model": ["--csv", str(table)], "promote_model": ["1"]}
    for name, arguments in asked.items():
        with pytest.raises(CommandError, match=f"There is no product 'nothing'. There are: {PRODUCT}."):
            run(name, made.slug, "nothing", *arguments)
    with pytest.raises(CommandError, match="cannot be opened"):
        run("score_file", made.slug, PRODUCT, "--in", str(tmp_path / "none.csv"), "--out", str(tmp_path / "o.csv"))
    before = table.read_bytes()
    with pytest.raises(CommandError, match="written over the applicants"):
        run("score_file", made.slug, PRODUCT, "--in", str(table), "--out", str(table))
    assert table.read_bytes() == before


def lines_of(name: str, *arguments: str) -> list[str]:
    """What the command tells people."""
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def test_equal_faults_are_told_once_and_repeated_references_and_rules_too(made: House, table: Path, tmp_path: Path) -> None:
    header, *rows = table.read_text().splitlines()[:41]
    term = header.split(",").index("term_months")
    cells = [row.split(",") for row in rows]
    for row in cells[10:20]:
        row[term] = "six"
    for row in cells[30:33]:
        row[header.split(",").index("loan_id")] = cells[0][header.split(",").index("loan_id")]
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("\n".join([header, *(",".join(row) for row in cells)]))

    done = run("score_file", made.slug, PRODUCT, "--in", str(source), "--out", str(out))
    said = lines_of("score_file", made.slug, PRODUCT, "--in", str(source), "--out", str(out))

    (problem,) = done["problems"]
    assert (problem["column"], problem["count"], problem["rows"], problem["row"]) == ("term_months", 10, [12, 13, 14, 15, 16], 12)
    assert done["repeated_references"] == {"count": 3, "rows": [32, 33, 34]}
    assert (tmp_path / "out.errors.csv").read_text().count("\n") == 11
    assert len(said) == 5
    assert "10 rows, the first 12, 13, 14, 15, 16, column term_months: has the wrong type" in said[2]
    assert "earlier row again in rows 32, 33, 34" in said[3]
    assert said[4].startswith("Warning: no model but the product's rules answered 30 of these rows")


def test_a_table_without_optional_and_protected_columns_trains_with_a_warning(made: House, table: Path, tmp_path: Path) -> None:
    left = {"longest_delay_days", "gender"}
    with TableReader(table) as reader, (tmp_path / "less.csv").open("w") as less:
        names = [name for name in reader.columns if name not in left]
        less.write("\n".join([",".join(names), *(",".join(row.cells[name] for name in names) for row in reader if isinstance(row, Row))]))

    warnings = run("train_model", made.slug, PRODUCT, csv=str(tmp_path / "less.csv"), folds=2, estimator="scorecard")["warnings"]

    assert [one.partition(";")[0] for one in warnings if one.startswith("not in the table")] == [
        "not in the table: 'longest_delay_days'", "not in the table: 'gender', protected",
    ]
    complete = run("train_model", made.slug, PRODUCT, csv=str(table), folds=2, estimator="scorecard")["warnings"]
    assert not any("not in the table" in one for one in complete)


def test_a_product_whose_input_became_protected_by_hand_is_scored_in_the_browser(made: House, table: Path) -> None:
    with tenant_context(made.partner):
        path = definition_file(PRODUCT)
    edited = json.loads(path.read_text())
    next(one for one in edited["inputs"] if one["name"] == "months_trading")["is_protected"] = True
    edited["features"] = [feature for feature in edited["features"] if feature["name"] != "months_trading"]
    path.write_text(json.dumps(edited))
    run("train_model", made.slug, PRODUCT, csv=str(table), folds=2, estimator="scorecard")
    run("offer_model", made.slug, PRODUCT, "1", reason="A test.")    # without that feature it ranks like chance, so it stayed a draft
    run("promote_model", made.slug, PRODUCT, "1")
    with TableReader(table) as reader, tenant_context(made.partner):
        cells = next(row.cells for row in reader if isinstance(row, Row))
        contract = registry.current(PRODUCT).definition.contract
    asked = {f"input_{place}": cells[one.name].lower() for place, one in enumerate(contract.inputs) if not one.is_protected}
    typed = {"product": PRODUCT, "token": str(uuid.uuid4()), "reference": "F-1", **asked}

    answer = made.client("officer").post("/decisions/new", typed)
    described = made.api().get(f"/api/v1/products/{PRODUCT}").json()

    assert answer.status_code == 302, answer.content.decode()
    assert "months_trading" not in described["contract"]["required"]
    assert "null" in described["contract"]["properties"]["months_trading"]["type"]
    assert "months_trading" not in described["example"]["inputs"]
