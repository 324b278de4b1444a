"""What a solver is given."""

from typing import NamedTuple

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.penalties.nonsmooth import Nonsmooth


class Evaluation(NamedTuple):
    """What a round found at ``state.point``."""

    value: float  # of the objective, but for what is not smooth
    gradient: Vector  # (size,) of that
    rounding: float  # a bound on the norm of the gradient's rounding error
    hessian: Vector | None = None  # (size, size) of that, where it was asked for
    low: Vector | None = None  # the low half of the gradient, where it was asked for in twice the precision
    prox: Nonsmooth | None = None  # what is not smooth
