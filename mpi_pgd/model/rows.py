"""Rows as a program in Python has them, in chunks that the kernel takes: arrays, lists, data frames, scipy's sparse matrices."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.data.frames import is_frame
from mpi_pgd.data.names import Names
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError

CHUNK = 1 << 20  # bytes of rows as float64 that are looked at together: they stay in a core's own cache


def predictors(x: Any, w: Vector, names: Names, recipe: str) -> Vector:
    """X W' (k, rows) of rows ``x`` (rows, p), whatever they are held in, and ``w`` (k, p). The bits of a row are its own.

    Args:
        x: a frame's columns are picked by ``names``, or made into features by the ``recipe``, if the model has some; those of
            anything else are taken in their order.
        w: the weights.
        names: of the features.
        recipe: as of ``Model``.

    Raises:
        InputError: there are other features, something that is no number, or a value that is missing or not finite.
    """
    step = max(1, CHUNK // (8 * max(1, w.shape[1])))
    rows, parts = _parts(x, w.shape[1], names, recipe, step)
    out, start = np.empty((len(w), rows)), 0
    for part in parts:
        found = np.empty((len(w), part.shape[0]))
        if hasattr(part, "indptr"):
            values = _sparse(part, w, found)
        else:
            values = _dense(part)
            kernel.apart(values, w, found)
        if not np.isfinite(found).all() and not np.isfinite(values).all():
            row = start + _first(part)
            raise InputError(f"X has a value that is missing or not finite in row {row}: fill it, or leave the row out")
        out[:, start : start + part.shape[0]] = found
        start += part.shape[0]
    return out


def _parts(x: Any, features: int, names: Names, recipe: str, step: int) -> tuple[int, Iterator[Any]]:
    """How many rows there are, and all of them, at most ``step`` at a time: CSR, or arrays."""
    if is_frame(x):
        from mpi_pgd.model import frames  # not at start-up: a fit predicts nothing

        if frames.raw(x, names, recipe):
            return int(x.shape[0]), frames.applied(x, recipe, step)
        x = frames.Named(x, names)
    elif hasattr(x, "tocsr"):
        x = x.tocsr()
    elif not hasattr(x, "shape"):
        try:
            x = np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"X was given {type(x).__name__} ({error}): expected numbers, (rows, features)") from None
    if len(x.shape) != 2 or x.shape[1] != features:
        found = f"of shape {tuple(x.shape)}"
        raise InputError(f"X was given {found}: expected (rows, {features}), as the model is of {features} features")
    rows = int(x.shape[0])
    return rows, (x[start : min(start + step, rows)] for start in range(0, rows, step))


def _dense(part: Any) -> Vector:
    try:
        values = np.asarray(part)
        if values.dtype.kind not in "fiubO":
            raise TypeError(f"of type {values.dtype}")
        return np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"X has something that is no number ({error}): expected numbers alone") from None


def _sparse(part: Any, w: Vector, out: Vector) -> Vector:
    """Of scipy's CSR; gives the values that are stored."""
    values = np.ascontiguousarray(part.data, dtype=np.float64)
    indices, starts = np.ascontiguousarray(part.indices, dtype=np.uint32), np.ascontiguousarray(part.indptr, dtype=np.int64)
    columns = np.arange(w.shape[1], dtype=np.uint32)
    for weights, line in zip(w, out, strict=True):
        kernel.sparse_dot(values, indices, starts, columns, weights, line)
    return values


def _first(part: Any) -> int:
    """The first row of some with a value that is not finite."""
    dense: Rows = np.asarray(part.todense() if hasattr(part, "todense") else part, dtype=np.float64)
    return int(np.flatnonzero(~np.isfinite(dense).all(axis=1))[0])
