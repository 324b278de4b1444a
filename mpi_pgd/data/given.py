"""What a program gave as rows, as arrays of numbers; refused in a sentence where they are none."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpi_pgd.data import words
from mpi_pgd.data.arrays import Facts
from mpi_pgd.data.frames import array_of, is_frame, names_of
from mpi_pgd.data.held import Held, Stored
from mpi_pgd.data.names import Names
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import InputError

OTHER = {"O": "objects", "S": "text", "U": "text", "c": "complex numbers", "M": "dates", "m": "times", "V": "records", "T": "text"}
EXPECTED = "expected real numbers (floats of 16, 32 or 64 bits, whole numbers, or truth values)"


def taken(given: Mapping[str, Any], whose: str, numeric: str) -> tuple[Held, Facts, Names]:
    """The rows among what a rank was ``given`` by name: X, y, weights and offset, of which there may be none.

    Args:
        whose: the rank's, for sentences; "" if there is one alone.
        numeric: why targets have to be numbers, for sentences; "" if they may be words for classes.

    Raises:
        InputError: they can't be used.
    """
    x, names = _features(given.get("X"), whose)
    rows = len(x.starts) - 1 if isinstance(x, Stored) else len(x)
    features = x.shape[1] if isinstance(x, np.ndarray) else given["X"].shape[1]
    y, known = _targets(given, rows, whose, numeric)
    if y is None:
        if rows:
            raise InputError(f"X{whose} has {rows} rows, and there is no y: expected a target for each of them")
        y = np.zeros(0)
    held = Held(0, x, y, *(_column(_beside(given, name, rows, whose), name, whose) for name in ("weights", "offset")))
    return held, Facts.of(held, features, names, known) if rows else Facts(), names


def _features(given: Any, whose: str) -> tuple[Any, Names]:
    if given is None or (isinstance(given, list | tuple) and not given):
        return np.empty((0, 0)), ()
    if hasattr(given, "tocsr"):
        rows = given.tocsr()
        if rows.ndim != 2:
            raise InputError(f"X{whose} has shape {rows.shape}: expected two dimensions, rows and features")
        return Stored(_numbers(rows.data, "X", whose), rows.indices, rows.indptr), ()
    x = _numbers(given, "X", whose)
    if x.ndim == 1 and not len(x):
        return np.empty((0, 0)), ()
    if x.ndim != 2:
        one = " (X[:, None] is one feature)" * (x.ndim == 1)
        raise InputError(f"X{whose} has shape {x.shape}: expected two dimensions, rows and features{one}")
    if len(x) and not x.shape[1]:
        raise InputError(f"X{whose} has no features: expected at least one column")
    return x, names_of(given) if is_frame(given) else ()


def _targets(given: Mapping[str, Any], rows: int, whose: str, numeric: str) -> tuple[Rows | None, words.Words]:
    """y, (rows,) or (rows, k), and the words for classes that it stands for, if it does."""
    y = given.get("y")
    if y is None or (is_frame(y) and np.shape(y)[1:] != (1,)):
        return _beside(given, "y", rows, whose), ()
    values = _array(y, "y", whose)
    known: words.Words = ()
    if values.dtype.kind in "US" and isinstance(y, list | tuple):
        values = np.array(y, dtype=object)  # as they are: numbers among them were made text
    if values.dtype.kind in words.KINDS and values.ndim and values.size == len(values):
        values, known = words.read(values.ravel(), f"y{whose}", numeric)
    elif values.dtype.kind == "b":
        known = words.TRUTH
    return _beside({"y": values}, "y", rows, whose), () if numeric else known


def _beside(given: Mapping[str, Any], name: str, rows: int, whose: str) -> Rows | None:
    """What belongs to each of the rows, (rows,) or (rows, k)."""
    if given.get(name) is None:
        return None
    found = _numbers(given[name], name, whose)
    if found.ndim not in (1, 2) or len(found) != rows or (rows and not found.size):
        raise InputError(f"{name}{whose} has shape {found.shape}, and X has {rows} rows: expected ({rows},)")
    return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found


def _column(found: Rows | None, name: str, whose: str) -> Rows | None:
    if found is not None and found.ndim > 1:
        raise InputError(f"{name}{whose} has shape {found.shape}: expected ({len(found)},), a number for each row")
    return found


def _numbers(given: Any, name: str, whose: str) -> Rows:
    """An array of real numbers, as it is."""
    found = array_of(given, f"{name}{whose}") if is_frame(given) else _array(given, name, whose)
    kind, size = found.dtype.kind, found.dtype.itemsize
    if kind not in "fiub" or size > 8:
        what = OTHER.get(kind, f"numbers of {8 * size} bits")
        raise InputError(f"{name}{whose} holds {what}: {EXPECTED}; convert the columns that hold others, or leave them out")
    return found


def _array(given: Any, name: str, whose: str) -> Rows:
    """Whatever it holds."""
    if np.any(getattr(given, "mask", None) if np.ma.isMaskedArray(given) else False):
        raise InputError(f"{name}{whose} has masked values: every value must be a finite number; drop or mend such rows first")
    try:
        found: Rows = np.asarray(given)
    except Exception as error:
        raise InputError(f"{name}{whose} can't be read as an array ({error}): {EXPECTED}") from None
    return found
