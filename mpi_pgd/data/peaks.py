"""The largest magnitudes in columns of numbers, found while these are still in a core's own cache."""

import numpy as np

from mpi_pgd.engine.arrays import Rows, Vector

PIECE = 1 << 19  # bytes that are looked at twice before the next ones
WIDE = 2048  # numbers that are compared in one go: a go for each row would cost more than the comparing if rows are short


def raise_peaks(peaks: Vector, values: Rows) -> None:
    """Raise ``peaks`` (k,) to the largest magnitudes in the columns of ``values`` (n, k).

    NaN where a number is NaN: so whether all are finite needs no pass of its own.
    """
    rows, columns = values.shape
    beside = WIDE // columns if values.flags.c_contiguous else 0
    if beside > 1 and rows >= 2 * beside:  # rows side by side
        whole = rows // beside * beside
        wide = np.zeros(beside * columns)
        raise_peaks(wide, values[:whole].reshape(-1, beside * columns))
        np.maximum(peaks, wide.reshape(beside, columns).max(axis=0), out=peaks)
        values = values[whole:]
    step = max(1, PIECE // (columns * values.itemsize))
    for start in range(0, len(values), step):
        piece = values[start : start + step]
        for extreme in (np.maximum, np.minimum):  # as float64: the least integer has no magnitude of its own type
            np.maximum(peaks, np.abs(extreme.reduce(piece, axis=0).astype(np.float64)), out=peaks)
