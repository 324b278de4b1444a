"""Where the losses of rows fall for ever: see ``Loss.pulls``."""

import numpy as np

from mpi_pgd.engine.arrays import Vector


def nowhere(y: Vector) -> Vector | None:
    """Every row has a least."""
    return None


def to_class(y: Vector) -> Vector | None:
    """Of two classes, 0 and 1: down or up."""
    return 2 * y - 1


def to_own(y: Vector) -> Vector | None:
    """Of several classes: to the row's own output."""
    return y


def at_zero(y: Vector) -> Vector | None:
    """Under a log link: down where the target is 0, which no mean is."""
    return np.where(y == 0, -1.0, 0.0)
