"""What is added to the mean loss, on the weights of the scaled features. A new one is a file here, and its line in ``PENALTIES``.

Each has one option, its strength, of the name under which it stands in the table; 0 leaves it out.
"""

from collections.abc import Callable
from typing import Protocol

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.penalties.ridge import Ridge


class Penalty(Protocol):
    """A smooth penalty.

    Attributes:
        curvature: the largest second derivative along any one weight.
    """

    curvature: float

    def value_and_gradient(self, weights: Vector, out: Vector) -> float:
        """Its value at ``weights`` (p,); its gradient goes into ``out`` (p,)."""


PENALTIES: dict[str, Callable[[float], Penalty]] = {
    "l2": Ridge,
}
