"""Rows in a rank's memory that came as arrays, dense or sparse, and parts of them."""

from typing import Any, NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Rows


class Stored(NamedTuple):
    """Sparse rows: ``values`` and ``indices`` (numbers,), and ``starts`` (rows + 1,) of the rows among them."""

    values: Rows
    indices: Rows
    starts: Rows

    def part(self, rows: slice) -> "Stored":
        """Some of the rows, which start at 0, as int64."""
        starts = self.starts[rows.start : rows.stop + 1].astype(np.int64)
        here = slice(starts[0], starts[-1])
        return Stored(self.values[here], self.indices[here], starts - starts[0])

    def opened(self) -> "Stored":
        """Room for so many numbers as the rows have."""
        number = int(self.starts[-1])
        return self._replace(values=np.empty(number, self.values.dtype), indices=np.empty(number, self.indices.dtype))


class Held(NamedTuple):
    """Rows in this rank's memory.

    Attributes:
        first: the number of the first one in its part.
        x: (rows, p); ``Stored`` if they are sparse.
        y: (rows,), or (rows, k) where each has k targets.
        weights, offset: (rows,), if there are any.
    """

    first: int
    x: Any
    y: Rows
    weights: Rows | None = None
    offset: Rows | None = None

    @property
    def rows(self) -> range:
        """Of the part."""
        return range(self.first, self.first + len(self.y))

    def part(self, rows: range) -> "Held":
        """Some of them; all that belongs to them as float64."""
        here = slice(rows.start - self.first, rows.stop - self.first)
        y, weights, offset = (None if each is None else each[here].astype(np.float64, copy=False) for each in self[2:])
        assert y is not None
        return Held(rows.start, self.x.part(here) if isinstance(self.x, Stored) else self.x[here], y, weights, offset)

    def arrays(self, first: bool) -> list[Rows]:
        """All that they are: first what has a number or a line for each row, then the numbers of sparse ones."""
        if not isinstance(self.x, Stored):
            return [each for each in self[1:] if each is not None] if first else []
        return [self.x.starts[1:], *(each for each in self[2:] if each is not None)] if first else [self.x.values, self.x.indices]

    def opened(self) -> "Held":
        """The same, with room for the numbers of sparse rows, which are counted."""
        return self._replace(x=self.x.opened()) if isinstance(self.x, Stored) else self
