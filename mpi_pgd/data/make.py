"""Synthetic rows of any size with known true weights: the same numbers, bit for bit, whatever machine makes them.

Two rules bring that about.

*Only exact arithmetic.* Random words come from a counter-based generator of integers whose stream numpy keeps
(`random_raw` of Philox; the methods of numpy's Generator are free to change). All that follows is + - * / and square
root, element by element, which IEEE 754 rounds in one way only. There is no BLAS, no log or cos of a C library, and no
sum by numpy, whose order depends on the processor.

*Slabs.* Rows come in slabs of `slab_rows(features)` rows, and slab i is a function of the recipe and i alone. So the
slabs can be made in any order by any number of processes, memory does not grow with the rows, and a longer file begins
with the rows of a shorter one.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mpi_pgd.data.draws import Floats
from mpi_pgd.data.recipe import ALL, BASIC, Recipe, checked, whole_number
from mpi_pgd.errors import InputError
from mpi_pgd.system import output
from mpi_pgd.system.claims import Claim

Watch = Callable[[Sequence[int]], Iterable[int]]

SLAB_BYTES = 16 * 2**20
PANEL = 8192  # values worked on at once: enough to hide the cost of a numpy call, few enough for the L2 cache
TRUTH_STREAM = 2**64 - 1  # no slab has this index
TARGETS, WEIGHTS, OFFSET = 1, 2, 3  # streams of a slab, beside that of its rows
HEAVIEST = 4  # weights are whole numbers from 1

# A near-normal value is the sum of the four 16-bit parts of a word: 0 to 4 * 65535, its mean half of that. A part is
# uniform on 2**16 values, so its variance is (2**32 - 1) / 12.
CENTRE = 2.0 * 65535.0
SPREAD = math.sqrt((2.0**32 - 1.0) / 3.0)
PARTS = np.uint64(0x0000_FFFF_0000_FFFF)


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
        features, condition, noise, seed, more: see `Recipe`.
        force: a file of that name that was not made here may be overwritten.
        watch: is given the first row of each slab, and gives them back one by one, to tell how far it is.

    Raises:
        InputError: an argument is out of range, the file can't be written, the disk is too small, or a file of
            that name would be lost.
    """
    rows = whole_number("rows", rows, 1, 2**63 - 1)
    recipe = checked(features, condition, noise, seed, **more)
    target = Path(path)
    _check_target(target, rows, recipe)
    file = Path(os.path.realpath(target))
    with Claim(f"data make {target}", file.parent, [file.name], f".{file.name}.lock") as claim:
        output.spare(f"data make {target}", {file: _foreign}, force)
        try:
            claim.replace({file.name: lambda part: _write(part, rows, recipe, watch)})
        except (OSError, RuntimeError) as error:
            if not output.number(error):
                raise
            raise InputError(f"{target} can't be written ({output.reason(error)}): make room, or choose another place") from error


