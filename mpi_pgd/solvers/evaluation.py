"""What a solver is given."""

import math
from typing import NamedTuple

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.penalties.nonsmooth import Nonsmooth


class Curvature(NamedTuple):
    """What is known of the largest eigenvalue of the Hessian, before the first round: it is between ``least`` and ``most``.

    Where the curvature has no bound, ``most`` is inf, and ``least`` is of the Hessian at the start. ``diagonal`` (size,) is that
    of the Hessian that both are of; None if it is not known.
    """

    least: float
    most: float
    constant: bool = True  # the objective is quadratic, but for what is not smooth
    diagonal: Vector | None = None

    @property
    def known(self) -> float:
        """``most`` if it is known, so that no step of 1 over it is too long; else ``least``."""
        return self.most if self.most < math.inf else self.least


class Evaluation(NamedTuple):
    """What a round found at ``state.point``."""

    value: float  # of the objective, but for what is not smooth
    gradient: Vector  # (size,) of that
    rounding: float  # a bound on the norm of the gradient's rounding error
    hessian: Vector | None = None  # (size, size) of that, where it was asked for
    low: Vector | None = None  # the low half of the gradient, where it was asked for in twice the precision
    prox: Nonsmooth | None = None  # what is not smooth
