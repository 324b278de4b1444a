"""The array types that the other modules name, and how memory for them is laid out."""

import math
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

Vector = NDArray[np.float64]
Rows = NDArray[Any]
Columns = NDArray[np.int64]  # places of columns

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def aligned(shape: tuple[int, ...], dtype: DTypeLike) -> Rows:
    """An uninitialised C-ordered array of ``shape`` that starts on a cache line.

    A kernel may treat the rows before the first aligned address differently; with every block aligned in the same way, a block
    gives the same bits on every rank.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def numbers(vector: Vector) -> "memoryview[float]":
    """A contiguous vector as Python's own numbers, one of which is had, or written, in less time than one of numpy's."""
    return cast("memoryview[float]", vector.data)


def shown(array: Vector) -> Vector:
    """A view that is to be read alone."""
    view = array.view()
    view.flags.writeable = False
    return view
