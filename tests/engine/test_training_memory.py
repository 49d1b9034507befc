"""Memory: what training takes is told before it is taken, and what does not fit is refused."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from scoring.engine import columns, memory
from scoring.engine.columns import Filling, read_columns
from scoring.engine.memory import Memory, Watch, size, table_bytes
from scoring.engine.tables import TableError
from scoring.engine.training.estimators import ESTIMATORS
from scoring.engine.training.matrix import TrainingError
from scoring.engine.training.memory import FITTING, TrainingMemory, fit_bytes

GIB = 1024**3


@pytest.mark.parametrize("estimator", list(ESTIMATORS))
def test_a_fit_without_room_is_refused_with_both_figures_and_a_way_out(estimator: str) -> None:
    needed = fit_bytes(20_000_000, 60, estimator)
    assert estimator in FITTING

    TrainingMemory(Memory(needed), features=60, estimator=estimator).check(20_000_000)
    with pytest.raises(TrainingError) as caught:
        TrainingMemory(Memory(needed - 1), features=60, estimator=estimator).check(20_000_000)

    assert str(caught.value).startswith(f"training on 20,000,000 rows of 60 features takes about {size(needed)} of memory, and ")
    assert "are available. Fix: train on a sample of the rows" in str(caught.value)


def filling(rows: int, *, texts_per_row: float, share: float, columns: int = 31, is_first: bool = False) -> Filling:
    texts = int(rows * texts_per_row)
    return Filling(rows=rows, columns=columns, texts=texts, text_bytes=58 * texts, share=share, is_first=is_first)


def test_a_file_of_three_gigabytes_is_refused_while_its_beginning_is_read() -> None:
    first, second = (filling(rows, texts_per_row=12, share=rows / 15_000_000) for rows in (16_384, 32_768))
    watch = TrainingMemory(Memory(8 * GIB), features=30, estimator="boosted").table

    watch(first)
    with pytest.raises(TrainingError, match=r"a table of about 15,000,000 rows and 31 columns takes about 3\d\.\d GiB of memory, and 8\."):
        watch(second)


def test_texts_that_come_ever_more_rarely_are_not_counted_as_if_they_came_on() -> None:
    first, second = filling(16_384, texts_per_row=3, share=0.001), filling(32_768, texts_per_row=1.6, share=0.002)

    few = table_bytes(second, first)

    assert few < 0.35 * table_bytes(filling(32_768, texts_per_row=3, share=0.002), filling(16_384, texts_per_row=3, share=0.001))


def test_the_pace_of_one_file_says_nothing_of_the_next() -> None:
    watch = TrainingMemory(Memory(2 * GIB), features=30, estimator="boosted").table

    watch(filling(16_384, texts_per_row=0.01, share=0.9, is_first=True))
    watch(filling(32_768, texts_per_row=30, share=0.9, is_first=True))


def looks(watch: Watch, *, rows: int) -> None:
    """A file of so many rows of five columns, each with a text of its own, read to its end."""
    for place, seen in enumerate((100_000, 200_000, 400_000)):
        watch(filling(seen, texts_per_row=1, share=seen / rows, columns=5, is_first=not place))


def test_files_that_are_held_together_count_together() -> None:
    needed = table_bytes(filling(400_000, texts_per_row=1, share=0.1, columns=5), filling(200_000, texts_per_row=1, share=0.05, columns=5))
    looks(Watch(Memory(needed), fix="wait"), rows=4_000_000)
    watch = Watch(Memory(2 * needed - 1), fix="wait")

    looks(watch, rows=4_000_000)
    with pytest.raises(TableError, match=r"a table of about 4,000,000 rows and 5 columns takes about 1\.\d GiB of memory"):
        looks(watch, rows=4_000_000)


def test_training_is_refused_where_its_events_leave_no_room_for_the_table() -> None:
    room = TrainingMemory(Memory(GIB), features=2, estimator="scorecard")
    looks(room.events, rows=4_000_000)

    first, second = (filling(seen, texts_per_row=1, share=seen / 1_000_000, is_first=seen == 100_000) for seen in (100_000, 200_000))
    room.table(first)
    with pytest.raises(TrainingError, match="training on a table of about 1,000,000 rows"):
        room.table(second)
    alone = TrainingMemory(Memory(GIB), features=2, estimator="scorecard")
    alone.table(first)
    alone.table(second)


def test_many_events_are_not_taken_for_as_many_rows_to_fit() -> None:
    looks(TrainingMemory(Memory(4 * GIB), features=60, estimator="boosted").events, rows=12_000_000)


@pytest.mark.parametrize("letters", ["abcdefgh", "äöüßéèêç", "мешканець", "\U0001f98a" * 8])
def test_a_text_takes_what_python_takes_for_it(tmp_path: Path, letters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table, rows = tmp_path / "people.csv", 20_000
    monkeypatch.setattr(columns, "FIRST_LOOK", 2 * rows)
    table.write_text("name,note\n" + "".join(f"{letters}{row:07},{row}\n" for row in range(rows)), encoding="utf-8")
    looks: list[Filling] = []

    tracemalloc.start()
    try:
        held = read_columns(table, watch=looks.append)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    half = replace(looks[0], rows=rows // 2, texts=looks[0].texts // 2)
    assert held.rows == rows
    assert taken <= table_bytes(looks[0], half) < 1.6 * taken


def test_columns_that_no_product_reads_are_not_held_and_still_tell_copies_apart(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("amount,remark\n1,a\n1,b\n1,a\n")

    found = read_columns(table, only={"amount"})

    assert list(found.columns) == ["amount"]
    assert found.rest is not None
    assert found.rest[0] == found.rest[2] != found.rest[1]


@pytest.mark.parametrize(("amount", "said"), [(300 * 1024**2, "0.3 GiB"), (80 * 1024**2, "80 MiB"), (1_234 * GIB, "1,234.0 GiB")])
def test_sizes_are_written_for_people(amount: int, said: str) -> None:
    assert size(amount) == said


@pytest.fixture
def cgroups(tmp_path: Path) -> Path:
    """/proc and /sys of a container that bounds memory twice: by its own group, and by a narrower one above."""
    (tmp_path / "own").write_text("0::/pod/box\n")
    for folder, limit, usage, cache in (("pod/box", "max", 7 * GIB, 0), ("pod", str(4 * GIB), 3 * GIB, GIB)):
        (tmp_path / "sys" / folder).mkdir(parents=True, exist_ok=True)
        for name, text in (("memory.max", limit), ("memory.current", usage), ("memory.stat", f"anon 5\ninactive_file {cache}")):
            (tmp_path / "sys" / folder / name).write_text(f"{text}\n")
    return tmp_path


def test_the_narrowest_cgroup_counts_and_what_it_caches_is_free(cgroups: Path) -> None:
    assert memory._of_cgroups(cgroups / "own", cgroups / "sys") == [2 * GIB]


def test_cgroups_of_the_first_version_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("5:cpu:/a\n4:memory:/a\n0::/\n")
    folder = tmp_path / "sys" / "memory" / "a"
    folder.mkdir(parents=True)
    for name, text in (("limit_in_bytes", GIB), ("usage_in_bytes", GIB // 2), ("stat", "cache 9\ntotal_inactive_file 24")):
        (folder / f"memory.{name}").write_text(f"{text}\n")

    assert memory._of_cgroups(tmp_path / "own", tmp_path / "sys") == [GIB // 2 + 24]


def test_where_nothing_bounds_memory_the_machine_does() -> None:
    assert memory._of_cgroups(Path("/nowhere"), Path("/nowhere")) == []
    assert Memory.of_this_machine().available > 0
    assert Memory.of_this_machine(5).available == 5
