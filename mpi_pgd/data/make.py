"""Files of synthetic rows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py

from mpi_pgd.data.slabs import beside, slab, slab_rows, truths
from mpi_pgd.data.synthetic import ALL, BASIC, Synthetic, checked, whole_number
from mpi_pgd.errors import InputError
from mpi_pgd.system import conflicts, output
from mpi_pgd.system.claims import Claim

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
    with Claim(f"data make {target}", file.parent, [file.name], f".{file.name}.lock") as claim:
        conflicts.spare(f"data make {target}", {file: _foreign}, force)
        try:
            claim.replace({file.name: lambda part: _write(part, rows, problem, watch)})
        except (OSError, RuntimeError) as error:
            if not output.number(error):
                raise
            raise InputError(f"{target} can't be written ({output.reason(error)}): make room, or choose another place") from error


def _foreign(path: Path) -> str:
    """Why a file that is there would be lost; nothing if it was made here, and so can be made again."""
    with suppress(*output.FAILURES), h5py.File(path, "r", locking=False) as file:
        named = {str(file.attrs[name]) for name in ("weights", "offset") if name in file.attrs}
        if set(file) == {"X", "y", "true_coef", "true_intercept", *named} and BASIC <= set(file.attrs) <= ALL:
            return ""
    return "it has not made"


def _write(path: Path, rows: int, problem: Synthetic, watch: Watch) -> None:
    height = slab_rows(problem.features)
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
        x = file.create_dataset("X", (rows, problem.features), dtype="<f8", track_times=False)
        columns = {
            name: file.create_dataset(name, (rows,), dtype="<f8", track_times=False)
            for name in filter(None, ("y", problem.weights, problem.offset))
        }
        for start in watch(range(0, rows, height)):
            stop = min(start + height, rows)
            x_slab, y_slab = slab(problem, start // height)
            x[start:stop] = x_slab[: stop - start]
            for name, numbers in beside(problem, start // height, x_slab, y_slab, stop - start).items():
                columns[name][start:stop] = numbers[: stop - start]


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
    needed = 8 * (rows * (features + columns) + problem.outputs * features) + 2**16
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{rows} rows of {features} features need {needed / 2**30:,.2f} GiB, but {folder} has "
            f"{free / 2**30:,.2f} GiB free: ask for fewer rows or features, or choose another folder"
        )
