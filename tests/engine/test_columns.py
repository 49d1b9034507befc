"""Whole tables: rows keep their number in the file, growth is told, and a file that changes is refused."""

import gzip
import io
import os
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from scoring.engine import columns
from scoring.engine.columns import Filling, read_columns
from scoring.engine.tables import TableError


def table(path: Path, rows: int = 400) -> Path:
    """Each row with a number of its own and one of three towns."""
    lines = "".join(f"{number},town {number % 3}\n" for number in range(rows))
    data = f"n,town\n{lines}".encode()
    if path.suffix == ".parquet":
        towns = {"n": range(rows), "town": [f"town {number % 3}" for number in range(rows)]}
        pyarrow.parquet.write_table(pyarrow.table({"n": list(towns["n"]), "town": towns["town"]}), path)
    else:
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def test_rows_keep_their_number_in_the_file_over_blank_lines() -> None:
    found = read_columns(io.BytesIO(b"a,b\n1,2\n\n\n3,4\n5,6\n\n7,8\n"), name="t.csv")

    assert [found.number(row) for row in range(found.rows)] == [2, 5, 6, 8]


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
def test_growth_is_told_at_each_doubling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(columns, "FIRST_LOOK", 100)
    told: list[Filling] = []

    read_columns(table(tmp_path / name), watch=told.append)

    assert [one.rows for one in told] == [50, 100, 200, 400]
    assert [(one.columns, one.texts) for one in told] == [(2, rows + 3) for rows in (50, 100, 200, 400)]
    assert all(0 < one.share <= 1 for one in told)
    assert told[-1].text_bytes == sum(sys.getsizeof(str(number)) for number in range(400)) + 3 * sys.getsizeof("town 1")


@pytest.mark.parametrize("change", ["appended", "replaced", "cut", "one byte and the time set back"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(columns, "FIRST_LOOK", 100)
    path = table(tmp_path / "t.csv")

    def write(filling: Filling) -> None:
        if filling.rows > 50:
            return
        before, data = path.stat(), path.read_bytes()
        if change == "appended":
            path.write_bytes(data + b"9,town 1\n")
        elif change == "replaced":
            (tmp_path / "other").write_bytes(data.replace(b"town", b"city"))
            os.replace(tmp_path / "other", path)
        elif change == "cut":
            path.write_bytes(data[:-3])
        else:
            path.write_bytes(data[:-2] + b"9\n")
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(TableError, match=r"t\.csv changed while it was read") as caught:
        read_columns(path, watch=write)
    assert caught.value.fix


def test_a_faulty_row_of_a_file_that_changed_is_put_down_to_the_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "FIRST_LOOK", 100)
    path = table(tmp_path / "t.csv", 100_000)

    def write(filling: Filling) -> None:
        with path.open("r+b") as file:
            file.seek(900_000)
            file.write(b",,,,,,,,,,,,,")

    with pytest.raises(TableError, match="changed while it was read"):
        read_columns(path, watch=write)
