"""Some of the rows, in their order."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mpi_pgd.data.columns import Column, Lengths, Ragged, runs
from mpi_pgd.engine.arrays import Rows


class Picked:
    """Those whose bit is set, a bit a row as of ``numpy.packbits``."""

    def __init__(self, bits: NDArray[np.uint8], rows: int) -> None:
        self._bits = bits
        self.rows = sum(int(np.count_nonzero(self._of(range(at, min(at + (1 << 20), rows))))) for at in range(0, rows, 1 << 20))

    def column(self, column: Column) -> Iterator[Rows]:
        """Of a data set: what is to be written, piece by piece."""
        for rows in column.slabs():
            yield column.read(rows)[self._of(rows)]

    def total(self, ragged: Ragged) -> int:
        """How many units that is of what has other lengths."""
        return sum(int(lengths[self._of(rows)].sum()) for rows, lengths in runs(ragged, range(ragged.rows)))

    def ragged(self, ragged: Ragged) -> Iterator[tuple[Lengths, NDArray[np.void]]]:
        """The same of what has other lengths, with these."""
        for rows, lengths in runs(ragged, range(ragged.rows)):
            chosen = self._of(rows)
            yield lengths[chosen], ragged.read(rows)[np.repeat(chosen, lengths)]

    def _of(self, rows: range) -> NDArray[np.bool_]:
        first = rows.start // 8
        bits = np.unpackbits(self._bits[first : -(-rows.stop // 8)])
        return bits[rows.start - 8 * first : rows.stop - 8 * first].astype(bool)
