"""Files of synthetic rows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mpi_pgd.data.draws import Floats
from mpi_pgd.data.slabs import beside, slab, slab_rows, sparse_slab, truths
from mpi_pgd.data.synthetic import ALL, BASIC, Synthetic, checked, whole_number
from mpi_pgd.errors import InputError
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.placed import of_file, told

Watch = Callable[[Sequence[int]], Iterable[int]]


def make(
    path: str | os.PathLike[str],
    rows: int,
    features: int,
    condition: float = 1.0,
    noise: float = 0.1,
    seed: int = 0,
    force: bool = False,
    watch: Watch = iter,
    **more: Any,
) -> None:
    """Write a regression problem with known weights to an HDF5 file: eta = X @ true_coef + true_intercept, and y = eta + noise.

    The file holds float64 `X` (rows, features) and `y` (rows,), both contiguous, `true_coef` (features,), the scalar
    `true_intercept`, and the arguments as attributes. Each column of X has mean 0 and variance 1, each pair of columns
    the same correlation. The file appears whole or not at all.

    For another loss y is drawn from the model that it is the likelihood of; with classes `true_coef` is (features, classes), and
    `true_intercept` (classes,). Weights are whole numbers from 1 to 4, an offset has mean 0 and deviation 1/2.

    With a density below 1 the rows are sparse: `X` is a group with `data` (float64), `indices` and `indptr`, as scipy's CSR. Each
    row has as many numbers, near-normal ones, whose columns are drawn.

    Args:
        path: the file to write; its folder has to exist.
        rows: number of rows, at least 1.
        features, condition, noise, seed, more: see `Synthetic`.
        force: a file of that name that was not made here may be overwritten.
        watch: is given the first row of each slab, and gives them back one by one, to tell how far it is.

    Raises:
        InputError: an argument is out of range, the file can't be written, the disk is too small, or a file of
            that name would be lost.
    """
    rows = whole_number("rows", rows, 1, 2**63 - 1)
    problem = checked(features, condition, noise, seed, **more)
    target = Path(path)
    _check_target(target, rows, problem)
    file = Path(os.path.realpath(target))
    with of_file(f"data make {target}", target) as claim:
        conflicts.spare(f"data make {target}", {file: _foreign}, force)
        with told(target):
            claim.replace({file.name: lambda part: _write(part, rows, problem, watch)})


def _foreign(path: Path) -> str:
    """Why a file that is there would be lost; nothing if it was made here, and so can be made again."""
    with suppress(*output.FAILURES), h5py.File(path, "r", locking=False) as file:
        named = {str(file.attrs[name]) for name in ("weights", "offset") if name in file.attrs}
        if set(file) == {"X", "y", "true_coef", "true_intercept", *named} and BASIC <= set(file.attrs) <= ALL:
            return ""
    return "it has not made"


def _write(path: Path, rows: int, problem: Synthetic, watch: Watch) -> None:
    height = slab_rows(problem.stored)
    # The oldest format and byte order by name: the defaults differ between versions of HDF5 and between machines.
    with h5py.File(path, "w", libver=("earliest", "v108")) as file:
        for name, value in {"rows": rows, **problem._asdict()}.items():
            if name not in Synthetic._field_defaults or value != Synthetic._field_defaults[name]:
                dtype = {float: "<f8", int: "<u8"}.get(type(value))
                file.attrs.create(name, value, dtype=dtype)
        coef, intercept = truths(problem)
        true = (coef.T, intercept) if problem.outputs > 1 else (coef[0], intercept[0])
        for name, numbers in zip(("true_coef", "true_intercept"), true, strict=True):
            file.create_dataset(name, data=numbers, dtype="<f8", track_times=False)
        fill = (_sparse if problem.density < 1.0 else _dense)(file, rows, problem)
        columns = {
            name: file.create_dataset(name, (rows,), dtype="<f8", track_times=False)
            for name in filter(None, ("y", problem.weights, problem.offset))
        }
        for start in watch(range(0, rows, height)):
            for name, numbers in fill(start // height, slice(start, min(start + height, rows))).items():
                columns[name][start : start + height] = numbers[: rows - start]


Fill = Callable[[int, slice], dict[str, Floats]]  # X's rows, from the slab of this number; returns what is beside them


def _dense(file: h5py.File, rows: int, problem: Synthetic) -> Fill:
    x = file.create_dataset("X", (rows, problem.features), dtype="<f8", track_times=False)

    def fill(index: int, here: slice) -> dict[str, Floats]:
        x_slab, y_slab = slab(problem, index)
        count = here.stop - here.start
        x[here] = x_slab[:count]
        return beside(problem, index, x_slab, y_slab, count)

    return fill


def _sparse(file: h5py.File, rows: int, problem: Synthetic) -> Fill:
    group, each = file.create_group("X"), problem.stored
    sizes = {"data": "<f8", "indices": _index(problem)}
    data, indices = (group.create_dataset(name, (rows * each,), dtype=dtype, track_times=False) for name, dtype in sizes.items())
    starts = group.create_dataset("indptr", (rows + 1,), dtype="<i8", track_times=False)
    group.attrs.create("shape", (rows, problem.features), dtype="<i8")
    group.attrs["encoding-type"] = np.bytes_("csr_matrix")

    def fill(index: int, here: slice) -> dict[str, Floats]:
        places, values, y_slab = sparse_slab(problem, index)
        count = here.stop - here.start
        numbers = slice(here.start * each, here.stop * each)
        data[numbers], indices[numbers] = values[:count].ravel(), places[:count].ravel()
        starts[here.start : here.stop + 1] = each * np.arange(here.start, here.stop + 1)
        return beside(problem, index, values, y_slab, count, places)

    return fill


def _index(problem: Synthetic) -> str:
    """The type of a column's number."""
    return "<i4" if problem.features < 2**31 else "<i8"


def _check_target(target: Path, rows: int, problem: Synthetic) -> None:
    """Find out before the work whether a file of this size can be put at `target`."""
    folder = target.parent
    if not os.path.isdir(folder):  # noqa: PTH112  (unlike Path.is_dir, no exception for names that are too long)
        raise InputError(f"{target} can't be written, as there is no folder {folder}: make it, or choose another")
    if os.path.isdir(target):  # noqa: PTH112
        raise InputError(f"{target} is a folder, but has to be the name of the file to write: add a file name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{target} can't be written, as the folder {folder} is not writable: choose another")
    features, columns = problem.features, 1 + bool(problem.weights) + bool(problem.offset)
    sparse = problem.density < 1.0
    row = problem.stored * (8 + np.dtype(_index(problem)).itemsize) + 8 if sparse else 8 * features
    needed = rows * (row + 8 * columns) + 8 * problem.outputs * features + 2**16
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{rows} rows of {features} features need {needed / 2**30:,.2f} GiB, but {folder} has "
            f"{free / 2**30:,.2f} GiB free: ask for fewer rows or features, or choose another folder"
        )
