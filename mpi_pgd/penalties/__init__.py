"""What is added to the mean loss, on the weights of the scaled features. A new one is a file here, and its line in ``PENALTIES``.

All are added, each with the strength that its options say, by default none.
"""

from collections.abc import Callable
from typing import Protocol

from mpi_pgd.engine.arrays import Vector
from mpi_pgd.penalties.ridge import Ridge


class Penalty(Protocol):
    """A smooth penalty. Its options are its own fields.

    Attributes:
        curvature: the largest second derivative along any one weight.
    """

    @property
    def curvature(self) -> float:
        """See above."""

    def value_and_gradient(self, weights: Vector, out: Vector) -> float:
        """Its value at ``weights`` (p,); its gradient goes into ``out`` (p,)."""


PENALTIES: dict[str, Callable[..., Penalty]] = {
    "ridge": Ridge,
}
