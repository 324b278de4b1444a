"""Rows as a small linear operator: all that a task needs to know of them."""

from collections.abc import Callable

import numpy as np

from mpi_pgd.engine.arrays import Vector


class Block:
    """Dense rows ``x`` (rows, features) with their targets ``y`` (rows,), float64, not to be written.

    Other kinds of rows have the same verbs; nothing outside asks which kind it is.

    Attributes:
        rows: how many.
        dot: X w for ``w`` (features,), into ``out`` (rows,).
        tdot: X'slopes for ``slopes`` (rows,), into ``out`` (features,).
    """

    __slots__ = ("dot", "rows", "tdot", "x", "y")

    def __init__(self, x: Vector, y: Vector) -> None:
        self.x, self.y, self.rows = x, y, len(y)
        # numpy's own methods: a call of Python's for each block would cost a tenth of a round of small blocks.
        self.dot: Callable[[Vector, Vector], object] = x.dot
        self.tdot: Callable[[Vector, Vector], object] = x.T.dot

    def scaled(self, unit: Vector, out: Vector) -> None:
        """X with its columns times ``unit`` (features,), into ``out`` (rows, features)."""
        np.multiply(self.x, unit, out=out)
