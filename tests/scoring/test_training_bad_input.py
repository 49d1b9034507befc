"""Tables that cannot train: each is refused in one clear sentence, and nothing of a version is left."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.context import SYSTEM
from scoring.engine.synthetic import market_loans, write_table
from scoring.engine.tables import TableError
from scoring.engine.training.draft import draft_product
from scoring.engine.training.infer import Roles
from scoring.errors import TrainingRefused
from scoring.models import ModelVersion, Product
from scoring.services.definitions import definition_file, write_definition
from scoring.services.products import create_product
from scoring.services.training import TrainedVersion, train_model
from tests.conftest import PRODUCT, House

Rows = list[dict[str, Any]]


def trained(table: Path, product: str = PRODUCT) -> TrainedVersion:
    return train_model(product_slug=product, table=table, estimator="scorecard", folds=2, actor=SYSTEM, progress=lambda line: None)


def left() -> list[str]:
    """All that a run could leave: rows, files of the partner, and folders of training."""
    versions = [f"{one.product.slug} {one.version}" for one in ModelVersion.objects.select_related("product")]
    partner = definition_file(PRODUCT).parent.parent
    files = [str(path.relative_to(partner)) for path in partner.rglob("*")]
    return sorted([*versions, *files, *(path.name for path in Path(tempfile.gettempdir()).glob("vouch-training-*"))])


@pytest.fixture
def at_home(in_north: House, tmp_path: Path, settings: Any) -> None:
    """Files of the partner are the test's own."""
    settings.VOUCH_HOME = tmp_path / "home"
    write_definition(Product.objects.get(slug=PRODUCT))


