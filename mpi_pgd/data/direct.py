"""Rows read right from the bytes of a file, as the values that their numbers stand for, if that is simple.

Each function says whether it was; else HDF5 reads the rows, or has the words for why they can't be read.
"""

from collections.abc import Sequence

import numpy as np

from mpi_pgd.data.decode import STRIP, Column, decoded
from mpi_pgd.data.meaning import Meaning
from mpi_pgd.data.stored import Stored, pieces
from mpi_pgd.engine.arrays import Rows, Vector
from mpi_pgd.engine.narrow import narrowed, raise_peaks


def read_features(
    stored: Stored | None, meaning: Meaning, columns: Sequence[int], rows: range, x: Rows, peaks: Vector | None
) -> bool:
    """Fill ``x`` (len(rows), p) and raise ``peaks`` (p,) to the largest magnitudes in it, each piece while it is in the cache.

    The other arguments are those of ``decode.read_features``.
    """
    if stored is None or meaning.turned:
        return False
    as_it_is = _as_it_is(stored, meaning, columns, x.dtype) and x.flags.c_contiguous
    if not as_it_is and stored.together * stored.row_bytes > STRIP:
        return False
    places = np.asarray(columns) if columns else slice(None)
    for piece in [rows] if as_it_is and peaks is None else pieces(stored, rows):
        here = x[piece.start - rows.start : piece.stop - rows.start]
        if as_it_is:
            stored.fill(piece, here)
        else:
            values = _values(stored, meaning, piece)
            if values is None:
                return False
            here[:, places] = narrowed(values, x.dtype)
        if peaks is not None:
            raise_peaks(here, peaks)
    return True


def there(stored: Stored | None, meaning: Meaning, columns: Sequence[int], rows: range, dtype: np.dtype[np.generic]) -> bool:
    """Whether features of that type only have to be copied from the system's memory, the other arguments being as above."""
    return stored is not None and _as_it_is(stored, meaning, columns, dtype) and stored.there(rows)


def _as_it_is(stored: Stored, meaning: Meaning, columns: Sequence[int], dtype: np.dtype[np.generic]) -> bool:
    return meaning.plain and not columns and dtype == stored.dtype


def read_column(stored: Stored | None, column: Column, rows: range) -> bool:
    """Fill in ``rows`` of what is beside the features."""
    if stored is None or column.meaning.turned:
        return False
    _, meaning, out = column
    if meaning.plain and out.ndim == 1 and (out.dtype, out.itemsize) == (stored.dtype, stored.row_bytes):
        stored.fill(rows, out)
        return True
    values = _values(stored, meaning, rows)
    if values is not None:
        out[:] = values.T if out.ndim > 1 else values.reshape(len(rows), -1)[:, 0]
    return values is not None


def _values(stored: Stored, meaning: Meaning, rows: range) -> Rows | None:
    """None if a number stands for no value."""
    numbers = np.empty((len(rows), *stored.shape), stored.dtype)
    stored.fill(rows, numbers)
    values, bad = decoded(numbers, meaning)
    return None if bad is not None and bad.any() else values
