"""Types that X may be stored in, so that reading it takes less: those of numpy, and bfloat16, which numpy has not.

A bfloat16 is the first half of a float32. Here it is a field of that name, so that nobody takes its bits for a whole number.
"""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Rows, Vector

BFLOAT16 = np.dtype([("bfloat16", np.uint16)])
NOT_A_NUMBER = 0x7FC0


def type_of(name: str) -> np.dtype[np.generic]:
    """The type that X is stored in, by its name."""
    return BFLOAT16 if name == BFLOAT16.names[0] else np.dtype(name)  # type: ignore[index]


def holds(dtype: np.dtype[np.generic], other: str) -> bool:
    """Whether a type has the values of another one: float64 those of all, as whole numbers are summed in it anyway."""
    return dtype != BFLOAT16 and np.can_cast(other, dtype)


def narrowed(values: Rows, dtype: DTypeLike) -> Rows:
    """Numbers, each as the nearest one of a type; of two as near, that whose last bit is 0. Too large ones become infinite.

    To bfloat16 they are rounded by way of float32, so the rare one that is next to the middle of two may become the other.
    """
    if np.dtype(dtype) != BFLOAT16:
        return values.astype(dtype, copy=False)
    single = np.ascontiguousarray(values, dtype=np.float32)
    bits = single.view(np.uint32)
    half = ((bits + (0x7FFF + (bits >> np.uint32(16) & np.uint32(1)))) >> np.uint32(16)).astype(np.uint16)
    half[np.isnan(single)] = NOT_A_NUMBER
    return half.view(BFLOAT16)


def widened(x: Rows) -> Rows:
    """Numbers as they are, but for bfloat16: then as float32."""
    return _single(_bits(x)) if x.dtype == BFLOAT16 else x


def as_bits(x: Rows) -> tuple[Rows, str]:
    """Numbers as the kernel takes them, and the name of their type where an array does not tell it."""
    return (x.view(np.uint16), BFLOAT16.names[0]) if x.dtype == BFLOAT16 else (x, "")  # type: ignore[index]


def widen(x: Rows, out: Vector) -> None:
    """Numbers as float64, into ``out`` of their shape."""
    np.copyto(out, widened(x))


def raise_peaks(x: Rows, out: Vector) -> None:
    """``kernel.peaks`` of numbers of any type that X may be stored in."""
    if x.dtype != BFLOAT16:
        kernel.peaks(x, out)
        return
    most = np.max(_bits(x) & np.uint16(0x7FFF), axis=0)  # without signs, bits have the order of the numbers
    np.maximum(out, _single(most), out=out)


def unsound(x: Rows) -> tuple[int, int, Any] | None:
    """The first row with a number that is not finite, its column, and what it is; None if there is none."""
    wide = widened(x)
    good = np.isfinite(wide)
    if good.all():
        return None
    row = int(np.argmin(good.all(axis=1)))
    column = int(np.argmin(good[row]))
    return row, column, wide[row, column]


def _bits(x: Rows) -> NDArray[np.uint16]:
    return np.ascontiguousarray(x).view(np.uint16)


def _single(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
