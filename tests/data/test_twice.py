"""No row counts twice, whatever names lead to it."""

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data import files, hdf5

X, Y = np.arange(30.0).reshape(10, 3), np.arange(10.0)


def stored(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["X"], file["y"] = X, Y
    return path


def by_symlink(here: Path, there: Path) -> None:
    there.symlink_to(here.name)


def by_link(here: Path, there: Path) -> None:
    os.link(here, there)


def by_external_link(here: Path, there: Path) -> None:
    with h5py.File(there, "w") as file:
        file["X"], file["y"] = h5py.ExternalLink(here.name, "X"), Y


WAYS: dict[Callable[[Path, Path], None], str] = {
    by_symlink: "are the same file",
    by_link: "are the same file",
    by_external_link: "both lead to rows 0 to 9 of /X in",
}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_two_ways_to_the_same_rows(tmp_path: Path, way: Callable[[Path, Path], None]) -> None:
    a, b = stored(tmp_path / "a.h5"), tmp_path / "b.h5"
    way(a, b)
    with pytest.raises(InputError) as error:
        hdf5.inspect(files.find([f"{tmp_path}/*.h5"]), "X", "y")
    assert f"{a} and {b} {WAYS[way]}" in str(error.value)
    assert "count twice" in str(error.value)
    assert hdf5.inspect([str(b)], "X", "y").rows == 10  # either alone will do
    stored(tmp_path / "c.h5")
    assert hdf5.inspect([str(b), str(tmp_path / "c.h5")], "X", "y").rows == 20  # and equal rows in another file


@pytest.mark.parametrize("again", ["a.h5", "a*.h5", "./a.h5", "../{folder}/a.h5"])
def test_a_file_that_is_given_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: str) -> None:
    monkeypatch.chdir(tmp_path)
    stored(tmp_path / "a.h5")
    given = files.find(["a.h5", again.format(folder=tmp_path.name)])
    with pytest.raises(InputError, match=r"a\.h5 (is given twice|and .*a\.h5 are the same file), and its rows would count twice"):
        hdf5.inspect(given, "X", "y")


@pytest.mark.parametrize("shared", [0, 24])
def test_raw_numbers_of_two_files(tmp_path: Path, shared: int) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(np.arange(60.0).tobytes())
    for name, offset in (("a", 0), ("b", X.nbytes - shared)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_dataset("X", X.shape, "f8", external=[(str(raw), offset, X.nbytes)])
            file["y"] = Y
    both = [str(tmp_path / "a.h5"), str(tmp_path / "b.h5")]
    if shared:
        with pytest.raises(InputError, match=r"a\.h5 and .*b\.h5 both lead to bytes 216 to 239 of .*raw\.bin"):
            hdf5.inspect(both, "X", "y")
    else:
        assert hdf5.inspect(both, "X", "y").rows == 20


def virtual(path: Path, *takes: tuple[Path, slice]) -> Path:
    """Of rows of other files."""
    rows = [np.arange(10)[taken] for _, taken in takes]
    layout, start = h5py.VirtualLayout((sum(map(len, rows)), 3), "f8"), 0
    for (source, taken), chosen in zip(takes, rows, strict=True):
        layout[start : start + len(chosen)] = h5py.VirtualSource(source.name, "X", X.shape)[taken]
        start += len(chosen)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("X", layout)
        file["y"] = np.arange(float(start))
    return path


def test_a_virtual_data_set_beside_its_source(tmp_path: Path) -> None:
    a = stored(tmp_path / "a.h5")
    v = virtual(tmp_path / "v.h5", (a, slice(2, 6)))
    with pytest.raises(InputError, match=r"a\.h5 and .*v\.h5 both lead to rows 2 to 5 of /X in .*a\.h5, which would count twice"):
        hdf5.inspect([str(a), str(v)], "X", "y")
    assert hdf5.inspect([str(v)], "X", "y").rows == 4


@pytest.mark.parametrize(
    ("one", "other", "twice"),
    [
        ([slice(0, 5)], [slice(5, 10)], ""),
        ([slice(0, 6)], [slice(5, 10)], "rows 5 to 5"),
        ([slice(0, 2), slice(6, 8)], [slice(2, 6)], ""),
        ([slice(0, 2), slice(6, 8)], [slice(2, 7)], "rows 6 to 6"),
        ([slice(0, 9), slice(0, 3)], [slice(9, 10)], ""),  # twice in one file: its own affair
        ([slice(0, 9), slice(0, 3)], [slice(4, 5)], "rows 4 to 4"),
        ([slice(0, 10, 2)], [slice(1, 10, 2)], ""),
        ([slice(0, 10, 2)], [slice(4, 10, 3)], "rows 4 to 4"),
    ],
)
def test_two_virtual_data_sets_of_one_source(tmp_path: Path, one: list[slice], other: list[slice], twice: str) -> None:
    a = stored(tmp_path / "a.h5")
    both = [str(virtual(tmp_path / f"{i}.h5", *((a, taken) for taken in takes))) for i, takes in enumerate((one, other))]
    if twice:
        with pytest.raises(InputError, match=f"both lead to {twice} of"):
            hdf5.inspect(both, "X", "y")
    else:
        hdf5.inspect(both, "X", "y")


def test_columns_that_overlap_are_no_rows(tmp_path: Path) -> None:
    """As lagged features are made of one series."""
    with h5py.File(tmp_path / "series.h5", "w") as file:
        file["s"] = np.arange(30.0)
    for name, first in (("a", 0), ("b", 5)):
        layout = h5py.VirtualLayout((10, 3), "f8")
        for lag in range(3):
            layout[:, lag] = h5py.VirtualSource("series.h5", "s", (30,))[first + lag : first + lag + 10]
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file.create_virtual_dataset("X", layout)
            file["y"] = Y
    assert hdf5.inspect([str(tmp_path / "a.h5"), str(tmp_path / "b.h5")], "X", "y").rows == 20
