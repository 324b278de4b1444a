"""Rows as a program in Python has them, in chunks that the kernel takes: arrays, lists, dataframes, scipy's sparse matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.data.names import Names, repeated
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.errors import InputError, listed

CHUNK = 1 << 20  # bytes of rows as float64 that are looked at together: they stay in a core's own cache


def predictors(x: Any, w: Vector, names: Names) -> Vector:
    """X W' (k, rows) of rows ``x`` (rows, p), whatever they are held in, and ``w`` (k, p). The bits of a row are its own.

    Args:
        x: a frame's columns are picked by ``names``, if the model has some; those of anything else are taken in their order.
        w: the weights.
        names: of the features.

    Raises:
        InputError: there are other features, something that is no number, or a value that is missing or not finite.
    """
    given = _picked(x, names)
    rows = _shaped(given, w.shape[1])
    out, step = np.empty((len(w), rows)), max(1, CHUNK // (8 * max(1, w.shape[1])))
    for start in range(0, rows, step):
        part, found = given[start : start + step], out[:, start : start + step]
        if hasattr(part, "indptr"):
            _sparse(part, w, found)
            values = part.data
        else:
            values = _dense(part)
            into = np.empty(found.shape)
            kernel.apart(values, w, into)
            found[:] = into
        if not np.isfinite(found).all() and not np.isfinite(values).all():
            raise InputError(
                f"X has a value that is missing or not finite in row {start + _first(part)}: fill it, or leave the row out"
            )
    return out


def _picked(x: Any, names: Names) -> Any:
    """What can be cut into runs of rows: CSR, a frame of the right columns, or an array."""
    if hasattr(x, "tocsr"):
        return x.tocsr()
    columns = getattr(x, "columns", None)
    if columns is not None and hasattr(x, "shape"):
        return _chosen(x, tuple(map(str, columns)), names)
    if not hasattr(x, "shape"):
        try:
            return np.asarray(x, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"X was given {type(x).__name__} ({error}): expected numbers, (rows, features)") from None
    return x


def _chosen(frame: Any, there: Sequence[str], names: Names) -> Any:
    if not names:
        return frame
    missing = [name for name in names if name not in there]
    if missing:
        raise InputError(f"X has no column {listed(missing)}: expected the {len(names)} features of the model")
    if twice := repeated(tuple(name for name in there if name in names)):
        raise InputError(f"X has two columns {twice}: give each a name of its own")
    labels = dict(zip(there, frame.columns, strict=True))
    return frame if tuple(there) == names else frame[[labels[name] for name in names]]


def _shaped(x: Any, features: int) -> int:
    """How many rows there are."""
    if len(x.shape) != 2 or x.shape[1] != features:
        found = f"of shape {tuple(x.shape)}"
        raise InputError(f"X was given {found}: expected (rows, {features}), as the model is of {features} features")
    return int(x.shape[0])


def _dense(part: Any) -> Vector:
    try:
        values = np.asarray(part)
        if values.dtype.kind not in "fiubO":
            raise TypeError(f"of type {values.dtype}")
        return np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"X has something that is no number ({error}): expected numbers alone") from None


def _sparse(part: Any, w: Vector, out: Vector) -> None:
    """Of scipy's CSR."""
    values = np.ascontiguousarray(part.data, dtype=np.float64)
    indices, starts = np.ascontiguousarray(part.indices, dtype=np.uint32), np.ascontiguousarray(part.indptr, dtype=np.int64)
    columns, one = np.arange(w.shape[1], dtype=np.uint32), np.empty(out.shape[1])
    for weights, line in zip(w, out, strict=True):
        kernel.sparse_dot(values, indices, starts, columns, weights, one)
        line[:] = one


def _first(part: Any) -> int:
    """The first row of some with a value that is not finite."""
    dense: Rows = np.asarray(part.todense() if hasattr(part, "todense") else part, dtype=np.float64)
    return int(np.flatnonzero(~np.isfinite(dense).all(axis=1))[0])
