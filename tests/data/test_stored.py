"""Rows that are read past HDF5 have the bits that HDF5 gives, whatever the layout; what is not simple HDF5 reads itself."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data import chunks, filepart, hdf5, inflate, stored
from mpi_pgd.data.filepart import FilePart
from mpi_pgd.data.table import Table

ROWS, FEATURES = 301, 7


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stored, "PIECE", 1000)  # some rows
    monkeypatch.setattr(chunks, "LEAST", 0)


def numbers(dtype: str, shape: tuple[int, ...] = (ROWS, FEATURES)) -> np.ndarray:
    return (np.random.default_rng(8).normal(size=shape) * 90).astype(dtype)


def written(x: np.ndarray, y: np.ndarray | None = None, path: str = "a.h5", how: Any = None, **file_how: Any) -> str:
    with h5py.File(path, "w", **file_how) as file:
        file.create_dataset("X", data=x, **how or {})
        file["y"] = x[:, 0].astype("f8") if y is None else y
    return path


def read(table: Table, slab: int = 97) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.zeros((table.rows, table.features), table.x_type)
    y = np.zeros((table.targets, table.rows))
    peaks = np.zeros(table.features)
    for start in range(0, table.rows, slab):
        here = slice(start, min(start + slab, table.rows))
        table.read(range(here.start, here.stop), x[here], y[:, here] if len(y) > 1 else y[0, here], peaks=peaks)
    return x, y, peaks


def no_hdf5(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on it may find out where numbers are, but not read them."""

    def refuse(*_: object) -> None:
        raise AssertionError("HDF5 was asked")

    monkeypatch.setattr(filepart, "opened", refuse)


LAYOUTS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "whole rows": {"chunks": (16, FEATURES)},
    "odd chunks": {"chunks": (50, 3)},
    "one chunk that may grow": {"chunks": (400, 9), "maxshape": (None, None)},
    "gzip": {"chunks": (64, FEATURES), "compression": "gzip"},
    "shuffle and gzip, odd chunks": {"chunks": (50, 3), "compression": "gzip", "compression_opts": 9, "shuffle": True},
    "shuffle and gzip, old format": {"chunks": (5, FEATURES), "compression": "gzip", "shuffle": True},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", ">f2", "<i2", "|u1", "?"])