@pytest.fixture
def nothing_made(at_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What there was before the test is there after it, and no more."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    before = left()
    yield
    assert left() == before


@pytest.fixture
def refusal(nothing_made: None, tmp_path: Path) -> Callable[[Rows], str]:
    """What training says of these rows."""

    def tell(rows: Rows) -> str:
        write_table(tmp_path / "t.csv", rows)
        with pytest.raises(TrainingRefused) as caught:
            trained(tmp_path / "t.csv")
        assert ". Fix: " in str(caught.value)
        return str(caught.value)

    return tell


def loans(rows: int = 60) -> Rows:
    return market_loans(rows, seed=3)


def test_one_class_only(refusal: Callable[[Rows], str]) -> None:
    assert "the target 'defaulted' never says '1'; it says '0'" in refusal([{**row, "defaulted": 0} for row in loans()])
    assert "the target 'defaulted' only ever says '1'" in refusal([{**row, "defaulted": 1} for row in loans()])


def test_one_class_is_left_of_the_rows_that_can_be_used(refusal: Callable[[Rows], str]) -> None:
    rows = loans()
    for row in rows:
        if row["defaulted"] == 0:
            row["stall"] = "spaceship"

    assert "all rows have the same outcome" in refusal(rows)


def test_the_target_is_no_column(refusal: Callable[[Rows], str]) -> None:
    assert "misses the column 'defaulted'" in refusal([{k: v for k, v in row.items() if k != "defaulted"} for row in loans()])


def test_every_outcome_is_missing(refusal: Callable[[Rows], str]) -> None:
    assert "the target 'defaulted' is empty" in refusal([{**row, "defaulted": None} for row in loans()])


def test_all_rows_are_dropped(refusal: Callable[[Rows], str]) -> None:
    said = refusal([{**row, "stall": "spaceship"} for row in loans()])

    assert "no row can be used: stall: Send one of" in said
    assert "(60 rows)" in said


def test_words_among_numbers_are_named_by_row_and_column(refusal: Callable[[Rows], str]) -> None:
    rows = loans()
    rows[15]["monthly_revenue"], rows[40]["monthly_revenue"] = "plenty", "unknown"

    assert "row 17, column 'monthly_revenue': says 'plenty'" in refusal(rows)
    assert "(2 such rows)" in refusal(rows)


def test_a_column_of_ever_new_words(refusal: Callable[[Rows], str]) -> None:
    rows = loans(1_200)
    for number, row in enumerate(rows):
        row["stall"] = f"stall {number}"

    assert "column 'stall': holds 1,200 different words, such as 'stall 0'; the product knows 5 categories" in refusal(rows)


def test_some_outcomes_are_missing_is_said_with_their_number(at_home: None, tmp_path: Path) -> None:
    rows = loans(300)
    for row in rows[:7]:
        row["defaulted"] = None
    write_table(tmp_path / "t.csv", rows)
    before = ModelVersion.objects.order_by("-version").values_list("version", flat=True)[0]
    with pytest.raises(TrainingRefused):
        trained(tmp_path / "none.csv")

    made = trained(tmp_path / "t.csv")

    assert made.warnings[0] == "7 rows were dropped: the target is empty (7 rows)"
    assert (made.metrics["rows"], made.metrics["dropped_rows"]) == (293, 7)
    assert made.version.version == before + 1    # what was refused took no number


def test_a_file_that_changes_while_it_is_read(nothing_made: None, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    write_table(table, loans(20_000))
    line, is_over = table.read_bytes().splitlines()[1] + b"\n", threading.Event()

    def add() -> None:
        while not is_over.wait(0.001):
            with table.open("ab") as file:
                file.write(line)

    writer = threading.Thread(target=add)
    writer.start()
    try:
        with pytest.raises(TrainingRefused, match=r"t\.csv changed while it was read\. Fix: wait until whoever writes it is done"):
            trained(table)
    finally:
        is_over.set()
        writer.join()


def test_what_has_no_room_in_memory(refusal: Callable[[Rows], str], settings: Any) -> None:
    settings.TRAINING_MEMORY_MB = 100

    said = refusal(loans())

    assert "training on 60 rows of 12 features takes about 0.1 GiB of memory, and 100 MiB are available" in said
    assert "train on a sample of the rows" in said


# days


def dated(rows: int = 60) -> Rows:
    return [{**row, "day": (date(2025, 1, 1) + timedelta(days=place)).isoformat()} for place, row in enumerate(loans(rows))]


@pytest.fixture
def with_days(at_home: None, tmp_path: Path) -> str:
    """A product whose table tells the day of each case."""
    write_table(tmp_path / "good.csv", dated(200))
    roles = Roles(id="loan_id", time="day")
    draft = draft_product(tmp_path / "good.csv", slug="dated-loan", title="", target="defaulted", positive="1", roles=roles)
    write_definition(create_product(definition=draft.product, policy=draft.policy, actor=SYSTEM))
    return "dated-loan"


@pytest.mark.parametrize(("text", "said"), [
    ("21/01/2025", r"row 22, column 'day': says '21/01/2025' \(DD/MM/YYYY\), and row 2 says '2025-01-01' \(YYYY-MM-DD\): .*in two ways"),
    ("last May", "row 22, column 'day': says 'last May', which is no day written YYYY-MM-DD"),
    ("2025-02-30", "row 22, column 'day': says '2025-02-30', which is no day"),
])
def test_days_that_are_none_or_in_two_formats(with_days: str, nothing_made: None, tmp_path: Path, text: str, said: str) -> None:
    rows = dated()
    rows[20]["day"] = text
    write_table(tmp_path / "t.csv", rows)

    with pytest.raises(TrainingRefused, match=said):
        trained(tmp_path / "t.csv", with_days)


# the same when a product is made


def drafted(path: Path, rows: Rows, **options: Any) -> Any:
    write_table(path, rows)
    return draft_product(path, slug="loan", title="", target="defaulted", positive="1", roles=Roles(**options.pop("roles", {})), **options)


@pytest.mark.parametrize(("column", "text", "said"), [
    ("monthly_revenue", "plenty", "row 22, column 'monthly_revenue': says 'plenty' where the other rows hold numbers"),
    ("day", "01/31/2025", r"row 22, column 'day': says '01/31/2025' \(MM/DD/YYYY\), and row 2 says '2025-01-01'"),
    ("day", "20250131", r"row 22, column 'day': says '20250131' \(YYYYMMDD\)"),
])
def test_no_product_is_made_of_mixed_columns(tmp_path: Path, column: str, text: str, said: str) -> None:
    rows = dated(200)
    rows[20][column] = text

    with pytest.raises(TableError, match=said) as caught:
        drafted(tmp_path / "t.csv", rows)
    assert caught.value.fix
    assert drafted(tmp_path / "t.csv", rows, roles={"exclude": (column,)}).product.features


def test_a_column_of_ever_new_words_becomes_no_input(tmp_path: Path) -> None:
    rows = [{**row, "note": f"said {place * 7919 % 4001} things"} for place, row in enumerate(loans(4_000))]

    draft = drafted(tmp_path / "t.csv", rows)

    assert "note" not in {one.name for one in draft.product.contract.inputs}
    assert any(finding.column == "note" and finding.kind == "left_out" for finding in draft.findings)
