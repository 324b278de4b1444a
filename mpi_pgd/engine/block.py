"""Rows as a small linear operator: all that a task needs to know of them."""

from typing import NamedTuple

import numpy as np

from mpi_pgd.engine.arrays import Vector


class Block(NamedTuple):
    """Dense rows ``x`` (rows, features) with their targets ``y`` (rows,), float64, not to be written.

    Other kinds of rows have the same verbs; nothing outside asks which kind it is.
    """

    x: Vector
    y: Vector

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.y)

    def dot(self, w: Vector, out: Vector) -> None:
        """X w for ``w`` (features,), into ``out`` (rows,)."""
        np.dot(self.x, w, out)

    def tdot(self, slopes: Vector, out: Vector) -> None:
        """X'slopes for ``slopes`` (rows,), into ``out`` (features,)."""
        np.dot(slopes, self.x, out)

    def scaled(self, unit: Vector, out: Vector) -> None:
        """X with its columns times ``unit`` (features,), into ``out`` (rows, features)."""
        np.multiply(self.x, unit, out=out)
