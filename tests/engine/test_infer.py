"""Inference: the contract a table suggests, what is left out and why, and what a person is told to look at."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from scoring.engine.contract import InputKind, compile_contract
from scoring.engine.features import FeaturePlan
from scoring.engine.product import Product
from scoring.engine.training.draft import Draft, draft_product
from scoring.engine.training.infer import Roles, generous_range, label_of
from scoring.engine.training.matrix import TrainingError

ROWS = 400


def columns() -> dict[str, list[object]]:
    draw = np.random.default_rng(11)
    bad = draw.integers(0, 2, ROWS)
    town = draw.choice([f"town {n}" for n in range(180)], ROWS)
    return {
        "Client-ID": [f"C{n:05d}" for n in range(ROWS)],
        "Surname": draw.choice([f"Name{n}" for n in range(90)], ROWS).tolist(),
        "gross income": (draw.lognormal(8, 0.7, ROWS) + 500 * bad).round(2).tolist(),
        "times-late": draw.choice([0, 1, 2, 3, 96, 98], ROWS, p=[0.5, 0.2, 0.15, 0.1, 0.03, 0.02]).tolist(),
        "education": draw.integers(1, 6, ROWS).tolist(),
        "has_phone": draw.integers(0, 2, ROWS).tolist(),
        "home": draw.choice(["own", "rent", ""], ROWS).tolist(),
        "town": [name if place % 3 else "capital" for place, name in enumerate(town)],
        "branch": ["0" + str(1 + n % 4) for n in range(ROWS)],
        "opened": [f"2023-0{1 + n % 9}-15" for n in range(ROWS)],
        "currency": ["KES"] * ROWS,
        "Age": draw.integers(18, 70, ROWS).tolist(),
        "collected": ["1" if flag else "2" for flag in bad],
        "half known": [n if n % 3 == 0 else "" for n in draw.integers(1, 40, ROWS).tolist()],
        "Outcome of loan": ["Bad" if flag else "Good" for flag in bad],
    }


Table = dict[str, list[object]]


def drafted(folder: Path, table: Table | None = None, target: str = "Outcome of loan", roles: Roles | None = None) -> Draft:
    table = table or columns()
    lines = [",".join(table), *(",".join(map(str, row)) for row in zip(*table.values(), strict=True))]
    (folder / "t.csv").write_text("\n".join(lines))
    return draft_product(folder / "t.csv", slug="loan", title="", target=target, positive=None, roles=roles or Roles())


def said(draft: Draft, kind: str) -> dict[str, str]:
    return {finding.column: finding.text for finding in draft.findings if finding.kind == kind}


def test_each_column_becomes_the_input_it_looks_like(tmp_path: Path) -> None:
    draft = drafted(tmp_path, roles=Roles(id="Client-ID", time="opened", protected=("Age",)))
    inputs = {one.name: one for one in draft.product.contract.inputs}

    assert {name: one.kind for name, one in inputs.items()} == {
        "gross income": InputKind.NUMBER, "times-late": InputKind.INTEGER, "education": InputKind.CATEGORY, "has_phone": InputKind.BOOLEAN,
        "home": InputKind.CATEGORY, "town": InputKind.CATEGORY, "branch": InputKind.CATEGORY, "Age": InputKind.INTEGER,
        "half known": InputKind.INTEGER,
    }
    assert (inputs["gross income"].label, inputs["times-late"].label) == ("Gross income", "Times late")
    assert (inputs["times-late"].missing_codes, inputs["times-late"].required) == (("96", "98"), False)
    assert (inputs["has_phone"].minimum, inputs["has_phone"].maximum) == (None, None)
    assert (inputs["home"].categories, inputs["home"].required) == (("own", "rent"), False)
    assert inputs["branch"].categories == ("01", "02", "03", "04")
    assert (inputs["town"].accepts_other, len(inputs["town"].categories), "capital" in inputs["town"].categories) == (True, 50, True)
    assert (inputs["Age"].is_protected, inputs["Age"].required) == (True, False)


def test_protected_columns_stay_in_the_contract_and_out_of_the_model(tmp_path: Path) -> None:
    draft = drafted(tmp_path, roles=Roles(protected=("Age", "home")))

    assert {"Age", "home"} <= {one.name for one in draft.product.contract.inputs}
    assert not {"Age", "home"} & {feature.name for feature in draft.product.features}


def test_what_is_left_out_is_said_with_its_reason(tmp_path: Path) -> None:
    left_out = said(drafted(tmp_path), "left_out")

    assert set(left_out) == {"Client-ID", "Surname", "opened", "currency", "collected"}
    assert "personal" in left_out["Surname"]
    assert "identifier" in left_out["Client-ID"]
    assert "name the column of that day with --time" in left_out["opened"]
    assert "always says 'KES'" in left_out["currency"]
    assert "gives the target away" in left_out["collected"]


def with_dates() -> Table:
    """Cases of 2024 with days before, on, and after the case, and of two births."""
    table, days = columns(), [date(2024, 1, 1) + timedelta(days=n % 300) for n in range(ROWS)]
    before = [day - timedelta(days=200 + 7 * (n % 500)) for n, day in enumerate(days)]
    table |= {"decided": [*days], "account_opened": [*before], "same_day": [*days]}
    table |= {"date_of_birth": [day.replace(year=1980) for day in before]}
    table |= {"repaid_on": [day + timedelta(days=400 * (n % 2) - 100) for n, day in enumerate(days)]}
    table |= {"seen_at": [f"{day} 10:00:00" for day in before]}
    return table


def test_days_become_ages_at_the_day_of_the_case(tmp_path: Path) -> None:
    draft = drafted(tmp_path, with_dates(), roles=Roles(time="decided", protected=("date_of_birth",)))
    inputs = {one.name: one for one in draft.product.contract.inputs}
    features = {one.name: one for one in draft.product.features}
    left_out = said(draft, "left_out")

    assert (inputs["account_opened"].kind, inputs["account_opened"].required) == (InputKind.DATE, True)
    opened = features["account_opened"]
    assert (opened.kind, opened.inputs, opened.label, opened.unit) == (
        "age", ("account_opened",), "Years since account opened", "years",
    )  # fmt: skip
    plan = FeaturePlan(draft.product.contract, (opened,))
    assert plan.matrix([{"account_opened": "2022-03-01"}], date(2024, 3, 1))[0, 0] == pytest.approx(2, abs=0.01)
    assert (inputs["date_of_birth"].kind, inputs["date_of_birth"].is_protected) == (InputKind.DATE, True)
    assert "date_of_birth" not in features
    assert "how many years it was before the day in 'decided'" in said(draft, "assumed")["account_opened"]
    assert "the day of the case itself" in left_out["same_day"]
    assert "after the day of the case in 50% of the rows" in left_out["repaid_on"]
    assert "time of day" in left_out["seen_at"]


def test_without_the_day_of_the_case_only_a_birth_becomes_an_age(tmp_path: Path) -> None:
    draft = drafted(tmp_path, with_dates())

    dates = {one.name for one in draft.product.contract.inputs if one.kind is InputKind.DATE}
    assert dates == {"date_of_birth"}
    assert "protected characteristic" in said(draft, "looks_wrong")["date_of_birth"]
    assert "no --time names the day" in said(draft, "assumed")["date_of_birth"]


@pytest.mark.parametrize(
    ("name", "low", "is_id"),
    [
        ("account_no", 1_000_000, True), ("AccountNumber", 900_000, True), ("acct", 500_000, True), ("anything", 9_999_999_000, True),
        ("account_balance", 900_000, False), ("loan", 900_000, False), ("income", 900_000, False), ("customer_no", 10, False),
    ],
)  # fmt: skip
def test_numbers_of_accounts_are_left_out_as_identifiers(tmp_path: Path, name: str, low: int, is_id: bool) -> None:
    numbers = np.random.default_rng(3).permutation(2 * ROWS)[:ROWS] * 7_919 + low

    draft = drafted(tmp_path, {**columns(), name: numbers.tolist()})

    assert ("it looks like an identifier" in said(draft, "left_out").get(name, "")) is is_id
    assert (name in {one.name for one in draft.product.contract.inputs}) is not is_id


def test_what_was_assumed_and_what_looks_wrong_is_said(tmp_path: Path) -> None:
    draft = drafted(tmp_path)
    assumed, wrong = said(draft, "assumed"), said(draft, "looks_wrong")

    assert "'Bad' is the event" in assumed["Outcome of loan"]
    assert "96, 98 stand for 'missing'" in assumed["times-late"]
    assert "codes of categories" in assumed["education"]
    assert "codes, not numbers" in assumed["branch"]
    assert "others are accepted" in assumed["town"]
    assert "under another slug with --protected Age" in wrong["Age"]
    assert "take 'Age' out of features" in wrong["Age"]
    assert "empty" in wrong["half known"]


def test_copies_of_rows_and_of_columns_are_told(tmp_path: Path) -> None:
    table = columns()
    table["home in words"] = [{"own": "owner", "rent": "tenant", "": "unknown"}[str(cell)] for cell in table["home"]]
    table = {name: [*cells, cells[0]] for name, cells in table.items()}

    wrong = said(drafted(tmp_path, table), "looks_wrong")

    assert "the same as 'home'" in wrong["home in words"]
    assert "1 of 401 rows" in wrong[""]


def test_every_row_of_the_table_passes_the_contract_it_suggested(tmp_path: Path) -> None:
    table = columns()
    draft = drafted(tmp_path, table)
    validator = compile_contract(draft.product.contract)
    names = [one.name for one in draft.product.contract.inputs]

    for row in range(ROWS):
        validator.check_text({name: str(table[name][row]) for name in names})


def test_the_definition_survives_being_written_and_read(tmp_path: Path) -> None:
    product = drafted(tmp_path).product

    assert Product.from_dict(product.to_dict()) == product


@pytest.mark.parametrize(("low", "high", "expected"), [
    (18, 75, (0, 140)), (0.0, 1.0, (0, 2)), (-500, 1500, (-2500, 3500)), (250, 18424, (0, 37000)),
])
def test_ranges_are_generous_and_round(low: float, high: float, expected: tuple[float, float]) -> None:
    assert generous_range(low, high) == expected


@pytest.mark.parametrize(("name", "label"), [
    ("loan-amount", "Loan amount"), ("LIMIT_BAL", "Limit bal"), ("NumOfProducts", "Num of products"), ("gross income", "Gross income"),
    ("x", "X"),
])
def test_names_become_labels(name: str, label: str) -> None:
    assert label_of(name) == label


def test_a_table_without_a_usable_column_is_refused(tmp_path: Path) -> None:
    table: dict[str, list[object]] = {"id": list(range(60)), "k": ["x"] * 60, "bad": [0, 1] * 30}

    with pytest.raises(TrainingError, match="no column is left"):
        drafted(tmp_path, table, target="bad")


def test_a_column_of_free_text_is_left_out_and_one_with_a_million_words_too(tmp_path: Path) -> None:
    table: dict[str, list[object]] = {
        "amount": [n % 37 for n in range(600)], "remark": [f"text {n % 550}" for n in range(600)], "bad": [0, 1] * 300,
    }

    assert "free text" in said(drafted(tmp_path, table, target="bad"), "left_out")["remark"]


def test_words_among_numbers_are_not_called_free_text(tmp_path: Path) -> None:
    amounts: list[object] = [f"about {n}" if n % 3 == 0 else n for n in [*range(300)] * 2]
    table: dict[str, list[object]] = {"amount": amounts, "area": [n % 37 for n in range(600)], "bad": [0, 1] * 300}

    left_out = said(drafted(tmp_path, table, target="bad"), "left_out")["amount"]

    assert "200 are not, such as 'about 0'; write a plain number there" in left_out


@pytest.mark.parametrize(("cells", "expected"), [
    (["1,234", "1,234,567", "17"], "write them without, such as 1234567"),
    (["1,234", "12,500.50", "900.5"], "write them without, such as 1234567"),
    (["1,234", "17,000", "3.5"], "write them without, such as 1234567"),
    (["3,14", "2,7", "10,123"], "write them with a point, such as 3.14"),
    (["1.234,56", "2,7", "10,5"], "write them with a point, such as 3.14"),
    (["0,123", "0,456", "0,789"], "write them with a point, such as 3.14"),
    (["1,234", "2,345", "17"], "may mean 1234 or 1.234"),
    (["1,234,567", "3,14", "17"], "mixes commas"),
])
def test_commas_in_numbers_are_told_apart(tmp_path: Path, cells: list[str], expected: str) -> None:
    table: dict[str, list[object]] = {
        "age": [20 + n % 41 for n in range(60)], "amount": [f'"{cells[n % 3]}"' for n in range(60)],
        "bad": [int(n % 7 == 0) for n in range(60)],
    }

    assert expected in said(drafted(tmp_path, table, target="bad"), "left_out")["amount"]


@pytest.mark.parametrize(("cells", "kind"), [
    (["0", "1"], InputKind.BOOLEAN), (["0.0", "1.0", ""], InputKind.BOOLEAN), (["0", "1", "2"], InputKind.INTEGER),
    (["1", "2"], InputKind.INTEGER), (["0", "1", "00"], InputKind.CATEGORY),
])
def test_a_column_of_0_and_1_is_a_yes_or_no(tmp_path: Path, cells: list[str], kind: InputKind) -> None:
    draw = np.random.default_rng(5)
    table: dict[str, list[object]] = {
        "amount": draw.integers(0, 50, 90).tolist(), "is_member": [cells[n % len(cells)] for n in range(90)],
        "bad": draw.integers(0, 2, 90).tolist(),
    }

    contract = drafted(tmp_path, table, target="bad").product.contract

    assert {one.name: one.kind for one in contract.inputs}["is_member"] is kind
    for cell in cells:
        compile_contract(contract).check_text({"amount": "3", "is_member": cell})


def test_every_column_that_looks_protected_is_named_for_the_next_run(tmp_path: Path) -> None:
    table = columns()
    table["gender of client"] = ["f", "m"] * (ROWS // 2)

    wrong = said(drafted(tmp_path, table, roles=Roles(protected=("home",))), "looks_wrong")

    assert "--protected 'home,Age,gender of client'" in wrong["Age"]
    assert "take 'Age' out of features" in wrong["Age"]
    assert "with 'gender of client' taken out of features" in wrong["gender of client"]