def test_rows_have_the_bits_that_hdf5_gives(monkeypatch: pytest.MonkeyPatch, dtype: str, layout: str) -> None:
    x, y = numbers(dtype), numbers(dtype, (ROWS, 3))
    x[: ROWS // 2] = 3  # and chunks that gzip can't make smaller, which are stored as they are
    libver = "latest" if "may" in layout or layout == "odd chunks" else "earliest"
    table = hdf5.inspect([written(x, y, how=LAYOUTS[layout], libver=libver)], "X", "y")
    no_hdf5(monkeypatch)
    its, targets, peaks = read(table)
    assert its.dtype == x.dtype.newbyteorder("=")
    assert np.array_equal(its, x)
    assert np.array_equal(targets, y.T.astype("f8"))
    assert np.array_equal(peaks, np.abs(x.astype("f8")).max(axis=0))


def test_rows_are_converted_to_the_type_of_all_files_and_columns_are_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [written(numbers("f4"), path="a.h5"), written(numbers("i8")[:, ::-1], path="b.h5")]
    for path, names in zip(some, ("abcdefg", "gfedcba"), strict=True):
        with h5py.File(path, "a") as file:
            file["feature_names"] = list(names)
    table = hdf5.inspect(some, "X", "y")
    no_hdf5(monkeypatch)
    assert np.array_equal(read(table)[0], np.concatenate([numbers("f4"), numbers("i8")]).astype("f8"))


ALONE = {"contiguous", "whole rows"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_lies_in_the_file_as_it_is_wanted_is_there_as_soon_as_the_system_has_it(
    monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    table = hdf5.inspect([written(numbers("f4"), how=LAYOUTS[layout])], "X", "y")
    has = Path("a.h5").stat().st_size
    monkeypatch.setattr(os, "preadv", lambda _, rooms, start, flags: len(rooms[0]) if flags == os.RWF_NOWAIT and start < has else 0)
    assert table.there(range(ROWS)) == (layout in ALONE)
    assert not replace(table, x_type="float64").there(range(ROWS))
    has = 0
    assert not table.there(range(ROWS))

    def wait(*_: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr(os, "preadv", wait)
    assert not table.there(range(ROWS))


def user_block(x: np.ndarray) -> None:
    written(x, userblock_size=512)


def compact(x: np.ndarray) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    made(x, h5py.h5t.IEEE_F32LE, plan)


def another_float(x: np.ndarray) -> None:
    its = h5py.h5t.IEEE_F32LE.copy()
    its.set_ebias(100)
    x[:] = np.rint(x)
    made(x, its)


def made(x: np.ndarray, stored_as: Any, plan: Any = None) -> None:
    with h5py.File("a.h5", "w") as file:
        data_set = h5py.h5d.create(file.id, b"X", stored_as, h5py.h5s.create_simple(x.shape), plan)
        data_set.write(h5py.h5s.ALL, h5py.h5s.ALL, x)
        file["y"] = x[:, 0]


def chunked(**how: Any) -> Callable[[np.ndarray], None]:
    return lambda x: void(written(x, how={"chunks": (64, FEATURES), **how}))


def void(_: object) -> None: ...


ODD = {
    "user block": user_block,
    "compact": compact,
    "another float": another_float,
    "lzf": chunked(compression="lzf"),
    "checksum": chunked(fletcher32=True),
    "shuffled alone": chunked(shuffle=True),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_not_simple_hdf5_reads(odd: str) -> None:
    x = numbers("f4")
    ODD[odd](x)
    table = hdf5.inspect(["a.h5"], "X", "y")
    assert stored.places("a.h5", table.parts[0].files[:1], ("X",), ()) == {"X": None}
    its, _, peaks = read(table)
    assert np.array_equal(its, x)
    assert np.array_equal(peaks, np.abs(x).max(axis=0))


def test_without_the_fast_library_python_unpacks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x = numbers("f8")
    table = hdf5.inspect([written(x, how=LAYOUTS["gzip"])], "X", "y")
    no_hdf5(monkeypatch)
    used: list[int] = []
    monkeypatch.setattr(inflate, "unpack", lambda packed, size: used.append(size) or inflate._zlib(packed, size))
    assert np.array_equal(read(table)[0], x)
    assert used


def test_a_chunk_that_is_damaged_is_left_to_hdf5_and_its_words() -> None:
    table = hdf5.inspect([written(np.ones((ROWS, FEATURES)), how=LAYOUTS["gzip"])], "X", "y")
    with h5py.File("a.h5") as file:
        chunk = file["X"].id.get_chunk_info(2)
    before = Path("a.h5").stat()
    with Path("a.h5").open("r+b") as raw:
        raw.seek(chunk.byte_offset + chunk.size - 5)
        raw.write(b"12345")
    os.utime("a.h5", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match=r"rows 97 to 193 of .*a\.h5 can't be read: .*filter"):
        read(table)


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_is_replaced_is_refused_until_it_is_brought_back(known: bool) -> None:
    table = hdf5.inspect([written(numbers("f8"))], "X", "y")
    stored.places.cache_clear()
    if known:
        read(table)
    Path("a.h5").rename("kept.h5")
    written(numbers("f8") + 1)
    with pytest.raises(InputError, match=r"a\.h5 has changed since the run began"):
        read(table)
    Path("kept.h5").replace("a.h5")
    assert np.array_equal(read(table)[0], numbers("f8"))


def test_a_file_that_ends_too_soon_is_left_to_hdf5_and_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    table = hdf5.inspect([written(numbers("f8"))], "X", "y")
    read(table)
    monkeypatch.setattr(FilePart, "_check_unchanged", lambda *_: None)
    os.truncate("a.h5", Path("a.h5").stat().st_size - 3000)
    with pytest.raises(InputError, match=r"a\.h5 is cut short"):
        read(table)


def test_files_are_opened_once_and_not_all_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    some = [written(numbers("f8"), path=f"{number}.h5") for number in range(2 * stored.PARTS)]
    table = hdf5.inspect(some, "X", "y")
    before, asked = len(list(Path("/proc/self/fd").iterdir())), []
    opened = stored.opened
    monkeypatch.setattr(stored, "opened", lambda path: asked.append(path) or opened(path))
    read(table)
    assert asked == some
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2 * stored.PARTS
