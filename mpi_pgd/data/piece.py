"""Rows in memory, with what belongs to each of them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from mpi_pgd.data.table import Table
from mpi_pgd.engine.arrays import Rows, Vector, aligned
from mpi_pgd.engine.block import Block
from mpi_pgd.errors import InputError


class Piece(NamedTuple):
    """A run of rows.

    Attributes:
        x: (rows, p), in the files' type.
        y: (rows,) float64, or (k, rows) where each row has k targets.
        weights, offset: (rows,) float64; None if there are none.
    """

    x: Rows
    y: Vector
    weights: Vector | None = None
    offset: Vector | None = None

    @classmethod
    def room(cls, table: Table, rows: int, array: Callable[[tuple[int, ...], DTypeLike], Rows] = aligned) -> "Piece":
        """Room for so many rows, in arrays on cache lines; weights are 1 until they are read. Refuses what memory can't hold."""
        stride = -(-rows // 8) * 8  # each line starts on a cache line
        try:
            x = array((rows, table.features), table.x_type)
            counts = table.targets, int(table.weighted), int(table.offset != "")
            beside = [array((count, stride), np.float64)[:, :rows] for count in counts]
        except MemoryError:
            raise InputError(
                f"{rows} rows need {table.bytes(rows) / 2**30:.3g} GiB of memory, which this process was not given: raise its "
                f"limit (ulimit -v), or use more nodes"
            ) from None
        y, weights, offset = beside
        if not table.weights:
            weights.fill(1.0)
        return cls(x, y if len(y) > 1 else y[0], *(each[0] if len(each) else None for each in (weights, offset)))

    def part(self, rows: slice) -> "Piece":
        """Some of the rows, as views."""
        return Piece(self.x[rows], self.y[..., rows], *(None if each is None else each[rows] for each in self[2:]))

    def fill(self, other: "Piece") -> None:
        """Have the rows of another one, of as many; of one without features, what belongs to them."""
        if other.x.shape[1]:
            np.copyto(self.x, other.x)
        for mine, theirs in zip(self[1:], other[1:], strict=True):
            if mine is not None and theirs is not None:
                np.copyto(mine, theirs)

    def beside(self) -> "Piece":
        """Room for what belongs to so many rows, without their features."""
        return self._replace(x=self.x[:, :0]).copy()

    def copy(self) -> "Piece":
        """The same rows, in memory of their own."""
        return Piece(self.x.copy(), self.y.copy(), *(None if each is None else each.copy() for each in self[2:]))

    def apart(self) -> "Piece":
        """The same features, and of what is beside them a copy, which may be changed."""
        return Piece(self.x, self.y.copy(), *(None if each is None else each.copy() for each in self[2:]))

    def block(self, start: int) -> Block:
        """These rows as a block, of which ``start`` is the global number of the first."""
        return Block(self.x, self.y, self.weights, self.offset, start)

    def encode(self, classes: Vector) -> None:
        """Have each target, which is one of the ``classes`` (k,), ascending, be its place among them."""
        self.y[:] = np.searchsorted(classes, self.y)

    def weigh(self, factors: Vector) -> float:
        """Multiply the weights by the factor (k,) of each row's class; the largest of them then."""
        assert self.weights is not None
        np.multiply(self.weights, factors[self.y.astype(np.intp)], out=self.weights)
        return float(self.weights.max())

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum(each.nbytes for each in self if each is not None)
