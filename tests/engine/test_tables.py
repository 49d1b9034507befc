"""Tables: every format gives the same cells, every fault says row, column and fix, and nothing that is written runs in a spreadsheet."""

import gzip
import io
import tracemalloc
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from scoring.engine import intake, tables
from scoring.engine.columns import read_columns
from scoring.engine.inert import inert
from scoring.engine.tables import Row, TableError, TableReader, is_formula
from scoring.engine.writing import TableWriter


def read(data: bytes, name: str = "table.csv") -> list[Row | TableError]:
    return list(TableReader(io.BytesIO(data), name=name))


def cells(data: bytes, name: str = "table.csv") -> list[dict[str, str]]:
    rows = read(data, name)
    assert all(isinstance(row, Row) for row in rows)
    return [row.cells for row in rows if isinstance(row, Row)]


def refusal(data: bytes, name: str = "table.csv") -> TableError:
    with pytest.raises(TableError) as caught:
        read_columns(io.BytesIO(data), name=name)
    assert caught.value.fix
    return caught.value


def test_all_formats_give_the_same_cells(tmp_path: Path) -> None:
    expected = [{"id": "7", "amount": "12.5", "town": "Kisumu"}, {"id": "8", "amount": "", "town": "Thiès, Sénégal"}]
    plain = 'id,amount,town\n7,12.5,Kisumu\n8,,"Thiès, Sénégal"\n'.encode()
    table = pyarrow.table({"id": [7, 8], "amount": [12.5, None], "town": ["Kisumu", "Thiès, Sénégal"]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")

    assert cells(plain) == expected
    assert cells(b"\xef\xbb\xbf" + plain) == expected
    assert cells(gzip.compress(plain, mtime=0), "t.csv.gz") == expected
    assert cells((tmp_path / "t.parquet").read_bytes(), "t.parquet") == expected


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_separator_is_found(delimiter: str) -> None:
    lines = ["amount", "town"], ["1,5", "y"], ["2,5", "z"]

    assert cells("\n".join(delimiter.join(line) for line in lines).encode()) == [
        {"amount": "1,5", "town": "y"}, {"amount": "2,5", "town": "z"},
    ]


def test_a_parquet_of_whole_floats_reads_like_its_csv(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"n": [3.0, 2.5, float("nan")], "flag": [True, False, None]}), tmp_path / "t.parquet")

    assert cells((tmp_path / "t.parquet").read_bytes(), "t.parquet") == [
        {"n": "3", "flag": "true"}, {"n": "2.5", "flag": "false"}, {"n": "", "flag": ""},
    ]


@pytest.mark.parametrize(("data", "said"), [
    ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    ("a,b\n1,2\n".encode("utf-16-le"), "UTF-16"),
    ("a,b\n1,é\n".encode("latin-1"), "not UTF-8: byte 0xe9 in line 2"),
    (b"a,b\n" + b"1,2\n" * 40_000 + "1,é\n".encode("latin-1") + b"1,2\n" * 9, "byte 0xe9 in line 40002"),
    (b"a,b\r\n" + b"1,22222\r\n" * 7_001 + "é,1\r\n".encode("latin-1"), "byte 0xe9 in line 7003"),
    (b"PK\x03\x04xxxx", "spreadsheet"),
    (gzip.compress(b"a,b\n1,2\n", mtime=0), "compressed"),    # without the time, so that every worker collects the same test
    (b"", "empty"),
    (b"\n\n", "empty"),
    (b"a,b\n", "no rows"),
    (b"a,b,a\n1,2,3\n", "more than one column"),
    (b'a,b\n1,"2\n' + b"3,4\n" * 5000, "after line"),
])
def test_a_file_that_is_no_table_is_refused_with_its_reason(data: bytes, said: str) -> None:
    assert said in str(refusal(data))


def test_a_ragged_row_is_named_and_the_others_still_come() -> None:
    rows = read(b"a,b\n1,2\n3\n4,5,6\n7,8\n")

    assert [row.cells for row in rows if isinstance(row, Row)] == [{"a": "1", "b": "2"}, {"a": "7", "b": "8"}]
    assert [(row.row, row.problem) for row in rows if isinstance(row, TableError)] == [
        (3, "has 1 cells, the header has 2"), (4, "has 3 cells, the header has 2"),
    ]


def test_a_formula_is_named_by_row_and_column() -> None:
    bad = read(b"id,town\n1,Accra\n2,=1+1\n3,@SUM(A1)\n4,-5\n5,+254 700 000 000\n6,-\n")

    assert [(error.row, error.column) for error in bad if isinstance(error, TableError)] == [(3, "town"), (4, "town")]


def test_missing_columns_are_named() -> None:
    with pytest.raises(TableError, match="'income', 'age'"):
        TableReader(io.BytesIO(b"a,b\n1,2\n"), name="t.csv", require=["a", "income", "age"])


@pytest.mark.parametrize(("data", "name"), [
    (b"\x1f\x8b" + b"x" * 50, "t.csv.gz"), (gzip.compress(b"a,b\n" * 9999, mtime=0)[:-20], "t.csv.gz"), (b"PAR1xxxx", "t.parquet"),
])
def test_a_damaged_file_is_refused_in_our_words(data: bytes, name: str) -> None:
    assert "export" in refusal(data, name).fix


def test_a_small_gz_with_a_huge_table_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MAX_BYTES", 100_000)

    assert "larger than" in str(refusal(gzip.compress(b"a,b\n" + b"1,2\n" * 100_000, mtime=0), "t.csv.gz"))


def test_columns_are_dictionary_encoded() -> None:
    town = read_columns(io.BytesIO(b"id,town\n1,A\n2,B\n3,A\n"), name="t.csv").columns["town"]

    assert (town.texts, town.codes.tolist(), town.counts().tolist()) == (("A", "B"), [0, 1, 0], [2, 1])


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\t=1", "\r=1", "+254"])
def test_no_written_text_starts_like_a_formula(text: str) -> None:
    shown = inert(text)

    assert shown == text if tables.is_number(text) else shown == f"'{text}"


@pytest.mark.parametrize("text", ["-5", "+254", "-1e3", "Accra", ""])
def test_numbers_and_words_are_written_as_they_are(text: str) -> None:
    assert inert(text) == text
    assert not is_formula(text)


def test_a_small_gz_with_an_endless_line_is_stopped_before_it_fills_the_memory() -> None:
    bomb = gzip.compress(b"a,b\n1," + b"2" * 200_000_000, 1, mtime=0)
    tracemalloc.start()
    try:
        assert "a line is longer than 8 MiB" in str(refusal(bomb, "t.csv.gz"))
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["o.csv", "o.csv.gz", "o.parquet"])
def test_what_is_written_is_read_back_and_twice_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        with TableWriter(tmp_path / folder / name, {"id": str, "score": int, "probability": float}) as writer:
            writer.write([["x", 512, 0.25], ["=y", None, None]])

    assert cells((tmp_path / "a" / name).read_bytes(), name) == [
        {"id": "x", "score": "512", "probability": "0.25"}, {"id": "=y", "score": "", "probability": ""},
    ]
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_broken_off_write_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    path.write_text("old")

    writer = TableWriter(path, {"id": str})
    writer.write([["1"]])
    writer.__exit__(RuntimeError, RuntimeError(), None)

    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["o.csv"]
