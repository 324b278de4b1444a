"""A shard takes and gives blocks, reads what it lacks, and always yields the file's rows."""

import os
import time
from pathlib import Path
from threading import Event, current_thread, main_thread
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError, kernel
from mpi_pgd.data import hdf5, stream
from mpi_pgd.data.memory import MemoryShard
from mpi_pgd.data.partition import Partition
from mpi_pgd.data.piece import Piece
from mpi_pgd.data.table import Table
from mpi_pgd.engine.batches import UNIT, rows_of, units
from mpi_pgd.engine.batchtask import BatchTask
from mpi_pgd.engine.query import Query
from mpi_pgd.engine.tasks import GradientTask
from mpi_pgd.losses.squared import Squared

QUERY = Query([GradientTask(Squared(), 3, 1)])
ROWS, FEATURES = 1000, 3  # 16 blocks, the last one short


def table(path: Path, kind: str = "f8") -> hdf5.Table:
    draw = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file["X"] = draw.standard_normal((ROWS, FEATURES)).astype(kind)
        file["y"] = draw.standard_normal(ROWS)
    return hdf5.inspect([str(path)], "X", "y")


def batch(epoch: int, start: int, stop: int) -> Query:
    task = BatchTask(QUERY.task, ROWS, 5)
    query = Query([QUERY.task, task])
    query.number = 1
    query.point[-3:] = epoch, start, stop
    task.bind(query.point)
    return query


def blocks(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int64)


@pytest.mark.parametrize("kind", ["f8", "f4"])
def test_what_it_yields_is_what_it_owns(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rows.h5"
    partition = Partition(ROWS, FEATURES)
    shard = MemoryShard(table(path, kind), partition)
    with h5py.File(path) as file:
        x, y = file["X"][...].astype(float), file["y"][...]
    expected_reads = 0
    for held, read in (
        (blocks(3, 4, 5, 15), 3 * 64 + ROWS - 15 * 64),
        (blocks(4), 0),  # the others are given away, and stay
        (blocks(0, 3, 4, 15), 64),  # two come back, one is new
        (blocks(), 0),
        (np.arange(partition.blocks), ROWS - 4 * 64 - (ROWS - 15 * 64)),
    ):
        shard.hold(held)
        expected_reads += read
        found = [(block.x.copy(), block.y.copy()) for block in shard.blocks(QUERY)]
        assert shard.held.tolist() == held.tolist()
        assert shard.rows_read == expected_reads
        assert len(found) == len(held)
        for block, (some_x, some_y) in zip(held.tolist(), found, strict=True):
            rows = slice(block * partition.block_rows, (block + 1) * partition.block_rows)
            assert some_x.dtype == (kind if kernel.STORED else np.float64)
            np.testing.assert_array_equal(some_x, x[rows])
            np.testing.assert_array_equal(some_y, y[rows])
    assert shard.peaks.tolist() == [*np.abs(x).max(axis=0), np.abs(y).max()]
    assert len(shard.missing(np.arange(partition.blocks))) == 0


def test_a_block_that_streams_stays_as_it_was_read_where_nobody_asks_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that reads ahead is let go while it waits for room, with rows left over: slabs end where no block does."""
    monkeypatch.setattr(stream, "SLAB_BYTES", 100 * 8 * FEATURES)
    path, slots = tmp_path / "rows.h5", stream.SLOTS
    table(path)
    with h5py.File(path, "a") as file:
        x = file["X"][...]
        del file["X"]
        file.create_dataset("X", data=x, chunks=(100, FEATURES))
    shard = MemoryShard(hdf5.inspect([str(path)], "X", "y"), Partition(ROWS, FEATURES))
    shard.hold(np.arange(16), room=0)
    read, loaded, full = shard.stream.load, 0, Event()

    def load(*args: Any) -> None:
        nonlocal loaded
        read(*args)
        loaded += 1
        if loaded == slots:
            full.set()

    monkeypatch.setattr(shard.stream, "load", load)
    source = iter(shard.blocks(QUERY))
    first = next(source)
    assert full.wait(10)
    time.sleep(0.05)  # until it waits
    source.close()
    np.testing.assert_array_equal(first.x, x[: first.rows])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slabs, and what is copied at a time, end where no block does."""
    monkeypatch.setattr(stream, "SLAB_BYTES", 150 * 8 * FEATURES)
    monkeypatch.setattr(stream, "COPIED", 40 * 8 * FEATURES)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("cold", [0, 450, ROWS])
def test_rows_that_need_not_be_waited_for_are_read_by_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cold: int, together: int
) -> None:
    """Up to the first slab that has to be: from there on a thread reads."""
    monkeypatch.setattr(Table, "there", lambda _, rows: rows.stop <= cold)
    path, read = tmp_path / "rows.h5", []
    rows = stream.Stream(table(path), Partition(ROWS, FEATURES))
    with h5py.File(path) as file:
        x, y = file["X"][...], file["y"][...]

    def take(first: int, part: Piece) -> None:
        read.append((first, first + part.rows, current_thread() is main_thread()))

    for numbers in (np.arange(16), blocks(0, 1, 2, 9, 10, 11)):
        read.clear()
        with rows.blocks(numbers, together, take) as ahead:
            for block in ahead:
                here = slice(block.start, block.start + block.rows)
                np.testing.assert_array_equal(block.x, x[here])
                np.testing.assert_array_equal(block.y, y[here])
        assert sum(stop - first for first, stop, _ in read) == min(ROWS, 64 * len(numbers))
        assert all(here == (stop <= cold) for _, stop, here in read)
        assert max((stop - first for first, stop, here in read if here), default=40) == 40


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("first", [False, True])
def test_what_is_kept_of_rows_that_stream_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    """Whether they have to be waited for, or not, the first time or later: the slabs differ."""
    monkeypatch.setattr(Table, "there", lambda *_: first)
    path, read, asked = tmp_path / "rows.h5", Table.read, []
    shard = MemoryShard(table(path), Partition(ROWS, FEATURES))
    with h5py.File(path) as file:
        y = file["y"][...]
    shard.hold(np.arange(3, 16), room=0)
    monkeypatch.setattr(Table, "read", lambda table, *args: (asked.append(args[2]), read(table, *args)))
    for now in (True, False):
        monkeypatch.setattr(Table, "there", lambda *_, now=now: now)
        np.testing.assert_array_equal(np.concatenate([block.y.copy() for block in shard.blocks(QUERY)]), y[3 * 64 :])
    assert asked
    assert all(each is None for each in asked)


