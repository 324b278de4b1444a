"""Vectors of blocks that have columns of their own: added where these are; nothing else is touched, however long vectors are."""

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Rows, Vector, aligned
from mpi_pgd.engine.cut import RUN, Cutting


class Few:
    """The vectors, one after the other; ``columned`` is that of their ``Layout``. What it has is that of ``cut.Ring``."""

    def __init__(self, cutting: Cutting, columned: tuple[int, int]) -> None:
        self._cutting, (self._outputs, self._features) = cutting, columned
        self._rest = cutting.width - self._outputs * self._features  # numbers that are of no column
        self._behind = np.arange(self._rest, dtype=np.uint32)
        self._first, self._ratio = np.zeros(cutting.bounds if self._outputs else 0), 0.0
        self._room: Vector = np.empty(0)
        self._written: Vector = self._room
        self._columns: Rows = self._behind
        self.used = False

    def lie_in(self, high: Vector, low: Vector, peaks: Vector) -> None:
        """Where the sums and the peaks are from now on."""
        self.high, self.low, self.peaks = high, low, peaks

    def rebound(self, first: Vector, second: Vector) -> None:
        """Cut against these (bounds,) from now on."""
        self._first[:], self._ratio = first, float(second[-1] / first[-1])  # of all, as their powers of two differ alike

    def clear(self) -> None:
        """Begin with no block."""
        self._written, self.used = self._room[:0], False

    def slot(self, columns: Rows) -> Vector:
        """Where the next block writes its vector, which begins with a line of numbers of these ``columns`` (l,) for each output."""
        if not self.used:
            self.high[:] = self.low[:] = 0.0
        self.close()
        size = self._outputs * len(columns) + self._rest
        if size > len(self._room):
            self._room = aligned((size,), np.float64)
        self._columns, self._written, self.used = columns, self._room[:size], True
        return self._written

    def close(self) -> None:
        """Add what was written."""
        part, columns = self._written, self._columns
        self._written = part[:0]
        if not len(part):
            return
        for output in range(self._outputs):
            self._add(part[output * len(columns) : (output + 1) * len(columns)], columns, output * self._features)
        self._add(part[len(part) - self._rest :], self._behind, self._outputs * self._features)

    def _add(self, part: Vector, places: Rows, start: int) -> None:
        if self._cutting.folds:
            of = start, RUN, self._cutting.head, self._ratio, self._first
            kernel.fold_at(part, places, *of, self.peaks, self.high, self.low)
        else:
            self.high[start:][places] += part
