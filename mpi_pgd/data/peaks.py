"""The largest magnitudes in columns of numbers, found while these are still in a core's own cache."""

import numpy as np

from mpi_pgd.engine.arrays import Rows, Vector

PIECE = 1 << 20  # bytes that are looked at twice before the next ones
WIDE = 2048  # numbers that are compared in one go: a go for each row would cost more than the comparing if rows are short


def raise_peaks(peaks: Vector, values: Rows) -> None:
    """Raise ``peaks`` (k,) to the largest magnitudes in the columns of ``values`` (n, k), n > 0.

    NaN where a number is NaN: so whether all are finite needs no pass of its own.
    """
    rows, columns = values.shape
    beside = max(1, min(WIDE // columns, rows)) if values.flags.c_contiguous else 1  # rows that are taken as one
    step = max(1, PIECE // (beside * columns * values.itemsize)) * beside
    for start in range(0, rows, step):
        piece = values[min(start, rows - beside) : start + step]
        whole = len(piece) // beside * beside
        for extreme in (np.maximum, np.minimum):
            most = extreme.reduce(piece[:whole].reshape(-1, beside * columns), axis=0)
            if whole < len(piece):  # no matter that some rows are looked at again
                most = extreme(most, piece[-beside:].reshape(-1))
            most = extreme.reduce(most.reshape(beside, columns), axis=0)
            # As float64: the least integer has no magnitude of its own type.
            np.maximum(peaks, np.abs(most.astype(np.float64)), out=peaks)
