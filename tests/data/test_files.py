"""Files are found by any name, told apart, and never waited for."""

import os
import socket
from pathlib import Path
from time import perf_counter
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError, config
from mpi_pgd.data import files, hdf5
from mpi_pgd.data.opening import opened
from mpi_pgd.errors import nearest
from mpi_pgd.report import records
from mpi_pgd.study import every, network


def test_names_with_any_digits_have_an_order(tmp_path: Path) -> None:
    names = ["rows1²3.h5", "rows10.h5", "rows2.h5", "rows٣.h5", "rows½.h5", os.fsdecode(b"rows\xff1.h5"), "12.h5"]
    for name in names:
        (tmp_path / name).touch()
    found = [Path(name).name for name in files.find([f"{tmp_path}/*"])]
    assert sorted(found) == sorted(names)
    assert found.index("rows2.h5") < found.index("rows10.h5")


def table(path: Path) -> str:
    with h5py.File(path, "w") as file:
        file["X"], file["y"] = np.eye(4), np.arange(4.0)
    return str(path)


@pytest.mark.parametrize("name", ["rows1²3.h5", os.fsdecode(b"rows\xff.h5"), "a b\n.h5"])
def test_a_file_of_any_name_is_read(tmp_path: Path, name: str) -> None:
    (found,) = files.find([table(tmp_path / name)])
    seen = hdf5.inspect([found], "X", "y")
    x, y = np.empty((4, 4)), np.empty(4)
    seen.read(range(4), x, y)
    assert x.tolist() == np.eye(4).tolist()


@pytest.mark.parametrize("name", ["x" * 300, "x" * 5000, "x/" * 3000])
def test_names_that_are_too_long_are_files_that_are_not_there(name: str) -> None:
    with pytest.raises(InputError, match="there is no file"):
        files.find([name])


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_file_is_not_opened(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    else:
        path.symlink_to("/dev/zero")
    folder, name = str(tmp_path), str(path)
    reads: list[Any] = [lambda: records.read(folder, every()), lambda: network.read(name), lambda: opened(name).__enter__()]
    for read in reads:
        with pytest.raises(InputError, match=f"is a {kind}, not a file"):
            read()


def test_names_of_many_megabytes_are_answered_at_once() -> None:
    start, name = perf_counter(), "x" * 20_000_000
    for values in ({"x": name}, {"mode": name}, {"data": name}, {name: 1}):
        with pytest.raises(InputError) as caught:
            config.settings(values)
        assert len(str(caught.value)) < 3000
    assert nearest(name, [name[1:], "x"]) == ""
    assert perf_counter() - start < 10


@pytest.mark.parametrize("kind", [h5py.string_dtype(), "S3000000"])
def test_feature_names_of_many_megabytes(tmp_path: Path, kind: Any) -> None:
    with h5py.File(table(tmp_path / "rows.h5"), "r+") as file:
        file["feature_names"] = np.array(["a" * 3_000_000, "b", "c", "d"], dtype=kind)
    with pytest.raises(InputError, match=r"has feature_names of 3,000,000 (characters|bytes): expected at most 1,000"):
        hdf5.inspect([str(tmp_path / "rows.h5")], "X", "y")
