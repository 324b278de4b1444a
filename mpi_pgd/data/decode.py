"""Rows read from one file's data sets, as the values that their numbers stand for."""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import h5py
import numpy as np

from mpi_pgd.data.meaning import Meaning
from mpi_pgd.data.types import unusual
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.engine.narrow import holds, narrowed
from mpi_pgd.errors import InputError

STRIP = 8 << 20  # bytes of numbers that are decoded at a time, if chunks don't ask for more
COUNTED = 256 << 20  # bytes of a data set whose missing values are counted for the sentence


class Column(NamedTuple):
    """What is read beside the features.

    Attributes:
        name, meaning: of the data set, and of its numbers.
        out: (rows,), or (k, rows) where it is (n, k): to be filled.
    """

    name: str
    meaning: Meaning
    out: Vector


def read_features(
    data_set: h5py.Dataset, meaning: Meaning, columns: Sequence[int], rows: range, first: int, x: Rows, name: str
) -> None:
    """Fill ``x`` (len(rows), p) with ``rows`` of the file; refuse a number that stands for no value.

    Args:
        data_set, meaning, name: of the features, of their numbers, and for sentences.
        columns: of the table, for each of the file's; empty if they are the same.
        rows, first: of the file, and the number of the first of them in the table.
        x: of any type that X may be stored in.
    """
    if meaning.plain and not columns and holds(x.dtype, meaning.type):
        if x.dtype.kind == "f":
            x.fill(np.nan)  # what HDF5 leaves out would else be what was there before
        data_set.read_direct(x, np.s_[rows.start : rows.stop])
        return
    for strip in _strips(data_set, meaning, len(rows), x.shape[1]):
        here = np.s_[rows.start : rows.stop]
        numbers = _numbers(data_set, meaning, strip, here).T if meaning.turned else _numbers(data_set, meaning, here, strip)
        values, bad = decoded(numbers, meaning)
        if bad is not None and bad.any():
            row, column = (int(place) for place in np.argwhere(bad)[0])
            there = columns[strip.start + column] if columns else strip.start + column
            raise _missing(f"row {first + row}, column {there} of {name}", numbers[row, column], data_set, meaning)
        x[:, np.asarray(columns[strip]) if columns else strip] = narrowed(values, x.dtype)


def read_column(data_set: h5py.Dataset, column: Column, rows: range, first: int) -> None:
    """Fill in ``rows`` of what is beside the features; the other arguments are those of ``read_features``."""
    name, meaning, out = column
    here = np.s_[rows.start : rows.stop]
    columns = np.s_[:] if out.ndim > 1 else 0
    place = (here,) if data_set.ndim == 1 else (columns, here) if meaning.turned else (here, columns)
    numbers = _numbers(data_set, meaning, *place)
    if out.ndim > 1 and not meaning.turned:
        numbers = numbers.T
    values, bad = decoded(numbers, meaning)
    if bad is not None and bad.any():
        row, *target = (int(found) for found in np.argwhere(bad.T)[0])
        where = f"row {first + row}" + "".join(f", column {number}" for number in target)
        raise _missing(f"{where} of {name}", numbers[*target, row], data_set, meaning)
    out[:] = values


def read_whole(data_set: h5py.Dataset, meaning: Meaning) -> tuple[Vector, Rows | None]:
    """All values of a data set that is small, in one line, as float64; and which are none, if that is to be asked."""
    values, bad = decoded(_numbers(data_set, meaning, np.s_[:]).ravel(), meaning)
    return values.astype(np.float64), bad


def _numbers(data_set: h5py.Dataset, meaning: Meaning, *place: slice | int) -> Rows:
    """What is stored at ``place``, in a type that numpy has."""
    if not unusual(data_set):
        return np.asarray(data_set[place])
    sizes = [len(range(*part.indices(size))) for part, size in zip(place, data_set.shape, strict=False) if isinstance(part, slice)]
    numbers = np.empty((*sizes, *data_set.shape[len(place) :]), meaning.kind)
    data_set.read_direct(numbers, place)
    return numbers


def decoded(numbers: Rows, meaning: Meaning) -> tuple[Rows, Rows | None]:
    """The values that ``numbers`` stand for, and which stand for none; None if that is not to be asked."""
    numbers = numbers.astype(numbers.dtype.newbyteorder("="), copy=False).view(meaning.kind)
    with np.errstate(over="ignore", invalid="ignore"):  # values that are not finite are refused where all are checked
        values = numbers
        if meaning.packed:
            values = np.multiply(numbers, meaning.scale, dtype=np.float64)
            values += meaning.offset
        return values, _without_value(numbers, values, meaning) if meaning.guarded else None


def _without_value(numbers: Rows, values: Rows, meaning: Meaning) -> Rows:
    bad = np.zeros(numbers.shape, dtype=bool)
    for number, _ in meaning.missing:
        bad |= numbers == number
    bounded = values if meaning.bounds_values else numbers
    if meaning.low is not None:
        bad |= bounded < meaning.low
    if meaning.high is not None:
        bad |= bounded > meaning.high
    return bad


def _strips(data_set: h5py.Dataset, meaning: Meaning, rows: int, features: int) -> Iterator[slice]:
    """The columns in runs that end where chunks end, so that memory is bounded and no chunk is decompressed twice."""
    wide = data_set.chunks[0 if meaning.turned else 1] if data_set.chunks else 1
    step = max(1, STRIP // max(1, 8 * rows) // wide) * wide
    for start in range(0, features, step):
        yield slice(start, min(start + step, features))


def _missing(place: str, number: np.generic, data_set: h5py.Dataset, meaning: Meaning) -> InputError:
    shown = number.astype(number.dtype.newbyteorder("=")).view(meaning.kind)
    why = next((why for missing, why in meaning.missing if shown == missing), meaning.bounded)
    path = os.fsdecode(data_set.file.filename)
    return InputError(
        f"{place} is a missing value: {path} has {shown} there, {why}{_others(data_set, meaning)}; drop or mend such rows first "
        f"(they are counted from 0 over all rows)"
    )


def _others(data_set: h5py.Dataset, meaning: Meaning) -> str:
    """How many of all are missing, if that is soon known."""
    size = data_set.size * data_set.id.get_type().get_size()
    if size > COUNTED:
        return ""
    step = max(1, STRIP // max(1, size // len(data_set)))
    count = 0
    for start in range(0, len(data_set), step):
        _, bad = decoded(_numbers(data_set, meaning, np.s_[start : start + step]), meaning)
        count += 0 if bad is None else int(np.count_nonzero(bad))
    return f", and {count:,} of its {data_set.size:,} values are missing"