def slab_rows(features: int) -> int:
    """Rows in a slab, at least 1: as many as 16 MiB of X hold, so that it depends on the features alone."""
    return max(1, SLAB_BYTES // (8 * features))


def truth(recipe: Recipe) -> tuple[Floats, float]:
    """The true weights of a recipe whose targets are numbers: coef, float64 (features,), and intercept; near-normal, variance 1."""
    values = normals(_stream(recipe.seed, TRUTH_STREAM), recipe.features + 1)
    return values[1:], float(values[0])


def truths(recipe: Recipe) -> tuple[Floats, Floats]:
    """The true weights of any recipe: coef, float64 (outputs, features), and intercept (outputs,).

    Where targets are drawn, the linear predictors vary as `draws.KINDS` says, whatever the features.
    """
    if not recipe.kind:
        coef, intercept = truth(recipe)
        return coef[np.newaxis], np.array([intercept])
    values = normals(_stream(recipe.seed, TRUTH_STREAM), recipe.outputs * (recipe.features + 1)).reshape(recipe.outputs, -1)
    own, shared = _mixture(recipe)
    for line in values[:, 1:]:
        total = shared * math.fsum(line)
        line *= recipe.kind.spread / math.sqrt(own * own * math.fsum(line * line) + total * total)
    return values[:, 1:], values[:, 0] / 2


def slab(recipe: Recipe, index: int) -> tuple[Floats, Floats]:
    """The rows of slab 0 to 2**64 - 2, global rows `index * slab_rows(features)` and on: X (slab_rows, features), y (slab_rows,).

    Both are float64, X in C order. A slab is always whole: the last one of a file is cut when it is written.
    """
    coef, intercept = truth(recipe)
    own, shared = _mixture(recipe)
    rows = slab_rows(recipe.features)
    stream = _stream(recipe.seed, index)
    noise = normals(stream, rows) * recipe.noise
    factor = normals(stream, rows) * shared
    x = np.empty((rows, recipe.features))
    y = np.full(rows, intercept)
    # A panel is one column, or several if columns are short.
    width = -(-PANEL // rows)
    for start in range(0, recipe.features, width):
        weights = coef[start : start + width, np.newaxis]
        panel = normals(stream, weights.size * rows).reshape(-1, rows)
        panel *= own
        panel += factor
        x[:, start : start + width] = panel.T
        panel *= weights
        y += _fold(panel)
    y += noise
    return x, y


def beside(recipe: Recipe, index: int, x: Floats, y: Floats, rows: int) -> dict[str, Floats]:
    """What is written beside X for the first `rows` of a slab, or some more: `y`, and weights and offsets, if there are to be any.

    `x` and `y` are what `slab` gave; `y` is used up.
    """
    offset = np.zeros(0)
    if recipe.offset:
        offset = normals(_stream(recipe.seed, index, OFFSET), len(y)) / 2
        y += offset
    if recipe.kind:
        stream = _stream(recipe.seed, index, TARGETS)
        step = max(1, PANEL // recipe.features)
        coef, intercept = truths(recipe)
        for start in range(0, rows, step):  # whole ones, each drawn from where the one before ended
            here = slice(start, start + step)
            eta = np.array([_fold(x[here].T * line[:, np.newaxis]) + one for line, one in zip(coef, intercept, strict=True)])
            if recipe.offset:
                eta += offset[here]
            y[here] = recipe.kind.draw(eta, partial(_uniforms, stream), partial(normals, stream))
    found = {"y": y}
    if recipe.weights:
        words = _stream(recipe.seed, index, WEIGHTS).random_raw(rows)
        found[recipe.weights] = (words % np.uint64(HEAVIEST)).astype(np.float64) + 1.0
    return found | ({recipe.offset: offset} if recipe.offset else {})


def _uniforms(stream: np.random.Philox, count: int) -> Floats:
    """The next `count` numbers of a stream between 0 and 1, neither of them included."""
    return ((stream.random_raw(count) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normals(stream: np.random.Philox, count: int) -> Floats:
    """The next `count` near-normal values of a stream, float64 (count,): mean 0, variance 1, within 3.47 of 0."""
    words = stream.random_raw(count)
    # Four parts are added in two steps: first two lanes of 32 bits at a time, then the lanes.
    lanes = words >> np.uint64(16)
    lanes &= PARTS
    words &= PARTS
    lanes += words
    np.right_shift(lanes, np.uint64(32), out=words)
    lanes &= np.uint64(0xFFFF_FFFF)
    lanes += words
    values = lanes.view(np.int64).astype(np.float64)
    values -= CENTRE
    values /= SPREAD
    return values


def _stream(seed: int, index: int, purpose: int = 0) -> np.random.Philox:
    """The random words of one slab, or of the truth: the key is the pair itself, so no two share a stream.

    Those for another `purpose` are so far behind that nobody comes to them.
    """
    counter = np.array([0, 0, 0, purpose], dtype=np.uint64)
    return np.random.Philox(key=np.array([seed, index], dtype=np.uint64), counter=counter)


def _mixture(recipe: Recipe) -> tuple[float, float]:
    """The factors (own, shared) in x_j = own * z_j + shared * f, with one f a row.

    With own**2 = 1 - rho and shared**2 = rho the columns have variance 1 and correlation rho. The eigenvalues of that
    matrix are 1 - rho and 1 + (p - 1) rho; their ratio is C when rho = (C - 1) / (C + p - 1).
    """
    total = recipe.condition + (recipe.features - 1)
    # 1 - rho, written so that it does not cancel when C is large.
    return math.sqrt(recipe.features / total), math.sqrt((recipe.condition - 1.0) / total)


def _fold(panel: Floats) -> Floats:
    """The sum over axis 0 of `panel` (k, n): float64 (n,), added in the same order everywhere. It spoils `panel`."""
    while len(panel) > 1:
        half = len(panel) // 2
        panel[:half] += panel[-half:]
        panel = panel[: len(panel) - half]
    total: Floats = panel[0]
    return total


def _foreign(path: Path) -> str:
    """Why a file that is there would be lost; nothing if it was made here, and so can be made again."""
    with suppress(*output.FAILURES), h5py.File(path, "r", locking=False) as file:
        named = {str(file.attrs[name]) for name in ("weights", "offset") if name in file.attrs}
        if set(file) == {"X", "y", "true_coef", "true_intercept", *named} and BASIC <= set(file.attrs) <= ALL:
            return ""
    return "it has not made"


def _write(path: Path, rows: int, recipe: Recipe, watch: Watch) -> None:
    height = slab_rows(recipe.features)
    # The oldest format and byte order by name: the defaults differ between versions of HDF5 and between machines.
    with h5py.File(path, "w", libver=("earliest", "v108")) as file:
        for name, value in {"rows": rows, **recipe._asdict()}.items():
            if name not in Recipe._field_defaults or value != Recipe._field_defaults[name]:
                dtype = {float: "<f8", int: "<u8"}.get(type(value))
                file.attrs.create(name, value, dtype=dtype)
        coef, intercept = truths(recipe)
        true = (coef.T, intercept) if recipe.outputs > 1 else (coef[0], intercept[0])
        for name, numbers in zip(("true_coef", "true_intercept"), true, strict=True):
            file.create_dataset(name, data=numbers, dtype="<f8", track_times=False)
        x = file.create_dataset("X", (rows, recipe.features), dtype="<f8", track_times=False)
        columns = {
            name: file.create_dataset(name, (rows,), dtype="<f8", track_times=False)
            for name in filter(None, ("y", recipe.weights, recipe.offset))
        }
        for start in watch(range(0, rows, height)):
            stop = min(start + height, rows)
            x_slab, y_slab = slab(recipe, start // height)
            x[start:stop] = x_slab[: stop - start]
            for name, numbers in beside(recipe, start // height, x_slab, y_slab, stop - start).items():
                columns[name][start:stop] = numbers[: stop - start]


def _check_target(target: Path, rows: int, recipe: Recipe) -> None:
    """Find out before the work whether a file of this size can be put at `target`."""
    folder = target.parent
    if not os.path.isdir(folder):  # noqa: PTH112  (unlike Path.is_dir, no exception for names that are too long)
        raise InputError(f"{target} can't be written, as there is no folder {folder}: make it, or choose another")
    if os.path.isdir(target):  # noqa: PTH112
        raise InputError(f"{target} is a folder, but has to be the name of the file to write: add a file name")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{target} can't be written, as the folder {folder} is not writable: choose another")
    features, columns = recipe.features, 1 + bool(recipe.weights) + bool(recipe.offset)
    needed = 8 * (rows * (features + columns) + recipe.outputs * features) + 2**16
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(
            f"{rows} rows of {features} features need {needed / 2**30:,.2f} GiB, but {folder} has "
            f"{free / 2**30:,.2f} GiB free: ask for fewer rows or features, or choose another folder"
        )
