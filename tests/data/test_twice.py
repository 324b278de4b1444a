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
