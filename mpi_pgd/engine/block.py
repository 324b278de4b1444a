"""Rows as a small linear operator: all that a task needs to know of them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mpi_pgd import kernel
from mpi_pgd.engine.arrays import Columns, Vector

if TYPE_CHECKING:
    from mpi_pgd.engine.query import Query


class Block:
    """Dense rows ``x`` (rows, features) with what belongs to each of them, float64, not to be written.

    Other kinds of rows have the same verbs; nothing outside asks which kind it is.

    Attributes:
        rows: how many.
        start: the global number of the first one.
        y: their targets: (rows,), or (k, rows) where each row has k of them.
        weights: (rows,), how much each row counts; None if all count once.
        offset: (rows,), what is added to each row's linear predictor; None if nothing is.
        dot: X w for ``w`` (features,), into ``out`` (rows,).
        tdot: X'slopes for ``slopes`` (rows,), into ``out`` (features,).
    """

    __slots__ = ("dot", "offset", "rows", "start", "tdot", "weights", "x", "y")

    def __init__(self, x: Vector, y: Vector, weights: Vector | None = None, offset: Vector | None = None, start: int = 0) -> None:
        self.x, self.y, self.weights, self.offset, self.start = x, y, weights, offset, start
        self.rows = len(x)
        # numpy's own methods: a call of Python's for each block would cost a tenth of a round of small blocks.
        self.dot: Callable[[Vector, Vector], object] = x.dot
        self.tdot: Callable[[Vector, Vector], object] = x.T.dot

    def dots(self, w: Vector, out: Vector) -> None:
        """W X' for several outputs at once: ``w`` (k, features), into ``out`` (k, rows)."""
        np.matmul(w, self.x.T, out=out)  # other than np.dot it takes a part of wider lines

    def tdots(self, slopes: Vector, out: Vector) -> None:
        """Slopes X for ``slopes`` (k, rows), into ``out`` (k, features)."""
        np.dot(slopes, self.x, out=out)

    def scaled(self, unit: Vector, out: Vector) -> None:
        """X with its columns times ``unit`` (features,), into ``out`` (rows, features)."""
        np.multiply(self.x, unit, out=out)

    def gram(self, columns: Columns | None, mean: Vector, inverse: Vector, curvatures: Vector, out: Vector) -> None:
        """Some columns' scaled products with each other, weighted by ``curvatures`` (lines, rows): see ``kernel.gram``."""
        kernel.gram(self.x, columns, mean, inverse, curvatures, out)

    def cross(self, left: Columns, right: Columns, mean: Vector, inverse: Vector, curvature: Vector, out: Vector) -> None:
        """Those of some columns with others: see ``kernel.cross``."""
        kernel.cross(self.x, left, right, mean, inverse, curvature, out)

    def less(self, about: Vector, rows: slice, out: Vector) -> None:
        """Some rows of X, less ``about`` (features,), into ``out`` (rows, features)."""
        np.subtract(self.x[rows], about, out=out)

    def every(self, step: int) -> "Block":
        """The rows whose global number is a multiple of ``step``."""
        taken = slice(-self.start % step, None, step)
        weights, offset = (None if each is None else each[taken] for each in (self.weights, self.offset))
        return Block(self.x[taken], self.y[..., taken], weights, offset)


class Source(Protocol):
    """Where a rank's rows come from."""

    def blocks(self, query: "Query") -> Iterable[Block]:
        """Those that the answer to ``query`` is made of: of the size that its task wants."""


class Blocks(list[Block]):
    """Blocks that are the same for every query."""

    def blocks(self, query: "Query") -> Iterable[Block]:
        """All."""
        return self
