"""Data frames of whatever library, as arrays: by NumPy's protocol, or else by that of data frames (``__dataframe__``)."""

import ctypes
from typing import Any

import numpy as np

from mpi_pgd.data.names import LONGEST, Names, repeated
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.errors import InputError, printable

KINDS = {0: "i", 1: "u", 2: "f", 20: "b"}  # of the protocol's types those that are real numbers
REAL = "fiub"  # numpy's kinds, likewise


def is_frame(value: Any) -> bool:
    """Whether it has columns with names."""
    return hasattr(value, "__dataframe__")


def names_of(frame: Any) -> Names:
    """Of its columns; none if they are not all text, as those of a frame that was made of an array."""
    columns = _columns(frame)
    if not all(isinstance(name, str) for name in columns):
        return ()
    if any(len(name) > LONGEST for name in columns):
        raise InputError(f"X has column names of more than {LONGEST:,} characters: give shorter ones")
    return tuple(map(printable, columns))


def array_of(frame: Any, what: str) -> Rows:
    """Its values, (rows, columns); a view, if it is one array itself. ``what`` it is, for sentences.

    Raises:
        InputError: a column holds no real numbers, or a value is missing.
    """
    if not hasattr(frame, "__array__"):
        columns = frame.__dataframe__()
        found = [_column(columns.get_column(place), f"column {name} of {what}") for place, name in enumerate(_columns(frame))]
        return _beside(found)
    whole: Rows = np.asarray(frame)
    if whole.dtype.kind in REAL:
        return whole
    names = _columns(frame)
    if twice := repeated(tuple(map(str, names))):
        raise InputError(f"{what} has two columns {twice}, and not all hold numbers of one type: give each a name of its own")
    found = [np.asarray(frame[name]) for name in names]
    for name, column in zip(names, found, strict=True):
        if column.dtype.kind not in REAL:
            raise InputError(
                f"column {name} of {what} holds {column.dtype}, or has missing values: expected real numbers; convert it, or "
                f"leave it out"
            )
    return _beside(found)


def _beside(columns: list[Rows]) -> Rows:
    return np.column_stack(columns) if columns else np.empty((0, 0))


def _columns(frame: Any) -> list[Any]:
    """The names of the columns: pandas warns of the protocol that has them, too."""
    if hasattr(frame, "columns") and not callable(frame.columns):
        names = list(frame.columns)
        if all(isinstance(name, str | int | np.integer) for name in names):
            return names
    return list(frame.__dataframe__().column_names())


def _column(column: Any, what: str) -> Rows:
    """The numbers of a column by the protocol, copied from its buffers."""
    kind, bits, *_ = column.dtype
    letter = KINDS.get(int(kind))
    if letter is None:
        raise InputError(f"{what} holds {getattr(kind, 'name', kind)}: expected real numbers; convert it, or leave it out")
    if column.null_count:
        raise InputError(f"{what} has {column.null_count} missing values: fill them, or drop such rows first")
    found = []
    for chunk in column.get_chunks():
        buffer, _ = chunk.get_buffers()["data"]
        raw = np.frombuffer((ctypes.c_char * buffer.bufsize).from_address(buffer.ptr), np.uint8)
        packed = letter == "b" and bits == 1
        numbers = np.unpackbits(raw, bitorder="little") if packed else raw.view("?" if letter == "b" else f"{letter}{bits // 8}")
        found.append(numbers[chunk.offset : chunk.offset + chunk.size()].astype("?" if packed else numbers.dtype))
    return np.concatenate(found)
