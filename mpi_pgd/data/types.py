"""The types of stored numbers, of which some are no numbers, and some are none of numpy's."""

from typing import Any

import h5py
import numpy as np

from mpi_pgd.errors import InputError, printable

SHOWN = 8  # fields of many


def number_type(data_set: h5py.Dataset, path: str, name: str) -> str:
    """Numpy's name of the type of the stored numbers, in native byte order; refuses what are no real numbers."""
    stored = data_set.id.get_type().get_class()
    size = data_set.id.get_type().get_size()
    if stored == h5py.h5t.TIME:  # h5py has no type for these
        what = "times of HDF5's own type"
    elif unusual(data_set) and size < 8:
        return f"{'uint' if data_set.id.get_type().get_sign() == h5py.h5t.SGN_NONE else 'int'}{32 if size == 3 else 64}"
    elif unusual(data_set) or (stored == h5py.h5t.FLOAT and size > 8):
        what = f"numbers of {8 * size} bits"
    else:
        dtype = data_set.dtype
        bits = "" if stored != h5py.h5t.BITFIELD else _bits(data_set)
        if dtype.kind in "fiub" and dtype.itemsize <= 8 and not bits:
            return str(np.dtype(dtype.newbyteorder("=")))
        what = bits or _other_type(dtype)
    raise InputError(f"{name} in {path} holds {what}: expected real numbers (float64, float32, or integers)")


def unusual(data_set: h5py.Dataset) -> bool:
    """Whether the numbers are integers of a size that numpy has not; HDF5 converts them to any other."""
    stored = data_set.id.get_type()
    return stored.get_class() == h5py.h5t.INTEGER and stored.get_size() not in (1, 2, 4, 8)


def _bits(data_set: h5py.Dataset) -> str:
    """What the bit fields are, if they are no bytes."""
    stored = data_set.id.get_type()
    big = ", big-endian" if stored.get_order() == h5py.h5t.ORDER_BE else ""
    return f"bit fields of {8 * stored.get_size()} bits{big}" if big or stored.get_size() > 1 else ""


def _other_type(dtype: Any) -> str:
    if dtype.names:
        shown = ", ".join(map(printable, dtype.names[:SHOWN])) + (", ..." if len(dtype.names) > SHOWN else "")
        return f"a compound type, a table with the fields {shown} (write those that are wanted as one array, side by side)"
    words = {"c": "complex numbers", "V": "a compound type", "O": "strings or objects", "S": "strings", "U": "strings"}
    return words.get(dtype.kind, f"the type {dtype}")