def test_bytes_are_known_before_they_are_taken(tmp_path: Path) -> None:
    shard = MemoryShard(table(tmp_path / "rows.h5", "f4"), Partition(ROWS, FEATURES))
    wanted = blocks(0, 1, 14, 15)
    assert shard.bytes(wanted) == (3 * 64 + ROWS - 15 * 64) * (4 * FEATURES + 8)
    assert shard.bytes(blocks()) == 0
    shard.hold(blocks(0, 1))
    assert shard.missing(wanted).tolist() == [14, 15]
    shard.hold(wanted)
    assert sum(piece.nbytes for piece in shard.pieces) == shard.bytes(wanted)


def test_it_tells_what_it_reads(tmp_path: Path) -> None:
    told: list[range] = []
    shard = MemoryShard(table(tmp_path / "rows.h5"), Partition(ROWS, FEATURES), told.append)
    shard.hold(blocks(2, 3, 9))
    assert told == [range(128, 256), range(576, 640)]


@pytest.mark.parametrize("harm", ["touched", "replaced", "removed"])
def test_rows_that_have_changed_are_not_read(tmp_path: Path, harm: str) -> None:
    path = tmp_path / "rows.h5"
    shard = MemoryShard(table(path), Partition(ROWS, FEATURES))
    shard.hold(blocks(0))
    if harm == "touched":
        os.utime(path, (1, 1))
    elif harm == "replaced":
        table(tmp_path / "other.h5")
        (tmp_path / "other.h5").replace(path)
    else:
        path.unlink()
    shard.hold(blocks(0))  # which takes no reading
    with pytest.raises(InputError, match=r"rows\.h5"):
        shard.hold(blocks(0, 1))


def test_a_value_that_is_not_finite_is_found_in_a_block_taken_later(tmp_path: Path) -> None:
    path = tmp_path / "rows.h5"
    table(path)
    with h5py.File(path, "r+") as file:
        file["X"][700, 1] = np.nan
    shard = MemoryShard(hdf5.inspect([str(path)], "X", "y"), Partition(ROWS, FEATURES))
    shard.hold(blocks(0, 1))
    with pytest.raises(InputError, match="row 700, column 1 of X is nan"):
        shard.hold(blocks(0, 1, 10))


@pytest.mark.parametrize("kind", ["f8", "f4", "i1"])
@pytest.mark.parametrize("held", [blocks(0, 3, 4, 15), blocks(), np.arange(16)])
def test_a_batch_is_its_rows_of_the_blocks_that_are_held(tmp_path: Path, kind: str, held: np.ndarray) -> None:
    """An epoch of five batches: each row once, those of a block together, in their order, with all that belongs to them."""
    path = tmp_path / "rows.h5"
    table(path, kind)
    with h5py.File(path, "a") as file:
        del file["y"]
        file["y"], file["w"], file["o"] = np.arange(2.0 * ROWS).reshape(ROWS, 2), np.arange(ROWS) / 2, np.arange(ROWS) / 4
        x = file["X"][...].astype(float)
    shard = MemoryShard(hdf5.inspect([str(path)], "X", "y", "w", "o"), Partition(ROWS, FEATURES))
    shard.hold(held)
    total, seen = -(-ROWS // UNIT), []
    for start in range(0, total, 13):
        stop = min(start + 13, total)
        query = batch(7, start, stop)
        drawn = np.sort(units(5, 7, start, stop, total)).astype(int)
        for block in shard.blocks(query):
            rows = (block.weights * 2).astype(int)
            assert block.rows == len(rows)
            assert len({row // 64 for row in rows}) == 1
            assert block.x.dtype == (kind if kernel.STORED else np.float64)
            np.testing.assert_array_equal(block.x, x[rows])
            np.testing.assert_array_equal(block.y, [2.0 * rows, 2.0 * rows + 1])
            np.testing.assert_array_equal(block.offset, rows / 4)
            assert block.start == rows[0]
            assert {row // UNIT for row in rows} <= {*drawn}
            assert (np.diff(rows) > 0).all()
            seen += rows.tolist()
    assert sorted(seen) == [row for row in range(ROWS) if row // 64 in held]


def test_the_last_unit_may_be_short() -> None:
    assert [rows_of(np.array(some, dtype=np.uint64), ROWS) for some in ([], [0, 3], [62], [5, 62])] == [0, 32, 8, 24]
    assert rows_of(np.array([1], dtype=np.uint64), 32) == 16
