"""Rows that are read past HDF5 have the bits that HDF5 gives, whatever the layout; what is not simple HDF5 reads itself."""

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data import hdf5, stored
from mpi_pgd.data import table as table_of
from mpi_pgd.data.table import Table

ROWS, FEATURES = 301, 7


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stored, "PIECE", 1000)  # some rows


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

    monkeypatch.setattr(table_of, "opened", refuse)


LAYOUTS: dict[str, dict[str, Any]] = {"contiguous": {}}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", ">f2", "<i2", "|u1", "?"])
def test_rows_have_the_bits_that_hdf5_gives(monkeypatch: pytest.MonkeyPatch, dtype: str, layout: str) -> None:
    x, y = numbers(dtype), numbers(dtype, (ROWS, 3))
    table = hdf5.inspect([written(x, y, how=LAYOUTS[layout])], "X", "y")
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


ODD: dict[str, dict[str, Any]] = {
    "user block": {"userblock_size": 512},
    "compact": {},
    "another float": {},
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_not_simple_hdf5_reads(odd: str) -> None:
    x = numbers("f4")
    path = written(x, **ODD[odd])
    if odd == "compact":
        with h5py.File(path, "a") as file:
            plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plan.set_layout(h5py.h5d.COMPACT)
            space = h5py.h5s.create_simple(x.shape)
            h5py.h5d.create(file.id, b"Z", h5py.h5t.IEEE_F32LE, space, plan).write(h5py.h5s.ALL, h5py.h5s.ALL, x)
    if odd == "another float":
        x = x.astype("i4").astype("f4")
        with h5py.File(path, "a") as file:
            its = h5py.h5t.IEEE_F32LE.copy()
            its.set_ebias(100)
            made = h5py.h5d.create(file.id, b"Z", its, h5py.h5s.create_simple(x.shape))
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, x, h5py.h5t.NATIVE_FLOAT)
    table = hdf5.inspect([path], "X" if odd in ("user block",) else "Z", "y")
    assert stored.places(path, table.parts[0].files[:1], (table.x,)) == (None,)
    assert np.array_equal(read(table)[0], x)


def test_a_file_that_is_replaced_while_it_is_read_is_refused() -> None:
    table = hdf5.inspect([written(numbers("f8"))], "X", "y")
    read(table)
    Path(written(numbers("f8") + 1, path="b.h5")).replace("a.h5")
    with pytest.raises(InputError, match=r"a\.h5 has changed since the run began"):
        read(table)


def test_a_file_that_ends_too_soon_is_left_to_hdf5_and_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    table = hdf5.inspect([written(numbers("f8"))], "X", "y")
    read(table)
    monkeypatch.setattr(Table, "_check_unchanged", lambda *_: None)
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
