"""Columns, targets and leaks: what a table's texts mean, told without a contract."""

import io
import tracemalloc

import numpy as np
import pytest

from scoring.engine.columns import Column, read_columns
from scoring.engine.training.infer import unusable
from scoring.engine.training.leakage import separation
from scoring.engine.training.matrix import TrainingError
from scoring.engine.training.profile import ColumnProfile
from scoring.engine.training.target import read_target


def column(*texts: object, name: str = "x") -> Column:
    data = f"{name}\n" + "\n".join(f'"{text}"' for text in texts)
    return read_columns(io.BytesIO(data.encode()), name="t.csv").columns[name]


def profile(*texts: object, name: str = "x") -> ColumnProfile:
    return ColumnProfile(column(*texts, name=name))


@pytest.mark.parametrize(("texts", "sentinels"), [
    ([*range(14)] * 5 + [96, 96, 98, 98], (96, 98)),
    ([0.1, 0.5, 3, 7, 12] * 9 + [-7, -7, -8, -8, -9, -9], (-9, -8, -7)),
    ([-700, -3000, -12000, -5] * 9 + [365243] * 4, (365243,)),
    ([*range(20, 95)] + [96, 97, 98, 99] * 2, ()),
    ([-2, -1, 0, 1, 2, 8] * 9, ()),
    ([10, 20, 5000, 999, 998] * 9, ()),
    ([1, 2, 3, 4] * 9 + [99], ()),
])
def test_special_numbers_count_as_missing_only_when_they_stand_apart(texts: list[float], sentinels: tuple[float, ...]) -> None:
    assert profile(*texts).sentinels == sentinels


def test_words_for_missing_are_found_among_numbers_and_none_stays_an_answer_among_words() -> None:
    assert profile("1", "NA", "2", "-", "3").blanks == ("NA", "-")
    assert profile("none", "fire", "theft", "N/A").blanks == ("N/A",)


@pytest.mark.parametrize(("texts", "name", "kind"), [
    ([1, 2, 3], "n", "integer"),
    (["1.0", "2.0", ""], "n", "integer"),
    ([1, 2.5], "n", "number"),
    (["007", "012"], "n", "words"),
    (["true", "False"], "n", "boolean"),
    (["2024-02-29", "2023-01-01"], "n", "date"),
    (["2024-02-30", "2023-01-01"], "n", "words"),
    (["1_000", "2"], "n", "words"),
    ([1, 2, 3, 1], "marital-status", "codes"),
    ([1, 2, 3, 1], "EDUCATION", "codes"),
])
def test_what_a_column_holds(texts: list[object], name: str, kind: str) -> None:
    found = profile(*texts, name=name)

    assert kind == (
        "codes" if found.looks_like_codes else "integer" if found.is_integer else "number" if found.is_numeric
        else "boolean" if found.is_boolean else "date" if found.is_date else "words"
    )


@pytest.mark.parametrize(("texts", "name"), [
    (range(1, 51), "row"), ([10**6 + 7919 * n % 999983 for n in range(60)], "customer"), ([f"K-{n}" for n in range(60)], "contract"),
    ([n * 7919 % 1009 for n in range(60)], "ClientId"),
])
def test_columns_that_only_tell_rows_apart_are_seen(texts: list[object], name: str) -> None:
    assert profile(*texts, name=name).looks_like_id


def test_an_amount_that_happens_to_be_unique_is_no_identifier() -> None:
    assert not profile(*[round(n * 7.31 % 997, 2) for n in range(200)], name="balance").looks_like_id
    assert not profile(*[5 * (n * 7919 % 1009) for n in range(200)], name="income").looks_like_id


def test_personal_data_is_seen_by_name_and_by_content() -> None:
    assert profile(*[f"+2547{n:08d}" for n in range(50)], name="c7").looks_personal
    assert profile(*[f"a{n}@example.org" for n in range(50)], name="c8").looks_personal
    assert profile(*[f"Surname{n % 40}" for n in range(200)], name="Surname").looks_personal
    assert not profile(*["A191", "A192"] * 50, name="telephone").looks_personal


@pytest.mark.parametrize(("labels", "given", "positive"), [
    (["0", "1"], None, "1"), (["no", "Yes"], None, "Yes"), (["Good", "Bad"], None, "Bad"), (["1", "2"], "2", "2"),
    (["0.0", "1.0"], "1", "1.0"),
    (["A", "B", "C"], "B", "B"), (["False", "True"], None, "True"),
])
def test_the_event_is_recognised_or_named(labels: list[str], given: str | None, positive: str) -> None:
    target = read_target(column(*labels, ""), given)

    assert target.positive == positive
    assert target.values.tolist() == [int(label == positive) for label in labels] + [-1]


@pytest.mark.parametrize(("labels", "given", "said"), [
    (["1", "2"], None, "--positive"), (["A", "B"], None, "--positive"), (["A", "B", "C"], None, "--positive"),
    (["1", "1"], None, "only ever"),
    (["0", "1"], "7", "never says"), (["yes", "yes"], "yes", "only ever"), ([""], None, "empty"),
    ([str(n) for n in range(30)], None, "30 different"),
])
def test_an_unclear_target_is_refused_with_the_way_out(labels: list[str], given: str | None, said: str) -> None:
    with pytest.raises(TrainingError, match=said) as caught:
        read_target(column(*labels), given)

    assert caught.value.fix


def test_a_column_that_gives_the_target_away_separates_perfectly_and_noise_does_not() -> None:
    draw = np.random.default_rng(1)
    truth = draw.integers(0, 2, 400)
    target = read_target(column(*truth), None)

    assert separation(profile(*(3 - truth * 2)), target) == 1
    assert separation(profile(*["paid" if flag else "owing" for flag in truth]), target) == 1
    assert separation(profile(*draw.normal(size=400).round(3)), target) < 0.6
    few = read_target(column(*truth[:80]), None)
    assert separation(profile(*draw.normal(size=80)), few) < 0.7    # each number is one row's own
    assert 0.7 < separation(profile(*(truth + draw.normal(0, 1.0, 400)).round(3)), target) < 0.85


def test_long_texts_are_looked_at_without_a_copy_of_all_of_them() -> None:
    one = ColumnProfile(Column("note", tuple(f"Note {place} {'x' * 20_000}" for place in range(500)), np.arange(500, dtype=np.int32)))
    tracemalloc.start()
    try:
        assert unusable(one).startswith("it looks like an identifier")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1_000_000    # the texts are ten times as much
