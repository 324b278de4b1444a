"""What a solver is given."""

from typing import NamedTuple

from mpi_pgd.engine.arrays import Vector


class Evaluation(NamedTuple):
    """What a round found at ``state.point``: the objective, its gradient (size,), and a bound on the norm of its rounding error."""

    value: float
    gradient: Vector
    rounding: float
