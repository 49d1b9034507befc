"""What is told before fitting: rows that come twice, and features that give the target away."""

import io
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.engine.columns import Columns, read_columns
from scoring.engine.products.credit import MARKET_LOAN
from scoring.engine.synthetic import market_loans, write_table
from scoring.engine.training.duplicates import Duplicates, Repeats, duplicates_of, row_keys
from scoring.engine.training.leakage import suspects
from scoring.engine.training.matrix import Samples
from scoring.engine.training.target import read_target
from scoring.engine.training.train import Trained, TrainingRequest, train


def loans(rows: int = 300) -> list[dict[str, Any]]:
    return market_loans(rows, seed=8)


def found_in(path: Path, rows: list[dict[str, Any]]) -> Duplicates:
    write_table(path / "t.csv", rows)
    columns = read_columns(path / "t.csv")
    product = replace(MARKET_LOAN, id_column="loan_id")
    return duplicates_of(columns, product, read_target(columns.columns["defaulted"], "1"))


def test_a_table_without_repeats_says_nothing(tmp_path: Path) -> None:
    found = found_in(tmp_path, loans())

    assert found == Duplicates()
    assert found.told() == []


def test_each_kind_of_repeat_is_counted_and_shown_by_rows_of_the_file(tmp_path: Path) -> None:
    rows = loans()
    rows += [dict(rows[3]), dict(rows[3])]                                                        # copies: rows 302, 303 of row 5
    rows.append({**rows[10], "loan_id": "other", "defaulted": 1 - int(rows[10]["defaulted"])})    # a contradiction: row 304 of row 12
    rows.append({**rows[20], "loan_amount": 2_100.0})                                             # a reference again: row 305 of row 22
    rows.append({**rows[4], "defaulted": None})                                                   # of no use, so not counted

    found = found_in(tmp_path, rows)

    assert found.copies == Repeats(2, ((5, 302), (5, 303)))
    assert found.contradictions == Repeats(1, ((12, 304),))
    assert found.references == Repeats(3, ((5, 302), (5, 303), (22, 305)))
    assert [line.partition(":")[0] for line in found.told()] == [
        "2 rows are exact copies of another (rows 5 and 302, 5 and 303)",
        "1 row has the inputs of another but the other outcome (rows 12 and 304)",
        "3 rows repeat the reference of another (rows 5 and 302, 5 and 303, 22 and 305)",
    ]


def test_rows_have_the_same_key_only_when_they_say_the_same() -> None:
    cells = [(a, b, c) for a in range(40) for b in range(40) for c in range(40)]
    table: Columns = read_columns(io.BytesIO(("a,b,c\n" + "".join(f"{a},{b},{c}\n" for a, b, c in cells * 2)).encode()), name="t.csv")

    keys = row_keys(table.columns.values(), np.arange(table.rows))

    assert len(np.unique(keys)) == len(cells)
    assert (keys[: len(cells)] == keys[len(cells) :]).all()


def samples(target: np.ndarray, **columns: np.ndarray) -> Samples:
    names = tuple(columns)
    values, is_category = np.column_stack(list(columns.values())), tuple(name == "word" for name in names)
    return Samples(values, target.astype(np.int8), names, is_category, (0,) * len(names))


def test_features_that_rank_the_target_alone_are_named_even_in_a_sorted_table() -> None:
    draw = np.random.default_rng(2)
    target = np.sort((draw.random(300_000) < 0.2).astype(float))
    given = samples(
        target, honest=target + draw.normal(0, 1.5, len(target)), backwards=-target + draw.normal(0, 0.3, len(target)),
        closed_on=np.where(target == 1, draw.random(len(target)), np.nan),
        word=np.where(target == 1, draw.integers(0, 3, len(target)), 7.0), noise=draw.normal(size=len(target)),
    )    # fmt: skip

    found = suspects(given)

    assert set(found) == {"backwards", "closed_on", "word"}
    assert found["word"] == found["closed_on"] == 1


def test_a_few_rows_each_with_a_word_of_its_own_give_nothing_away() -> None:
    draw = np.random.default_rng(3)

    assert suspects(samples(draw.integers(0, 2, 80).astype(float), word=np.arange(80.0))) == {}


@pytest.mark.slow
def test_the_report_comes_before_the_first_fit_and_is_kept(tmp_path: Path) -> None:
    rows = loans()
    for row in rows:
        row["longest_delay_days"] = 60.0 + row["term_months"] if row["defaulted"] else 1.0
    write_table(tmp_path / "t.csv", [*rows, rows[0]])
    lines: list[str] = []
    request = TrainingRequest(
        product=MARKET_LOAN, table=tmp_path / "t.csv", estimator="scorecard", folds=2, seed=3, threads=1, decided_on=date(2026, 1, 1),
    )    # fmt: skip

    made: Trained = train(request, lines.append)

    told = [place for place, line in enumerate(lines) if line.startswith("look at this: ")]
    assert len(told) == 2 + (MARKET_LOAN.id_column is not None)
    assert max(told) < next(place for place, line in enumerate(lines) if line.startswith("fold 1"))
    assert any("'longest_delay_days' alone ranks the target with an AUC of 1.000" in line for line in made.warnings)
    assert made.metrics["report"]["duplicates"]["copies"] == {"rows": 1, "examples": [[2, 302]]}
    assert made.metrics["report"]["leakage"] == {"longest_delay_days": 1.0}
