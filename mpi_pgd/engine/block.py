"""Rows as the maps see them."""

from typing import NamedTuple

from mpi_pgd.engine.arrays import Vector


class Block(NamedTuple):
    """A block: ``x`` (rows, features) and ``y`` (rows,), float64, not to be written."""

    x: Vector
    y: Vector
